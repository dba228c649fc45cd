//! A described provider on a port of this machine, until it is interrupted.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::config::units::parse_duration;
use crate::kit::synthetic::{Options, Synthetic, load};

/// Serves the provider that a file describes, with data that is made up, until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector fake provider.toml --port 4000
  syncline connector fake provider.toml --change-every 1s
  curl -s http://127.0.0.1:4000/_fake/status

docs/reference/provider-toml.md describes the file, docs/reference/synthetic-providers.md what is under /_fake/.")]
pub struct ConnectorFakeArgs {
    /// The description, such as provider.toml
    #[arg(value_name = "FILE")]
    pub description: PathBuf,
    /// Port of 127.0.0.1; any free one unless said
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Seed of the data; the same seed makes the same data
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Change something this often; only on request unless said
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub change_every: Option<Duration>,
}

#[derive(Serialize)]
struct Listening<'a> {
    provider: &'a str,
    url: &'a Url,
    account: &'a str,
    objects: &'a [String],
}

pub(super) async fn run(args: ConnectorFakeArgs, context: &mut Context) -> Result<(), Failure> {
    let description = load(&args.description).map_err(Failure::config)?;
    let objects: Vec<String> = description.objects.iter().map(|object| object.name.get_ref().clone()).collect();
    let (name, account) = (description.provider.name.clone(), description.provider.account.clone());
    let options = Options { seed: args.seed, port: args.port, change_every: args.change_every };
    // Before anybody is told where to go: a signal that comes at once is no reason to die without an end.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let provider = Synthetic::start(description, options).await.map_err(|error| {
        let failure = Failure::new(Exit::Temporary, "the synthetic provider does not start");
        failure
            .because("there is no port for the synthetic provider")
            .caused_by(&error)
            .help("another `--port`, or none, may be free")
    })?;
    let listening = Listening { provider: &name, url: provider.origin(), account: &account, objects: &objects };
    let sentence = format!("{name} listens on {} with {}; Ctrl-C ends it", provider.origin(), objects.join(", "));
    context.output.event(&listening, &sentence)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    provider.stop().await;
    Ok(())
}
