//! Every key: its type, default, range and meaning. The reference page is written from here.
//!
//! Durations, sizes and counts are limits with a unit; a range says what is sensible, not what is possible.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::schema::{key, section};
use super::secret::{SecretKey, StoreUrl};
use super::units::{ByteSize, Rate, Share};
use super::value::Text;

section! {
    /// This process.
    Host = "host" {
        /// Name of this process in leases, logs and `status`; must differ between processes that share a store.
        /// Not set: the machine's name and the process id.
        name: Option<String> = "",
        /// Folder for what the host keeps on disk: the SQLite database, compiled connectors, the key file.
        data_dir: PathBuf = "data",
        /// How long a stopping process waits for pages in progress before it gives up its leases.
        drain: Duration = "25s" in "0s"..="10m",
    }
}

section! {
    /// Where state and landed data are kept.
    Store = "store" {
        /// `sqlite://<path>` for one machine, `postgres://<user>@<host>/<database>` for several.
        url: StoreUrl = "sqlite://{data_dir}/syncline.db",
        /// Most connections open at once. With SQLite: readers; there is always one writer.
        max_connections: u32 = "10" in "1"..="1000",
        /// How long a statement waits for SQLite's write lock.
        busy_timeout: Duration = "5s" in "100ms"..="5m",
        /// How long ended runs, landed batches and rejected records are kept. What landed stays.
        keep_history: Duration = "30d" in "1h"..="3650d",
        /// How long one statement may run on PostgreSQL. A connection that says nothing for three times as long is closed.
        statement_timeout: Duration = "10s" in "100ms"..="10m",
    }
}

section! {
    /// What carries jobs from the scheduler to the workers.
    Queue = "queue" {
        /// `embedded` (a table in the store) or `sqs`.
        kind: QueueKind = "embedded",
        /// How often the embedded queue is looked at while it is empty.
        poll: Duration = "500ms" in "10ms"..="1m",
    }
}

section! {
    /// AWS SQS, or a server that speaks its protocol. Read when `queue.kind` is `sqs`. Credentials come from the
    /// usual AWS chain: environment, profile, container or instance role.
    Sqs = "queue.sqs" {
        /// Name or URL of the queue of "sync this object now".
        retrieve: String = "syncline-retrieve",
        /// Name or URL of the queue of "land this batch".
        process: String = "syncline-process",
        /// AWS region. Not set: from the AWS chain.
        region: Option<String> = "",
        /// Another server than the region's own, such as a local emulator.
        endpoint: Option<Url> = "",
        /// How long a received message stays invisible to other workers.
        visibility: Duration = "60s" in "1s"..="12h",
        /// How long one receive waits for a message. SQS allows 20 seconds.
        wait: Duration = "20s" in "0s"..="20s",
        /// After how many receives a message becomes a dead letter.
        max_receives: u32 = "5" in "1"..="1000",
        /// Make queues that do not exist, with their dead-letter queues. For local use.
        create: bool = "false",
        /// What the name of a dead-letter queue that is made ends in.
        dead_letter_suffix: String = "-dlq",
    }
}

section! {
    /// When objects are synced.
    Schedule = "schedule" {
        /// How often an object is synced where nothing more specific is configured.
        interval: Duration = "180m" in "1s"..="365d",
        /// How often the scheduler looks for objects that are due.
        tick: Duration = "2m" in "100ms"..="1h",
        /// Within one such window an object is dispatched at most once.
        throttle: Duration = "5m" in "100ms"..="1d",
        /// Most objects dispatched in one transaction.
        dispatch_batch: u32 = "1000" in "1"..="10000",
        /// How often runs whose host died are looked for.
        sweep: Duration = "5s" in "100ms"..="10m",
        /// A dispatched run that nobody has claimed for so long is put into the queue again.
        resend_after: Duration = "5m" in "1s"..="1d",
        /// The wait after a first failure; it doubles with each further one, with jitter.
        backoff_base: Duration = "30s" in "100ms"..="1d",
        /// The longest wait after failures.
        backoff_cap: Duration = "15m" in "100ms"..="7d",
        /// Give objects that were created together different times inside their interval.
        spread: bool = "true",
    }
}

