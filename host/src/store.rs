//! The database: the lock, the cursor, the outbox and what landed. Postgres or SQLite, written once where they agree.
//!
//! One place per statement, whole transactions per method, never a row at a time. Every time that matters is taken from
//! the database's clock (invariant 2). Nothing here knows connectors, queues or HTTP.

pub mod admin;
pub mod connections;
pub mod credentials;
pub mod error;
pub mod feed;
mod file;
pub mod landing;
pub mod outbox;
mod patience;
pub mod recordings;
pub mod retention;
pub mod runs;
pub mod schedule;
mod sql;
pub mod status;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use error::During;
pub use error::StoreError;
pub use file::FileProblem;
use patience::Patient;

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// How to open the store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite://PATH` or `postgres://...`.
    pub url: String,
    /// Connections at most; readers on SQLite, which writes through one.
    pub max_connections: u32,
    /// How long to wait for a lock that SQLite's other writers hold.
    pub busy_timeout: Duration,
    /// How long one statement may take on Postgres.
    pub statement_timeout: Duration,
}

impl StoreOptions {
    /// The defaults for a URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            busy_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Postgres(Patient),
    /// One writer, so that `BEGIN IMMEDIATE` queues in the process instead of failing in the file; many readers.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
        file: Arc<Path>,
    },
}

/// Runs the body, which answers with a `Result`, on a connection to Postgres that it calls `db`. No answer for too long is an
/// error, see [`patience`].
macro_rules! held {
    ($postgres:expr, |$db:ident| $body:expr) => {
        async {
            let mut held = $postgres.take().await?;
            let done = $postgres.hear(async {
                let $db = held.connection();
                $body
            });
            let done = done.await?;
            held.keep();
            done
        }
    };
}

/// Runs the body, which answers with a `Result`, against whichever database this is: `db` is a connection, SQLite's of the
/// pool named, and `sql` a function that picks the dialect.
macro_rules! on {
    ($store:expr, $pool:ident, |$db:ident, $sql:ident| $body:expr) => {
        async {
            use $crate::store::error::During as _;
            match &$store.backend {
                $crate::store::Backend::Postgres(postgres) => {
                    #[allow(unused_variables)]
                    let $sql = |statement: $crate::store::sql::Sql| statement.postgres;
                    $crate::store::held!(postgres, |$db| $body).await
                }
                $crate::store::Backend::Sqlite { $pool, .. } => {
                    #[allow(unused_variables)]
                    let $sql = |statement: $crate::store::sql::Sql| statement.sqlite;
                    let $db = &mut *$pool.acquire().await.during("connect")?;
                    $body
                }
            }
        }
    };
}

/// Runs the body, which reads: `read!(store, |db, sql| ...)`, see [`on`].
macro_rules! read {
    ($store:expr, |$db:ident, $sql:ident| $body:expr) => {
        $crate::store::on!($store, read, |$db, $sql| $body).await
    };
}

/// Runs a transaction, an async block, and runs it again when Postgres gave it up in favour of another.
macro_rules! again {
    ($transaction:expr) => {{
        let mut lost = 0;
        loop {
            let done: Result<_, $crate::store::StoreError> = $transaction.await;
            match done {
                Err(error) if lost < $crate::store::TRIES && error.is_conflict() => {
                    lost += 1;
                    $crate::store::give_way(lost).await;
                }
                done => break done,
            }
        }
    }};
}

/// Commits a transaction whose body came to a good end; the rest of [`write`] in either database.
macro_rules! commit {
    ($operation:literal, $tx:ident, $body:expr) => {{
        let done: Result<_, $crate::store::StoreError> = $body;
        let done = done?;
        $crate::points::point!($operation, before);
        $tx.commit().await.during($operation)?;
        $crate::points::point!($operation, after);
        Ok(done)
    }};
}

