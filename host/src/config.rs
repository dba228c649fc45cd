//! The operator's configuration: read, checked as a whole, typed.
//!
//! Layers, the later wins: defaults < TOML file < environment (`SYNCLINE__SECTION__KEY`) < options on the command line.
//! Every key is declared once, in [`sections`]: its type, default, range and meaning. Reading, `config show`, the
//! unknown-key hints and `docs/configuration.md` all come from that one table.
//!
//! All problems are reported at once, each with its place and, where a name is unknown, the nearest one. A secret never
//! appears in an error, in `Debug` or in `config show`. Nothing here opens a database, a socket or a connector.

mod error;
pub(crate) mod excerpt;
mod layers;
pub mod nearest;
mod reader;
pub mod reference;
mod rules;
mod schema;
pub mod secret;
pub mod sections;
#[cfg(test)]
mod tests;
pub mod units;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, ConfigErrors, Place};
pub use layers::Source;
pub use reader::Setting;
pub use secret::{KeyFileError, SecretKey, StoreUrl};
pub use sections::{
    Connectors, Egress, Host, Http, Limits, Log, LogFormat, Process, Provider, Queue, QueueKind, Retrieve, Schedule,
    Secrets, Sqs, Store,
};
pub use units::{ByteSize, Rate, Share};

use layers::Layers;
use reader::Reader;
use schema::Section;

/// The file that is read where none is named, if it is there.
pub const DEFAULT_FILE: &str = "syncline.toml";

/// The whole configuration. Every field has been checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[host]`
    pub host: Host,
    /// `[store]`
    pub store: Store,
    /// `[queue]`
    pub queue: Queue,
    /// `[queue.sqs]`
    pub sqs: Sqs,
    /// `[schedule]`
    pub schedule: Schedule,
    /// `[retrieve]`
    pub retrieve: Retrieve,
    /// `[process]`
    pub process: Process,
    /// `[connectors]`
    pub connectors: Connectors,
    /// `[limits]`
    pub limits: Limits,
    /// `[egress]`
    pub egress: Egress,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[http]`
    pub http: Http,
    /// `[log]`
    pub log: Log,
    /// `[providers.<name>]`, by the provider's name.
    pub providers: BTreeMap<String, Provider>,
}

/// A configuration and where each value of it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The same values with their sources, in the order of the reference; secrets masked.
    pub settings: Vec<Setting>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Config {
    /// Reads the file (the named one, else [`DEFAULT_FILE`] where it exists), the environment and the options.
    ///
    /// `options` are `section.key=value` texts from the command line.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong, not only the first.
    pub fn load<K: Into<OsString>, V: Into<OsString>>(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (K, V)>,
        options: &[String],
    ) -> Result<Loaded, ConfigErrors> {
        let mut layers = Layers::default();
        let fallback = Path::new(DEFAULT_FILE);
        if let Some(path) = path.or_else(|| fallback.is_file().then_some(fallback)) {
            layers.add_file(path);
        }
        layers.add_environment(environment.into_iter().map(|(name, value)| (name.into(), value.into())));
        layers.add_options(options);
        Self::read(layers)
    }

    fn read(layers: Layers) -> Result<Loaded, ConfigErrors> {
        let mut reader = Reader::new(layers);
        let host = Host::read(&mut reader, Host::PATH);
        let data_dir = host.as_ref().map_or_else(|| "data".into(), |host| host.data_dir.clone());
        reader.set_data_dir(&data_dir);
        let store = Store::read(&mut reader, Store::PATH);
        let queue = Queue::read(&mut reader, Queue::PATH);
        let sqs = Sqs::read(&mut reader, Sqs::PATH);
        let schedule = Schedule::read(&mut reader, Schedule::PATH);
        let retrieve = Retrieve::read(&mut reader, Retrieve::PATH);
        let process = Process::read(&mut reader, Process::PATH);
        let connectors = Connectors::read(&mut reader, Connectors::PATH);
        let limits = Limits::read(&mut reader, Limits::PATH);
        let egress = Egress::read(&mut reader, Egress::PATH);
        let secrets = Secrets::read(&mut reader, Secrets::PATH);
        let http = Http::read(&mut reader, Http::PATH);
        let log = Log::read(&mut reader, Log::PATH);
        let names = reader.names_under("providers");
        let providers: Option<BTreeMap<String, Provider>> = names
            .into_iter()
            .map(|name| Some((name.clone(), Provider::read(&mut reader, &format!("providers.{name}"))?)))
            .collect();

        rules::check(&mut reader, schedule.as_ref(), retrieve.as_ref(), limits.as_ref(), egress.as_ref());

        let config = (|| {
            Some(Self {
                host: host?,
                store: store?,
                queue: queue?,
                sqs: sqs?,
                schedule: schedule?,
                retrieve: retrieve?,
                process: process?,
                connectors: connectors?,
                limits: limits?,
                egress: egress?,
                secrets: secrets?,
                http: http?,
                log: log?,
                providers: providers?,
            })
        })();
        reader.finish(config)
    }
}
