//! Postgres is not waited for without end. A server that is gone behind a dead route sends no reset and no error: whoever
//! waited for its answer would wait until TCP gives up, and where all that was sent had arrived it never does. The driver has
//! no timeout of its own.

use std::future::Future;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};

use super::StoreError;
use super::error::During as _;

/// The statement timeouts that a transaction may take. The server ends each statement by itself: what takes longer than so
/// many of them is no slow server but a silent one.
const TIMEOUTS: u32 = 3;

/// How long a connection is waited for, and an idle one for a sign of life.
const CONNECT: Duration = Duration::from_secs(5);
const ALIVE: Duration = Duration::from_secs(2);

/// A connection that answered so lately is not asked again before it is used.
const FRESH: Duration = Duration::from_secs(1);

/// Connections to a Postgres server, and how long an answer of it is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    pub(crate) pool: PgPool,
    patience: Duration,
}

impl Patient {
    pub(crate) async fn connect(
        options: PgConnectOptions,
        max_connections: u32,
        statement_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let patience = statement_timeout.saturating_mul(TIMEOUTS);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(CONNECT)
            // The driver's own signs of life have no end.
            .test_before_acquire(false)
            .before_acquire(|db, about| {
                let fresh = about.idle_for < FRESH;
                Box::pin(async move { Ok(fresh || is_alive(db, ALIVE).await) })
            })
            .after_release(move |db, _| Box::pin(async move { Ok(is_alive(db, patience).await) }))
            .connect_with(options)
            .await
            .during("connect")?;
        Ok(Self { pool, patience })
    }

    pub(crate) async fn take(&self) -> Result<Held, StoreError> {
        Ok(Held { connection: self.pool.acquire().await.during("connect")?, kept: false })
    }

    /// What the work comes to, or an error that says that nothing was heard.
    pub(crate) async fn hear<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let silence = |_| {
            let told = format!("no answer within {:?}", self.patience);
            sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, told))
        };
        tokio::time::timeout(self.patience, work).await.map_err(silence).during("wait for an answer")
    }

    /// Closes every connection, but waits for none that says nothing.
    pub(crate) async fn close(&self) {
        let _ = tokio::time::timeout(CONNECT, self.pool.close()).await;
    }
}

async fn is_alive(db: &mut PgConnection, within: Duration) -> bool {
    matches!(tokio::time::timeout(within, db.ping()).await, Ok(Ok(())))
}

/// A connection that is closed when work on it was given up: nobody knows what it will say, or whether.
#[derive(Debug)]
pub(crate) struct Held {
    connection: PoolConnection<Postgres>,
    kept: bool,
}

impl Held {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Gives the connection back: the work on it came to an end.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.kept {
            self.connection.close_on_drop();
        }
    }
}
