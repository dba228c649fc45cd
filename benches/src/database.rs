//! The bench's own connections: what the host's interface has no reason to offer, such as a million objects at once.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Backend {
    /// Its name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// A connection to either.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Database {
    /// Connects; SQLite as durable as the host has it.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            let connect = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(60))
                .pragma("cache_size", "-16000")
                .pragma("wal_autocheckpoint", "8192");
            return Ok(Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(connect).await?));
        }
        let connect = PgConnectOptions::from_str(url)?;
        Ok(Self::Postgres(PgPoolOptions::new().max_connections(2).connect_with(connect).await?))
    }

    /// Runs statements of our own making.
    pub(crate) async fn run(&self, sql: impl Into<String>) -> Result<()> {
        let sql = sql.into();
        let shown = sql.clone();
        let sql = AssertSqlSafe(sql);
        let done = match self {
            Self::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
            Self::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
        };
        done.with_context(|| format!("failed: {shown}"))
    }

    /// One number.
    pub(crate) async fn number(&self, sql: &'static str) -> Result<i64> {
        match self {
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        }
        .with_context(|| format!("failed: {sql}"))
    }

    /// The database's clock as an expression, unix milliseconds.
    pub(crate) const fn now(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT",
            Self::Sqlite(_) => "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
        }
    }
}

/// Makes a new database on a server and answers with its URL.
pub(crate) async fn create(server: &str, name: &str) -> Result<String> {
    let mut connection = PgConnection::connect(server).await.context("cannot reach Postgres")?;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    let mut url = Url::parse(server)?;
    url.set_path(name);
    Ok(url.into())
}

/// The process id of a server that listens on a socket in its own directory, as ours does.
pub(crate) fn server_pid(server: &str) -> Option<u32> {
    let url = Url::parse(server).ok()?;
    let directory = url.query_pairs().find(|(key, _)| key == "host")?.1.into_owned();
    let text = std::fs::read_to_string(format!("{directory}/data/postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}
