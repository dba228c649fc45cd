//! An HTTP door that a closure answers.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;

use crate::{Http, HttpError, Request, Response};

type Handler = Box<dyn FnMut(&Request) -> Result<Response, HttpError>>;

/// Answers every request from a closure and keeps a record of them. Clones share both.
#[derive(Clone)]
pub struct MockHttp {
    handler: Rc<RefCell<Handler>>,
    requests: Rc<RefCell<Vec<Request>>>,
}

impl MockHttp {
    /// A door answered by this closure, which returns a [`Response`], an [`HttpError`] or a `Result` of both.
    pub fn new<R: Reply>(mut handler: impl FnMut(&Request) -> R + 'static) -> Self {
        let handler: Handler = Box::new(move |request| handler(request).into_result());
        Self { handler: Rc::new(RefCell::new(handler)), requests: Rc::default() }
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.requests.borrow().len()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.requests.borrow_mut().clear();
    }
}

impl Http for MockHttp {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let answer = (self.handler.borrow_mut())(&request);
        self.requests.borrow_mut().push(request);
        answer
    }
}

/// What a handler may return.
pub trait Reply {
    /// The answer to the request.
    fn into_result(self) -> Result<Response, HttpError>;
}

impl Reply for Response {
    fn into_result(self) -> Result<Response, HttpError> {
        Ok(self)
    }
}

impl Reply for HttpError {
    fn into_result(self) -> Result<Response, HttpError> {
        Err(self)
    }
}

impl Reply for Result<Response, HttpError> {
    fn into_result(self) -> Result<Response, HttpError> {
        self
    }
}

/// A response with a JSON body.
///
/// # Panics
/// If the value cannot be written as JSON.
pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_else(|error| panic!("not JSON: {error}"));
    canned(status, "application/json", body)
}

/// A response with a text body.
pub fn text(status: u16, body: impl Into<String>) -> Response {
    canned(status, "text/plain; charset=utf-8", body.into().into_bytes())
}

fn canned(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Response { status, headers, body, attributes: Vec::new() }
}

impl Response {
    /// Adds a header; meant for canned responses.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }
}
