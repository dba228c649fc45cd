//! The whole of it at work: builds the connectors, the host and the demo, starts servers if asked, and hands over.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Deserialize;

use crate::proc;
use crate::servers::{Postgres, Sqs};
use crate::tools::{cargo, step};
use crate::{check, plugins};

/// How to run the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Stop after so many seconds, settle, and compare what landed with the providers; without it, run until Ctrl-C.
    #[arg(long)]
    seconds: Option<u64>,
    /// Print one last line of JSON.
    #[arg(long)]
    json: bool,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    backend: Backend,
    /// What the fake providers' data grows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What stores and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// SQLite and the queue inside it.
    Sqlite,
    /// A throw-away Postgres and a local SQS server.
    PostgresSqs,
}

/// Runs the demo.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut arguments = vec!["--seed".to_owned(), options.seed.to_string()];
    if let Some(seconds) = options.seconds {
        arguments.extend(["--seconds".to_owned(), seconds.to_string()]);
    }
    start("demo", options.backend, options.json, arguments)
}

/// Builds what a program that runs hosts needs, starts servers if need be, and hands over to it.
pub(crate) fn start(name: &str, backend: Backend, json: bool, arguments: Vec<String>) -> Result<()> {
    let plugins = plugins::build()?;
    step("Building the host and the fake providers");
    let program = build(name)?;
    // Tied: a program whose starter is gone ends as well.
    let mut command = proc::tied("TERM", program);
    command.env(check::PLUGINS, plugins).args(arguments);
    let _servers = match backend {
        Backend::Sqlite => None,
        Backend::PostgresSqs => {
            step("Starting Postgres and SQS");
            let servers = (Postgres::start()?, Sqs::start()?);
            command.env(check::POSTGRES, servers.0.url()).env(check::SQS, servers.1.url());
            Some(servers)
        }
    };
    let backend = backend.to_possible_value().context("no such backend")?;
    command.args(["--backend", backend.get_name()]);
    if json {
        command.arg("--json");
    }
    step("Starting");
    proc::run(&mut command)
}

/// Builds the programs of the workspace and answers where one of them is. All packages at once: dependencies that are
/// built for one package alone have other features, and would be built a second time for the tests.
pub(crate) fn build(name: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    let messages = proc::output(&mut command)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .find(|artifact| artifact.target.name == name && artifact.executable.is_some())
        .and_then(|artifact| artifact.executable)
        .with_context(|| format!("cargo built no program {name}"))
}

/// What cargo says about a thing that it built, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct Artifact {
    pub(crate) target: Target,
    pub(crate) executable: Option<PathBuf>,
}

/// The part of a package that it is.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
}
