//! `syncline connector test`: the conformance suite.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::record::unusable;
use super::target::{Target, TargetArgs, unreachable};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::probe;
use crate::config::Config;
use crate::kit::cassette::Cassette;
use crate::kit::conform::{self, ConformError, Subject};

/// Proves a connector: contract, resuming, faults, paging, limits, honesty. Needs no account and no network, only a
/// synthetic provider or a cassette.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector test                                    the project in this folder
  syncline connector test crm.wasm --provider provider.toml
  syncline connector test crm.wasm --provider http://127.0.0.1:4000 --secret token=env:FAKE_TOKEN
  syncline connector test crm.wasm --cassette contacts.json
  syncline explain SY-1301                                   what a check is about

Exit codes: 0 everything holds, 5 something does not")]
pub struct ConnectorTestArgs {
    /// Path of a .wasm file, the name of a connector in the configured folder, or the folder of a project
    #[arg(value_name = "FILE|NAME|FOLDER", default_value = ".")]
    pub connector: PathBuf,
    /// A cassette to replay; may be given several times
    #[arg(long = "cassette", value_name = "PATH")]
    pub cassettes: Vec<PathBuf>,
    /// Only this object; may be given several times
    #[arg(long = "object", value_name = "OBJECT")]
    pub objects: Vec<String>,
    /// Records in a page: few, so that there are many pages
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub page_size: u32,
    /// How late the provider may show a change, in milliseconds: what the connector promises to cope with
    #[arg(long, value_name = "MS")]
    pub index_lag_ms: Option<u64>,
    /// Write the report as JUnit XML too
    #[arg(long, value_name = "PATH")]
    pub junit: Option<PathBuf>,
    /// What to try it with.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Runs the command.
pub(super) async fn run(args: &ConnectorTestArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let target = Target::find(&args.connector, &args.target, config, context).await?;
    let paths = if args.cassettes.is_empty() { target.trial.cassettes.clone() } else { args.cassettes.clone() };
    let cassettes = paths
        .iter()
        .map(|path| Cassette::read(path).map_err(|error| unusable(path, &error)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let objects = if args.objects.is_empty() { target.trial.objects.clone() } else { args.objects.clone() };
    let mut egress = target.egress(config)?;
    // A fault is told at once: what a host would wait for and repeat is not what is to be proved.
    egress.limits.max_inline_wait = std::time::Duration::ZERO;
    let subject = Subject {
        connector: std::sync::Arc::clone(&target.connector),
        config: target.connection.config.clone(),
        auth: target.connection.auth.clone(),
        objects,
        page_size: args.page_size.max(1),
        budget: probe::budget(config),
        egress,
        control: target.control().await?,
        index_lag_ms: args.index_lag_ms.unwrap_or(target.trial.index_lag_ms),
        cassettes,
        secrets: target.connection.secrets,
    };
    let progress = ProgressBar::new_spinner();
    if context.output.quiet() || context.output.json() {
        progress.set_draw_target(ProgressDrawTarget::hidden());
    }
    let report = conform::prove(&subject, &mut |what| progress.set_message(what.to_owned())).await;
    progress.finish_and_clear();
    let report = report.map_err(|error| failed(&error))?;
    if let Some(path) = &args.junit {
        std::fs::write(path, report.to_junit()).map_err(|error| {
            Failure::new(Exit::Failure, "the report cannot be written").at(path.display().to_string()).caused_by(&error)
        })?;
    }
    if context.output.json() {
        context.output.item(&report, &[])?;
    } else {
        context.output.text(&report.to_text())?;
    }
    match report.failed().count() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::CheckFailed, "a check does not hold")),
        count => Err(Failure::new(Exit::CheckFailed, format!("{count} checks do not hold"))),
    }
}

fn failed(error: &ConformError) -> Failure {
    match error {
        ConformError::Nothing => Failure::new(Exit::Usage, error.to_string())
            .help("--provider FILE describes a synthetic one (`syncline connector new` makes an example)")
            .help("--cassette FILE replays a recording (`syncline connector record` makes one)"),
        ConformError::UnknownObject { .. } => Failure::new(Exit::NotFound, error.to_string()),
        ConformError::Control(error) => unreachable(error),
        ConformError::Open(_) | ConformError::Gate(_) => {
            Failure::new(Exit::Failure, error.to_string()).caused_by(error)
        }
    }
}
