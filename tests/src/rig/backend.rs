//! The two footings: SQLite with the embedded queue, Postgres with SQS.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

/// What stores and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// SQLite and the queue inside it.
    Sqlite,
    /// Postgres and SQS, at `SYNCLINE_TEST_POSTGRES` and `SYNCLINE_TEST_SQS`.
    PostgresSqs,
}

/// A fresh database, and queues nobody else uses.
#[derive(Debug)]
pub struct Footing {
    store_url: String,
    queue: String,
}

impl Footing {
    /// Makes what the footing needs.
    ///
    /// # Errors
    /// When a server is not there.
    pub async fn prepare(backend: Backend, dir: &Path) -> Result<Self> {
        match backend {
            Backend::Sqlite => Ok(Self {
                store_url: format!("sqlite://{}", dir.join("syncline.db").display()),
                queue: "[queue]\nkind = \"embedded\"\npoll = \"100ms\"".to_owned(),
            }),
            Backend::PostgresSqs => {
                let server = variable("SYNCLINE_TEST_POSTGRES")?;
                let endpoint = variable("SYNCLINE_TEST_SQS")?;
                let name = unique();
                let mut admin = PgConnection::connect(&server).await.context("cannot connect to Postgres")?;
                admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
                admin.close().await?;
                Ok(Self {
                    store_url: in_database(&server, &name)?,
                    queue: format!(
                        "[queue]\nkind = \"sqs\"\n[queue.sqs]\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n\
                         create = true\nretrieve = \"{name}-retrieve\"\nprocess = \"{name}-process\"\nwait = \"2s\"\n\
                         visibility = \"5s\"",
                    ),
                })
            }
        }
    }

    /// The store's URL.
    #[must_use]
    pub fn store_url(&self) -> &str {
        &self.store_url
    }

    /// Asks the database for one number.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn count(&self, query: &str) -> Result<i64> {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        Ok(match self.store_url.strip_prefix("sqlite://") {
            Some(path) => sqlx::query_scalar(query).fetch_one(&mut sqlite(path).await?).await?,
            None => sqlx::query_scalar(query).fetch_one(&mut PgConnection::connect(&self.store_url).await?).await?,
        })
    }

    /// Whether nobody keeps others from writing: SQLite's lock can be had, no transaction on Postgres has been left alone.
    ///
    /// # Errors
    /// When the database fails in another way.
    pub async fn is_free(&self) -> Result<bool> {
        let Some(path) = self.store_url.strip_prefix("sqlite://") else {
            const ALONE: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                                 AND state LIKE 'idle in transaction%' AND state_change < now() - interval '500 ms'";
            tokio::time::sleep(Duration::from_millis(600)).await;
            return Ok(self.count(ALONE).await? == 0);
        };
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(1));
        let mut db = options.connect().await?;
        match db.execute("BEGIN IMMEDIATE; ROLLBACK").await {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.message().contains("locked") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Every value in the database as text, binary ones in hexadecimal.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn dump(&self) -> Result<String> {
        let mut dump = Vec::new();
        match self.store_url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut db = sqlite(path).await?;
                let columns: Vec<(String, String)> = sqlx::query_as(
                    "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
                )
                .fetch_all(&mut db)
                .await?;
                for (table, column) in columns {
                    let query = format!(
                        "SELECT CASE typeof({column}) WHEN 'blob' THEN CAST({column} AS TEXT) || hex({column}) ELSE CAST({column} AS TEXT) END \
                         FROM {table} WHERE {column} IS NOT NULL"
                    );
                    let values: Vec<Vec<u8>> =
                        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&mut db).await?;
                    dump.extend(values.into_iter().map(|value| String::from_utf8_lossy(&value).into_owned()));
                }
            }
            None => {
                let mut db = PgConnection::connect(&self.store_url).await?;
                let tables: Vec<String> =
                    sqlx::query_scalar("SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'")
                        .fetch_all(&mut db)
                        .await?;
                for table in tables {
                    // Rows as text: bytes come in hexadecimal.
                    let query = sqlx::AssertSqlSafe(format!("SELECT t::TEXT FROM {table} t"));
                    dump.extend(sqlx::query_scalar::<_, String>(query).fetch_all(&mut db).await?);
                }
            }
        }
        Ok(dump.join("\n"))
    }

    /// The sections of the configuration that describe it.
    #[must_use]
    pub fn configuration(&self) -> String {
        format!("[store]\nurl = \"{}\"\n{}", self.store_url, self.queue)
    }
}

async fn sqlite(path: &str) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(10));
    Ok(options.connect().await?)
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run this through `cargo xtask test`"))
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("rig_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The same server, another database: the path of the URL is the database's name.
fn in_database(server: &str, name: &str) -> Result<String> {
    let mut url = url::Url::parse(server).context("SYNCLINE_TEST_POSTGRES is not a URL")?;
    url.set_path(name);
    Ok(url.to_string())
}
