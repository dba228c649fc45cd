//! Measures the host against native programs that do the same work, in the same run, and prints ratios.
//!
//! `cargo xtask bench` builds everything, starts the servers and runs this; `docs/performance.md` says how to read what
//! comes out. Wall times depend on the machine and on what else it does: CPU seconds and ratios are what counts.
//!
//! | module | owns |
//! |---|---|
//! | `bench`, `report` | what is measured, and the table of it |
//! | `clocks`, `children`, `site`, `database` | CPU and memory from /proc; processes; a store with integrations |
//! | `native` | the baseline: a program as a person would write it for this one purpose |
//! | `peers` | the same by programs in Python |
//! | `full`, `page`, `quiet`, `sandbox`, `memory`, `tick`, `calls` | one figure or a few each |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

mod bench;
mod calls;
mod children;
mod clocks;
mod database;
mod full;
mod memory;
mod native;
mod page;
mod peers;
mod quiet;
mod report;
mod sandbox;
mod site;
mod tick;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The host's own: what is compared differs in what it does, not in how it allocates.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Debug, Parser)]
#[command(name = "syncline-bench", version, about = "Measures the host; started by `cargo xtask bench`")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure and print the table.
    Run(bench::Options),
    /// Be the baseline: fetch, parse and upsert without Syncline, and print what it took.
    Native(native::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    let _installed_already = rustls::crypto::ring::default_provider().install_default();
    let command = Arguments::parse().command;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        match command {
            Command::Run(options) => Ok(if bench::run(options).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
            Command::Native(options) => native::run(&options).await.map(|()| ExitCode::SUCCESS),
        }
    })
}