section! {
    /// What holds for one provider. `<name>` is the connector's name.
    Provider = "providers.<name>" {
        /// How often objects of this provider are synced. Not set: the connector's suggestion, else
        /// `schedule.interval`. A customer, an integration or an object can have its own.
        interval: Option<Duration> = "" in "1s"..="365d",
        /// Requests of one integration, instead of what the connector says of the provider's limit.
        rate: Option<Rate> = "",
    }
}

section! {
    /// Fetching from providers.
    Retrieve = "retrieve" {
        /// Most runs at once in this process.
        concurrency: u32 = "64" in "1"..="10000",
        /// How long a run owns its object without a heartbeat.
        lease: Duration = "30s" in "300ms"..="10m",
        /// How often a run renews its lease: at most a third of `lease`.
        heartbeat: Duration = "10s" in "100ms"..="5m",
        /// Pages after which a run lets others go first and continues later.
        slice_pages: u32 = "100" in "1"..="1000000",
        /// Time after which a run lets others go first and continues later.
        slice_time: Duration = "60s" in "100ms"..="1d",
        /// Records that a connector is asked for in one page, where its provider lets it choose.
        page_records: u32 = "1000" in "1"..="1000",
        /// Runs of one object that may take their host down before the object is quarantined.
        max_attempts: u32 = "3" in "1"..="100",
        /// Pages without a record, with more to come, after which a run fails as stalled.
        stall_pages: u32 = "50" in "1"..="100000",
        /// Records of a slice without an id, without data, or too large to be kept, after which it fails and nothing more
        /// of it is taken; up to here they are rejected one by one.
        rejected_records: u32 = "100" in "0"..="1000000000",
        /// Share of the records of a slice that these may be, once there are more than ten.
        rejected_share: Share = "1%",
        /// Bytes fetched and not yet landed, over all objects, at which fetching pauses.
        unlanded_bytes: ByteSize = "1GiB" in "1MiB"..="1024TiB",
    }
}

section! {
    /// Landing what was fetched.
    Process = "process" {
        /// Most batches landed at once in this process.
        concurrency: u32 = "4" in "1"..="1000",
        /// Share of an object's records that one complete pass may delete by absence before it stops and asks.
        sweep_guard: Share = "50%",
    }
}

section! {
    /// Where connectors come from.
    Connectors = "connectors" {
        /// Folder that is watched for `.wasm` files.
        dir: PathBuf = "plugins",
        /// Folder for compiled connectors. Only this host writes to it.
        cache: PathBuf = "{data_dir}/cache",
        /// Folder for the connectors themselves, by digest: a run keeps its version while `dir` changes.
        store: PathBuf = "{data_dir}/connectors",
        /// How often `dir` is looked at.
        rescan: Duration = "2s" in "100ms"..="1d",
    }
}

section! {
    /// What one connector may use.
    Limits = "limits" {
        /// Memory of one instance.
        memory: ByteSize = "64MiB" in "1MiB"..="512MiB",
        /// Processor time of one call.
        cpu_per_call: Duration = "5s" in "10ms"..="10m",
        /// Processor time of one slice of a run.
        cpu_per_run: Duration = "5m" in "10ms"..="1d",
        /// Duration of one call, waiting included.
        wall_per_call: Duration = "120s" in "10ms"..="1h",
        /// Requests of one page.
        requests_per_page: u32 = "20" in "1"..="100000",
        /// Requests of one slice of a run.
        requests_per_run: u32 = "5000" in "1"..="10000000",
        /// Size of a connector's file.
        component_bytes: ByteSize = "64MiB" in "1KiB"..="512MiB",
    }
}