/// Runs the body, which answers with a `Result`, in one write transaction and commits it; an early `?` or `return` rolls
/// back. The body may run more than once, see [`again`].
macro_rules! write {
    ($store:expr, $operation:literal, |$tx:ident, $sql:ident| $body:expr) => {{
        use $crate::store::error::During as _;
        $crate::store::again!(async {
            match &$store.backend {
                $crate::store::Backend::Postgres(postgres) => {
                    #[allow(unused_variables)]
                    let $sql = |statement: $crate::store::sql::Sql| statement.postgres;
                    $crate::store::held!(postgres, |db| {
                        let mut $tx = sqlx::Connection::begin(db).await.during($operation)?;
                        $crate::store::commit!($operation, $tx, $body)
                    })
                    .await
                }
                $crate::store::Backend::Sqlite { write, .. } => {
                    let mut $tx = write.begin_with("BEGIN IMMEDIATE").await.during($operation)?;
                    #[allow(unused_variables)]
                    let $sql = |statement: $crate::store::sql::Sql| statement.sqlite;
                    $crate::store::commit!($operation, $tx, $body)
                }
            }
        })
        .map_err(|error| $store.named(error))
    }};
}

/// Runs the body, one statement, as a transaction of its own, see [`on`]: without the words that begin and end one, each of
/// which goes to the server and back, or wakes SQLite's thread. The body may run more than once, see [`again`].
macro_rules! write_one {
    ($store:expr, $operation:literal, |$db:ident, $sql:ident| $body:expr) => {{
        $crate::points::point!($operation, before);
        let done = $crate::store::again!($crate::store::on!($store, write, |$db, $sql| $body));
        if done.is_ok() {
            $crate::points::point!($operation, after);
        }
        done.map_err(|error| $store.named(error))
    }};
}
pub(crate) use {again, commit, held, on, read, write, write_one};

