//! `syncline interactions`: what landed.

mod export;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::address::{Address, ObjectAddress};
use super::context::Context;
use super::exit::Failure;
use super::object;
use super::output::Row;
use crate::cli::human;
use crate::config::units::parse_duration;
use crate::domain::ObjectId;
use crate::store::feed::InteractionRow;
use crate::store::{Store, StoreError};

/// Records read at once.
const PAGE: u32 = 1_000;

/// Interactions: what landed.
#[derive(Debug, Subcommand)]
pub enum InteractionsCommand {
    /// List records of one object
    List(InteractionsListArgs),
    /// Write all records, or all changes, to a file or to standard output
    Export(InteractionsExportArgs),
}

/// Which records.
#[derive(Debug, Args)]
pub struct Selection {
    /// Only those that changed here in the last hours or days
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Deleted and merged records too
    #[arg(long)]
    pub deleted: bool,
}

/// Lists records of one object in the order of their ids.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline interactions list acme/salesforce/Account
  syncline interactions list acme/salesforce/Account --since 1h --deleted --json
  syncline interactions list acme/salesforce/Account --id 0015g00000XyZ")]
pub struct InteractionsListArgs {
    /// Which object, such as acme/salesforce/Account
    #[arg(value_name = "CUSTOMER/INTEGRATION/OBJECT")]
    pub object: ObjectAddress,
    /// Which records.
    #[command(flatten)]
    pub selection: Selection,
    /// Only the record with this id at the provider
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Only records behind this id: the next page of a list
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub after: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: u32,
}

/// Writes all records of an object or of an integration; with --changes, what changed in an integration since a position
/// of its feed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline interactions export acme/salesforce/Account > accounts.ndjson
  syncline interactions export acme/salesforce/Account --format csv --out accounts.csv
  syncline interactions export acme/salesforce --changes --after 4711 > changes.ndjson")]
pub struct InteractionsExportArgs {
    /// Which object or integration, such as acme/salesforce
    #[arg(value_name = "ADDRESS")]
    pub within: Address,
    /// Which records.
    #[command(flatten)]
    pub selection: Selection,
    /// The change feed: in the order of the changes, deletes included, each record at its latest change
    #[arg(long)]
    pub changes: bool,
    /// Only changes behind this position: the last `change_seq` that was read
    #[arg(long, value_name = "POSITION", requires = "changes", default_value_t = 0)]
    pub after: i64,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u64>,
    /// What to write
    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    pub format: ExportFormat,
    /// File to write; standard output unless said
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
}

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line
    Ndjson,
    /// A table: id, state, version, times, and the data as JSON
    Csv,
}

impl Selection {
    /// The earliest change that counts, by the database's clock.
    async fn earliest_ms(&self, store: &Store) -> Result<i64, Failure> {
        let Some(since) = self.since else { return Ok(i64::MIN) };
        Ok(store.now_ms().await?.saturating_sub(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    fn fits(&self, row: &InteractionRow, from_ms: i64) -> bool {
        row.changed_at >= from_ms && (self.deleted || row.state == "present")
    }
}

/// A record as it is listed.
#[derive(Debug, serde::Serialize)]
struct Record {
    #[serde(flatten)]
    row: InteractionRow,
    #[serde(skip)]
    now: i64,
}

impl Row for Record {
    const HEADERS: &'static [&'static str] = &["id", "state", "changed", "updated at provider", "data"];

    fn cells(&self) -> Vec<String> {
        let row = &self.row;
        let merged = row.merged_into.as_ref().map(|into| format!(" into {into}")).unwrap_or_default();
        vec![
            row.id.clone(),
            format!("{}{merged}", row.state),
            human::ago(row.changed_at, self.now),
            row.provider_updated_at.clone().unwrap_or_else(|| "-".to_owned()),
            human::brief(row.data.as_str().unwrap_or("-"), 80),
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when what is named does not exist, the file cannot be written, or the store fails.
pub async fn run(command: InteractionsCommand, context: &mut Context) -> Result<(), Failure> {
    match command {
        InteractionsCommand::List(args) => list(&args, context).await,
        InteractionsCommand::Export(args) => export::run(&args, context).await,
    }
}

async fn list(args: &InteractionsListArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let object = ObjectId(object::one(&store, &args.object).await?.id);
    let now = store.now_ms().await?;
    let rows = match &args.id {
        Some(id) => {
            let absent =
                || StoreError::NotFound { kind: "interaction", name: format!("{}/{id}", args.object), near: None };
            vec![store.interaction(object, id).await?.ok_or_else(absent)?]
        }
        None => page(args, &store, object).await?,
    };
    let last = rows.last().map(|row| row.id.clone());
    let full = rows.len() >= args.limit as usize;
    let records: Vec<Record> = rows.into_iter().map(|row| Record { row, now }).collect();
    context.output.rows(&records, "no records")?;
    if let (true, None, Some(last)) = (full, &args.id, last) {
        context.output.note(&format!("there may be more: --after {last}, or `interactions export`"))?;
    }
    Ok(())
}

async fn page(args: &InteractionsListArgs, store: &Store, object: ObjectId) -> Result<Vec<InteractionRow>, Failure> {
    let from_ms = args.selection.earliest_ms(store).await?;
    let mut after = args.after.clone().unwrap_or_default();
    let mut found = Vec::new();
    loop {
        let rows = store.interactions(object, &after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.id);
        found.extend(rows.into_iter().filter(|row| args.selection.fits(row, from_ms)));
        if found.len() >= args.limit as usize {
            break;
        }
    }
    found.truncate(args.limit as usize);
    Ok(found)
}
