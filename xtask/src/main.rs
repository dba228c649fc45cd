//! The workspace's own commands, run as `cargo xtask`: what needs more than cargo itself, such as servers for the
//! tests. Nothing here is shipped.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

mod bench;
mod chaos;
mod check;
mod demo;
mod fuzz;
mod mutants;
mod natively;
mod plugins;
mod proc;
mod servers;
mod sim;
mod soak;
mod tools;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the connectors as WebAssembly components into target/plugins.
    Plugins {
        /// Those too that need more than Rust, and the template.
        #[arg(long)]
        all: bool,
    },
    /// Build the connectors, start the servers that tests need, and run the tests.
    Test {
        /// What `cargo test` takes: a filter, `-p crate`, `-- --nocapture`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Start the servers that tests need and keep them until Ctrl-C, for running single tests beside them.
    Servers,
    /// Check the formatting, run clippy, then run the tests.
    Ci,
    /// Show the whole of it at work against fake providers.
    Demo(demo::Options),
    /// Kill hosts again and again, on purpose, and compare what landed with the truth.
    Chaos(chaos::Options),
    /// Let hosts run with faults all along, and watch that what they hold does not grow.
    Soak(soak::Options),
    /// Live simulated worlds through: hosts, a database, a queue and a provider whose steps follow from a seed.
    Sim(sim::Options),
    /// Take one guard out of the store at a time, in a copy, and see that a test turns red.
    Mutants(mutants::Options),
    /// Fuzz what reads input from outside, with cargo-fuzz.
    Fuzz(fuzz::Options),
    /// Measure the host against native programs that do the same work, and print ratios.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = proc::watch_signals().and_then(|()| match Arguments::parse().command {
        Command::Plugins { all: false } => plugins::build().map(|_| ()),
        Command::Plugins { all: true } => plugins::build_all().map(|_| ()),
        Command::Test { arguments } => check::test(&arguments),
        Command::Servers => check::servers(),
        Command::Ci => check::ci(),
        Command::Demo(options) => demo::run(&options),
        Command::Chaos(options) => chaos::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Sim(options) => sim::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Bench(options) => bench::run(&options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<proc::Failed>() {
            // The program has said why.
            Some(failed) => ExitCode::from(failed.code),
            None => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}
