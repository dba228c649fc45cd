//! The two footings: SQLite with the embedded queue, Postgres with SQS.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, Executor as _, PgConnection};

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

    /// The sections of the configuration that describe it.
    #[must_use]
    pub fn configuration(&self) -> String {
        format!("[store]\nurl = \"{}\"\n{}", self.store_url, self.queue)
    }
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
