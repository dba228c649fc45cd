//! `syncline customer`: the tenants whose data is kept.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::CustomerAddress;
use crate::config::units::parse_duration;

/// Customers: the tenants whose data is kept.
#[derive(Debug, Subcommand)]
pub enum CustomerCommand {
    /// Add a customer
    Add(CustomerAddArgs),
    /// List customers
    List(CustomerListArgs),
}

/// Adds a customer. One that exists is left as it is, and that is no error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline customer add acme
  syncline customer add acme --title \"ACME Inc.\" --interval 1h")]
pub struct CustomerAddArgs {
    /// Short name, used in addresses
    #[arg(value_name = "CUSTOMER")]
    pub customer: CustomerAddress,
    /// Name for people
    #[arg(long)]
    pub title: Option<String>,
    /// How often this customer's objects are synced, unless an integration or object has its own interval
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub interval: Option<Duration>,
}

/// Lists customers with the number of their integrations and objects.
#[derive(Debug, Args)]
pub struct CustomerListArgs {}
