//! What the operator chose, and the client that follows from it.

use std::env;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Credentials;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use url::{Host, Url};

use super::{LONGEST_WAIT, SqsQueue};
use crate::queue::{QueueError, QueueName};

/// How to reach SQS and what the queues must be like.
#[derive(Debug, Clone)]
pub struct SqsOptions {
    /// The queue of "sync this now".
    pub retrieve: QueueRef,
    /// The queue of "land this".
    pub process: QueueRef,
    /// The AWS region.
    pub region: String,
    /// Another server than the region's own.
    pub endpoint: Option<String>,
    /// How long a received message stays invisible to others.
    pub visibility: Duration,
    /// The longest that one receive waits, at most 20 seconds.
    pub wait: Duration,
    /// After how many receives a message becomes a dead letter.
    pub max_receives: u32,
    /// Make queues that do not exist and set up those that do; otherwise they are only checked.
    pub create: bool,
    /// What the name of a dead-letter queue ends in when it is made.
    pub dead_letter_suffix: String,
}

impl SqsOptions {
    /// The usual settings for two queues of a region.
    #[must_use]
    pub fn new(region: impl Into<String>, retrieve: QueueRef, process: QueueRef) -> Self {
        Self {
            retrieve,
            process,
            region: region.into(),
            endpoint: None,
            visibility: Duration::from_secs(60),
            wait: LONGEST_WAIT,
            max_receives: 5,
            create: false,
            dead_letter_suffix: "-dlq".to_owned(),
        }
    }
}

/// A queue as operators name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueRef {
    /// By name, in the account of the credentials.
    Name(String),
    /// By URL, in any account. Such a queue is never made, only checked.
    Url(String),
}

impl From<&str> for QueueRef {
    fn from(text: &str) -> Self {
        let web = text.starts_with("https://") || text.starts_with("http://");
        if web { Self::Url(text.to_owned()) } else { Self::Name(text.to_owned()) }
    }
}

impl QueueRef {
    /// The queue's name: of a URL, its last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Url(url) => url.rsplit('/').next().unwrap_or(url),
        }
    }

    /// Whether the queue keeps order, which its name tells.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.name().ends_with(".fifo")
    }
}

impl fmt::Display for QueueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(text) | Self::Url(text) => f.write_str(text),
        }
    }
}

/// Connects and resolves both queues.
pub(super) async fn open(options: SqsOptions) -> Result<SqsQueue, QueueError> {
    let client = client(&options).await;
    let retrieve = super::setup::lane(&client, &options, QueueName::Retrieve, &options.retrieve).await?;
    let process = super::setup::lane(&client, &options, QueueName::Process, &options.process).await?;
    super::setup::check_distinct(&retrieve, &process)?;
    let wait = options.wait.min(LONGEST_WAIT);
    Ok(SqsQueue { client, retrieve, process, visibility: options.visibility, wait })
}

pub(super) async fn client(options: &SqsOptions) -> Client {
    let ring = tls::Provider::Rustls(CryptoMode::Ring);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new(options.region.clone()))
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(ring).build_https())
        .timeout_config(timeouts(Duration::ZERO));
    if let Some(endpoint) = &options.endpoint {
        loader = loader.endpoint_url(endpoint);
        if is_loopback(endpoint) && !credentials_configured() {
            // A server on this machine checks no signature, but the client insists on signing. Nothing secret here.
            loader = loader.credentials_provider(Credentials::new("test", "test", None, None, "local server"));
        }
    }
    Client::new(&loader.load().await)
}

/// How long a call may take that makes the server wait for `wait` by intention: short enough that a dead connection
/// does not hold up a loop for long.
pub(super) fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(wait + Duration::from_secs(10))
        .operation_timeout(wait + Duration::from_secs(25))
        .build()
}

/// Whether an endpoint is on this machine.
fn is_loopback(endpoint: &str) -> bool {
    match Url::parse(endpoint).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// Whether someone set up credentials for the default chain: asking the chain itself would first wait for a metadata
/// service that a developer's machine does not have.
fn credentials_configured() -> bool {
    let variables = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
    ];
    let home = env::var_os("HOME").is_some_and(|home| Path::new(&home).join(".aws/credentials").exists());
    home || variables.iter().any(|name| env::var_os(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_or_addressed() {
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/syncline-retrieve.fifo";
        let addressed = QueueRef::from(url);
        assert_eq!(addressed, QueueRef::Url(url.to_owned()));
        assert_eq!(addressed.name(), "syncline-retrieve.fifo");
        assert!(addressed.is_fifo());
        let named = QueueRef::from("syncline-retrieve");
        assert_eq!(named, QueueRef::Name("syncline-retrieve".to_owned()));
        assert!(!named.is_fifo());
    }

    #[test]
    fn only_this_machine_is_trusted_to_check_no_signature() {
        for local in ["http://127.0.0.1:4566", "http://localhost:4566/", "http://[::1]:80", "http://sqs.localhost:1"] {
            assert!(is_loopback(local), "{local}");
        }
        for far in ["https://sqs.eu-central-1.amazonaws.com", "http://10.0.0.1", "http://localhost.example.com", "?"] {
            assert!(!is_loopback(far), "{far}");
        }
    }
}
