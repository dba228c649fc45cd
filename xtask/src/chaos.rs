//! The long form of the crash tests: builds what it needs, starts throw-away servers, and hands over to the storm.

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::demo::{self, Backend};
use crate::servers::{Postgres, Sqs};
use crate::tools::step;
use crate::{check, plugins, proc};

/// How to kill hosts.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Stop after so many minutes.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// What every choice follows from: who is killed, when, where, and what the providers hold.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    backend: Backend,
    /// Stop after so many kills.
    #[arg(long)]
    kills: Option<u64>,
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
    let Options { minutes, seed, backend, json, .. } = *options;
    long_form(arguments, &Long { minutes, seed, backend, json })
}

/// What every long form takes.
pub(crate) struct Long {
    pub(crate) minutes: u64,
    pub(crate) seed: u64,
    pub(crate) backend: Backend,
    pub(crate) json: bool,
}

/// Builds, starts servers if need be, and runs the program of the long forms.
pub(crate) fn long_form(mut arguments: Vec<String>, long: &Long) -> Result<()> {
    let plugins = plugins::build()?;
    step("Building the host and the fake providers");
    let program = demo::build("chaos")?;
    // Tied: what its starter leaves behind ends as well.
    let mut command = proc::tied("TERM", program);
    command.env(check::PLUGINS, plugins);
    let _servers = match long.backend {
        Backend::Sqlite => None,
        Backend::PostgresSqs => {
            step("Starting Postgres and SQS");
            let servers = (Postgres::start()?, Sqs::start()?);
            command.env(check::POSTGRES, servers.0.url()).env(check::SQS, servers.1.url());
            Some(servers)
        }
    };
    let backend = long.backend.to_possible_value().context("no such backend")?;
    let values = [
        ("--minutes", long.minutes.to_string()),
        ("--seed", long.seed.to_string()),
        ("--backend", backend.get_name().to_owned()),
    ];
    arguments.extend(values.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
    if long.json {
        arguments.push("--json".to_owned());
    }
    step("Starting");
    proc::run(command.args(arguments))
}
