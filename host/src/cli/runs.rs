//! `syncline runs`: what happened.

mod recording;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::address::Address;
use super::context::Context;
use super::exit::Failure;
use super::output::Row;
use super::{human, object};
use crate::config::units::parse_duration;
use crate::domain::RunId;
use crate::store::admin::{RunFilter, RunRow};

/// Runs: what happened.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, latest first
    List(RunsListArgs),
    /// Show one run: outcome, pages, records, requests, errors, log of the connector
    Show(RunsShowArgs),
    /// Write what was recorded of a run to a file
    Recording(recording::RunsRecordingArgs),
}

/// Lists runs, latest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline runs list --limit 5
  syncline runs list acme/salesforce/Account --since 1d
  syncline runs list --outcome failed --json")]
pub struct RunsListArgs {
    /// Only those of this customer, integration or object
    #[arg(value_name = "ADDRESS")]
    pub within: Option<Address>,
    /// Only those that stand or ended so, separated by commas
    #[arg(long = "outcome", value_enum, value_name = "OUTCOMES", value_delimiter = ',')]
    pub outcomes: Vec<RunState>,
    /// Only those of the last hours or days
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: u32,
}

/// Shows one run.
#[derive(Debug, Args)]
pub struct RunsShowArgs {
    /// Number of the run, as listed
    #[arg(value_name = "RUN")]
    pub run: RunId,
}

/// Where a run stands, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunState {
    /// In the queue
    Dispatched,
    /// Being worked on
    Running,
    /// Everything there was is read
    Succeeded,
    /// The provider failed midway
    Partial,
    /// The provider asked for a pause
    RateLimited,
    /// Credentials or configuration are refused
    NeedsAuth,
    /// The object may not be read
    Forbidden,
    /// It failed
    Failed,
    /// An operator stopped it
    Cancelled,
    /// It took its host down too often
    Quarantined,
}

impl RunState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::RateLimited => "rate-limited",
            Self::NeedsAuth => "needs-auth",
            Self::Forbidden => "forbidden",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A run as it is listed.
#[derive(Debug, Serialize)]
pub struct Run {
    #[serde(flatten)]
    row: RunRow,
    #[serde(skip)]
    now: i64,
}

impl Run {
    /// A run, told by the database's clock.
    #[must_use]
    pub const fn new(row: RunRow, now: i64) -> Self {
        Self { row, now }
    }

    /// How long it took, or has taken so far.
    fn took(&self) -> String {
        let end = self.row.finished_at.unwrap_or(self.now);
        self.row.claimed_at.map_or_else(|| "-".to_owned(), |start| human::span(end - start))
    }

    fn error(&self) -> String {
        match (&self.row.error_class, &self.row.error_message) {
            (Some(class), Some(message)) => format!("{class}: {message}"),
            (class, message) => class.as_ref().or(message.as_ref()).cloned().unwrap_or_default(),
        }
    }
}

impl Row for Run {
    const HEADERS: &'static [&'static str] =
        &["run", "object", "state", "dispatched", "took", "pages", "records", "requests", "error"];

    fn cells(&self) -> Vec<String> {
        let row = &self.row;
        vec![
            row.id.to_string(),
            row.object.clone(),
            row.state.clone(),
            human::ago(row.dispatched_at, self.now),
            self.took(),
            row.pages.to_string(),
            row.interactions.to_string(),
            row.requests.to_string(),
            human::brief(&self.error(), 60),
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when what is named does not exist or the store fails.
pub async fn run(command: RunsCommand, context: &mut Context) -> Result<(), Failure> {
    match command {
        RunsCommand::List(args) => list(&args, context).await,
        RunsCommand::Show(args) => show(&args, context).await,
        RunsCommand::Recording(args) => recording::run(&args, context).await,
    }
}

async fn list(args: &RunsListArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let within = args.within.as_ref();
    let filter = RunFilter {
        customer: within.map(|address| address.customer().to_owned()),
        integration: within.and_then(Address::integration).map(str::to_owned),
        object: within.and_then(Address::object).map(str::to_owned),
        states: args.outcomes.iter().map(|state| state.as_str().to_owned()).collect(),
        since: args.since,
        limit: args.limit,
    };
    let now = store.now_ms().await?;
    let runs: Vec<Run> = store.runs(&filter).await?.into_iter().map(|row| Run::new(row, now)).collect();
    if let (true, Some(address)) = (runs.is_empty(), within) {
        object::exists(&store, address).await?;
    }
    Ok(context.output.rows(&runs, "no runs")?)
}

async fn show(args: &RunsShowArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let run = Run::new(store.run(args.run).await?, store.now_ms().await?);
    context.output.item(&run, &fields(&run))?;
    if let (false, Some(log)) = (context.output.json(), &run.row.guest_log) {
        context.output.raw(b"\nlog of the connector\n")?;
        context.output.text(log)?;
    }
    Ok(())
}

fn fields(run: &Run) -> Vec<(&'static str, String)> {
    let (row, now) = (&run.row, run.now);
    let mut fields = vec![
        ("run", row.id.to_string()),
        ("object", row.object.clone()),
        ("state", row.state.clone()),
        ("trigger", row.trigger.clone()),
        ("dispatched", human::ago(row.dispatched_at, now)),
    ];
    let mut some = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    some("waited", row.claimed_at.map(|claimed| human::span(claimed - row.dispatched_at)));
    some("took", row.claimed_at.map(|_| run.took()));
    some("finished", row.finished_at.map(|at| human::ago(at, now)));
    some("host", row.host.clone());
    some("claims", Some(row.claims.to_string()));
    some(
        "connector",
        row.connector_version.as_ref().map(|version| {
            let digest = row.connector_digest.as_deref().unwrap_or_default();
            format!("{} (sha256:{})", version, human::brief(digest, 13))
        }),
    );
    some("pages", Some(row.pages.to_string()));
    some("records", Some(row.interactions.to_string()));
    some("requests", Some(row.requests.to_string()));
    some("error class", row.error_class.clone());
    some("error", row.error_message.clone());
    some("recording", recording::shown(row));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_written_as_it_is_stored() {
        for state in RunState::value_variants() {
            assert_eq!(state.to_possible_value().unwrap().get_name(), state.as_str());
        }
    }
}