impl Store {
    /// Opens the database. A SQLite file and its folder are created when missing; the schema is not checked yet.
    ///
    /// # Errors
    /// When the URL is not understood or the database cannot be reached.
    pub async fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let url = options.url.as_str();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let timeout = options.statement_timeout.as_millis().to_string();
            let connect = PgConnectOptions::from_str(url)
                .map_err(|_| StoreError::Url(redacted(url)))?
                .application_name("syncline")
                .options([("statement_timeout", timeout.as_str()), ("idle_in_transaction_session_timeout", "30000")]);
            let postgres = Patient::connect(connect, options.max_connections, options.statement_timeout).await?;
            return Ok(Self { backend: Backend::Postgres(postgres) });
        }
        let Some(path) = url.strip_prefix("sqlite://") else { return Err(StoreError::Url(redacted(url))) };
        let file = Arc::<Path>::from(Path::new(path));
        if let Some(folder) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::no_folder(&file, error))?;
        }
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.busy_timeout)
            .pragma("cache_size", "-16000")
            // 32 MiB of log between checkpoints: one tick over scattered objects alone fills the default of 4 MiB.
            .pragma("wal_autocheckpoint", "8192");
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            // It is in this process: to ask whether it is there wakes a thread, and says nothing.
            .test_before_acquire(false)
            // SQLite ends a transaction by itself where the disk is full or fails, and the driver goes on believing in it:
            // such a connection would begin no other, ever.
            .before_acquire(|db, _| Box::pin(async move { Ok(!db.is_in_transaction()) }))
            .connect_with(connect.clone())
            .await
            .during("open the database")
            .map_err(|error| error.in_file(&file))?;
        let read = SqlitePoolOptions::new()
            .max_connections(options.max_connections)
            .test_before_acquire(false)
            .connect_with(connect.read_only(true))
            .await
            .during("open the database")
            .map_err(|error| error.in_file(&file))?;
        Ok(Self { backend: Backend::Sqlite { write, read, file } })
    }

    /// Says of an error which file it is about, if it is about one.
    pub(crate) fn named(&self, error: StoreError) -> StoreError {
        match &self.backend {
            Backend::Postgres(_) => error,
            Backend::Sqlite { file, .. } => error.in_file(file),
        }
    }

    /// Refuses a SQLite file that can only be read: SQLite opens it without a word. The schema must have been checked.
    ///
    /// # Errors
    /// When it cannot be written at all. That somebody else is writing says that it can.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let Backend::Sqlite { write, .. } = &self.backend else { return Ok(()) };
        // A statement that would write is refused as such, whether or not there is a row for it.
        let nothing = sqlx::query("DELETE FROM outbox WHERE 1 = 0").execute(write).await;
        match nothing.during("write") {
            Err(error) if !error.is_transient() => Err(self.named(error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn migrator(&self) -> &'static Migrator {
        match self.backend {
            Backend::Postgres(_) => &POSTGRES,
            Backend::Sqlite { .. } => &SQLITE,
        }
    }

    /// Brings the schema to this binary's version. Answers with the version before and after.
    ///
    /// # Errors
    /// When a migration fails or the database's schema is newer than this binary.
    pub async fn migrate(&self) -> Result<(i64, i64), StoreError> {
        let before = self.schema_version().await?;
        let known = self.newest_migration();
        if before > known {
            return Err(StoreError::SchemaNew { found: before, known });
        }
        match &self.backend {
            Backend::Postgres(postgres) => self.migrator().run(&postgres.pool).await,
            Backend::Sqlite { write, .. } => self.migrator().run(write).await,
        }
        .map_err(|error| self.named(StoreError::of_migration(error)))?;
        Ok((before, known))
    }

    /// The migrations of this binary that the database does not have yet: number and name, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_migrations(&self) -> Result<Vec<(i64, &'static str)>, StoreError> {
        let found = self.schema_version().await?;
        let all = self.migrator().iter().filter(|migration| migration.version > found);
        Ok(all.map(|migration| (migration.version, &*migration.description)).collect())
    }

    /// Refuses a schema that is older or newer than this binary.
    ///
    /// # Errors
    /// [`StoreError::SchemaOld`] or [`StoreError::SchemaNew`], each with what to run.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let found = self.schema_version().await?;
        let needed = self.newest_migration();
        match found.cmp(&needed) {
            std::cmp::Ordering::Less => Err(StoreError::SchemaOld { found, needed }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(StoreError::SchemaNew { found, known: needed }),
        }
    }

    fn newest_migration(&self) -> i64 {
        self.migrator().iter().map(|m| m.version).max().unwrap_or(0)
    }

    /// The newest migration applied; 0 for an empty database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let exists = sql::Sql {
            postgres: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'",
            sqlite: "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
        };
        let newest = sql::sql!("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success");
        read!(self, |db, sql| {
            let tables: Result<i64, _> = sqlx::query_scalar(sql(exists)).fetch_one(&mut *db).await;
            match tables {
                Ok(0) => Ok(0),
                Ok(_) => sqlx::query_scalar(sql(newest)).fetch_one(db).await,
                Err(error) => Err(error),
            }
            .during("read the schema version")
        })
        .map_err(|error| self.named(error))
    }

    /// The database's clock, unix milliseconds.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn now_ms(&self) -> Result<i64, StoreError> {
        read!(self, |db, sql| sqlx::query_scalar(sql(sql::sql!("SELECT ", now)))
            .fetch_one(db)
            .await
            .during("read the clock"))
    }

    /// Whether this is SQLite: one machine, the embedded queue.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.backend, Backend::Sqlite { .. })
    }

    /// Closes every connection, after what is running on them.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Postgres(postgres) => postgres.close().await,
            Backend::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// Times that a transaction is run again after it lost against others.
const TRIES: u32 = 5;

/// Waits a moment, a different one each time, before a transaction is run again.
async fn give_way(lost: u32) {
    let share = 0.5 + rand::random::<f64>();
    tokio::time::sleep(Duration::from_millis(10).mul_f64(share * f64::from(lost))).await;
}

/// A store URL without its password.
fn redacted(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://...{}", url.get(..scheme).unwrap_or(""), url.get(at..).unwrap_or(""))
        }
        _ => url.to_owned(),
    }
}
