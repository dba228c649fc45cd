//! Cassettes: what passed the egress gate, written down in one readable file, and played back.
//!
//! A cassette holds calls of one connector with the exchanges of each. It is written from what the gate lets be written
//! down, so no credential gets here; [`scrub`] takes out further fields by name. `docs/reference/cassette.md` describes
//! the format.

pub mod body;
pub mod har;
pub(crate) mod members;
pub mod parts;
pub mod play;
pub mod record;
pub mod scrub;

use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::domain::http::{HttpError, Response};
use crate::egress;
use body::Body;

/// The format's version.
const FORMAT: u32 = 1;

/// Bytes of a cassette file at most.
const MAX_BYTES: u64 = 256 << 20;

/// What passed the gate, call by call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// Version of the format.
    pub cassette: u32,
    /// Whose requests these are.
    pub connector: Made,
    /// When recording began, RFC 3339 in UTC. A replay's clock stands there.
    pub recorded_at: String,
    /// The integration's configuration.
    #[serde(default)]
    pub config: Json,
    /// Name of the auth scheme; empty if none. The credentials themselves are never here.
    #[serde(default)]
    pub auth: String,
    /// The page size that the host asked for.
    #[serde(default)]
    pub page_size: u32,
    /// Names of the fields whose values were replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scrubbed: Vec<String>,
    /// Calls that were made and are not here, because the recording was full.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// In the order in which they were made.
    pub calls: Vec<Call>,
}

/// A connector's build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Its name; empty where a recording does not tell, as in an import.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// `sha256:` and the digest of the component.
    #[serde(default)]
    pub digest: String,
}

/// Which function was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// `check`.
    Check,
    /// `discover`.
    Discover,
    /// `fetch`: one page.
    Fetch,
    /// Not known: exchanges that were recorded elsewhere.
    Imported,
}

/// A call with everything it asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which function.
    pub call: Function,
    /// The object of a `fetch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The cursor it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Requests and answers, in order. Retries and redirects of the host are exchanges of their own.
    pub exchanges: Vec<Exchange>,
    /// What the connector made of it, for people: not read by a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Json>,
}

/// A request and its answer, or the reason why there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Answer>,
    /// Why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How long it took.
    #[serde(default)]
    pub took_ms: u64,
}

/// What was asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Headers, without credentials. Not compared by a replay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

/// What was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers, without credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body, decoded.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What kind of failure: the contract's name for it.
    pub kind: FailureKind,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// The contract's names for a request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// No connection.
    Unreachable,
    /// No whole answer in time.
    Timeout,
    /// The answer broke off.
    Truncated,
    /// The answer exceeds the cap.
    TooLarge,
    /// The policy refused it, the budget was spent, or the pace or the credentials did not allow it.
    Refused,
}

/// A cassette cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// The file cannot be read or written.
    #[error("the cassette's file cannot be used")]
    File(#[from] std::io::Error),
    /// The file is larger than any cassette.
    #[error("the file has {0} bytes, and a cassette has {MAX_BYTES} at most")]
    TooLarge(u64),
    /// It is not a cassette.
    #[error("not a cassette, line {line}, column {column}: {message}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It was written by a newer version.
    #[error("a cassette of format {0}, and this version of syncline reads format {FORMAT}: use a newer one")]
    Newer(u32),
}

impl Cassette {
    /// An empty cassette.
    #[must_use]
    pub fn new(connector: Made, recorded_at_ms: u64, config: Json, auth: String, page_size: u32) -> Self {
        Self {
            cassette: FORMAT,
            connector,
            recorded_at: rfc3339(recorded_at_ms),
            config,
            auth,
            page_size,
            scrubbed: Vec::new(),
            left_out: 0,
            calls: Vec::new(),
        }
    }

