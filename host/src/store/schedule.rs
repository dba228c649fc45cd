//! What the scheduler does to the database: dispatch what is due, take back what a dead host left, ring again for what
//! nobody heard, and keep effective intervals in step with the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::During as _;
use super::outbox::millis;
use super::sql::{Sql, id_list, sql};
use super::{Backend, Store, StoreError, again, held, read, write, write_one};
use crate::domain::schedule::DEFAULT_INTERVAL;
use crate::points::point;

#[cfg(test)]
mod tests;

/// Virtual time between two jobs of one customer. A new job goes a turn behind the last that its customer has in the
/// outbox, and never before whoever is at the head of the line: so a customer with ten thousand due objects stands behind
/// itself, not before the others, in whatever batches, at whatever times and by whatever host they are dispatched, and
/// however slowly the line moves. Where nobody waits, the line begins at the clock.
pub(super) const TURN: i64 = 1_000;

/// What a sweep of expired leases did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Runs that were taken from a dead host and dispatched again.
    pub reclaimed: u64,
    /// Messages hung again because nobody claimed the run.
    pub resent: u64,
    /// Batches whose process job was hung again.
    pub reprocessed: u64,
}

/// Picks what is due and dispatches it, on Postgres in one statement. What is overdue by more than an interval was left
/// lying by all schedulers, with much else: its run is there at once, but its time comes later, see `put_off`.
///
/// A row that is locked stays where it is, so the update finds it by its place, without the index. One that somebody else
/// moved between the snapshot and the lock is in a place that this statement cannot see: it is not claimed, so it gets no
/// run either, and the next tick takes it.
const DISPATCH: Sql = sql!(
    "WITH due AS (
        SELECT o.ctid AS place, o.id, o.customer_id, o.due_at, o.dispatched_at, o.requested, ",
    now_once,
    " AS now, ",
    put_off("$2"),
    " AS put_off
        FROM objects o
        WHERE o.active = 0 AND o.state = 'active' AND o.held = 0 AND o.due_at <= ",
    now_once,
    "
          AND (o.dispatched_at IS NULL OR o.dispatched_at <= ",
    now_once,
    " - $2)
        ORDER BY o.due_at LIMIT $1",
    skip_locked,
    "
    ), claimed AS (
        UPDATE objects o SET active = 1, requested = 0, dispatched_at = d.now
        FROM due d WHERE o.ctid = d.place
        RETURNING d.id, d.customer_id, d.due_at, d.dispatched_at, d.requested, d.now, d.put_off,
                  nextval('runs_id_seq') AS run
    ), runs_of_claimed AS (
        INSERT INTO runs (id, object_id, window_start, trigger, state, dispatched_at, sent_at, not_before)
        SELECT run, id, CASE WHEN dispatched_at IS NULL THEN now ELSE now - now % $2 END,
               CASE requested WHEN 1 THEN 'manual' ELSE 'schedule' END, 'dispatched', now, now, now + put_off
        FROM claimed
    ), turns AS (
        SELECT c.customer_id, ",
    turn("c.customer_id"),
    " AS turn FROM (SELECT DISTINCT customer_id FROM claimed) c
    )
    INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
    SELECT 'retrieve', 'r' || d.run,
           '{\"v\":1,\"kind\":\"retrieve\",\"run\":' || d.run || ',\"object\":' || d.id || '}', d.customer_id,
           t.turn + $3 * row_number() OVER (PARTITION BY d.customer_id ORDER BY d.due_at), d.now + d.put_off
    FROM claimed d JOIN turns t ON t.customer_id = d.customer_id"
);

