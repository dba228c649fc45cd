//! Deterministic simulation: hosts that share a database, under a clock, a queue, chance and an order of steps that all
//! follow from one seed.
//!
//! The code is the real one: `Scheduler::tick` and `sweep`, the outbox relay, `Retriever` with a real component behind the
//! real egress gate, `Processor`, and every statement of `Store` against a real SQLite or Postgres. Simulated is what
//! lies around it:
//!
//! | module | owns |
//! |---|---|
//! | `clock` | the time, also the databases' |
//! | `dice` | chance |
//! | `turns` | which piece of work goes on, from one place of `syncline::points` to the next |
//! | `queue` | a queue that loses, doubles, delays and reorders |
//! | `provider` | people whose history is known |
//! | `database` | a database under the simulated clock |
//! | `hosts` | hosts, and what they can begin |
//! | `world` | what happens next, and what must be true in the end |
//! | `watch` | what must be true after every step |
//!
//! Two worlds never live in one process at the same time: [`Simulator`] sees to that.

pub mod clock;
pub mod database;
pub mod dice;
pub mod hosts;
pub mod provider;
pub mod queue;
pub mod turns;
pub mod watch;
pub mod world;

use std::sync::Arc;

use anyhow::{Result, ensure};
use syncline::connector::Catalog;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

pub use database::Backend;
use database::Database;
pub use world::{Failure, Report};

static ONE_WORLD: Mutex<()> = Mutex::const_new(());

/// Lives worlds through, one after the other.
pub struct Simulator {
    database: Database,
    catalog: Arc<Catalog>,
    _scratch: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Simulator {
    /// Opens a database and compiles the connector. Waits while another simulator lives in this process.
    ///
    /// # Errors
    /// When there is no database or no connector.
    pub async fn open(backend: Backend) -> Result<Self> {
        ensure!(cfg!(debug_assertions), "a build without debug assertions has no places to hold on to");
        let alone = ONE_WORLD.lock().await;
        syncline::points::install(Box::new(turns::Turnstile));
        let scratch = TempDir::new()?;
        let catalog = hosts::catalog(scratch.path()).await?;
        Ok(Self { database: Database::open(backend).await?, catalog, _scratch: scratch, _alone: alone })
    }

    /// Lives the world of a seed through.
    ///
    /// # Errors
    /// What was not true, and the steps before it.
    pub async fn live(&self, seed: u64, told: bool) -> Result<Report, Failure> {
        world::live(&self.database, &self.catalog, seed, told).await
    }

    /// Removes the database.
    ///
    /// # Errors
    /// When it fails.
    pub async fn close(self) -> Result<()> {
        self.database.discard().await
    }
}
