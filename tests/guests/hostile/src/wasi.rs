//! The second door, `wasi:http`, on its bare bindings: a client does not go wrong in these ways.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use wasip2::io::streams::StreamError;

use crate::ask::{Answer, Ask};

/// The limit that the other door is given, in nanoseconds.
const TIMEOUT_NS: u64 = 1_500_000_000;

/// Sends a request and reads the whole answer.
pub fn send(ask: &Ask) -> Result<Answer, ErrorCode> {
    read(&wait(&start(ask)?)?)
}

/// Sends so many requests at once, waits for all of them and reads none.
pub fn hoard(ask: &Ask, times: usize) -> Vec<Result<IncomingResponse, ErrorCode>> {
    let started: Vec<_> = (0..times).map(|_| start(ask)).collect();
    started.into_iter().map(|started| wait(&started?)).collect()
}

/// Waits for the answer to a request whose body it never ends.
pub fn unfinished() -> String {
    let request = request(&Ask { method: "POST".to_owned(), ..Ask::get("https://api.example.com/") }).unwrap();
    let _body = request.body().unwrap();
    format!("{:?}", wait(&handle(request, None).unwrap()).map(|_| ()))
}

/// Announces more than it sends.
pub fn wrong_length() -> String {
    let mut ask = Ask { method: "POST".to_owned(), ..Ask::get("https://api.example.com/") };
    ask.headers.push(("content-length".to_owned(), "10".to_owned()));
    let request = request(&ask).unwrap();
    let body = request.body().unwrap();
    let started = handle(request, None).unwrap();
    body.write().unwrap().blocking_write_and_flush(b"12345").unwrap();
    let finished = OutgoingBody::finish(body, None);
    format!("{finished:?}, then {:?}", wait(&started).map(|_| ()))
}

/// Piles up headers for ever.
pub fn many_headers() -> String {
    let fields = Fields::new();
    for n in 0..1_000_000 {
        if let Err(error) = fields.append(&format!("x-{n}"), &[b'v'; 1_000]) {
            return format!("{error:?}");
        }
    }
    "all of them".to_owned()
}

fn request(ask: &Ask) -> Result<OutgoingRequest, ErrorCode> {
    let fields = Fields::new();
    for (name, value) in &ask.headers {
        // Some are refused here and never reach the gate.
        fields.append(name, value.as_bytes()).map_err(|error| ErrorCode::InternalError(Some(format!("{error:?}"))))?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match ask.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let (scheme, rest) = ask.url.split_once("://").unwrap_or(("", &ask.url));
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    request.set_method(&method).map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    request.set_scheme(Some(&scheme)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request.set_authority(Some(authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request.set_path_with_query(Some(path)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    Ok(request)
}

fn start(ask: &Ask) -> Result<FutureIncomingResponse, ErrorCode> {
    let request = request(ask)?;
    let options = RequestOptions::new();
    let _ = options.set_first_byte_timeout(Some(TIMEOUT_NS));
    if ask.body.is_empty() {
        return handle(request, Some(options));
    }
    let body = request.body().unwrap();
    let started = handle(request, Some(options))?;
    let stream = body.write().unwrap();
    // The gate may refuse a body before it is whole.
    let whole = ask.body.chunks(4_096).all(|chunk| stream.blocking_write_and_flush(chunk).is_ok());
    drop(stream);
    if whole {
        OutgoingBody::finish(body, None)?;
    }
    Ok(started)
}

fn wait(started: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    started.subscribe().block();
    started.get().unwrap().unwrap()
}

fn read(response: &IncomingResponse) -> Result<Answer, ErrorCode> {
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    let headers = response.headers().entries().into_iter().map(|(name, value)| (name, text(value))).collect();
    let incoming = response.consume().unwrap();
    let stream = incoming.stream().unwrap();
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(1 << 20) {
            Ok(piece) => body.extend(piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(ErrorCode::InternalError(Some(error.to_debug_string())));
            }
        }
    }
    Ok(Answer { status: response.status(), headers, body })
}

/// Keeps so many sets of headers that the host has to say no.
pub fn hoard_headers() -> usize {
    (0..10_000_000).map(|_| Fields::new()).collect::<Vec<_>>().len()
}

/// The same of requests that are never sent.
pub fn hoard_requests() -> usize {
    (0..10_000_000).map(|_| OutgoingRequest::new(Fields::new())).collect::<Vec<_>>().len()
}
