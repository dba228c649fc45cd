//! `syncline object`: what is scheduled.

use clap::{Args, Subcommand};

use super::address::{Address, ObjectAddress};
use super::interval::IntervalArg;

/// Integration objects: what is scheduled, such as acme/salesforce/Account.
#[derive(Debug, Subcommand)]
pub enum ObjectCommand {
    /// List objects
    List(ObjectListArgs),
    /// Show one object: health, schedule, cursor, last runs
    Show(ObjectArgs),
    /// Sync objects now
    Trigger(ObjectTriggerArgs),
    /// Stop syncing objects
    Pause(ObjectsArgs),
    /// Sync objects again; also lifts a quarantine
    Resume(ObjectsArgs),
    /// Set how often an object is synced
    SetInterval(ObjectIntervalArgs),
    /// Make the next sync start elsewhere, by default from the very beginning
    ResetCursor(ObjectResetArgs),
}

/// Lists objects: state, last success, next run, interval, records of the last run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object list
  syncline object list acme/salesforce
  syncline object list --state failing,quarantined --json")]
pub struct ObjectListArgs {
    /// Only those of this customer or integration
    #[arg(value_name = "ADDRESS")]
    pub within: Option<Address>,
    /// Only those in these states, separated by commas
    #[arg(long = "state", value_name = "STATES", value_delimiter = ',')]
    pub states: Vec<String>,
}

/// One object.
#[derive(Debug, Args)]
pub struct ObjectArgs {
    /// Which object, such as acme/salesforce/Account
    #[arg(value_name = "CUSTOMER/INTEGRATION/OBJECT")]
    pub object: ObjectAddress,
}

/// One or more objects.
#[derive(Debug, Args)]
pub struct ObjectsArgs {
    /// Which objects, such as acme/salesforce/Account
    #[arg(value_name = "CUSTOMER/INTEGRATION/OBJECT", required = true)]
    pub objects: Vec<ObjectAddress>,
}

/// Makes objects due now. The throttle window still applies: an object that was dispatched in this window runs in the
/// next one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object trigger acme/salesforce/Account
  syncline object trigger acme/salesforce/Account acme/salesforce/Contact --force")]
pub struct ObjectTriggerArgs {
    /// Which objects.
    #[command(flatten)]
    pub objects: ObjectsArgs,
    /// Run in this throttle window even if the object ran in it before
    #[arg(long)]
    pub force: bool,
}

/// Sets how often an object is synced.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object set-interval acme/salesforce/Account 1d
  syncline object set-interval acme/salesforce/Account default")]
pub struct ObjectIntervalArgs {
    /// Which object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// A duration such as 15m or 1d, or `default`: that of the integration, customer, provider or host
    #[arg(value_name = "DURATION|default")]
    pub interval: IntervalArg,
}

/// Makes the next sync start elsewhere. Nothing that landed is lost: what is fetched again is recognised.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object reset-cursor acme/salesforce/Account --yes
  syncline object reset-cursor acme/salesforce/Account --to '2026-01-01T00:00:00Z' --yes")]
pub struct ObjectResetArgs {
    /// Which object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// A cursor of this connector; the very beginning unless said
    #[arg(long, value_name = "CURSOR")]
    pub to: Option<String>,
    /// Do it; without this, show what would happen
    #[arg(long)]
    pub yes: bool,
}
