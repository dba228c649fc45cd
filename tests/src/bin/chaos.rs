//! The long forms of the crash tests: `storm` kills hosts, `soak` lets them live. Started by `cargo xtask chaos` and
//! `cargo xtask soak`, which build what they need.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum as _};
use syncline_tests::chaos::soak::{SoakOptions, soak};
use syncline_tests::chaos::storm::{StormOptions, Summary, storm};
use syncline_tests::rig::backend::Backend;

/// What to run.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print one line of JSON at the end.
    #[arg(long, global = true)]
    json: bool,
    /// What stores and queues.
    #[arg(long, global = true, value_enum, default_value_t = Backend::Sqlite)]
    backend: Backend,
    /// What every choice follows from.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    /// Stop after so many minutes.
    #[arg(long, global = true, default_value_t = 10)]
    minutes: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kill hosts again and again.
    Storm {
        /// Stop after so many kills.
        #[arg(long, default_value_t = u64::MAX)]
        kills: u64,
    },
    /// Let hosts run with faults all along, and watch what they hold.
    Soak,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            repeat(&arguments);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let (backend, seed) = (arguments.backend, arguments.seed);
    let time = Duration::from_secs(arguments.minutes * 60);
    match arguments.command {
        Command::Storm { kills } => {
            let sum = storm(&StormOptions { backend, seed, kills, time }, tell).await?;
            if arguments.json {
                println!("{}", serde_json::to_string(&sum)?);
            }
            if !sum.is_clean() {
                repeat(arguments);
            }
            Ok(sum.is_clean())
        }
        Command::Soak => {
            let found =
                soak(&SoakOptions { backend, seed, time, ..SoakOptions::default() }, |line| eprintln!("{line}"))
                    .await?;
            if arguments.json {
                println!("{}", serde_json::to_string(&found)?);
            }
            Ok(found.failures.is_empty())
        }
    }
}

fn tell(sum: &Summary) {
    eprintln!(
        "{:>5} s  round {}: {} kills ({} SIGKILL, {} at {} places), {} stops, {} drains; {} runs, {} records, {} events; \
         {} missing, {} stale, {} duplicates, {} rejected; {} claims cut, {} given up, {} pages fetched again, {} fenced \
         writes; \
         {} violations",
        sum.seconds,
        sum.rounds,
        sum.kills,
        sum.sigkills,
        sum.at_places,
        sum.places,
        sum.stops,
        sum.drains,
        sum.runs,
        sum.landed,
        sum.events,
        sum.missing,
        sum.stale,
        sum.duplicates,
        sum.rejected,
        sum.claims_cut,
        sum.given_up,
        sum.pages_again,
        sum.fenced,
        sum.violations.len()
    );
    for violation in sum.violations.iter().take(20) {
        eprintln!("       {violation}");
    }
}

/// How to see it again. The choices are the same; the moments at which processes meet are the machine's.
fn repeat(arguments: &Arguments) {
    let backend = arguments.backend.to_possible_value().context("no name").map(|value| value.get_name().to_owned());
    let (name, kills) = match arguments.command {
        Command::Storm { kills: u64::MAX } => ("chaos", String::new()),
        Command::Storm { kills } => ("chaos", format!(" --kills {kills}")),
        Command::Soak => ("soak", String::new()),
    };
    eprintln!(
        "Repeat with: cargo xtask {name} --backend {} --seed {} --minutes {}{kills}",
        backend.unwrap_or_default(),
        arguments.seed,
        arguments.minutes
    );
}
