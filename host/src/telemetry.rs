//! Logs and metrics: how they are set up, and the names they use.
//!
//! Logs go to standard error, metrics to whoever asks [`metrics::Metrics::render`]. No label and no field carries a
//! record, a credential or the text of a provider's answer; no metric carries a customer or an object (unbounded).

pub mod metrics;

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Names of fields in log lines and spans. One spelling each, so that a search finds every line.
///
/// `tracing` wants field names as literals where fields are declared; use these where a name is data, and the same
/// spelling in macros: `tracing::info!(run.id = %run, "claimed")`.
pub mod field {
    /// The customer's id.
    pub const CUSTOMER_ID: &str = "customer.id";
    /// The integration's id.
    pub const INTEGRATION_ID: &str = "integration.id";
    /// The integration object's id.
    pub const OBJECT_ID: &str = "object.id";
    /// The integration object's name: `Account`.
    pub const OBJECT_NAME: &str = "object.name";
    /// The run's id.
    pub const RUN_ID: &str = "run.id";
    /// The epoch that fences a run's writes.
    pub const RUN_EPOCH: &str = "run.epoch";
    /// How the run ended.
    pub const RUN_OUTCOME: &str = "run.outcome";
    /// The batch's id.
    pub const BATCH_ID: &str = "batch.id";
    /// The connector's name.
    pub const CONNECTOR_NAME: &str = "connector.name";
    /// The connector's version.
    pub const CONNECTOR_VERSION: &str = "connector.version";
    /// The connector's digest, shortened.
    pub const CONNECTOR_DIGEST: &str = "connector.digest";
    /// `retrieve` or `process`.
    pub const QUEUE_NAME: &str = "queue.name";
    /// The host process that writes the line.
    pub const HOST_NAME: &str = "host.name";
    /// An error with its causes.
    pub const ERROR: &str = "error";
}

/// What stands before the operator's directives. The runtime's `wasi:http` warns of every malformed request of a guest,
/// which a guest could make any number of; the guest has its error code.
const QUIET: &str = "wasmtime_wasi_http=error,";

/// Logging was set up before in this process.
#[derive(Debug, thiserror::Error)]
#[error("logging is set up already")]
pub struct AlreadySetUp(#[source] tracing_subscriber::util::TryInitError);

/// Sends log lines to standard error: text on a terminal, else one JSON object a line, unless `format` says which.
///
/// `directives` are those of [`crate::config::sections::LogLevel`]; what cannot be understood in them is left out.
///
/// # Errors
/// [`AlreadySetUp`] on a second call.
pub fn init(format: LogFormat, directives: &str, color: bool) -> Result<(), AlreadySetUp> {
    let filter = EnvFilter::builder().with_regex(false).parse_lossy(format!("{QUIET}{directives}"));
    let registry = tracing_subscriber::registry().with(filter);
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let result = if json {
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_span_events(FmtSpan::NONE);
        registry.with(lines.with_writer(stderr)).try_init()
    } else {
        registry.with(tracing_subscriber::fmt::layer().with_ansi(color).with_writer(stderr)).try_init()
    };
    result.map_err(AlreadySetUp)
}
