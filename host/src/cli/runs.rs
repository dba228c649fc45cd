//! `syncline runs`: what happened.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::Address;
use crate::config::units::parse_duration;
use crate::domain::RunId;

/// Runs: what happened.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, latest first
    List(RunsListArgs),
    /// Show one run: outcome, pages, records, requests, errors, log of the connector
    Show(RunsShowArgs),
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
    /// Only those that ended so, separated by commas: succeeded, partial, rate-limited, needs-auth, failed, ...
    #[arg(long = "outcome", value_name = "OUTCOMES", value_delimiter = ',')]
    pub outcomes: Vec<String>,
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
