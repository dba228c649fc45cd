//! `syncline interactions`: what landed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::address::ObjectAddress;
use crate::config::units::parse_duration;

/// Interactions: what landed.
#[derive(Debug, Subcommand)]
pub enum InteractionsCommand {
    /// List records of one object, latest change first
    List(InteractionsListArgs),
    /// Write all records of one object to a file or to standard output
    Export(InteractionsExportArgs),
}

/// Which records.
#[derive(Debug, Args)]
pub struct Selection {
    /// Which object, such as acme/salesforce/Account
    #[arg(value_name = "CUSTOMER/INTEGRATION/OBJECT")]
    pub object: ObjectAddress,
    /// Only those that changed here in the last hours or days
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Deleted and merged records too
    #[arg(long)]
    pub deleted: bool,
}

/// Lists records of one object, latest change first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline interactions list acme/salesforce/Account
  syncline interactions list acme/salesforce/Account --since 1h --deleted --json")]
pub struct InteractionsListArgs {
    /// Which records.
    #[command(flatten)]
    pub selection: Selection,
    /// Only the record with this id at the provider
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: u32,
}

/// Writes all records of one object.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline interactions export acme/salesforce/Account > accounts.ndjson
  syncline interactions export acme/salesforce/Account --format csv --out accounts.csv")]
pub struct InteractionsExportArgs {
    /// Which records.
    #[command(flatten)]
    pub selection: Selection,
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
