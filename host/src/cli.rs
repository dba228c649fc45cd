//! The command line: what can be asked, how answers and failures look, which exit code says what.
//!
//! One file per command. Data goes to standard output, talk to standard error; `--json` makes data JSON, one object a
//! line where it is a stream. Nothing is asked when standard input is not a terminal. Secrets are never arguments.

pub mod address;
pub mod completions;
pub mod config;
pub mod connection;
pub mod connector;
pub mod context;
pub mod customer;
pub mod exit;
pub mod explain;
pub mod fit;
pub mod human;
pub mod integration;
pub mod interactions;
pub mod interval;
pub mod migrate;
pub mod object;
pub mod output;
pub mod probe;
#[cfg(test)]
mod reference;
pub mod run;
pub mod runs;
pub mod status;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand};

use context::Context;
use exit::{Exit, Failure};
use output::Output;

/// Keeps copies of customers' data from other companies' services: runs connectors, syncs on schedule, lands changes.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  syncline run                                   start everything, with SQLite under ./data
  syncline connector inspect plugins/crm.wasm    what a connector says of itself
  syncline customer add acme
  syncline integration add acme/hubspot --secret token=env:HUBSPOT_TOKEN
  syncline object trigger acme/hubspot
  syncline status --watch

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not authorised, 5 check failed, 75 try again, 78 configuration";

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file [default: syncline.toml, if it exists]
    #[arg(long, global = true, value_name = "PATH", env = "SYNCLINE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Set one configuration value, as in `-o schedule.tick=5s`; wins over file and environment
    #[arg(short = 'o', long = "option", global = true, value_name = "SECTION.KEY=VALUE")]
    pub options: Vec<String>,
    /// Print data as JSON; streams as one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more: -v debug, -vv trace
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say less: -q errors only, -qq nothing
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,
    /// When to use colours
    #[arg(long, global = true, help = "When to use colours; NO_COLOR is respected", value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the host, or some roles of it
    Run(run::RunArgs),
    /// Bring the store's tables up to date
    Migrate(migrate::MigrateArgs),
    /// Show how objects, queues and hosts are doing
    Status(status::StatusArgs),
    /// Customers: the tenants whose data is kept
    #[command(subcommand)]
    Customer(customer::CustomerCommand),
    /// Integrations: one customer's connection to one provider
    #[command(subcommand)]
    Integration(integration::IntegrationCommand),
    /// Integration objects: what is scheduled, such as acme/salesforce/Account
    #[command(subcommand)]
    Object(object::ObjectCommand),
    /// Runs: what happened
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Connectors: look into them and try them out, without a store
    #[command(subcommand)]
    Connector(connector::ConnectorCommand),
    /// Interactions: what landed
    #[command(subcommand)]
    Interactions(interactions::InteractionsCommand),
    /// Check the configuration, or show it
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Explain a check of `connector test` by its code
    Explain(explain::ExplainArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

/// Parses the command line, runs the command, and answers with the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => {
            // Help and version come this way too. If they cannot be printed there is nobody to tell.
            let _ = refusal.print();
            return if refusal.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let Cli { global, command } = cli;
    let mut context = Context { output: Output::standard(&global), global };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Temporary, "cannot start the runtime").caused_by(&error))
        .and_then(|runtime| runtime.block_on(dispatch(command, &mut context)));
    match result {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            context.output.failure(&failure);
            failure.exit.into()
        }
    }
}

async fn dispatch(command: Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(&args, context).await,
        Command::Migrate(args) => migrate::run(&args, context).await,
        Command::Status(args) => status::run(&args, context).await,
        Command::Customer(command) => customer::run(command, context).await,
        Command::Integration(command) => integration::run(command, context).await,
        Command::Object(command) => object::run(command, context).await,
        Command::Runs(command) => runs::run(command, context).await,
        Command::Connector(command) => connector::run(command, context).await,
        Command::Interactions(command) => interactions::run(command, context).await,
        Command::Config(command) => config::run(command, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
    }
}