    /// The same recording without its calls.
    #[must_use]
    pub fn without_calls(&self) -> Self {
        Self {
            cassette: self.cassette,
            connector: self.connector.clone(),
            recorded_at: self.recorded_at.clone(),
            config: self.config.clone(),
            auth: self.auth.clone(),
            page_size: self.page_size,
            scrubbed: self.scrubbed.clone(),
            left_out: self.left_out,
            calls: Vec::new(),
        }
    }

    /// When recording began, in milliseconds since 1970.
    #[must_use]
    pub fn recorded_at_ms(&self) -> u64 {
        let time = chrono::DateTime::parse_from_rfc3339(&self.recorded_at).ok();
        time.and_then(|time| u64::try_from(time.timestamp_millis()).ok()).unwrap_or(0)
    }

    /// How many exchanges it holds.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.calls.iter().map(|call| call.exchanges.len()).sum()
    }

    /// The objects that were read.
    #[must_use]
    pub fn objects(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.calls.iter().filter_map(|call| call.object.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Reads a cassette from its text.
    ///
    /// # Errors
    /// [`CassetteError`] with the place of what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, CassetteError> {
        #[derive(Deserialize)]
        struct Format {
            cassette: u32,
        }
        let malformed = |error: serde_json::Error| CassetteError::Malformed {
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        };
        let Format { cassette } = serde_json::from_slice(text).map_err(malformed)?;
        if cassette != FORMAT {
            return Err(CassetteError::Newer(cassette));
        }
        serde_json::from_slice(text).map_err(malformed)
    }

    /// Reads a cassette file.
    ///
    /// # Errors
    /// [`CassetteError`].
    pub fn read(path: &Path) -> Result<Self, CassetteError> {
        let size = std::fs::metadata(path)?.len();
        if size > MAX_BYTES {
            return Err(CassetteError::TooLarge(size));
        }
        Self::parse(&std::fs::read(path)?)
    }

    /// The text of the file: JSON, made to be read.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Fails only for maps with keys that are no strings, and there are none.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Writes a cassette file, whole or not at all.
    ///
    /// # Errors
    /// [`CassetteError::File`].
    pub fn write(&self, path: &Path) -> Result<(), CassetteError> {
        let draft = path.with_extension("part");
        std::fs::write(&draft, self.to_text())?;
        Ok(std::fs::rename(&draft, path)?)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn rfc3339(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(chrono::DateTime::from_timestamp_millis).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

impl From<egress::Exchange> for Exchange {
    fn from(exchange: egress::Exchange) -> Self {
        let (response, failure) = match exchange.answer {
            Ok(response) => (Some(response.into()), None),
            Err(error) => (None, Some(error.into())),
        };
        let request = Request {
            method: exchange.method,
            url: exchange.url,
            headers: exchange.headers,
            body: Body::of(exchange.body.unwrap_or_default()),
        };
        Self { request, response, failure, took_ms: exchange.took_ms }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { status: response.status, headers: response.headers, body: Body::of(response.body) }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let kind = match error {
            HttpError::Unreachable(_) => FailureKind::Unreachable,
            HttpError::Timeout(_) => FailureKind::Timeout,
            HttpError::Truncated(_) => FailureKind::Truncated,
            HttpError::TooLarge(_) => FailureKind::TooLarge,
            HttpError::Denied(_)
            | HttpError::BudgetSpent(_)
            | HttpError::RateLimited(_)
            | HttpError::Unauthorized(_) => FailureKind::Refused,
        };
        Self { kind, message: error.to_string() }
    }
}

impl Failure {
    /// The failure as the gate meets it.
    #[must_use]
    pub fn to_error(&self) -> HttpError {
        let message = self.message.clone();
        match self.kind {
            FailureKind::Unreachable => HttpError::Unreachable(message),
            FailureKind::Timeout => HttpError::Timeout(message),
            FailureKind::Truncated => HttpError::Truncated(message),
            FailureKind::TooLarge => HttpError::TooLarge(message),
            FailureKind::Refused => HttpError::Denied(message),
        }
    }
}

impl Request {
    /// The body's bytes.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.body.bytes()
    }
}
