//! The requests.

use serde::Deserialize;
use syncline_sdk::{Context, Error, RequestBuilder, Response};

use crate::config::Config;
use crate::failure::{Failure, checked};

/// An account, as one call sees it.
pub(crate) struct Api<'c> {
    ctx: &'c Context<'c>,
    base: String,
}

#[derive(Deserialize)]
struct Me {
    user: MyUser,
}

#[derive(Deserialize)]
struct MyUser {
    id: Option<u64>,
    role: Option<String>,
}

impl<'c> Api<'c> {
    pub(crate) fn new(ctx: &'c Context<'c>, config: &Config) -> Self {
        Self { ctx, base: format!("https://{}.zendesk.com/api/v2", config.subdomain) }
    }

    pub(crate) fn ctx(&self) -> &'c Context<'c> {
        self.ctx
    }

    /// Starts a GET of a path below `/api/v2/`. Links in answers are never followed: they may name a host-mapped domain.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder<'c> {
        self.ctx.get(format!("{}/{path}", self.base))
    }

    /// The same for a page of a list: so many rows behind a token of an earlier page, or the first ones.
    pub(crate) fn list(&self, path: &str, rows: u32, after: Option<&str>) -> RequestBuilder<'c> {
        let request = self.get(path).query("page[size]", rows.to_string());
        match after {
            Some(after) => request.query("page[after]", after),
            None => request,
        }
    }

    /// Sends a request and takes a success only.
    pub(crate) fn send(request: RequestBuilder<'_>) -> Result<Response, Failure> {
        checked(request.send()?)
    }

    /// The cheapest question that tells what the credentials may do.
    pub(crate) fn probe(&self) -> Result<(), Error> {
        let response = Self::send(self.get("users/me.json"))?;
        let Me { user } = response.json()?;
        // Who is not logged in is a user without an id.
        if user.id.is_none_or(|id| id == 0) {
            return Err(Error::Unauthorized("Zendesk takes the credentials for nobody's".to_owned()));
        }
        match user.role.as_deref() {
            Some("admin") => Ok(()),
            role => Err(Error::Forbidden(format!(
                "the exports need an administrator; the credentials belong to the role {role:?}"
            ))),
        }
    }
}
