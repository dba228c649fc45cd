//! `syncline integration`: one customer's connection to one provider.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::{CustomerAddress, IntegrationAddress};
use super::connection::ConnectionArgs;
use crate::config::units::parse_duration;

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
}

/// Adds an integration: stores configuration and credentials (encrypted), checks them with the provider, discovers its
/// objects and schedules their first sync.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline integration add acme/salesforce --set instance=acme --secret token=env:SF_TOKEN
  syncline integration add acme/crm-eu --connector hubspot --secret token=-
  syncline integration add acme/salesforce --config-file acme.toml --secret token=@token.txt --object Account,Contact")]
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
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub interval: Option<Duration>,
    /// Do not ask the provider: no check now, objects are discovered later
    #[arg(long)]
    pub no_check: bool,
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
