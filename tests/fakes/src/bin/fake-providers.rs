//! Serves the fake providers until it is interrupted; prints one line of JSON with what a client needs to know.

#![allow(clippy::doc_markdown, reason = "HubSpot is a name, not code")]

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Parser, ValueEnum as _};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use syncline_fakes::{FakeProviders, Options, Tenant, faults::Knobs, schema::Provider};

/// Fake providers on this machine.
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
    /// A change in every account this often, in milliseconds.
    #[arg(long)]
    change_every_ms: Option<u64>,
    /// Which of them run.
    #[arg(long, value_delimiter = ',', default_value = "hubspot,salesforce")]
    providers: Vec<Provider>,
    /// Fixed ports, as in `hubspot=4001,salesforce=4002`; any free one otherwise.
    #[arg(long, value_delimiter = ',', value_parser = port)]
    ports: Vec<(Provider, u16)>,
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

fn port(text: &str) -> Result<(Provider, u16), String> {
    let (provider, port) = text.split_once('=').ok_or("not of the form provider=port")?;
    Ok((Provider::from_str(provider, false)?, port.parse().map_err(|error| format!("{port:?}: {error}"))?))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let knobs: Knobs = serde_json::from_str(&args.knobs).context("--knobs")?;
    let options = Options {
        providers: args.providers,
        ports: args.ports.into_iter().collect(),
        seed: args.seed,
        tenants: args.tenants.iter().map(|name| Tenant::named(name)).collect(),
        records_per_object: args.records,
        ties: args.ties,
        change_every_ms: args.change_every_ms,
        rotate_refresh_tokens: args.rotate_refresh_tokens,
        count_ids: args.count_ids,
        raw: args.raw,
        knobs,
    };
    let fakes = FakeProviders::start(options).await.context("open the ports")?;
    let addrs = fakes.addrs().iter().map(|(provider, addr)| (provider.name().to_owned(), json!(addr)));
    let mut line: serde_json::Map<String, Value> = addrs.collect();
    line.insert("tenants".to_owned(), json!(fakes.tenants()));
    let line = Value::Object(line);
    writeln!(std::io::stdout(), "{line}").context("print the addresses")?;
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listen for an interrupt")?,
        _ = term.recv() => {}
    }
    fakes.stop().await;
    Ok(())
}
