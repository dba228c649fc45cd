//! The requests.

use serde_json::{Value, json};
use syncline_sdk::{Context, Error, RequestBuilder, Response};

use crate::failure::{NOT_WORTH_RETRYING, checked};
use crate::model::Listing;

const BASE: &str = "https://api.hubapi.com";

/// HubSpot, as one call sees it.
pub(crate) struct Api<'c> {
    ctx: &'c Context<'c>,
}

/// A page of a list.
pub(crate) struct List<'a> {
    /// Archived rows instead of live ones.
    pub(crate) archived: bool,
    /// Properties to read, separated by commas; empty for owners.
    pub(crate) properties: &'a str,
    /// Rows to ask for.
    pub(crate) limit: u32,
    /// HubSpot's token for the page.
    pub(crate) after: Option<&'a str>,
    /// Nothing but the records is wanted.
    pub(crate) plain: bool,
}

impl<'c> Api<'c> {
    pub(crate) fn new(ctx: &'c Context<'c>) -> Self {
        Self { ctx }
    }

    pub(crate) fn ctx(&self) -> &'c Context<'c> {
        self.ctx
    }

    /// The cheapest question that needs a token.
    pub(crate) fn probe(&self) -> Result<(), Error> {
        let url = format!("{BASE}/crm/v3/objects/contacts");
        send(self.ctx.get(url).query("limit", "1")).map(drop)
    }

    /// A page of an object's list.
    pub(crate) fn list(&self, object: &str, list: &List<'_>) -> Result<Response, Error> {
        self.page(format!("{BASE}/crm/v3/objects/{object}"), list)
    }

    /// A page of the owners.
    pub(crate) fn owners(&self, list: &List<'_>) -> Result<Response, Error> {
        self.page(format!("{BASE}/crm/v3/owners"), list)
    }

    fn page(&self, url: String, list: &List<'_>) -> Result<Response, Error> {
        let mut request = self.ctx.get(url).query("limit", list.limit.to_string());
        request = if list.plain { Listing::plain(request) } else { Listing::of(request) };
        request = request.query("archived", list.archived.to_string());
        if !list.properties.is_empty() {
            request = request.query("properties", list.properties);
        }
        let Some(after) = list.after else {
            return send(request);
        };
        // A token that HubSpot no longer takes is a validation error like any other.
        let response = ask(request.query("after", after))?;
        if response.status == 400 {
            self.ctx.warn(&format!("HubSpot no longer knows the page: {}", response.excerpt()));
            return Err(Error::CursorExpired(None));
        }
        checked(response)
    }

    /// A search with this body.
    pub(crate) fn search(&self, object: &str, body: &Value) -> Result<Response, Error> {
        self.read_by_post(format!("{BASE}/crm/v3/objects/{object}/search"), body)
    }

    /// Up to 100 records by id.
    pub(crate) fn batch(&self, object: &str, properties: &[&str], ids: &[&str]) -> Result<Response, Error> {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let body = json!({ "properties": properties, "inputs": inputs });
        self.read_by_post(format!("{BASE}/crm/v3/objects/{object}/batch/read"), &body)
    }

    fn read_by_post(&self, url: String, body: &Value) -> Result<Response, Error> {
        send(Listing::of(self.ctx.post(url)).json(body).idempotent())
    }
}

fn send(request: RequestBuilder<'_>) -> Result<Response, Error> {
    checked(ask(request)?)
}

fn ask(request: RequestBuilder<'_>) -> Result<Response, Error> {
    request.accept_status(&NOT_WORTH_RETRYING).send()
}

/// HubSpot's clock. Windows are cut by it alone, so an answer without one is of no use.
pub(crate) fn server_time(response: &Response) -> Result<u64, Error> {
    response.date_ms().ok_or_else(|| Error::Unexpected("an answer without a Date header".to_owned()))
}
