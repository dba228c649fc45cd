//! What a call may know and do.

use serde::de::DeserializeOwned;

use crate::request::{Http, Method, RequestBuilder};
use crate::{Attribute, Error, Level, Log};

/// A wall clock.
pub trait Clock {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
}

impl<T: Clock + ?Sized> Clock for &T {
    fn now_ms(&self) -> u64 {
        (**self).now_ms()
    }
}

/// What a call knows of the integration it works for, and its only ways out: HTTP, the log, the clock.
pub struct Context<'a> {
    http: &'a dyn Http,
    log: &'a dyn Log,
    clock: &'a dyn Clock,
    config: &'a str,
    auth: &'a str,
    attributes: &'a [Attribute],
}

impl<'a> Context<'a> {
    /// A context over the given collaborators; `config` is the integration's configuration as JSON text.
    pub fn new(
        http: &'a dyn Http,
        log: &'a dyn Log,
        clock: &'a dyn Clock,
        config: &'a str,
        auth: &'a str,
        attributes: &'a [Attribute],
    ) -> Self {
        Self { http, log, clock, config, auth, attributes }
    }

    /// The integration's configuration. Fails with [`Error::InvalidConfig`].
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = if self.config.trim().is_empty() { "{}" } else { self.config };
        serde_json::from_str(text).map_err(|error| Error::InvalidConfig(error.to_string()))
    }

    /// Name of the auth scheme in use; empty if none.
    pub fn auth(&self) -> &str {
        self.auth
    }

    /// The number of records that the host would like in a page.
    pub fn page_size(&self) -> Option<u32> {
        self.attribute("page-size")?.parse().ok().filter(|size| *size > 0)
    }

    /// A fact from the host.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        crate::attribute(self.attributes, key)
    }

    /// Milliseconds since 1970 by the host's clock. Prefer [`Response::date_ms`](crate::Response::date_ms) wherever a
    /// time is compared with the provider's.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Writes a line to the connector's log. Never put a secret or a person's data in it.
    pub fn log(&self, level: Level, message: &str) {
        self.log.emit(level, message);
    }

    /// Logs what is worth knowing.
    pub fn info(&self, message: &str) {
        self.log(Level::Info, message);
    }

    /// Logs what was odd and was dealt with.
    pub fn warn(&self, message: &str) {
        self.log(Level::Warn, message);
    }

    /// Starts a GET.
    pub fn get(&self, url: impl Into<String>) -> RequestBuilder<'a> {
        self.request(Method::Get, url)
    }

    /// Starts a POST.
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder<'a> {
        self.request(Method::Post, url)
    }

    /// Starts a PUT.
    pub fn put(&self, url: impl Into<String>) -> RequestBuilder<'a> {
        self.request(Method::Put, url)
    }

    /// Starts a DELETE.
    pub fn delete(&self, url: impl Into<String>) -> RequestBuilder<'a> {
        self.request(Method::Delete, url)
    }

    /// Starts a request with any method.
    pub fn request(&self, method: Method, url: impl Into<String>) -> RequestBuilder<'a> {
        RequestBuilder::new(self.http, method, url.into())
    }
}
