//! The long form of the crash tests.

use anyhow::Result;

use crate::demo::{self, Backend};

/// How to kill hosts.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    long: Long,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    backend: Backend,
    /// Stop after so many kills.
    #[arg(long)]
    kills: Option<u64>,
}

/// What every long form takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Long {
    /// Stop after so many minutes.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// What every choice follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one last line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs a storm.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut arguments = vec!["storm".to_owned()];
    if let Some(kills) = options.kills {
        arguments.extend(["--kills".to_owned(), kills.to_string()]);
    }
    options.long.start(options.backend, arguments)
}

impl Long {
    /// Starts the program of the long forms.
    pub(crate) fn start(&self, backend: Backend, mut arguments: Vec<String>) -> Result<()> {
        let values = [("--minutes", self.minutes), ("--seed", self.seed)];
        arguments.extend(values.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]));
        demo::start("chaos", backend, self.json, arguments)
    }
}
