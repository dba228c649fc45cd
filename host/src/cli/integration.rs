//! `syncline integration`: one customer's connection to one provider.

mod add;
mod stored;

use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::{CustomerAddress, IntegrationAddress};
use super::connection::{ConnectionArgs, SecretArgs};
use super::context::Context;
use super::exit::Failure;
use super::human;
use super::interval::{self, IntervalArg};
use super::output::Row;
use crate::connector::Pin;
use crate::store::admin::IntegrationRow;

/// Integrations: one customer's connection to one provider.
#[derive(Debug, Subcommand)]
pub enum IntegrationCommand {
    /// Add an integration: check it, discover its objects, schedule them
    Add(IntegrationAddArgs),
    /// List integrations
    List(IntegrationListArgs),
    /// Ask the provider whether configuration and credentials are right
    Check(IntegrationArgs),
    /// Stop syncing all its objects
    Pause(IntegrationArgs),
    /// Sync its objects again
    Resume(IntegrationArgs),
    /// Replace credentials; one that waited for them is synced again
    SetCredentials(SetCredentialsArgs),
    /// Ask the provider which objects there are, and add some
    Discover(DiscoverArgs),
    /// Set how often its objects are synced
    SetInterval(IntegrationIntervalArgs),
}

/// Adds an integration: checks configuration and credentials with the provider, discovers its objects, stores all of it
/// (credentials encrypted) and schedules the first sync. Nothing is stored when a step fails.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline integration add acme/hubspot --secret token=env:HUBSPOT_TOKEN
  syncline integration add acme/crm-eu --connector hubspot --secret token=- --object contacts,deals
  syncline integration add acme/salesforce --set domain=acme.my.salesforce.com
      --secret client-id=@id --secret client-secret=@secret --secret refresh-token=@refresh")]
pub struct IntegrationAddArgs {
    /// Customer and a name for the integration
    #[arg(value_name = "CUSTOMER/INTEGRATION")]
    pub integration: IntegrationAddress,
    /// Name of the connector; the integration's name unless said
    #[arg(long, value_name = "NAME")]
    pub connector: Option<String>,
    /// Objects to sync, separated by commas; all that are discovered unless said
    #[arg(long = "object", value_name = "NAMES", value_delimiter = ',')]
    pub objects: Vec<String>,
    /// How often its objects are synced, unless one has its own interval
    #[arg(long, value_name = "DURATION", value_parser = interval::parse)]
    pub interval: Option<Duration>,
    /// Stay on one build of the connector (sha256:DIGEST) or on one version; follows the newest unless said
    #[arg(long, value_name = "DIGEST|VERSION")]
    pub pin: Option<Pin>,
    /// Configuration and credentials.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl IntegrationAddArgs {
    /// The connector's name.
    #[must_use]
    pub fn connector(&self) -> &str {
        self.connector.as_deref().unwrap_or(&self.integration.integration)
    }
}

/// Lists integrations: connector, state, objects.
#[derive(Debug, Args)]
pub struct IntegrationListArgs {
    /// Only this customer's
    #[arg(value_name = "CUSTOMER")]
    pub customer: Option<CustomerAddress>,
}

/// One integration.
#[derive(Debug, Args)]
pub struct IntegrationArgs {
    /// Which integration, such as acme/salesforce
    #[arg(value_name = "CUSTOMER/INTEGRATION")]
    pub integration: IntegrationAddress,
}

/// Replaces credentials. The new ones are checked with the provider before they are stored; those that are not named stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline integration set-credentials acme/hubspot --secret token=env:NEW_TOKEN
  syncline integration set-credentials acme/salesforce --secret refresh-token=-")]
pub struct SetCredentialsArgs {
    /// Which integration.
    #[command(flatten)]
    pub integration: IntegrationArgs,
    /// The new credentials.
    #[command(flatten)]
    pub secrets: SecretArgs,
}

/// Asks the provider which objects there are. Without --add or --add-all nothing changes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline integration discover acme/salesforce
  syncline integration discover acme/salesforce --add Case,Task")]
pub struct DiscoverArgs {
    /// Which integration.
    #[command(flatten)]
    pub integration: IntegrationArgs,
    /// Objects to sync from now on, separated by commas; those synced already get their newest schema
    #[arg(long = "add", value_name = "NAMES", value_delimiter = ',')]
    pub objects: Vec<String>,
    /// Sync everything there is
    #[arg(long, conflicts_with = "objects")]
    pub add_all: bool,
}

/// Sets how often the objects of an integration are synced, unless one has its own interval.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline integration set-interval acme/salesforce 15m
  syncline integration set-interval acme/salesforce default")]
pub struct IntegrationIntervalArgs {
    /// Which integration.
    #[command(flatten)]
    pub integration: IntegrationArgs,
    /// A duration such as 15m or 1d, or `default`: that of the customer, the provider, the connector or the host
    #[arg(value_name = "DURATION|default")]
    pub interval: IntervalArg,
}

impl Row for IntegrationRow {
    const HEADERS: &'static [&'static str] = &["integration", "connector", "state", "objects", "interval", "reason"];

    fn cells(&self) -> Vec<String> {
        let pin = self.pin.as_ref().map(|pin| format!(" ({})", human::brief(pin, 20))).unwrap_or_default();
        vec![
            format!("{}/{}", self.customer, self.name),
            format!("{}{pin}", self.provider),
            self.state.clone(),
            self.objects.to_string(),
            self.interval_ms.map_or_else(|| "default".to_owned(), human::interval),
            human::brief(self.state_reason.as_deref().unwrap_or_default(), 60),
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when what is named does not exist, the provider refuses, or the store fails.
pub async fn run(command: IntegrationCommand, context: &mut Context) -> Result<(), Failure> {
    match command {
        IntegrationCommand::Add(args) => add::run(&args, context).await,
        IntegrationCommand::List(args) => list(&args, context).await,
        IntegrationCommand::Check(args) => stored::check(&args, context).await,
        IntegrationCommand::Pause(args) => stored::set_paused(&args, true, context).await,
        IntegrationCommand::Resume(args) => stored::set_paused(&args, false, context).await,
        IntegrationCommand::SetCredentials(args) => stored::set_credentials(&args, context).await,
        IntegrationCommand::Discover(args) => stored::discover(&args, context).await,
        IntegrationCommand::SetInterval(args) => stored::set_interval(&args, context).await,
    }
}

async fn list(args: &IntegrationListArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let mut rows = store.integrations().await?;
    if let Some(wanted) = &args.customer {
        let customer = store.customer(&wanted.customer).await?;
        rows.retain(|row| row.customer == customer.name);
    }
    Ok(context.output.rows(&rows, "no integrations; add one with `syncline integration add CUSTOMER/NAME`")?)
}
