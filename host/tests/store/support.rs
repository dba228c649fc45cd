//! A database per case, a look behind the store's back, and the few steps that most cases begin with.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, SqlitePool};
use syncline::domain::{Cursor, CustomerId, DeleteMode, IntegrationId, ObjectId, ObjectType, Outcome, RunId, SyncMode};
use syncline::queue::{Message, QueueName};
use syncline::store::admin::{NewIntegration, ObjectFilter, ObjectRow, RunFilter, RunRow};
use syncline::store::credentials::SealedField;
use syncline::store::runs::{Claim, Finish, PageCommit};
use syncline::store::{Store, StoreOptions};
use tempfile::TempDir;
use url::Url;

/// The throttle window of most cases: longer than any of them takes.
pub(crate) const THROTTLE: Duration = Duration::from_secs(60);
/// The lease of most cases.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Who works.
pub(crate) const ME: &str = "host-1";

/// Stamps each case, an `async fn(Db)`, for both databases.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let db = crate::support::Db::sqlite().await;
                super::$case(db.clone()).await;
                db.discard().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let db = crate::support::Db::postgres().await;
                super::$case(db.clone()).await;
                db.discard().await;
            })+
        }
    };
}

/// A store over a database, or a schema of one, that no other case knows. It is left behind when the case fails.
#[derive(Clone)]
pub(crate) struct Db {
    store: Store,
    raw: Raw,
    options: StoreOptions,
    place: Arc<Place>,
}

enum Place {
    Folder(#[expect(dead_code, reason = "kept for its drop")] TempDir),
    Schema(String),
}

#[derive(Clone)]
enum Raw {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Deref for Db {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

fn server() -> String {
    std::env::var("SYNCLINE_TEST_POSTGRES").expect(
        "SYNCLINE_TEST_POSTGRES is not set: run these tests with `cargo xtask test`, which starts a Postgres server",
    )
}

impl Db {
    /// An empty SQLite file with the schema in it.
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("state/syncline.db").display());
        Self::open(url, Place::Folder(folder)).await
    }

    /// A Postgres schema of its own, which is quicker to make than a database.
    pub(crate) async fn postgres() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server();
        let name = format!("case_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut url = Url::parse(&server).unwrap();
        url.query_pairs_mut().append_pair("options[search_path]", &name);
        let mut admin = PgConnection::connect(&server).await.expect("the Postgres server answers");
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&mut admin).await.unwrap();
        Self::open(url.to_string(), Place::Schema(name)).await
    }

    async fn open(url: String, place: Place) -> Self {
        let options = StoreOptions::new(&url);
        let store = Store::open(&options).await.unwrap();
        store.migrate().await.unwrap();
        let raw = match store.is_sqlite() {
            true => Raw::Sqlite(SqlitePool::connect(&url).await.unwrap()),
            false => Raw::Postgres(PgPool::connect(&url).await.unwrap()),
        };
        Self { store, raw, options, place: Arc::new(place) }
    }

    /// Another host's store over the same database.
    pub(crate) async fn second_host(&self) -> Store {
        Store::open(&self.options).await.unwrap()
    }

    /// A store over the same database that gives a statement so much time.
    pub(crate) async fn with_statement_timeout(&self, statement_timeout: Duration) -> Store {
        Store::open(&StoreOptions { statement_timeout, ..self.options.clone() }).await.unwrap()
    }

    /// The store itself, for what takes one.
    pub(crate) fn store(&self) -> Store {
        self.store.clone()
    }

    /// Closes everything and removes the database.
    pub(crate) async fn discard(self) {
        self.store.close().await;
        if let Place::Schema(name) = &*self.place {
            self.execute(&format!("DROP SCHEMA {name} CASCADE")).await;
        }
        match &self.raw {
            Raw::Postgres(pool) => pool.close().await,
            Raw::Sqlite(pool) => pool.close().await,
        }
    }
}

/// Behind the store's back.
impl Db {
    pub(crate) async fn execute(&self, sql: &str) {
        self.attempt(sql).await.unwrap();
    }

