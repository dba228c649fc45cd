//! A request in a line of text, the two doors to send it through, and what came back in one shape.

use crate::bindings::syncline::connector::http::{self, Method, Request};
use crate::wasi;

/// Of a body so much is told.
const TOLD_BYTES: usize = 4 << 10;

/// What to ask for.
pub struct Ask {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The ways out.
#[derive(Clone, Copy)]
pub enum Door {
    /// `syncline:connector/http`.
    Contract,
    /// `wasi:http/outgoing-handler`.
    Wasi,
}

impl Ask {
    pub fn get(url: &str) -> Self {
        let accept = ("accept".to_owned(), "application/json".to_owned());
        Self { method: "GET".to_owned(), url: url.to_owned(), headers: vec![accept], body: Vec::new() }
    }

    /// Reads `POST https://host/path`, then lines of `name: value`, or of `!body 123` for a body of that many bytes.
    /// Without a method it is a GET. What would end a line is spelled `{LF}`, `{SP}` and so on.
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let (method, url) = first.split_once(' ').unwrap_or(("GET", first));
        let signs =
            [("{SP}", " "), ("{TAB}", "\t"), ("{LF}", "\n"), ("{CR}", "\r"), ("{NUL}", "\0"), ("{NBSP}", "\u{a0}")];
        let url = signs.iter().fold(url.to_owned(), |url, (sign, char)| url.replace(sign, char));
        let mut ask = Self { method: method.to_owned(), ..Self::get(&url) };
        for line in lines {
            if let Some(bytes) = line.strip_prefix("!body ") {
                ask.body = vec![b'x'; bytes.parse().unwrap_or(0)];
            } else if let Some((name, value)) = line.split_once(": ") {
                ask.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        ask
    }
}

impl Answer {
    /// Everything that was seen, as a JSON object.
    pub fn told(&self) -> String {
        let headers: Vec<String> =
            self.headers.iter().map(|(name, value)| quoted(&format!("{name}: {value}"))).collect();
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(TOLD_BYTES)]);
        format!(r#"{{"headers": [{}], "bytes": {}, "body": {}}}"#, headers.join(", "), self.body.len(), quoted(&body))
    }
}

impl Door {
    /// Sends a request; an error as text.
    pub fn send(self, ask: &Ask) -> Result<Answer, String> {
        match self {
            Self::Contract => contract(ask),
            Self::Wasi => wasi::send(ask).map_err(|error| format!("{error:?}")),
        }
    }
}

fn contract(ask: &Ask) -> Result<Answer, String> {
    let sent = http::send(&Request {
        method: match ask.method.as_str() {
            "GET" => Method::Get,
            "POST" => Method::Post,
            other => Method::Other(other.to_owned()),
        },
        url: ask.url.clone(),
        headers: ask.headers.clone(),
        body: Some(ask.body.clone()).filter(|body| !body.is_empty()),
        idempotent: false,
        attributes: vec![
            ("timeout-ms".to_owned(), "1500".to_owned()),
            ("accept-status".to_owned(), "404, 410".to_owned()),
        ],
    });
    let response = sent.map_err(|error| format!("{error:?}"))?;
    Ok(Answer { status: response.status, headers: response.headers, body: response.body })
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
