//! The whole of it at work: fake providers, both connectors, the host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Deserialize;

use crate::plugins;
use crate::proc::{self, Process};
use crate::servers::{Postgres, Sqs};
use crate::tools::{cargo, step};

/// How to run the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// For how long.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// Print the outcome as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    pub(crate) backend: Backend,
    /// What the fake providers' data grows from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What stores and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// SQLite and the queue inside it.
    Sqlite,
    /// Postgres and SQS.
    PostgresSqs,
}

/// All that the demo needs, built and running. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The directory of connectors.
    pub(crate) plugins: PathBuf,
    /// The host's program.
    pub(crate) host: PathBuf,
    /// What the fake providers said about themselves.
    pub(crate) fakes: serde_json::Value,
    /// With [`Backend::PostgresSqs`], its servers.
    pub(crate) servers: Option<(Postgres, Sqs)>,
    _fakes: Process,
}

impl Stage {
    /// Builds what is run and starts what is called.
    pub(crate) fn set(options: &Options) -> Result<Self> {
        let plugins = plugins::build()?;
        step("Building the host and the fake providers");
        let programs = build_programs()?;
        let program = |name: &str| programs.get(name).with_context(|| format!("cargo built no program {name}"));
        let host = program("syncline")?.clone();
        let servers = match options.backend {
            Backend::Sqlite => None,
            Backend::PostgresSqs => {
                step("Starting Postgres and SQS");
                Some((Postgres::start()?, Sqs::start()?))
            }
        };
        step("Starting the fake providers");
        let (_fakes, fakes) = start_fakes(program("fake-providers")?, options.seed)?;
        Ok(Self { plugins, host, fakes, servers, _fakes })
    }
}

impl Stage {
    /// Where everything is.
    fn describe(&self) -> serde_json::Value {
        let (postgres, sqs) = self.servers.as_ref().map(|(postgres, sqs)| (postgres.url(), sqs.url())).unzip();
        serde_json::json!({
            "plugins": self.plugins, "host": self.host, "fakes": self.fakes, "postgres": postgres, "sqs": sqs,
        })
    }
}

/// Runs the demo.
pub(crate) fn run(options: &Options) -> Result<()> {
    let stage = Stage::set(options)?;
    println!("{}", stage.describe());
    proc::pause(Duration::from_secs(options.seconds))
}

/// Starts the fake providers, whose first line says where they are.
fn start_fakes(program: &Path, seed: u64) -> Result<(Process, serde_json::Value)> {
    let mut command = proc::tied("TERM", program);
    command.args(["--seed", &seed.to_string()]);
    let (mut process, lines) = Process::spawn_read("fakes", &mut command)?;
    let line = proc::next_line(&mut process, &lines, Duration::from_secs(10))?;
    let fakes = serde_json::from_str(&line).with_context(|| format!("the fake providers said {line:?}"))?;
    Ok((process, fakes))
}

/// Builds the programs of the workspace and answers where each is. All packages at once: dependencies that are built
/// for one package alone have other features, and would be built a second time for the tests.
fn build_programs() -> Result<BTreeMap<String, PathBuf>> {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    let messages = proc::output(&mut command)?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    Ok(artifacts.filter_map(|artifact| Some((artifact.target.name, artifact.executable?))).collect())
}

/// What cargo says about a thing that it built, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}