section! {
    /// Requests that connectors ask for. Nothing reaches the network but through this gate.
    Egress = "egress" {
        /// Allow `http://` beside `https://`.
        allow_http: bool = "false",
        /// Host patterns that connectors may reach although they resolve to private or local addresses.
        allow_hosts: Vec<String> = "",
        /// Host patterns that no connector may reach.
        deny_hosts: Vec<String> = "",
        /// Sends requests for a host pattern to another server: `"*.salesforce.com" = "http://127.0.0.1:9001"`.
        /// For tests and local use.
        routes: BTreeMap<String, Url> = "",
        /// How long a connection may take.
        connect_timeout: Duration = "10s" in "10ms"..="5m",
        /// How long the first byte of an answer may take.
        first_byte_timeout: Duration = "30s" in "10ms"..="10m",
        /// The longest silence within an answer.
        read_timeout: Duration = "15s" in "10ms"..="10m",
        /// The longest that one request may take.
        total_timeout: Duration = "120s" in "10ms"..="1h",
        /// Size of a response's body, decoded.
        response_bytes: ByteSize = "16MiB" in "1KiB"..="256MiB",
        /// Size of a request's body.
        request_bytes: ByteSize = "1MiB" in "0B"..="256MiB",
        /// Size of all headers of a request or a response.
        header_bytes: ByteSize = "32KiB" in "1KiB"..="1MiB",
        /// Redirects followed, each through the whole policy.
        max_redirects: u32 = "5" in "0"..="20",
        /// Requests of one integration, where its connector names no rate. Not set: unlimited.
        rate: Option<Rate> = "10/s",
        /// Requests of one integration under way at once.
        concurrency: u32 = "4" in "1"..="1000",
        /// The longest that a request waits for its turn inside a run; if the provider asks for more, the run ends and
        /// continues later.
        max_inline_wait: Duration = "5s" in "0s"..="5m",
        /// How often a request that failed for a passing reason is repeated.
        retries: u32 = "3" in "0"..="10",
        /// A host that failed so often in a row (5xx, no connection, no whole answer), or at half of at least 20 requests
        /// in a minute, is left alone for a while by the integration; 0: never.
        breaker_failures: u32 = "5" in "0"..="1000",
        /// How long a host is left alone, before one request is let through; twice as long after each that fails.
        breaker_wait: Duration = "30s" in "10ms"..="1h",
        /// How long a host is left alone at most.
        breaker_max_wait: Duration = "10m" in "10ms"..="1d",
        /// The `User-Agent` header.
        user_agent: String = "syncline",
    }
}

section! {
    /// The key that encrypts credentials in the store.
    Secrets = "secrets" {
        /// 32 bytes in hexadecimal or base64. Not set: the file `secret.key` in `host.data_dir`, which is made with a
        /// random key when it does not exist. Processes that share a store must share the key.
        key: Option<SecretKey> = "",
        /// Earlier keys, to read what was encrypted with them.
        old_keys: Vec<SecretKey> = "",
    }
}

section! {
    /// Health and metrics over HTTP.
    Http = "http" {
        /// Serve them.
        enabled: bool = "true",
        /// Address and port. It asks for no password: keep it on a private network.
        listen: SocketAddr = "127.0.0.1:8080",
    }
}

section! {
    /// What the host says of itself, on standard error.
    Log = "log" {
        /// `text`, `json` (one object a line), or `auto`: text on a terminal, else JSON.
        format: LogFormat = "auto",
        /// `error`, `warn`, `info`, `debug`, `trace`; or per module, as in `info,syncline::egress=debug`.
        level: LogLevel = "info",
    }
}

impl Host {
    /// The configured name, else the machine's name and the process id.
    #[must_use]
    pub fn name_or_default(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let machine = ["/proc/sys/kernel/hostname", "/etc/hostname"]
                .iter()
                .find_map(|file| Some(std::fs::read_to_string(file).ok()?.trim().to_owned()))
                .filter(|name| !name.is_empty());
            format!("{}-{}", machine.as_deref().unwrap_or("host"), std::process::id())
        })
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident = $kind:literal { $($(#[$doc:meta])* $case:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $case),+ }

        impl Text for $name {
            const KIND: &'static str = $kind;

            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$case),)+
                    _ => Err(format!("expected {}", [$(concat!("\"", $word, "\"")),+].join(" or "))),
                }
            }

            fn to_text(&self) -> String {
                match self { $(Self::$case => $word),+ }.to_owned()
            }
        }
    };
}

words! {
    /// Which queue carries the jobs.
    QueueKind = "word" {
        /// A table in the store.
        Embedded = "embedded",
        /// AWS SQS.
        Sqs = "sqs",
    }
}

words! {
    /// How log lines look.
    LogFormat = "word" {
        /// Text on a terminal, else JSON.
        Auto = "auto",
        /// For people.
        Text = "text",
        /// One object a line.
        Json = "json",
    }
}

/// Directives that say what is logged. Valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// The directives, as `tracing` reads them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text for LogLevel {
    const KIND: &'static str = "log level";

    fn from_text(text: &str) -> Result<Self, String> {
        EnvFilter::builder()
            .with_regex(false)
            .parse(text)
            .map(|_| Self(text.to_owned()))
            .map_err(|_| "expected a level such as \"info\", or \"info,syncline::egress=debug\"".to_owned())
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}
