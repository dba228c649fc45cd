//! What happened, in the order in which it became true: written down by triggers that the test puts into the database, not
//! by the code under test.
//!
//! A trigger writes in the transaction whose effect it notes, under the row locks of that transaction. So the events of one
//! object have the order of their commits, and what was rolled back is not there.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

/// Something that became true. Times are unix milliseconds by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was written down.
    pub at: i64,
    /// The object it is about.
    pub object: i64,
    /// What it is.
    pub what: What,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A run was made.
    Dispatched {
        /// The run.
        run: i64,
        /// When, as the throttle counts it.
        dispatched_at: i64,
        /// A person asked for it, so that the throttle need not count.
        manual: bool,
    },
    /// A run was over.
    Ended {
        /// The run.
        run: i64,
    },
    /// A worker took the lease.
    Claimed {
        /// The claim's number.
        epoch: i64,
        /// Who.
        owner: String,
    },
    /// The lease was taken from its worker.
    Reclaimed {
        /// The number that fences the worker.
        epoch: i64,
    },
    /// The worker gave the lease up.
    Released {
        /// The claim's number.
        epoch: i64,
    },
    /// The cursor moved behind a page.
    Advanced {
        /// The page's number.
        seq: i64,
    },
    /// The cursor moved without a page.
    Moved,
    /// A run counted records as fetched.
    Counted {
        /// The run.
        run: i64,
        /// How many more.
        records: i64,
    },
    /// A page with records became durable.
    Committed {
        /// The run.
        run: i64,
        /// The claim it was committed under.
        epoch: i64,
        /// The page's number.
        seq: i64,
        /// How many records it holds.
        records: i64,
    },
    /// A page landed.
    Landed {
        /// The page's number.
        seq: i64,
    },
    /// A record landed in a version.
    Versioned {
        /// The record.
        id: String,
        /// The version.
        version: i64,
    },
}

/// A trigger: its kind of event, what sets it off, and the values of the columns `object_id`, a, b, c, text.
struct Trigger {
    kind: &'static str,
    on: &'static str,
    when: &'static str,
    values: &'static str,
}

const TRIGGERS: [Trigger; 12] = [
    Trigger {
        kind: "dispatched",
        on: "INSERT ON runs",
        when: "1 = 1",
        values: "NEW.object_id, NEW.id, NEW.dispatched_at, CASE NEW.trigger WHEN 'manual' THEN 1 ELSE 0 END, ''",
    },
    Trigger {
        kind: "ended",
        on: "UPDATE ON runs",
        when: "OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL",
        values: "NEW.object_id, NEW.id, 0, 0, NEW.state",
    },
    Trigger {
        kind: "claimed",
        on: "UPDATE ON objects",
        when: "NEW.epoch <> OLD.epoch AND NEW.lease_owner IS NOT NULL",
        values: "NEW.id, NEW.epoch, 0, 0, NEW.lease_owner",
    },
    Trigger {
        kind: "reclaimed",
        on: "UPDATE ON objects",
        when: "NEW.epoch <> OLD.epoch AND NEW.lease_owner IS NULL",
        values: "NEW.id, NEW.epoch, 0, 0, ''",
    },
    Trigger {
        kind: "released",
        on: "UPDATE ON objects",
        when: "NEW.epoch = OLD.epoch AND OLD.lease_owner IS NOT NULL AND NEW.lease_owner IS NULL",
        values: "NEW.id, NEW.epoch, 0, 0, ''",
    },
    Trigger {
        kind: "advanced",
        on: "UPDATE ON objects",
        when: "NEW.cursor_seq <> OLD.cursor_seq",
        values: "NEW.id, NEW.cursor_seq, 0, 0, ''",
    },
    Trigger {
        kind: "moved",
        on: "UPDATE ON objects",
        when: "NEW.cursor_seq = OLD.cursor_seq AND NEW.cursor IS DISTINCT FROM OLD.cursor",
        values: "NEW.id, 0, 0, 0, ''",
    },
    Trigger {
        kind: "counted",
        on: "UPDATE ON runs",
        when: "NEW.interactions <> OLD.interactions",
        values: "NEW.object_id, NEW.id, NEW.interactions - OLD.interactions, 0, ''",
    },
    Trigger {
        kind: "committed",
        on: "INSERT ON batches",
        when: "1 = 1",
        values: "NEW.object_id, NEW.run_id, NEW.epoch, NEW.seq, CAST(NEW.records AS TEXT)",
    },
    Trigger {
        kind: "landed",
        on: "UPDATE ON batches",
        when: "NEW.state = 'landed' AND OLD.state <> 'landed'",
        values: "NEW.object_id, NEW.seq, 0, 0, ''",
    },
    Trigger {
        kind: "versioned",
        on: "INSERT ON interactions",
        when: "1 = 1",
        values: "NEW.object_id, NEW.version, 0, 0, NEW.external_id",
    },
    Trigger {
        kind: "versioned",
        on: "UPDATE ON interactions",
        when: "NEW.version <> OLD.version",
        values: "NEW.object_id, NEW.version, 0, 0, NEW.external_id",
    },
];