    /// Executes what may lose against others.
    pub(crate) async fn attempt(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
            Raw::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
        }
    }

    /// One integer; none for NULL or no row.
    pub(crate) async fn number(&self, sql: &str) -> Option<i64> {
        let sql = AssertSqlSafe(sql.to_owned());
        let row: Option<Option<i64>> = match &self.raw {
            Raw::Postgres(pool) => sqlx::query_scalar(sql).fetch_optional(pool).await.unwrap(),
            Raw::Sqlite(pool) => sqlx::query_scalar(sql).fetch_optional(pool).await.unwrap(),
        };
        row.flatten()
    }

    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.number(&format!("SELECT COUNT(*) FROM {from}")).await.unwrap()
    }

    /// A column of texts.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
            Raw::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }

    /// Picks the words of the database's dialect.
    pub(crate) fn either<'a>(&self, postgres: &'a str, sqlite: &'a str) -> &'a str {
        if self.is_sqlite() { sqlite } else { postgres }
    }

    /// Lets time pass for everything that the database remembers of its objects and runs.
    pub(crate) async fn pass(&self, time: Duration) {
        let ms = time.as_millis();
        self.execute(&format!(
            "UPDATE objects SET due_at = due_at - {ms}, dispatched_at = dispatched_at - {ms}, synced_at = synced_at - {ms},
                lease_until = lease_until - {ms};
             UPDATE runs SET window_start = window_start - {ms}, dispatched_at = dispatched_at - {ms},
                sent_at = sent_at - {ms}, not_before = not_before - {ms}, claimed_at = claimed_at - {ms},
                finished_at = finished_at - {ms};
             UPDATE recordings SET created_at = created_at - {ms};
             UPDATE batches SET committed_at = committed_at - {ms}, landed_at = landed_at - {ms};
             UPDATE outbox SET available_at = available_at - {ms}, order_key = order_key - {ms};
             UPDATE integrations SET paused_until = paused_until - {ms}, refresh_until = refresh_until - {ms}"
        ))
        .await;
    }

    /// Every row that a write of a worker could touch, as texts.
    pub(crate) async fn worker_state(&self) -> Vec<String> {
        self.texts(
            "SELECT 'object ' || id || ' ' || COALESCE(cursor, '-') || ' ' || cursor_seq || ' ' || pass_seq || ' ' || epoch
                    || ' ' || active || ' ' || due_at || ' ' || COALESCE(last_outcome, '-') || ' '
                    || COALESCE(lease_until, 0) || ' ' || attempts AS line FROM objects
             UNION ALL SELECT 'run ' || id || ' ' || state || ' ' || pages || ' ' || slice || ' ' || requests || ' '
                    || COALESCE(connector_digest, '-') FROM runs
             UNION ALL SELECT 'batch ' || id || ' ' || seq FROM batches
             UNION ALL SELECT 'message ' || id || ' ' || dedup || ' ' || attempts || ' ' || available_at FROM outbox
             ORDER BY line",
        )
        .await
    }
}

/// A kind of data that an object of this name reads.
pub(crate) fn object_type(name: &str) -> ObjectType {
    ObjectType {
        name: name.to_owned(),
        interaction_type: "contact".to_owned(),
        schema: "{}".to_owned(),
        primary_key: vec!["id".to_owned()],
        mode: SyncMode::Incremental,
        deletes: DeleteMode::None,
        default_interval_seconds: None,
    }
}

/// The usual steps.
impl Db {
    pub(crate) async fn customer_of(&self, name: &str) -> CustomerId {
        self.add_customer(name, name, None).await.unwrap()
    }

    /// An integration `crm` whose objects have these names.
    pub(crate) async fn integration_of(
        &self,
        customer: CustomerId,
        objects: &[&str],
    ) -> (IntegrationId, Vec<ObjectId>) {
        let objects: Vec<_> = objects.iter().map(|name| object_type(name)).collect();
        self.integration_with(customer, "crm", objects).await
    }

    pub(crate) async fn integration_with(
        &self,
        customer: CustomerId,
        name: &str,
        objects: Vec<ObjectType>,
    ) -> (IntegrationId, Vec<ObjectId>) {
        let new = NewIntegration {
            customer,
            name: name.to_owned(),
            provider: "hubspot".to_owned(),
            config: r#"{"portal":7}"#.to_owned(),
            auth: "token".to_owned(),
            pin: None,
            interval: None,
            objects,
        };
        let id = self.add_integration(&new, no_credentials).await.unwrap();
        let rows = self.objects(&ObjectFilter::default()).await.unwrap();
        (id, rows.iter().filter(|row| row.integration_id == id.0).map(|row| ObjectId(row.id)).collect())
    }

