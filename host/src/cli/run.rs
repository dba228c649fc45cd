//! `syncline run`: start the host, or some roles of it.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::app::machine::MachineError;
use crate::queue::{QueueError, sqs};
use crate::store::StoreError;
use crate::{app, telemetry};

/// Starts the host and stays until it is stopped.
///
/// On SIGTERM or Ctrl-C it claims nothing more, finishes the pages in progress (`host.drain`) and gives its leases
/// back; a second signal ends it at once. A database or a queue that is out of reach at the start is waited for;
/// `/readyz` says so meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline run                                        everything in one process
  syncline run --migrate -o store.url=sqlite://x.db   with another store, tables brought up to date
  syncline run --role retriever,processor             workers only")]
pub struct RunArgs {
    /// Roles to run, separated by commas; all of them unless said
    #[arg(long = "role", value_enum, value_delimiter = ',', value_name = "ROLES")]
    pub roles: Vec<Role>,
    /// Bring the store's tables up to date first. A SQLite store that does not exist is made in any case
    #[arg(long)]
    pub migrate: bool,
    /// End at once where the database or the queue is out of reach, instead of waiting for it
    #[arg(long)]
    pub fail_fast: bool,
}

/// A role that a host process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// Decides what is due and dispatches it
    Scheduler,
    /// Fetches from providers
    Retriever,
    /// Lands what was fetched
    Processor,
    /// Serves health and metrics
    Api,
}

impl RunArgs {
    /// The roles to run.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<Role> {
        if self.roles.is_empty() {
            Role::value_variants().iter().copied().collect()
        } else {
            self.roles.iter().copied().collect()
        }
    }
}

/// Runs the host.
///
/// # Errors
/// [`Failure`] when the configuration, the store or a collaborator does not let it start.
pub async fn run(args: &RunArgs, context: &Context) -> Result<(), Failure> {
    let config = context.load_config()?.config;
    context.start_logging(&config)?;
    let metrics = telemetry::metrics::install()?;
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let start = app::Start { migrate: args.migrate, fail_fast: args.fail_fast };
    app::run(config, start, args.roles(), metrics, stop).await.map_err(not_started)
}

/// Why the host did not start.
fn not_started(error: anyhow::Error) -> Failure {
    let error = match error.downcast::<StoreError>() {
        Ok(error) => return error.into(),
        Err(error) => error,
    };
    let failure = Failure::new(Exit::Failure, "the host could not start").caused_by(&*error);
    if let Some(error) = error.downcast_ref::<MachineError>() {
        return failure.exit(if error.may_pass() { Exit::Temporary } else { Exit::Config });
    }
    match error.downcast_ref::<QueueError>() {
        Some(error) if sqs::may_come_back(error) => {
            failure.exit(Exit::Temporary).help("is the queue running and in reach? `queue.sqs` says where it is")
        }
        _ => failure,
    }
}

/// The first SIGTERM or Ctrl-C drains, the second ends the process at once.
fn stop_on_signals(stop: CancellationToken) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            tracing::info!("draining; a second signal ends the process at once");
            stop.cancel();
        }
    });
    Ok(())
}
