//! A real database under a simulated clock, opened once and emptied between two worlds.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, SqlitePool};
use syncline::store::{Store, StoreOptions};
use tempfile::TempDir;
use url::Url;

use crate::clock;

/// Where tests find a Postgres server.
pub const POSTGRES: &str = "SYNCLINE_TEST_POSTGRES";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// A file in memory where there is room for one.
    Sqlite,
    /// A database of its own on the server that the environment names.
    Postgres,
}

/// Everything that a world leaves behind, children before their parents.
const TABLES: [&str; 12] = [
    "recordings",
    "rejected",
    "interactions",
    "feeds",
    "outbox",
    "batches",
    "runs",
    "objects",
    "credentials",
    "integrations",
    "customers",
    "sqlite_sequence",
];

/// The clock of a Postgres database, in a schema that is searched before the system's.
const POSTGRES_CLOCK: &str = "CREATE SCHEMA sim;
    CREATE TABLE sim.clock (ms BIGINT NOT NULL);
    INSERT INTO sim.clock VALUES (0);
    CREATE FUNCTION sim.clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE
        AS 'SELECT to_timestamp(ms::DOUBLE PRECISION / 1000) FROM sim.clock'";

/// An open database: the hosts' way in, and one behind their back.
#[derive(Debug)]
pub struct Database {
    /// What the hosts share.
    pub store: Store,
    raw: Raw,
    place: Place,
}

#[derive(Debug)]
enum Raw {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

#[derive(Debug)]
enum Place {
    Folder(#[expect(dead_code, reason = "kept for its drop")] TempDir),
    Database { server: String, name: String },
}

impl Database {
    /// Opens an empty database of this kind, with the schema in it.
    ///
    /// # Errors
    /// When there is no room or no server.
    pub async fn open(backend: Backend) -> Result<Self> {
        clock::set(clock::BEGIN_MS);
        match backend {
            Backend::Sqlite => Self::sqlite().await,
            Backend::Postgres => Self::postgres().await,
        }
    }

    async fn sqlite() -> Result<Self> {
        clock::take_over_sqlite();
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory)? } else { TempDir::new()? };
        let url = format!("sqlite://{}", folder.path().join("sim.db").display());
        let store = Store::open(&StoreOptions { max_connections: 2, ..StoreOptions::new(&url) }).await?;
        store.migrate().await?;
        let raw = Raw::Sqlite(sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect(&url).await?);
        Ok(Self { store, raw, place: Place::Folder(folder) })
    }

    async fn postgres() -> Result<Self> {
        let server = std::env::var(POSTGRES).with_context(|| {
            format!("{POSTGRES} is not set: `cargo xtask test` and `cargo xtask sim` start a server")
        })?;
        let name = format!("sim_{}", std::process::id());
        let mut admin = PgConnection::connect(&server).await?;
        for statement in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await?;
        }
        let mut url = Url::parse(&server)?;
        url.set_path(&name);
        let mut first = PgConnection::connect(url.as_str()).await?;
        sqlx::raw_sql(POSTGRES_CLOCK).execute(&mut first).await?;
        url.query_pairs_mut()
            .append_pair("options[search_path]", "sim,pg_catalog")
            .append_pair("options[synchronous_commit]", "off")
            // One plan for each statement, whatever ran before: rows that tie come in the same order every time.
            .append_pair("options[plan_cache_mode]", "force_generic_plan");
        let store = Store::open(&StoreOptions { max_connections: 4, ..StoreOptions::new(url.as_str()) }).await?;
        store.migrate().await?;
        // Statistics that come in the middle of a world change plans, too.
        let quiet = TABLES.iter().filter(|table| **table != "sqlite_sequence");
        let quiet = quiet.map(|table| format!("ALTER TABLE sim.{table} SET (autovacuum_enabled = off)"));
        sqlx::raw_sql(AssertSqlSafe(quiet.collect::<Vec<_>>().join(";"))).execute(&mut first).await?;
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(url.as_str()).await?;
        Ok(Self { store, raw: Raw::Postgres(pool), place: Place::Database { server, name } })
    }

    /// Empties it, and begins its numbers and its time anew.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wipe(&self) -> Result<()> {
        let mut statements: Vec<String> = Vec::new();
        match &self.raw {
            Raw::Sqlite(_) => statements.extend(TABLES.iter().map(|table| format!("DELETE FROM {table}"))),
            Raw::Postgres(_) => {
                // Truncated, not deleted: rows that tie come in the order in which they lie.
                let tables: Vec<_> = TABLES.into_iter().filter(|table| *table != "sqlite_sequence").collect();
                statements.push(format!("TRUNCATE {} RESTART IDENTITY", tables.join(", ")));
            }
        }
        self.execute(&format!("BEGIN; {}; COMMIT", statements.join("; "))).await?;
        self.set_time(clock::BEGIN_MS).await
    }

    /// Moves the time: the database's, and the hosts' own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_time(&self, ms: i64) -> Result<()> {
        clock::set(ms);
        match &self.raw {
            Raw::Sqlite(_) => Ok(()),
            Raw::Postgres(_) => self.execute(&format!("UPDATE sim.clock SET ms = {ms}")).await,
        }
    }

    async fn execute(&self, sql: &str) -> Result<()> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ())?,
            Raw::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ())?,
        }
        Ok(())
    }

    /// A column of texts. Columns are named as both databases have them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn texts(&self, sql: &'static str) -> Result<Vec<String>> {
        Ok(match &self.raw {
            Raw::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await?,
            Raw::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await?,
        })
    }

    /// A mark that differs whenever something may have been written since the last one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark(&self) -> Result<String> {
        Ok(match &self.raw {
            Raw::Postgres(pool) => sqlx::query_scalar("SELECT pg_current_snapshot()::TEXT").fetch_one(pool).await?,
            Raw::Sqlite(pool) => {
                let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(pool).await?;
                version.to_string()
            }
        })
    }

    /// Whether this is SQLite.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.store.is_sqlite()
    }

    /// Closes and removes it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn discard(self) -> Result<()> {
        self.store.close().await;
        match &self.raw {
            Raw::Postgres(pool) => pool.close().await,
            Raw::Sqlite(pool) => pool.close().await,
        }
        if let Place::Database { server, name } = &self.place {
            let mut admin = PgConnection::connect(server).await?;
            tokio::time::timeout(
                Duration::from_secs(30),
                sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin),
            )
            .await??;
        }
        Ok(())
    }
}