/// Keeps the history of one database.
#[derive(Debug)]
pub struct Recorder {
    url: String,
}

type Row = (String, i64, i64, i64, i64, String, i64);

const READ: &str = "SELECT kind, object_id, a, b, c, text, at FROM history ORDER BY id";

impl Recorder {
    /// Puts the triggers into the database. Before any host runs: the checker begins with nothing.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn install(store_url: &str) -> Result<Self> {
        let recorder = Self { url: store_url.to_owned() };
        let sqlite = recorder.sqlite_path().is_some();
        let id = if sqlite {
            "INTEGER PRIMARY KEY AUTOINCREMENT"
        } else {
            "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        };
        let mut script = vec![format!(
            "CREATE TABLE history (id {id}, kind TEXT NOT NULL, object_id BIGINT NOT NULL, a BIGINT NOT NULL, \
             b BIGINT NOT NULL, c BIGINT NOT NULL, text TEXT NOT NULL, at BIGINT NOT NULL)"
        )];
        let now = if sqlite {
            "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
        } else {
            "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
        };
        for (number, Trigger { kind, on, when, values }) in TRIGGERS.iter().enumerate() {
            let write =
                format!("INSERT INTO history (kind, object_id, a, b, c, text, at) VALUES ('{kind}', {values}, {now});");
            let name = format!("history_{number}");
            if sqlite {
                script.push(format!("CREATE TRIGGER {name} AFTER {on} FOR EACH ROW WHEN {when} BEGIN {write} END"));
            } else {
                script.push(format!(
                    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {write} RETURN NULL; END $$"
                ));
                script.push(format!(
                    "CREATE TRIGGER {name} AFTER {on} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {name}()"
                ));
            }
        }
        for statement in script {
            let statement = AssertSqlSafe(statement);
            match recorder.sqlite_path() {
                Some(path) => sqlite_at(path).await?.execute(statement).await.map(|_| ())?,
                None => PgConnection::connect(store_url).await?.execute(statement).await.map(|_| ())?,
            }
        }
        Ok(recorder)
    }

    /// Takes everything out that was written down since the last time. Waits for transactions that are going on: none of
    /// them can come later with an earlier number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self) -> Result<Vec<Event>> {
        let rows: Vec<Row> = match self.sqlite_path() {
            Some(path) => {
                let mut db = sqlite_at(path).await?;
                let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
                let rows = sqlx::query_as(READ).fetch_all(&mut *tx).await?;
                tx.execute("DELETE FROM history").await?;
                tx.commit().await?;
                rows
            }
            None => {
                let mut db = PgConnection::connect(&self.url).await?;
                let mut tx = db.begin().await?;
                tx.execute("LOCK TABLE history IN SHARE ROW EXCLUSIVE MODE").await?;
                let rows = sqlx::query_as(READ).fetch_all(&mut *tx).await?;
                tx.execute("DELETE FROM history").await?;
                tx.commit().await?;
                rows
            }
        };
        rows.into_iter().map(event).collect()
    }

    fn sqlite_path(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite://")
    }
}

async fn sqlite_at(path: &str) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
    Ok(options.connect().await?)
}

fn event((kind, object, a, b, c, text, at): Row) -> Result<Event> {
    let what = match kind.as_str() {
        "dispatched" => What::Dispatched { run: a, dispatched_at: b, manual: c == 1 },
        "ended" => What::Ended { run: a },
        "claimed" => What::Claimed { epoch: a, owner: text },
        "reclaimed" => What::Reclaimed { epoch: a },
        "released" => What::Released { epoch: a },
        "advanced" => What::Advanced { seq: a },
        "moved" => What::Moved,
        "counted" => What::Counted { run: a, records: b },
        "committed" => {
            What::Committed { run: a, epoch: b, seq: c, records: text.parse().context("a count of records")? }
        }
        "landed" => What::Landed { seq: a },
        "versioned" => What::Versioned { id: text, version: a },
        other => bail!("no such event: {other:?}"),
    };
    Ok(Event { at, object, what })
}
