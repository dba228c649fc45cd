//! Asking the host for HTTP.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{Attribute, Error, HttpError, PlainRow, Response, asked};

/// All but the unreserved characters of RFC 3986, so that no reader takes any of a value for syntax.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Something that sends requests: the host, or [`testing::MockHttp`](crate::testing::MockHttp).
pub trait Http {
    /// Sends a request and waits for the whole response.
    fn send(&self, request: Request) -> Result<Response, HttpError>;
}

impl<T: Http + ?Sized> Http for &T {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        (**self).send(request)
    }
}

/// A method of RFC 9110.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// A method of that name; refused if the host does not allow it.
    Other(String),
}

/// A request: at most 1 MiB of body and 32 KiB of headers. The host adds the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Whole body.
    pub body: Option<Vec<u8>>,
    /// Repeating it does no harm although its method does not say so.
    pub idempotent: bool,
    /// `timeout-ms`, `accept-status`, `rows`, `rows-known`, `rows-plain`.
    pub attributes: Vec<Attribute>,
}

impl Request {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The URL's path, still percent-encoded; empty if the URL has none.
    pub fn path(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        rest.find('/').and_then(|start| rest.get(start..)).unwrap_or_default()
    }

    /// The first query parameter of that name, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.url.split_once('?')?.1.split('#').next().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

pub(crate) fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A request being written. A mistake in it is kept and returned by [`send`](RequestBuilder::send).
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder<'a> {
    http: &'a dyn Http,
    request: Request,
    mistake: Option<Error>,
}

impl<'a> RequestBuilder<'a> {
    pub(crate) fn new(http: &'a dyn Http, method: Method, url: String) -> Self {
        let request =
            Request { method, url, headers: Vec::new(), body: None, idempotent: false, attributes: Vec::new() };
        Self { http, request, mistake: None }
    }

    /// Adds a query parameter, percent-encoded.
    pub fn query(mut self, key: &str, value: impl AsRef<str>) -> Self {
        let url = &mut self.request.url;
        url.push(match url.contains('?') {
            false => '?',
            true => '&',
        });
        url.extend(utf8_percent_encode(key, RESERVED));
        url.push('=');
        url.extend(utf8_percent_encode(value.as_ref(), RESERVED));
        self
    }

    /// Adds a header. Headers that carry credentials or framing are refused by the host.
    pub fn header(mut self, key: &str, value: impl Into<String>) -> Self {
        self.request.headers.push((key.to_owned(), value.into()));
        self
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body(bytes).header("content-type", "application/json"),
            Err(error) => {
                self.mistake = Some(Error::other("request-body", error.to_string()));
                self
            }
        }
    }

    /// Sends pairs as an HTML form.
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body(text.into_bytes()).header("content-type", "application/x-www-form-urlencoded")
    }

    /// Sends these bytes.
    pub fn body(mut self, bytes: Vec<u8>) -> Self {
        self.request.body = Some(bytes);
        self
    }

    /// Says that repeating the request does no harm, as with a search by POST.
    pub fn idempotent(mut self) -> Self {
        self.request.idempotent = true;
        self
    }

    /// Asks the host not to retry these statuses.
    pub fn accept_status(mut self, statuses: &[u16]) -> Self {
        let list: Vec<String> = statuses.iter().map(u16::to_string).collect();
        self.request.attributes.push(("accept-status".to_owned(), list.join(",")));
        self
    }

    /// Waits at most this long, if that is shorter than the host's limit.
    pub fn timeout_ms(mut self, ms: u64) -> Self {
        self.request.attributes.push(("timeout-ms".to_owned(), ms.to_string()));
        self
    }

    /// Says that a successful answer is an object with a list of rows under this key, and that the connector reads of a row
    /// what `T` asks for and hands the rest on with [`Row::data`](crate::Row::data), unseen. The rows can then stay with the
    /// host: the answer has of each only what `T` asks for, which is a good deal faster. [`Response::rows`], with the same
    /// key and the same type, reads it either way.
    pub fn rows_of<'de, T: Deserialize<'de>>(mut self, key: &str) -> Self {
        if let Some(known) = asked::of::<T>() {
            self.request.attributes.push(("rows".to_owned(), key.to_owned()));
            self.request.attributes.push(("rows-known".to_owned(), known));
        }
        self
    }

    /// Says the same as [`rows_of`](Self::rows_of), and which members make a record of a plain row. Then of plain rows, one
    /// after another, the answer need only say how many there are: nothing of them enters the sandbox.
    /// [`Response::plain_rows`], with the same key, type and members, reads it.
    pub fn plain_rows_of<'de, T: Deserialize<'de>>(self, key: &str, plain: &PlainRow) -> Self {
        let mut asking = self.rows_of::<T>(key);
        asking.request.attributes.push(("rows-plain".to_owned(), plain.text()));
        asking
    }

    /// Sends it. Any status is a response; see [`Response::error_for_status`].
    pub fn send(self) -> Result<Response, Error> {
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Ok(self.http.send(self.request)?),
        }
    }
}
