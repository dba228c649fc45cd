//! Measures the host: builds what is measured with optimisation, starts servers and fake providers, and hands over to
//! `syncline-bench`.
//!
//! Dependencies are optimised in the dev profile already, so only the workspace's own crates are built once more, with
//! the profile overridden on the command line, in the same target directory: another directory or another profile would
//! build wasmtime and all the rest a second time. The programs are copied to target/bench at once, because the next
//! ordinary build puts its own ones in their place.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::demo::Artifact;
use crate::servers::{Postgres, Sqs};
use crate::tools::{cargo, step, target};
use crate::{plugins, proc, venv};

/// What is measured, and what measures it.
const PROGRAMS: [&str; 3] = ["syncline", "fake-providers", "syncline-bench"];

/// Our own crates as in a release; dependencies keep what the dev profile gives them.
const OPTIMISED: [&str; 3] =
    ["profile.dev.opt-level=3", "profile.dev.debug-assertions=false", "profile.dev.overflow-checks=false"];

/// The programs in Python that do the same, and all they need, pinned.
const PEERS: &str = include_str!("../../benches/peers/requirements.txt");

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these, separated by commas: hot, sandbox, full, page, quiet, memory, tick, calls.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Records of a full sync.
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Fewer rounds and smaller numbers: to see that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Print one line of JSON instead of the table; without `hot`, which has none.
    #[arg(long)]
    json: bool,
}

/// The part that divan measures: functions, not processes.
const HOT: &str = "hot";

/// Builds, starts, measures, stops.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(!options.json || !options.only.iter().any(|part| part == HOT), "`{HOT}` prints a table and no JSON");
    if options.wants(HOT) && !options.json {
        step("Measuring what every record passes through, in this process");
        hot(options.quick)?;
    }
    let processes: Vec<&str> = options.only.iter().map(String::as_str).filter(|part| *part != HOT).collect();
    if processes.is_empty() && !options.only.is_empty() {
        return Ok(());
    }
    let plugins = plugins::build()?;
    step("Building the host and the bench, optimised");
    let programs = build()?;
    step("Starting Postgres and SQS");
    let (postgres, sqs) = (Postgres::start()?, Sqs::start()?);
    let mut command = proc::tied("TERM", programs.join("syncline-bench"));
    command.arg("run").arg("--programs").arg(&programs).arg("--plugins").arg(plugins);
    command.arg("--scratch").arg(programs.join("scratch"));
    command.args(["--postgres", postgres.url(), "--sqs", sqs.url(), "--records", &options.records.to_string()]);
    if !processes.is_empty() {
        command.args(["--only", &processes.join(",")]);
    }
    if options.wants("full") {
        command.arg("--python").arg(venv::python("peers", PEERS, "the Python peers of the bench")?);
    }
    for (flag, wanted) in [("--quick", options.quick), ("--json", options.json)] {
        if wanted {
            command.arg(flag);
        }
    }
    step("Measuring: a quarter of an hour and more, unless --quick or --only");
    proc::run(&mut command)
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

/// cargo, building our own crates as in a release.
fn optimised(verb: &str) -> Command {
    let mut command = cargo();
    command.arg(verb);
    // Incremental compilation cuts our crates into small pieces that are not optimised across.
    command.env("CARGO_INCREMENTAL", "0");
    for setting in OPTIMISED {
        command.args(["--config", setting]);
    }
    command
}

/// Runs the functions' own benchmarks; in a hurry each only once.
fn hot(quick: bool) -> Result<()> {
    let mut command = optimised("bench");
    command.args(["--quiet", "--profile", "dev", "--package", "syncline-bench", "--bench", HOT]);
    if quick {
        command.args(["--", "--test"]);
    }
    proc::run(&mut command)
}

/// Builds the programs and answers with the directory of their copies.
fn build() -> Result<PathBuf> {
    let directory = target().join("bench");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let mut command = optimised("build");
    command.args(["--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    let messages = proc::output(&mut command)?;
    let built: Vec<Artifact> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for name in PROGRAMS {
        let mut programs = built.iter().filter(|artifact| artifact.target.name == name);
        let program = programs.find_map(|artifact| artifact.executable.as_ref());
        let program = program.with_context(|| format!("cargo built no program {name}"))?;
        let copy = directory.join(name);
        // A copy that is still running cannot be written over, but it can be replaced.
        let _not_there = fs::remove_file(&copy);
        fs::copy(program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
    }
    Ok(directory)
}
