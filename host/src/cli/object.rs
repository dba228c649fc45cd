//! `syncline object`: what is scheduled.

mod act;
mod health;
mod show;

use clap::{Args, Subcommand};
use serde::Serialize;

#[cfg(test)]
pub(super) use health::tests;
pub use health::{Health, Word};

use super::address::{Address, ObjectAddress};
use super::context::Context;
use super::exit::Failure;
use super::human;
use super::interval::IntervalArg;
use super::output::Row;
use crate::domain::ObjectId;
use crate::store::admin::{ObjectFilter, ObjectRow};
use crate::store::{Store, StoreError};

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
    /// Record the next run, for a replay elsewhere
    Record(ObjectRecordArgs),
    /// Carry out deletes that waited for a person's word
    ConfirmDeletes(ObjectConfirmArgs),
}

/// Lists objects: health, last success, next run, interval, what went wrong.
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
    #[arg(long = "state", value_enum, value_name = "STATES", value_delimiter = ',')]
    pub states: Vec<Word>,
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
    /// Which objects, such as acme/salesforce/Account; a customer or an integration means all of theirs
    #[arg(value_name = "ADDRESS", required = true)]
    pub objects: Vec<Address>,
}

/// Makes objects due now. The throttle window still applies: an object that was dispatched in this window runs in the
/// next one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object trigger acme/salesforce/Account
  syncline object trigger acme/salesforce acme/hubspot/contacts --force")]
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
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// Records the next run of an object that begins, to its end: requests and answers, without credentials, with the
/// customer's data. `runs recording` fetches it; it is forgotten after a week.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object record acme/hubspot/contacts
  syncline object record acme/hubspot/contacts --off")]
pub struct ObjectRecordArgs {
    /// Which object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Do not record the next run after all
    #[arg(long)]
    pub off: bool,
}

/// Carries out deletes that waited for a person's word: a complete pass did not show so many records that the host
/// suspected the provider (`process.sweep_guard`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object confirm-deletes acme/hubspot/owners")]
pub struct ObjectConfirmArgs {
    /// Which object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// An object as it is listed.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// `customer/integration/object`.
    pub address: String,
    /// How it is doing, in one word.
    pub health: Health,
    /// The whole row.
    #[serde(flatten)]
    pub row: ObjectRow,
}

impl From<ObjectRow> for Listed {
    fn from(row: ObjectRow) -> Self {
        let address = format!("{}/{}/{}", row.customer, row.integration, row.object);
        Self { address, health: Health::of(&row), row }
    }
}

impl Row for Listed {
    const HEADERS: &'static [&'static str] = &["object", "health", "last success", "next run", "interval", "why"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.address.clone(),
            self.health.as_str().to_owned(),
            human::ago_or_never(self.row.synced_at, self.row.now),
            health::next_run(&self.row),
            human::interval(self.row.effective_interval_ms),
            human::brief(&health::why(&self.row).unwrap_or_default(), 70),
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when what is named does not exist, the person says no, or the store fails.
pub async fn run(command: ObjectCommand, context: &mut Context) -> Result<(), Failure> {
    match command {
        ObjectCommand::List(args) => list(&args, context).await,
        ObjectCommand::Show(args) => show::run(&args, context).await,
        ObjectCommand::Trigger(args) => act::trigger(&args, context).await,
        ObjectCommand::Pause(args) => act::set_paused(&args, true, context).await,
        ObjectCommand::Resume(args) => act::set_paused(&args, false, context).await,
        ObjectCommand::SetInterval(args) => act::set_interval(&args, context).await,
        ObjectCommand::ResetCursor(args) => act::reset_cursor(&args, context).await,
        ObjectCommand::Record(args) => act::record(&args, context).await,
        ObjectCommand::ConfirmDeletes(args) => act::confirm_deletes(&args, context).await,
    }
}

async fn list(args: &ObjectListArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let rows = match &args.within {
        Some(address) => within(&store, address).await?,
        None => store.objects(&ObjectFilter::default()).await?,
    };
    let mut listed: Vec<Listed> = rows.into_iter().map(Listed::from).collect();
    listed.retain(|object| args.states.is_empty() || args.states.iter().any(|word| word.fits(object)));
    Ok(context.output.rows(&listed, "no objects")?)
}

/// The objects that an address names.
///
/// # Errors
/// [`Failure`] with the first part of the address that does not exist, and the nearest that does.
pub async fn within(store: &Store, address: &Address) -> Result<Vec<ObjectRow>, Failure> {
    let filter = ObjectFilter {
        customer: Some(address.customer().to_owned()),
        integration: address.integration().map(str::to_owned),
        object: address.object().map(str::to_owned),
        ..ObjectFilter::default()
    };
    let rows = store.objects(&filter).await?;
    if rows.is_empty() {
        exists(store, address).await?;
    }
    Ok(rows)
}

/// Checks an address from its first part on.
///
/// # Errors
/// [`Failure`] with the first part that does not exist, and the nearest that does.
pub async fn exists(store: &Store, address: &Address) -> Result<(), Failure> {
    let customer = address.customer();
    store.customer(customer).await?;
    let Some(integration) = address.integration() else { return Ok(()) };
    store.integration(customer, integration).await?;
    let Some(object) = address.object() else { return Ok(()) };
    store.object(customer, integration, object).await?;
    Ok(())
}

/// The one object of an address.
///
/// # Errors
/// [`Failure`] as of [`within`].
pub async fn one(store: &Store, address: &ObjectAddress) -> Result<ObjectRow, Failure> {
    let rows = within(store, &Address::Object(address.clone())).await?;
    let absent = || StoreError::NotFound { kind: "object", name: address.to_string(), near: None };
    Ok(rows.into_iter().next().ok_or_else(absent)?)
}

fn id(row: &ObjectRow) -> ObjectId {
    ObjectId(row.id)
}
