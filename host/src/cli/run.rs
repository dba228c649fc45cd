//! `syncline run`: start the host, or some roles of it.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};

/// Starts the host and stays until it is stopped.
///
/// On SIGTERM or Ctrl-C it claims nothing more, finishes the pages in progress (`host.drain`) and gives its leases
/// back; a second signal ends it at once.
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
