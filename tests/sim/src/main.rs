//! `syncline-sim`: lives the worlds of a range of seeds through. `cargo xtask sim` starts it with what it needs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use syncline_sim::{Backend, Failure, Simulator};

/// Lives simulated worlds through.
#[derive(Debug, Parser)]
struct Arguments {
    /// The first seed and the one behind the last.
    #[arg(long, value_name = "A..B")]
    seeds: String,
    /// The database.
    #[arg(long, value_enum, default_value = "sqlite")]
    backend: Backend,
    /// Print every step.
    #[arg(long)]
    trace: bool,
    /// Live every world twice: both must take the same steps.
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.trace {
        tracing_subscriber::fmt().with_target(false).without_time().init();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let (first, end) = arguments.seeds.split_once("..").context("--seeds takes A..B")?;
    let (first, end): (u64, u64) = (first.parse()?, end.parse()?);
    let simulator = Simulator::open(arguments.backend).await?;
    let began = Instant::now();
    let (mut steps, mut failed) = (0, 0_u64);
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in first..end {
        let lived = simulator.live(seed, arguments.trace).await;
        let again = if arguments.twice && lived.is_ok() { Some(simulator.live(seed, false).await) } else { None };
        match (lived, again) {
            (Ok(report), Some(Ok(other))) if report.trace != other.trace => {
                failed += 1;
                println!("seed {seed}: took other steps the second time");
            }
            (Err(failure), _) | (Ok(_), Some(Err(failure))) => {
                failed += 1;
                tell(seed, arguments.backend, &failure);
            }
            (Ok(report), _) => {
                steps += report.steps;
                for (name, count) in report.counts {
                    *counts.entry(name).or_default() += count;
                }
            }
        }
        let done = seed + 1 - first;
        if done.is_multiple_of(1_000) {
            println!("{done} seeds, {steps} steps, {failed} failed, {} s", began.elapsed().as_secs());
        }
    }
    println!(
        "{:?}, seeds {}: {steps} steps, {failed} failed, {:.1} s",
        arguments.backend,
        arguments.seeds,
        began.elapsed().as_secs_f64()
    );
    let told: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("{}", told.join(", "));
    simulator.close().await?;
    Ok(failed == 0)
}

fn tell(seed: u64, backend: Backend, failure: &Failure) {
    for line in &failure.trace {
        println!("  {line}");
    }
    let backend = format!("{backend:?}").to_lowercase();
    println!("seed {seed}: {:#}", failure.error);
    println!("all of it: cargo xtask sim --seeds {seed}..{} --backend {backend} --trace", seed + 1);
}
