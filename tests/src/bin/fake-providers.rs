//! Serves the fake providers until it is interrupted; prints one line of JSON with what a client needs to know.

#![allow(clippy::doc_markdown, reason = "HubSpot is a name, not code")]

use std::io::Write as _;

use anyhow::Context as _;
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use syncline_tests::fakes::{FakeProviders, Options, Tenant, faults::Knobs};

/// Fake HubSpot and fake Salesforce on this machine.
#[derive(Debug, Parser)]
struct Args {
    /// Seed of all content.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Names of the accounts; their credentials follow from the names.
    #[arg(long, value_delimiter = ',', default_value = "a")]
    tenants: Vec<String>,
    /// Records of each object in each account.
    #[arg(long, default_value_t = 300)]
    records: u32,
    /// So many records share one stamp.
    #[arg(long, default_value_t = 0)]
    ties: u32,
    /// HubSpot: the longest time until search finds a write, in milliseconds.
    #[arg(long, default_value_t = 0)]
    index_lag_ms: i64,
    /// Salesforce: the longest time between a stamp and its visibility, in milliseconds.
    #[arg(long, default_value_t = 0)]
    late_commit_ms: i64,
    /// A change in every account this often, in milliseconds.
    #[arg(long)]
    change_every_ms: Option<u64>,
    /// Port for HubSpot; 0 for any.
    #[arg(long, default_value_t = 0)]
    hubspot_port: u16,
    /// Port for Salesforce; 0 for any.
    #[arg(long, default_value_t = 0)]
    salesforce_port: u16,
    /// Salesforce hands out a new refresh token with every use.
    #[arg(long)]
    rotate_refresh_tokens: bool,
    /// Count how often each record was served.
    #[arg(long)]
    count_ids: bool,
    /// Fixed data, pages kept once rendered: for benchmarks.
    #[arg(long)]
    raw: bool,
    /// Knobs as JSON, as in `{"latency_ms": 20}`.
    #[arg(long, default_value = "{}")]
    knobs: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let knobs: Knobs = serde_json::from_str(&args.knobs).context("--knobs")?;
    let options = Options {
        seed: args.seed,
        tenants: args.tenants.iter().map(|name| Tenant::named(name)).collect(),
        records_per_object: args.records,
        ties: args.ties,
        index_lag_ms: args.index_lag_ms,
        late_commit_ms: args.late_commit_ms,
        change_every_ms: args.change_every_ms,
        hubspot_port: args.hubspot_port,
        salesforce_port: args.salesforce_port,
        rotate_refresh_tokens: args.rotate_refresh_tokens,
        count_ids: args.count_ids,
        raw: args.raw,
        knobs,
    };
    let fakes = FakeProviders::start(options).await.context("open the ports")?;
    let line = json!({
        "hubspot": fakes.hubspot_addr, "salesforce": fakes.salesforce_addr, "tenants": fakes.tenants()
    });
    writeln!(std::io::stdout(), "{line}").context("print the addresses")?;
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listen for an interrupt")?,
        _ = term.recv() => {}
    }
    fakes.stop().await;
    Ok(())
}
