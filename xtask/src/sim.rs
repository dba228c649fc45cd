//! The simulation in its long form: many seeds, in several processes at once.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::check::{PLUGINS, POSTGRES};
use crate::servers::Postgres;
use crate::tools::step;
use crate::{demo, plugins, proc};

/// What to simulate.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The first seed and the one behind the last.
    #[arg(long, value_name = "A..B", default_value = "0..10000")]
    seeds: String,
    /// The database: sqlite or postgres.
    #[arg(long, default_value = "sqlite")]
    backend: String,
    /// Processes at once, each with its share of the seeds.
    #[arg(long, default_value_t = 1)]
    jobs: u64,
    /// Print every step.
    #[arg(long)]
    trace: bool,
    /// Live every world twice: both must take the same steps.
    #[arg(long)]
    twice: bool,
}

/// Builds, starts a server if need be, simulates.
pub(crate) fn run(options: &Options) -> Result<()> {
    let range =
        options.seeds.split_once("..").and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
    let (first, end) = range.filter(|(a, b)| a < b).context("--seeds takes A..B, as in 0..10000")?;
    ensure!(options.jobs > 0, "--jobs takes at least 1");
    let plugins = match std::env::var_os(PLUGINS) {
        Some(built) => built.into(),
        None => plugins::build_all()?,
    };
    step("Building the simulation");
    let program = demo::build("syncline-sim")?;
    let server = match std::env::var(POSTGRES) {
        _ if options.backend != "postgres" => None,
        Ok(_) => None,
        Err(_) => Some(Postgres::start()?),
    };
    step("Simulating");
    let share = (end - first).div_ceil(options.jobs);
    let mut running = Vec::new();
    for from in (first..end).step_by(usize::try_from(share)?) {
        let mut command = proc::tied("TERM", &program);
        command.args(["--seeds", &format!("{from}..{}", end.min(from + share)), "--backend", &options.backend]);
        command.env(PLUGINS, &plugins).stdin(Stdio::null());
        if let Some(server) = &server {
            command.env(POSTGRES, server.url());
        }
        for (flag, wanted) in [("--trace", options.trace), ("--twice", options.twice)] {
            if wanted {
                command.arg(flag);
            }
        }
        running.push(command.spawn().context("cannot start the simulation")?);
    }
    let mut failed = 0;
    for mut process in running {
        failed += u64::from(!process.wait()?.success());
    }
    if failed > 0 {
        bail!("{failed} of the simulation's processes found something");
    }
    Ok(())
}