/// Whether anything is due.
const LOOK: Sql = sql!(
    "SELECT id FROM objects WHERE active = 0 AND state = 'active' AND held = 0 AND due_at <= ",
    now_once,
    "
       AND (dispatched_at IS NULL OR dispatched_at <= ",
    now_once,
    " - $1) LIMIT 1"
);

/// Picks what is due and makes its runs, on SQLite.
const DISPATCH_RUNS: Sql = sql!(
    "INSERT INTO runs (object_id, window_start, trigger, state, dispatched_at, sent_at, not_before)
     SELECT id, CASE WHEN dispatched_at IS NULL THEN now ELSE now - now % $2 END,
            CASE requested WHEN 1 THEN 'manual' ELSE 'schedule' END, 'dispatched', now, now, now + put_off
     FROM (SELECT id, due_at, dispatched_at, requested, ",
    now,
    " AS now, ",
    put_off("$2"),
    " AS put_off FROM objects
           WHERE active = 0 AND state = 'active' AND held = 0 AND due_at <= ",
    now_once,
    "
             AND (dispatched_at IS NULL OR dispatched_at <= ",
    now_once,
    " - $2)
           ORDER BY due_at LIMIT $1)"
);

/// Objects whose host let the lease run out.
const EXPIRED: Sql = sql!(
    "SELECT o.id FROM objects o WHERE o.lease_until < ",
    now_once,
    " ORDER BY o.lease_until LIMIT $1",
    skip_locked
);

impl Store {
    /// Claims up to `limit` due objects and dispatches a retrieve job for each, in one transaction: a run, and a
    /// message in the outbox. Objects that were dispatched within the throttle window are passed over. After an outage the
    /// runs of what is overdue by more than an interval may be claimed one after the other, not all at once. Any number of
    /// schedulers may call this at once. Answers with how many were dispatched; fewer than `limit` means no more are due.
    ///
    /// # Errors
    /// When the database fails; then nothing was dispatched.
    pub async fn dispatch_due(&self, limit: u32, throttle: Duration) -> Result<u64, StoreError> {
        // A look first, which plans little and locks nothing: most ticks find nothing.
        let any: Option<i64> = read!(self, |db, sql| {
            sqlx::query_scalar(sql(LOOK)).bind(millis(throttle).max(1)).fetch_optional(db).await.during("look for due")
        })?;
        if any.is_none() {
            return Ok(0);
        }
        match &self.backend {
            Backend::Postgres(postgres) => {
                point!("dispatch", before);
                let done = again!(held!(postgres, |db| {
                    sqlx::query(DISPATCH.postgres)
                        .bind(i64::from(limit))
                        .bind(millis(throttle).max(1))
                        .bind(TURN)
                        .execute(db)
                        .await
                        .during("dispatch")
                }))?;
                point!("dispatch", after);
                Ok(done.rows_affected())
            }
            Backend::Sqlite { .. } => self.dispatch_due_sqlite(limit, throttle).await,
        }
    }

    /// The same in three statements: SQLite has no data-modifying CTE, but one writer at a time.
    async fn dispatch_due_sqlite(&self, limit: u32, throttle: Duration) -> Result<u64, StoreError> {
        let last_run = sql!("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'runs'");
        let messages = sql!(
            "INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
             SELECT 'retrieve', 'r' || r.id, '{\"v\":1,\"kind\":\"retrieve\",\"run\":' || r.id || ',\"object\":' || o.id || '}',
                    o.customer_id,
                    t.turn + $2 * row_number() OVER (PARTITION BY o.customer_id ORDER BY o.due_at), r.not_before
             FROM runs r JOIN objects o ON o.id = r.object_id JOIN (SELECT c.customer_id, ",
            turn("c.customer_id"),
            " AS turn FROM (SELECT DISTINCT o.customer_id FROM runs r JOIN objects o ON o.id = r.object_id
                            WHERE r.id > $1) c) t ON t.customer_id = o.customer_id
             WHERE r.id > $1"
        );
        let claimed = sql!(
            "UPDATE objects SET active = 1, requested = 0, dispatched_at = ",
            now,
            "
             WHERE id IN (SELECT object_id FROM runs WHERE id > $1)"
        );
        write!(self, "dispatch", |tx, sql| {
            let last: i64 = sqlx::query_scalar(sql(last_run)).fetch_one(&mut *tx).await.during("dispatch")?;
            let done = sqlx::query(sql(DISPATCH_RUNS))
                .bind(i64::from(limit))
                .bind(millis(throttle).max(1))
                .execute(&mut *tx)
                .await
                .during("dispatch")?
                .rows_affected();
            sqlx::query(sql(messages)).bind(last).bind(TURN).execute(&mut *tx).await.during("dispatch")?;
            sqlx::query(sql(claimed)).bind(last).execute(&mut *tx).await.during("dispatch")?;
            Ok(done)
        })
    }

    /// Takes back runs whose lease ran out, rings again for runs that nobody claimed within `resend_after` and for
    /// batches that nobody landed within it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self, resend_after: Duration, limit: u32) -> Result<Swept, StoreError> {
        Ok(Swept {
            reclaimed: self.reclaim_expired(limit).await?,
            resent: self.resend_unclaimed(resend_after, limit).await?,
            reprocessed: self.resend_unlanded(resend_after.min(Duration::from_secs(30)), limit).await?,
        })
    }

    async fn reclaim_expired(&self, limit: u32) -> Result<u64, StoreError> {
        // The epoch grows here already: whoever held the lease is fenced from now on, not only from the next claim on.
        let release = sql!(
            "UPDATE objects SET epoch = epoch + 1, lease_owner = NULL, lease_until = NULL,
                    active = CASE WHEN state = 'active' AND held = 0 THEN 1 ELSE 0 END
             WHERE id IN ",
            ids("$1"),
            " RETURNING id, active"
        );
        // Paused while it ran: a host that is dead has ended its slice.
        let cancel = sql!(
            "UPDATE runs SET state = 'cancelled', finished_at = ",
            now,
            " WHERE state = 'running' AND object_id IN ",
            ids("$1")
        );
        let runs = sql!(
            "UPDATE runs SET state = 'dispatched', sent_at = ",
            now,
            ", not_before = ",
            now,
            "
             WHERE state = 'running' AND object_id IN ",
            ids("$1"),
            " RETURNING id"
        );
        let any: bool = read!(self, |db, sql| {
            sqlx::query_scalar(sql(sql!("SELECT EXISTS (SELECT 1 FROM objects WHERE lease_until < ", now_once, ")")))
                .fetch_one(db)
                .await
                .during("look for expired leases")
        })?;
        if !any {
            return Ok(0);
        }
        write!(self, "reclaim expired leases", |tx, sql| {
            let objects: Vec<i64> = sqlx::query_scalar(sql(EXPIRED))
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await
                .during("reclaim expired leases")?;
            let released: Vec<(i64, i64)> = sqlx::query_as(sql(release))
                .bind(id_list(objects))
                .fetch_all(&mut *tx)
                .await
                .during("reclaim expired leases")?;
            let (wanted, paused): (Vec<_>, Vec<_>) = released.into_iter().partition(|(_, active)| *active == 1);
            let (wanted, paused) = (ids_of(wanted), ids_of(paused));
            sqlx::query(sql(cancel)).bind(&paused).execute(&mut *tx).await.during("reclaim expired leases")?;
            let runs: Vec<i64> = sqlx::query_scalar(sql(runs))
                .bind(&wanted)
                .fetch_all(&mut *tx)
                .await
                .during("reclaim expired leases")?;
            let count = runs.len() as u64;
            sqlx::query(sql(RING_RUNS))
                .bind(id_list(runs))
                .bind(0_i64)
                .execute(&mut *tx)
                .await
                .during("reclaim expired leases")?;
            Ok(count)
        })
    }

    async fn resend_unclaimed(&self, after: Duration, limit: u32) -> Result<u64, StoreError> {
        let silent = sql!(
            "SELECT id FROM runs WHERE state = 'dispatched' AND sent_at < ",
            now_once,
            " - $1 AND not_before < ",
            now_once,
            " - $1
             ORDER BY sent_at LIMIT $2",
            skip_locked
        );
        let sent = sql!("UPDATE runs SET sent_at = ", now, " WHERE id IN ", ids("$1"));
        write!(self, "ring again for unclaimed runs", |tx, sql| {
            let runs: Vec<i64> = sqlx::query_scalar(sql(silent))
                .bind(millis(after))
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await
                .during("ring again for unclaimed runs")?;
            if runs.is_empty() {
                return Ok(0);
            }
            let count = runs.len() as u64;
            let list = id_list(runs);
            sqlx::query(sql(sent)).bind(&list).execute(&mut *tx).await.during("ring again for unclaimed runs")?;
            sqlx::query(sql(RING_RUNS))
                .bind(&list)
                .bind(0_i64)
                .execute(&mut *tx)
                .await
                .during("ring again for unclaimed runs")?;
            Ok(count)
        })
    }

    async fn resend_unlanded(&self, after: Duration, limit: u32) -> Result<u64, StoreError> {
        let ring = sql!(
            object_bell,
            "MIN(b.committed_at), ",
            now,
            "
             FROM batches b JOIN objects o ON o.id = b.object_id
             WHERE b.state = 'committed' AND b.committed_at < ",
            now_once,
            " - $1
             GROUP BY b.object_id LIMIT $2
             ON CONFLICT (queue, dedup) DO NOTHING"
        );
        let unlanded = sql!(
            "SELECT EXISTS (SELECT 1 FROM batches WHERE state = 'committed' AND committed_at < ",
            now_once,
            " - $1)"
        );
        let any: bool = read!(self, |db, sql| {
            sqlx::query_scalar(sql(unlanded))
                .bind(millis(after))
                .fetch_one(db)
                .await
                .during("look for unlanded batches")
        })?;
        if !any {
            return Ok(0);
        }
        write_one!(self, "ring again for unlanded batches", |db, sql| {
            let done = sqlx::query(sql(ring))
                .bind(millis(after))
                .bind(i64::from(limit))
                .execute(db)
                .await
                .during("ring again for unlanded batches")?;
            Ok(done.rows_affected())
        })
    }

    /// Recomputes the effective interval of every object from its layers, and the due time of those it changed for.
    /// Called when a scheduler starts and after a layer was edited; touches only rows that differ.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply_intervals(
        &self,
        default: Option<Duration>,
        providers: &BTreeMap<String, Duration>,
    ) -> Result<u64, StoreError> {
        // The providers' layer lives in the configuration: it comes in as a JSON object of name to milliseconds.
        let statement = sql!(
            "WITH provider_intervals AS (SELECT key AS provider, ",
            int("value"),
            " AS interval_ms FROM ",
            each("$2"),
            ")
             UPDATE objects SET
                effective_interval_ms = l.interval_ms,
                due_at = CASE WHEN synced_at IS NULL OR fails > 0 OR requested = 1 THEN due_at
                              ELSE synced_at + l.interval_ms END
             FROM (SELECT o.id, COALESCE(o.interval_ms, i.interval_ms, c.interval_ms, p.interval_ms,
                                         o.suggested_interval_ms, $1) AS interval_ms
                   FROM objects o JOIN integrations i ON i.id = o.integration_id
                   JOIN customers c ON c.id = o.customer_id
                   LEFT JOIN provider_intervals p ON p.provider = i.provider) l
             WHERE objects.id = l.id AND objects.effective_interval_ms <> l.interval_ms"
        );
        let map: BTreeMap<&str, i64> = providers.iter().map(|(name, every)| (name.as_str(), millis(*every))).collect();
        let map = serde_json::to_string(&map).unwrap_or_default();
        write_one!(self, "apply intervals", |db, sql| {
            let done = sqlx::query(sql(statement))
                .bind(millis(default.unwrap_or(DEFAULT_INTERVAL)))
                .bind(&map)
                .execute(db)
                .await
                .during("apply intervals")?;
            Ok(done.rows_affected())
        })
    }
}

fn ids_of(rows: Vec<(i64, i64)>) -> String {
    id_list(rows.into_iter().map(|(id, _)| id))
}

/// Hangs the message of each of these runs in the outbox; one that hangs there is made due again. A run that has used its
/// slice up (`$2` is a turn) goes behind the other work of its customer; one that was interrupted (0) goes to the head.
pub(super) const RING_RUNS: Sql = sql!(
    "INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
     SELECT 'retrieve', 'r' || r.id,
            '{\"v\":1,\"kind\":\"retrieve\",\"run\":' || r.id || ',\"object\":' || r.object_id || '}',
            o.customer_id, CASE WHEN $2 > 0 THEN ",
    turn("o.customer_id"),
    " + $2 ELSE ",
    head,
    " END, r.not_before
     FROM runs r JOIN objects o ON o.id = r.object_id WHERE r.id IN ",
    ids("$1"),
    "
     ON CONFLICT (queue, dedup) DO UPDATE SET attempts = outbox.attempts + 1, available_at = EXCLUDED.available_at"
);
