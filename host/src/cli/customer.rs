//! `syncline customer`: the tenants whose data is kept.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::CustomerAddress;
use super::context::Context;
use super::exit::Failure;
use super::human;
use super::interval::{self, IntervalArg};
use super::output::Row;
use crate::app;
use crate::domain::CustomerId;
use crate::store::admin::{CustomerRow, Scope};

/// Customers: the tenants whose data is kept.
#[derive(Debug, Subcommand)]
pub enum CustomerCommand {
    /// Add a customer
    Add(CustomerAddArgs),
    /// List customers
    List(CustomerListArgs),
    /// Set how often a customer's objects are synced
    SetInterval(CustomerIntervalArgs),
}

/// Adds a customer.
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
    #[arg(long, value_name = "DURATION", value_parser = interval::parse)]
    pub interval: Option<Duration>,
}

/// Lists customers with the number of their integrations and objects.
#[derive(Debug, Args)]
pub struct CustomerListArgs {}

/// Sets how often a customer's objects are synced, unless an integration or object has its own interval.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline customer set-interval acme 1h
  syncline customer set-interval acme default")]
pub struct CustomerIntervalArgs {
    /// Which customer
    #[arg(value_name = "CUSTOMER")]
    pub customer: CustomerAddress,
    /// A duration such as 15m or 1d, or `default`: that of the provider, the connector or the host
    #[arg(value_name = "DURATION|default")]
    pub interval: IntervalArg,
}

impl Row for CustomerRow {
    const HEADERS: &'static [&'static str] = &["customer", "title", "integrations", "objects", "interval"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.title.clone(),
            self.integrations.to_string(),
            self.objects.to_string(),
            self.interval_ms.map_or_else(|| "default".to_owned(), human::interval),
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the customer exists already, or does not, or the store fails.
pub async fn run(command: CustomerCommand, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    match command {
        CustomerCommand::Add(args) => {
            let name = &args.customer.customer;
            let title = args.title.as_deref().unwrap_or(name);
            store.add_customer(name, title, args.interval).await?;
            let added = store.customer(name).await?;
            let sentence = format!("added customer {name}; next: `syncline integration add {name}/...`");
            context.output.done(&added, &sentence)?;
        }
        CustomerCommand::List(CustomerListArgs {}) => {
            context
                .output
                .rows(&store.customers().await?, "no customers; add one with `syncline customer add NAME`")?;
        }
        CustomerCommand::SetInterval(args) => {
            let customer = store.customer(&args.customer.customer).await?;
            store.set_interval(Scope::Customer(CustomerId(customer.id)), args.interval.0).await?;
            let changed = app::apply_intervals(&config, &store).await?;
            interval::report(&mut context.output, &customer.name, args.interval, changed)?;
        }
    }
    Ok(())
}
