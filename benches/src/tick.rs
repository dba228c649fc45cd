//! The scheduler's tick: with a hundred times the objects, and against the bare update of the same rows.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::sync::Arc;

use syncline::queue::Bell;
use syncline::schedule::{ScheduleOptions, Scheduler};
use syncline::store::{Store, StoreOptions};

use crate::bench::Options;
use crate::clocks::median;
use crate::database::{Backend, Database};
use crate::report::{Figure, Target};
use crate::site;

/// Objects that are due in each tick.
const DUE: u64 = 1_000;

/// Customers that the objects belong to.
const CUSTOMERS: u64 = 1_000;

pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let (few, many) = (10_000, bench.scaled(1_000_000, 50_000));
    let mut figures = Vec::new();
    for backend in bench.backends() {
        let small = ticks(bench, backend, few).await?;
        let large = ticks(bench, backend, many).await?;
        let title = backend.title();
        figures.push(
            Figure::new(format!("tick, {title}: {DUE} due of {many} objects"), large.tick, "ms")
                .against("of 10,000", small.tick)
                .target(Target::Times(3.0)),
        );
        figures.push(
            Figure::new(format!("tick, {title}: nothing due of {many} objects"), large.empty, "ms")
                .against("of 10,000", small.empty),
        );
        figures.push(
            Figure::new(format!("claim and dispatch of {DUE} objects, {title}"), large.tick, "ms")
                .against("bare UPDATE .. RETURNING", large.bare)
                .target(Target::Times(2.0)),
        );
    }
    Ok(figures)
}

/// Milliseconds, the median of several rounds: one of them may be lucky with its pages.
struct Ticks {
    tick: f64,
    empty: f64,
    bare: f64,
}

async fn ticks(bench: &Options, backend: Backend, objects: u64) -> Result<Ticks> {
    let directory = site::directory(bench)?;
    let url = site::fresh(bench, backend, &directory).await?;
    let options = StoreOptions { statement_timeout: Duration::from_secs(60), ..StoreOptions::new(url.as_str()) };
    let store = Store::open(&options).await?;
    store.migrate().await?;
    let database = Database::open(&url).await?;
    fill(&database, objects).await?;
    let (mut tick, mut empty, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let scheduler = Scheduler::new(store, Arc::new(Bell::default()), options_of_scheduler()?);
    let rounds = bench.scaled(9, 3);
    for round in 0..rounds {
        make_due(&database, objects, (2 * round, 2 * rounds)).await?;
        let began = Instant::now();
        let dispatched = scheduler.tick().await?;
        tick.push(began.elapsed().as_secs_f64() * 1000.0);
        ensure!(dispatched == DUE, "{dispatched} objects were dispatched instead of {DUE}");

        let began = Instant::now();
        ensure!(scheduler.tick().await? == 0, "more was due");
        empty.push(began.elapsed().as_secs_f64() * 1000.0);
        put_back(&database).await?;

        make_due(&database, objects, (2 * round + 1, 2 * rounds)).await?;
        let began = Instant::now();
        let updated = bare_update(&database).await?;
        bare.push(began.elapsed().as_secs_f64() * 1000.0);
        ensure!(updated as u64 == DUE, "{updated} objects were updated instead of {DUE}");
        put_back(&database).await?;
    }
    Ok(Ticks { tick: median(tick), empty: median(empty), bare: median(bare) })
}

fn options_of_scheduler() -> Result<ScheduleOptions> {
    Ok(ScheduleOptions {
        tick: Duration::from_secs(120),
        throttle: Duration::from_secs(300),
        dispatch_batch: u32::try_from(DUE)?,
        sweep: Duration::from_secs(5),
        resend_after: Duration::from_secs(300),
        interval: Duration::from_secs(10_800),
        keep_history: Duration::from_secs(86_400),
        provider_intervals: BTreeMap::new(),
    })
}

/// Objects that were synced and are due in an hour and more.
async fn fill(database: &Database, objects: u64) -> Result<()> {
    let now = database.now();
    let numbers = |count: u64| match database {
        Database::Postgres(_) => format!("(SELECT generate_series(1, {count}) AS n)"),
        Database::Sqlite(_) => format!(
            "(WITH RECURSIVE all_numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_numbers WHERE n < {count})
              SELECT n FROM all_numbers)"
        ),
    };
    database
        .run(format!(
            "INSERT INTO customers (id, name, title, created_at) SELECT n, 'customer-' || n, 'Customer', 0 FROM {} c;
             INSERT INTO integrations (id, customer_id, name, provider, config, auth, created_at)
             SELECT n, n, 'hubspot', 'hubspot', '{{}}', '', 0 FROM {} c;",
            numbers(CUSTOMERS),
            numbers(CUSTOMERS)
        ))
        .await?;
    database
        .run(format!(
            "INSERT INTO objects (integration_id, customer_id, name, interaction_type, record_schema, mode, deletes,
                                  effective_interval_ms, due_at, synced_at, created_at)
             SELECT 1 + n % {CUSTOMERS}, 1 + n % {CUSTOMERS}, 'object-' || n, 'contact', '{{\"type\":\"object\"}}',
                    'incremental', 'tombstones', 10800000, {now} + 3600000 + n % 10800000, {now}, 0
             FROM {} o;",
            numbers(objects)
        ))
        .await?;
    match database {
        Database::Postgres(_) => database.run("VACUUM ANALYZE objects").await,
        Database::Sqlite(_) => database.run("ANALYZE").await,
    }
}

/// Makes some due that lie spread over the table: others each time, and not beside those of the time before, which left room
/// in their pages for what comes next.
async fn make_due(database: &Database, objects: u64, (time, times): (u64, u64)) -> Result<()> {
    let (now, step) = (database.now(), objects / DUE);
    let place = time * step / times;
    database.run(format!("UPDATE objects SET due_at = {now} - id % 60000 WHERE id % {step} = {place}")).await
}

/// As if the runs had ended well.
async fn put_back(database: &Database) -> Result<()> {
    let now = database.now();
    database
        .run(format!(
            "DELETE FROM outbox;
             UPDATE runs SET state = 'succeeded', finished_at = {now} WHERE state = 'dispatched';
             UPDATE objects SET active = 0, dispatched_at = NULL, due_at = {now} + 3600000 + id % 10800000
             WHERE active = 1;"
        ))
        .await
}

/// Finds, locks and marks what is due, and nothing else.
async fn bare_update(database: &Database) -> Result<usize> {
    const POSTGRES: &str = "UPDATE objects SET active = 1, requested = 0,
            dispatched_at = (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)
        WHERE id IN (SELECT id FROM objects WHERE active = 0 AND state = 'active' AND held = 0
            AND due_at <= (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)
            ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id";
    const SQLITE: &str = "UPDATE objects SET active = 1, requested = 0,
            dispatched_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)
        WHERE id IN (SELECT id FROM objects WHERE active = 0 AND state = 'active' AND held = 0
            AND due_at <= CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) ORDER BY due_at LIMIT $1) RETURNING id";
    let limit = i64::try_from(DUE).context("too many")?;
    Ok(match database {
        Database::Postgres(pool) => sqlx::query(POSTGRES).bind(limit).fetch_all(pool).await?.len(),
        Database::Sqlite(pool) => sqlx::query(SQLITE).bind(limit).fetch_all(pool).await?.len(),
    })
}