    /// A customer `acme` with one object `contacts`.
    pub(crate) async fn one_object(&self) -> ObjectId {
        let customer = self.customer_of("acme").await;
        self.integration_of(customer, &["contacts"]).await.1[0]
    }

    /// As many objects as asked for, of one customer.
    pub(crate) async fn crowd(&self, customer: &str, size: usize) -> Vec<ObjectId> {
        let customer = self.customer_of(customer).await;
        let objects = (0..size).map(|n| object_type(&format!("o{n:05}"))).collect();
        self.integration_with(customer, "crm", objects).await.1
    }

    pub(crate) async fn row(&self, object: ObjectId) -> ObjectRow {
        let rows = self.objects(&ObjectFilter::default()).await.unwrap();
        rows.into_iter().find(|row| row.id == object.0).expect("the object exists")
    }

    pub(crate) async fn dispatch(&self) -> u64 {
        self.dispatch_due(100_000, THROTTLE).await.unwrap()
    }

    /// The latest run of an object.
    pub(crate) async fn last_run(&self, object: ObjectId) -> RunRow {
        let name = self.row(object).await;
        let filter = RunFilter {
            customer: Some(name.customer),
            integration: Some(name.integration),
            object: Some(name.object),
            limit: 1,
            ..RunFilter::default()
        };
        self.runs(&filter).await.unwrap().remove(0)
    }

    pub(crate) async fn claim_run(&self, run: i64, object: ObjectId) -> Option<Claim> {
        self.claim(RunId(run), object, ME, LEASE).await.unwrap()
    }

    /// Dispatches what is due and claims the object's run.
    pub(crate) async fn start(&self, object: ObjectId) -> Claim {
        self.dispatch().await;
        let run = self.last_run(object).await;
        self.claim_run(run.id, object).await.expect("the run can be claimed")
    }

    /// Makes an object due whatever the throttle says, and starts it.
    pub(crate) async fn start_again(&self, object: ObjectId) -> Claim {
        self.trigger(&[object], THROTTLE, true).await.unwrap();
        self.start(object).await
    }

    /// Ends a run and answers with how the object looks afterwards.
    pub(crate) async fn end(&self, claim: &Claim, outcome: Outcome) -> ObjectRow {
        self.finish(ME, claim.lease, &finish(outcome)).await.unwrap().expect("the lease holds");
        self.row(claim.lease.object).await
    }

    /// Commits a page of this payload.
    pub(crate) async fn commit(&self, claim: &Claim, cursor: &str, payload: Option<Vec<u8>>) -> i64 {
        let page = PageCommit { payload, ..page(cursor) };
        self.commit_page(ME, claim.lease, &page).await.unwrap().expect("the lease holds")
    }

    /// Empties a queue of the outbox: the messages in the order in which they are taken.
    pub(crate) async fn messages(&self, queue: QueueName) -> Vec<Message> {
        let rows = self.take_outbox(queue, 1_000_000, Duration::from_secs(60)).await.unwrap();
        let taken: Vec<_> = rows.iter().map(|row| (row.id, row.attempts)).collect();
        self.delete_outbox(&taken).await.unwrap();
        rows.iter().map(|row| Message::decode(&row.body).unwrap()).collect()
    }
}

/// A page of three records behind which a cursor stands.
pub(crate) fn page(cursor: &str) -> PageCommit {
    PageCommit {
        cursor: Some(Cursor(cursor.to_owned())),
        payload: Some(vec![1, 2, 3]),
        records: 3,
        requests: 2,
        sweep_seq: None,
        pass_ends: false,
    }
}

/// An ending after which the object is next due an interval, or else five minutes, later.
pub(crate) fn finish(outcome: Outcome) -> Finish {
    let fails = i64::from(!matches!(outcome, Outcome::Succeeded));
    Finish {
        outcome,
        interval_share: 1.0,
        due_in: Duration::from_secs(300),
        fails,
        requests: 1,
        guest_log: "said hello".to_owned(),
    }
}

/// Credentials of an integration that needs none.
pub(crate) fn no_credentials(_: IntegrationId) -> Result<Vec<SealedField>, Infallible> {
    Ok(Vec::new())
}
