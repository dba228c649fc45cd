//! The requests.

use serde::Deserialize;
use serde_json::Value;
use syncline_sdk::{Context, Error, RequestBuilder, Response};

use crate::config::Config;
use crate::failure::{self, NOT_WORTH_RETRYING, SCROLL_ANSWERS};

/// The version of the API whose shapes this connector knows. Without the header the app's own default would count.
const VERSION: &str = "2.14";

/// Intercom, as one call sees it.
pub(crate) struct Api<'c> {
    ctx: &'c Context<'c>,
    base: &'static str,
}

impl<'c> Api<'c> {
    pub(crate) fn new(ctx: &'c Context<'c>, config: &Config) -> Self {
        Self { ctx, base: config.base() }
    }

    pub(crate) fn ctx(&self) -> &'c Context<'c> {
        self.ctx
    }

    /// The region of the workspace, where Intercom tells it: the cheapest question that needs a token.
    pub(crate) fn region(&self) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Me {
            app: Option<App>,
        }
        #[derive(Deserialize)]
        struct App {
            region: Option<String>,
        }
        let me: Me = self.get("/me", &[])?.json()?;
        Ok(me.app.and_then(|app| app.region))
    }

    /// Reads what is at a path.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, Error> {
        failure::checked(self.ask(self.build(path, query))?)
    }

    /// The same for one record; none if it is gone.
    pub(crate) fn get_one(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Response>, Error> {
        let response = self.ask(self.build(path, query))?;
        if response.status == 404 {
            return Ok(None);
        }
        failure::checked(response).map(Some)
    }

    /// The same for a list that belongs to a contact; none if the contact is gone. A list that is not found of a contact
    /// that is there is a fault: taken for an empty one, it would delete what it holds.
    pub(crate) fn of_contact(
        &self,
        contact: &str,
        list: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<Response>, Error> {
        let path = format!("/contacts/{contact}");
        match self.get_one(&format!("{path}/{list}"), query)? {
            None if self.get_one(&path, &[])?.is_some() => {
                Err(Error::Unexpected(format!("the contact {contact} is there, and its {list} are not found")))
            }
            response => Ok(response),
        }
    }

    /// A page of all contacts.
    pub(crate) fn contacts(&self, rows: u32, after: Option<&str>) -> Result<Response, Error> {
        let mut request = self.build("/contacts", &[("per_page", &rows.to_string())]);
        if let Some(after) = after {
            request = request.query("starting_after", after);
        }
        self.paged(request, after.is_some())
    }

    /// A page of a search; `resumes` says whether the body names the place of an earlier page.
    pub(crate) fn search(&self, object: &str, body: &Value, resumes: bool) -> Result<Response, Error> {
        let request = self.ctx.post(format!("{}/{object}/search", self.base)).json(body).idempotent();
        self.paged(request, resumes)
    }

    /// A place that Intercom no longer takes is a bad request like any other.
    fn paged(&self, request: RequestBuilder<'_>, resumes: bool) -> Result<Response, Error> {
        let response = self.ask(request)?;
        if resumes && matches!(response.status, 400 | 404) {
            self.ctx.warn(&format!("Intercom no longer knows the page: {}", response.excerpt()));
            return Err(Error::CursorExpired(None));
        }
        failure::checked(response)
    }

    /// The next rows of the scroll, or the first ones. Every status is an answer: asking twice moves the scroll twice.
    pub(crate) fn scroll(&self, param: Option<&str>) -> Result<Response, Error> {
        let request = match param {
            Some(param) => self.build("/companies/scroll", &[("scroll_param", param)]),
            None => self.build("/companies/scroll", &[]),
        };
        versioned(request).accept_status(&SCROLL_ANSWERS).send()
    }

    fn build(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder<'c> {
        let request = self.ctx.get(format!("{}{path}", self.base));
        query.iter().fold(request, |request, (key, value)| request.query(key, value))
    }

    fn ask(&self, request: RequestBuilder<'_>) -> Result<Response, Error> {
        versioned(request).accept_status(&NOT_WORTH_RETRYING).send()
    }
}

fn versioned(request: RequestBuilder<'_>) -> RequestBuilder<'_> {
    request.header("Intercom-Version", VERSION).header("Accept", "application/json")
}

/// Intercom's clock, in seconds. Windows are cut by it alone, so an answer without one is of no use.
pub(crate) fn server_time(response: &Response) -> Result<u64, Error> {
    let ms = response.date_ms().ok_or_else(|| Error::Unexpected("an answer without a Date header".to_owned()))?;
    Ok(ms / 1_000)
}
