//! The second door to the egress gate: `wasi:http/outgoing-handler`, which `fetch()` in JavaScript and the HTTP clients
//! of other languages speak.
//!
//! Owns the translation, in both directions, and bounds what the host holds meanwhile. Decides nothing about a request:
//! hosts, methods, headers, sizes, budgets and credentials are the gate's, the same [`Http`] that stands behind the
//! contract's own door. A request lives in a task that ends with the call.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};

use super::log::{GuestLog, LogLevel};
use super::text;
use crate::domain::http::{Http, HttpError, Request, Response};

/// Memory of one set of headers. More ends the call; the gate allows 32 KiB on the wire.
const FIELD_BYTES: usize = 64 << 10;
/// The most that a guest writes of a body at once. A body that nobody reads yet keeps two of these.
const CHUNK_BYTES: usize = 16 << 10;

/// An answer on its way to the guest: the response, and what else is to be done for it, which is nothing.
type Sending = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Receiving), Error>> + Send>;
type Receiving = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// What a store keeps for `wasi:http`.
pub(crate) struct WasiHttp {
    ctx: WasiHttpCtx,
    door: Door,
}

impl WasiHttp {
    /// `held_bytes` bounds the bodies that the host holds for the guest at once, in both directions.
    pub(crate) fn new(http: Arc<dyn Http>, log: Arc<GuestLog>, held_bytes: usize) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(FIELD_BYTES);
        let room = Arc::new(Semaphore::new(held_bytes.min(Semaphore::MAX_PERMITS)));
        Self { ctx, door: Door { way: Way { http, log, room }, requests: 0 } }
    }

    /// Requests that went through this door.
    pub(crate) const fn requests(&self) -> u32 {
        self.door.requests
    }

    /// What the runtime works on.
    pub(crate) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { ctx: &mut self.ctx, table, hooks: &mut self.door }
    }
}

struct Door {
    way: Way,
    requests: u32,
}

impl WasiHttpHooks for Door {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Receiving,
    ) -> Sending {
        self.requests = self.requests.saturating_add(1);
        let way = self.way.clone();
        let timeout = options.and_then(|options| options.first_byte_timeout);
        let exchange = async move {
            let response = way.exchange(request, timeout).await?;
            Ok((response, Box::new(async { Ok(()) }) as Receiving))
        };
        Box::new(exchange.in_current_span())
    }

    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        // The gate says no, with its reason and in its statistics.
        true
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

/// What a request needs on its way.
#[derive(Clone)]
struct Way {
    http: Arc<dyn Http>,
    log: Arc<GuestLog>,
    /// A permit for every byte of a body that the host may hold.
    room: Arc<Semaphore>,
}

impl Way {
    async fn exchange(
        &self,
        request: http::Request<WasiBody>,
        timeout: Option<Duration>,
    ) -> Result<http::Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        let (body, held) = self.collect(body).await?;
        let asked = Request {
            method: parts.method.as_str().to_owned(),
            url: parts.uri.to_string(),
            headers: self.headers(&parts.headers)?,
            body: Some(body).filter(|body| !body.is_empty()),
            idempotent: false,
            timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
            accept_status: Vec::new(),
        };
        let answer = self.http.send(asked).await;
        drop(held);
        match answer {
            Ok(response) => self.respond(response),
            Err(error) => {
                // The codes of `wasi:http` say little and have no place for a text.
                self.tell(&error.to_string());
                self.respond(instead_of_response(error)?)
            }
        }
    }

    /// Waits for the whole body of a request. How large one may be is the gate's to say.
    async fn collect(&self, mut body: WasiBody) -> Result<(Bytes, OwnedSemaphorePermit), Error> {
        let mut bytes = Vec::new();
        let mut held = self.hold(0).ok_or(Error::HttpRequestBodySize(None))?;
        while let Some(frame) = body.frame().await {
            // Trailers are left out: no provider asks for them, and the gate's requests have none.
            let Ok(piece) = frame?.into_data() else { continue };
            held.merge(self.hold(piece.len()).ok_or(Error::HttpRequestBodySize(None))?);
            bytes.extend_from_slice(&piece);
        }
        Ok((bytes.into(), held))
    }

    /// The headers as the gate takes them. It frames the body itself, so the length that clients name is left out; what
    /// it refuses at the other door it refuses here.
    fn headers(&self, headers: &HeaderMap) -> Result<Vec<(String, String)>, Error> {
        let framed = headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH);
        let pairs = framed.map(|(name, value)| match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => Ok((name.as_str().to_owned(), value.to_owned())),
            Err(_) => {
                self.tell(&format!("the value of header {name} is not UTF-8"));
                Err(Error::HttpRequestDenied)
            }
        });
        pairs.collect()
    }

    /// The gate's response as the guest gets it: whole, decoded, without the headers that framed it on the wire.
    fn respond(&self, response: Response) -> Result<http::Response<WasiBody>, Error> {
        let length = response.body.len();
        let room = self.hold(length).ok_or_else(|| Error::HttpResponseBodySize(u64::try_from(length).ok()))?;
        // Never called: it holds the room until the guest has read the body or dropped it.
        let body = Full::new(response.body).map_err(move |never: Infallible| {
            let _held = &room;
            match never {}
        });
        let mut answer = http::Response::new(body.boxed_unsync());
        *answer.status_mut() = StatusCode::from_u16(response.status).map_err(|_| Error::HttpProtocolError)?;
        for (name, value) in response.headers {
            // The gate's own headers always parse.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                let added = answer.headers_mut().try_append(name, value);
                added.map_err(|_| Error::HttpResponseHeaderSectionSize(None))?;
            }
        }
        Ok(answer)
    }

    /// Room for so many bytes, if there is. Waiting for it could wait for ever: it comes free by what the guest does.
    fn hold(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes).ok();
        let room = permits.and_then(|permits| Arc::clone(&self.room).try_acquire_many_owned(permits).ok());
        if room.is_none() {
            self.tell("the host holds too much for this call: read or drop the responses that have come first");
        }
        room
    }

    fn tell(&self, what: &str) {
        self.log.emit(LogLevel::Warn, &format!("wasi:http: {what}"), &[]);
    }
}

/// What stands for the gate's error: a code, or the response by which every HTTP client knows what to do.
fn instead_of_response(error: HttpError) -> Result<Response, Error> {
    let says = |status: StatusCode, retry_after: Option<u64>, message: String| Response {
        status: status.as_u16(),
        headers: [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned())]
            .into_iter()
            .chain(retry_after.map(|seconds| (RETRY_AFTER, seconds.to_string())))
            .map(|(name, value)| (name.as_str().to_owned(), value))
            .collect(),
        body: text::clean(&message, text::MESSAGE_BYTES).into(),
    };
    let message = error.to_string();
    match error {
        HttpError::RateLimited(seconds) => Ok(says(StatusCode::TOO_MANY_REQUESTS, seconds, message)),
        HttpError::Unauthorized(_) => Ok(says(StatusCode::UNAUTHORIZED, None, message)),
        HttpError::Denied(_) => Err(Error::HttpRequestDenied),
        HttpError::BudgetSpent(_) => Err(Error::ConnectionLimitReached),
        HttpError::Unreachable(_) => Err(Error::DestinationUnavailable),
        HttpError::Timeout(_) => Err(Error::HttpResponseTimeout),
        HttpError::Truncated(_) => Err(Error::HttpResponseIncomplete),
        HttpError::TooLarge(_) => Err(Error::HttpResponseBodySize(None)),
    }
}
