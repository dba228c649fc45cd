//! The door of a connector as a small blocking HTTP client that leads to a fake, whatever host the URL names.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use syncline_sdk::{Http, HttpError, Method, Request, Response};

/// Sends every request to one address, with one credential.
#[derive(Clone)]
pub(crate) struct Bridge {
    pub(crate) addr: SocketAddr,
    /// The `Authorization` header.
    pub(crate) authorization: String,
}

impl Http for Bridge {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let (head, body) = self.written(&request);
        let mut answer = Vec::new();
        let unreachable = |error: std::io::Error| HttpError::Unreachable(error.to_string());
        let mut stream = TcpStream::connect(self.addr).map_err(unreachable)?;
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).map_err(unreachable)?;
        // A connection that was cut may end in a reset; what came before shows that it was.
        let _end = stream.read_to_end(&mut answer);
        read(&answer).ok_or_else(|| HttpError::Truncated(format!("{} bytes came", answer.len())))
    }
}

impl Bridge {
    fn written(&self, request: &Request) -> (String, Vec<u8>) {
        let (_, rest) = request.url.split_once("://").expect("an absolute URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let method = match &request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            other => panic!("no {other:?} here"),
        };
        let body = request.body.clone().unwrap_or_default();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n", self.authorization);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
        (head, body)
    }
}

/// A whole response; none if it broke off.
fn read(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let response = Response { status, headers, body: bytes[end + 4..].to_vec(), attributes: Vec::new() };
    let length: usize = response.header("content-length")?.parse().ok()?;
    (response.body.len() == length).then_some(response)
}
