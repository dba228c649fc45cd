//! The demo: two customers, two fake providers whose data keeps changing, a real host, and a line for everything that is
//! fetched and landed. Started by `cargo xtask demo`, which builds what it needs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use syncline::domain::IntegrationId;
use syncline::store::admin::RunFilter;
use syncline_tests::fakes::{self, Tenant, faults::Knobs};
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};
use tokio::signal::unix::{SignalKind, signal};

/// How the demo runs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Stop after so many seconds, settle, and compare with the providers; without it, run until Ctrl-C.
    #[arg(long)]
    seconds: Option<u64>,
    /// Print one line of JSON at the end.
    #[arg(long)]
    json: bool,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    backend: Backend,
    /// What the providers' data grows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let began = Instant::now();
    let options = RigOptions {
        backend: arguments.backend,
        fakes: fakes::Options {
            seed: arguments.seed,
            tenants: vec![Tenant::named("acme"), Tenant::named("globex")],
            records_per_object: 300,
            ties: 120,
            knobs: Knobs { index_lag_ms: 1_500, late_commit_ms: 1_000, ..Knobs::default() },
            change_every_ms: Some(150),
            rotate_refresh_tokens: true,
            ..fakes::Options::default()
        },
        interval: Duration::from_secs(4),
        lease: Duration::from_secs(9),
        ..RigOptions::default()
    };
    let rig = Rig::start(&options).await?;
    let mut host = rig.host("demo", "")?;
    let objects = rig.objects().await?.len();
    eprintln!(
        "Syncline runs: 2 customers, 4 integrations, {objects} objects, each synced every {} s.\n\
         The providers' data changes all the time. Files: {}",
        options.interval.as_secs(),
        rig.dir().display()
    );

    let mut watch = Watch::default();
    let mut terminate = signal(SignalKind::terminate())?;
    let end = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut interrupted = false;
    while !interrupted && end.is_none_or(|end| Instant::now() < end) {
        watch.look(&rig).await?;
        if !host.is_running()? {
            anyhow::bail!("the host ended:\n{}", host.log());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = tokio::signal::ctrl_c() => interrupted = true,
            _ = terminate.recv() => interrupted = true,
        }
    }
    if interrupted {
        let drained = host.drain(Duration::from_secs(8))?;
        eprintln!("{} changes landed. Drained in {:.1} s.", watch.changed, drained.as_secs_f64());
        return Ok(true);
    }

    eprintln!("The changes stop; what is left is synced, then everything is compared.");
    rig.settle(Duration::from_secs(90)).await?;
    watch.look(&rig).await?;
    let drained = host.drain(Duration::from_secs(30))?;
    let found = rig.compare().await?;
    for example in &found.examples {
        eprintln!("  {example}");
    }
    let outcomes =
        watch.outcomes.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ");
    eprintln!(
        "{} records at the providers, {} interactions landed ({} changes, {} of them deletes or merges): {} missing, {} stale, \
         {} duplicates. Runs: {outcomes}. Drained in {:.1} s.",
        found.present,
        found.landed,
        watch.changed,
        watch.deleted,
        found.missing,
        found.stale,
        found.duplicates,
        drained.as_secs_f64()
    );
    if arguments.json {
        println!(
            "{}",
            json!({
                "backend": match arguments.backend { Backend::Sqlite => "sqlite", Backend::PostgresSqs => "postgres-sqs" },
                "objects": objects,
                "runs": watch.outcomes.values().sum::<u64>(),
                "interactions_landed": found.landed,
                "changed": watch.changed,
                "deleted": watch.deleted,
                "missing": found.missing,
                "stale": found.stale,
                "duplicates": found.duplicates,
                "rejected": found.rejected,
                "seconds": began.elapsed().as_secs(),
            })
        );
    }
    Ok(found.is_clean())
}

/// What has been shown so far.
#[derive(Default)]
struct Watch {
    last_run: i64,
    open: HashSet<i64>,
    feeds: BTreeMap<i64, i64>,
    outcomes: BTreeMap<String, u64>,
    changed: u64,
    deleted: u64,
}

impl Watch {
    /// Shows what is new: runs that were dispatched or ended, and what landed.
    async fn look(&mut self, rig: &Rig) -> Result<()> {
        let mut runs = rig.store.runs(&RunFilter { limit: 500, ..RunFilter::default() }).await?;
        runs.reverse();
        for run in runs {
            if run.id > self.last_run {
                self.last_run = run.id;
                self.open.insert(run.id);
                println!("{} scheduled  {}", clock(run.dispatched_at), run.object);
            }
            let Some(at) = run.finished_at else { continue };
            if !self.open.remove(&run.id) {
                continue;
            }
            *self.outcomes.entry(run.state.clone()).or_default() += 1;
            let error = run.error_message.map(|text| format!("  {}: {text}", run.error_class.unwrap_or_default()));
            println!(
                "{} fetched    {}  {} in {} pages, {} requests, {} ms: {}{}",
                clock(at),
                run.object,
                run.interactions,
                run.pages,
                run.requests,
                at - run.claimed_at.unwrap_or(at),
                run.state,
                error.unwrap_or_default()
            );
        }
        for integration in rig.store.integrations().await? {
            let seen = self.feeds.entry(integration.id).or_default();
            let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            loop {
                let changes = rig.store.changes(IntegrationId(integration.id), *seen, 1_000).await?;
                let Some(last) = changes.last() else { break };
                *seen = last.change_seq;
                for change in &changes {
                    let (changed, gone) = counts.entry(change.object.clone()).or_default();
                    *changed += 1;
                    *gone += u64::from(change.state != "present");
                }
            }
            for (object, (changed, gone)) in counts {
                self.changed += changed;
                self.deleted += gone;
                println!(
                    "{} landed     {}/{}/{object}  {changed} changed, {gone} of them gone",
                    chrono::Local::now().format("%H:%M:%S"),
                    integration.customer,
                    integration.name
                );
            }
        }
        Ok(())
    }
}

fn clock(unix_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(unix_ms)
        .map(|time| time.with_timezone(&chrono::Local).format("%H:%M:%S").to_string())
        .unwrap_or_default()
}
