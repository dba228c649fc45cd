//! A run's life in the database: claimed, renewed, its pages committed, ended. Every write is fenced by the epoch of the
//! claim: zero rows updated means that another worker owns the object, and nothing is written (invariant 1).

mod claim;

use std::time::Duration;

pub use claim::Claim;

use super::admin::{CANCEL_DISPATCHED, DEACTIVATE};
use super::error::During as _;
use super::outbox::millis;
use super::schedule::{RING_RUNS, TURN};
use super::sql::{Sql, id_list, sql};
use super::{Backend, Store, StoreError, again, held, read, write, write_one};
use crate::domain::{Cursor, ObjectId, Outcome, RunId};
use crate::points::point;

/// What a worker holds while it works on a run: quoted in every write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The object that is locked.
    pub object: ObjectId,
    /// The run that is worked on.
    pub run: RunId,
    /// The claim's number; a higher one fences this.
    pub epoch: i64,
}

/// One page on its way into the database.
#[derive(Debug, Clone)]
pub struct PageCommit {
    /// Where the next fetch continues; none sends it back to the very beginning.
    pub cursor: Option<Cursor>,
    /// The encoded records; none for a page without any.
    pub payload: Option<Vec<u8>>,
    /// How many records the payload holds.
    pub records: i64,
    /// Requests made for the page.
    pub requests: i64,
    /// Set on the page that ends a complete pass: rows last seen at or before this seq are gone at the provider.
    pub sweep_seq: Option<i64>,
    /// Whether a new pass begins behind this page.
    pub pass_ends: bool,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The outcome.
    pub outcome: Outcome,
    /// After a success: the share of the interval until the object is next due (1, or less to spread first syncs).
    pub interval_share: f64,
    /// After anything else: the time until the object is next due.
    pub due_in: Duration,
    /// Failures in a row, this run included.
    pub fails: i64,
    /// Requests since the last commit.
    pub requests: i64,
    /// What the connector logged.
    pub guest_log: String,
}

/// The write came too late: another worker owns the object. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced;

impl Store {
    /// Renews the leases of a host, all in one statement. Answers with the objects whose lease still holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew(&self, owner: &str, leases: &[Lease], lease: Duration) -> Result<Vec<ObjectId>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let renew = Sql {
            postgres: "UPDATE objects o SET lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT + $3
                FROM (SELECT (e->>0)::BIGINT AS id, (e->>1)::BIGINT AS epoch
                      FROM jsonb_array_elements(CAST($2 AS JSONB)) e) l
                WHERE o.id = l.id AND o.epoch = l.epoch AND o.lease_owner = $1 RETURNING o.id",
            sqlite: "UPDATE objects SET lease_until = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + $3
                WHERE lease_owner = $1 AND (id, epoch) IN
                  (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($2)) RETURNING id",
        };
        let pairs: Vec<(i64, i64)> = leases.iter().map(|lease| (lease.object.0, lease.epoch)).collect();
        let pairs = serde_json::to_string(&pairs).unwrap_or_default();
        write_one!(self, "renew leases", |db, sql| {
            let held: Vec<i64> = sqlx::query_scalar(sql(renew))
                .bind(owner)
                .bind(&pairs)
                .bind(millis(lease))
                .fetch_all(db)
                .await
                .during("renew leases")?;
            Ok(held.into_iter().map(ObjectId).collect())
        })
    }

    /// Commits a page: the batch, its doorbell and the cursor behind it, in one transaction. Answers with the page's
    /// seq in the object's life.
    ///
    /// # Errors
    /// When the database fails; then nothing of the page is stored.
    pub async fn commit_page(
        &self,
        owner: &str,
        lease: Lease,
        page: &PageCommit,
    ) -> Result<Result<i64, Fenced>, StoreError> {
        let has_batch = page.payload.is_some() || page.sweep_seq.is_some();
        let payload_bytes = page.payload.as_ref().map_or(0, |p| i64::try_from(p.len()).unwrap_or(i64::MAX));
        let advance = sql!(
            "UPDATE objects SET cursor = $4, cursor_seq = cursor_seq + 1, attempts = 0,
                    pass_seq = CASE WHEN $5 = 1 THEN cursor_seq + 1 ELSE pass_seq END
             WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING cursor_seq, customer_id"
        );
        match &self.backend {
            Backend::Postgres(postgres) => {
                // One round trip: the fenced update feeds everything else.
                const COMMIT: &str = "WITH fenced AS (
                        UPDATE objects SET cursor = $4, cursor_seq = cursor_seq + 1, attempts = 0,
                               pass_seq = CASE WHEN $5 = 1 THEN cursor_seq + 1 ELSE pass_seq END
                        WHERE id = $1 AND epoch = $2 AND lease_owner = $3
                        RETURNING id, cursor_seq, customer_id, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT AS now
                    ), counted AS (
                        UPDATE runs SET pages = pages + 1, interactions = interactions + $8, requests = requests + $11
                        FROM fenced WHERE runs.id = $6
                    ), batch AS (
                        INSERT INTO batches (object_id, run_id, epoch, seq, state, records, payload, payload_bytes,
                                             sweep_seq, committed_at)
                        SELECT id, $6, $2, cursor_seq, 'committed', $8, $7, $9, $10, now FROM fenced WHERE $12
                        RETURNING id
                    ), ring AS (
                        INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
                        SELECT 'process', 'b' || batch.id,
                               '{\"v\":1,\"kind\":\"process\",\"batch\":' || batch.id || ',\"object\":' || fenced.id || '}',
                               fenced.customer_id, fenced.now, fenced.now
                        FROM batch, fenced
                    )
                    SELECT cursor_seq FROM fenced";
                point!("commit a page", before);
                let seq: Option<i64> = again!(held!(postgres, |db| {
                    sqlx::query_scalar(COMMIT)
                        .bind(lease.object.0)
                        .bind(lease.epoch)
                        .bind(owner)
                        .bind(page.cursor.as_ref().map(|c| c.0.as_str()))
                        .bind(i32::from(page.pass_ends))
                        .bind(lease.run.0)
                        .bind(page.payload.as_deref())
                        .bind(page.records)
                        .bind(payload_bytes)
                        .bind(page.sweep_seq)
                        .bind(page.requests)
                        .bind(has_batch)
                        .fetch_optional(db)
                        .await
                        .during("commit a page")
                }))?;
                point!("commit a page", after);
                Ok(seq.ok_or(Fenced))
            }
            Backend::Sqlite { .. } => {
                let counted = sql!(
                    "UPDATE runs SET pages = pages + 1, interactions = interactions + $2, requests = requests + $3 WHERE id = $1"
                );
                let batch = sql!(
                    "INSERT INTO batches (object_id, run_id, epoch, seq, state, records, payload, payload_bytes, sweep_seq,
                                          committed_at)
                     VALUES ($1, $2, $3, $4, 'committed', $5, $6, $7, $8, ", now, ") RETURNING id"
                );
                let ring = sql!(
                    "INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
                     VALUES ('process', 'b' || $1,
                             '{\"v\":1,\"kind\":\"process\",\"batch\":' || $1 || ',\"object\":' || $2 || '}', $3, ",
                    now,
                    ", ",
                    now,
                    ")"
                );
                write!(self, "commit a page", |tx, sql| {
                    let fenced: Option<(i64, i64)> = sqlx::query_as(sql(advance))
                        .bind(lease.object.0)
                        .bind(lease.epoch)
                        .bind(owner)
                        .bind(page.cursor.as_ref().map(|c| c.0.as_str()))
                        .bind(i32::from(page.pass_ends))
                        .fetch_optional(&mut *tx)
                        .await
                        .during("commit a page")?;
                    let Some((seq, customer)) = fenced else { return Ok(Err(Fenced)) };
                    sqlx::query(sql(counted))
                        .bind(lease.run.0)
                        .bind(page.records)
                        .bind(page.requests)
                        .execute(&mut *tx)
                        .await
                        .during("commit a page")?;
                    if has_batch {
                        let batch: i64 = sqlx::query_scalar(sql(batch))
                            .bind(lease.object.0)
                            .bind(lease.run.0)
                            .bind(lease.epoch)
                            .bind(seq)
                            .bind(page.records)
                            .bind(page.payload.as_deref())
                            .bind(payload_bytes)
                            .bind(page.sweep_seq)
                            .fetch_one(&mut *tx)
                            .await
                            .during("commit a page")?;
                        sqlx::query(sql(ring))
                            .bind(batch)
                            .bind(lease.object.0)
                            .bind(customer)
                            .execute(&mut *tx)
                            .await
                            .during("commit a page")?;
                    }
                    Ok(Ok(seq))
                })
            }
        }
    }

    /// Ends a run and releases the object.
    ///
    /// # Errors
    /// When the database fails; then the lease runs out and the run is taken up again.
    pub async fn finish(&self, owner: &str, lease: Lease, finish: &Finish) -> Result<Result<(), Fenced>, StoreError> {
        let release = sql!(
            "UPDATE objects SET active = 0, lease_owner = NULL, lease_until = NULL, attempts = 0,
                    last_outcome = $4, last_error = $5, fails = $6,
                    state = CASE WHEN $4 = 'quarantined' THEN 'quarantined' ELSE state END,
                    state_reason = CASE WHEN $4 = 'quarantined' THEN $5 ELSE state_reason END,
                    synced_at = CASE WHEN $4 = 'succeeded' THEN ",
            now,
            " ELSE synced_at END,
                    due_at = ",
            now,
            " + CASE WHEN requested = 1 THEN 0
                                  WHEN $4 = 'succeeded' THEN CAST(effective_interval_ms * $7 AS BIGINT) ELSE $8 END
             WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING integration_id"
        );
        let end = sql!(
            "UPDATE runs SET state = $2, finished_at = ",
            now,
            ", error_class = $3, error_message = $4,
                    requests = requests + $5, guest_log = $6 WHERE id = $1"
        );
        let stop =
            sql!("UPDATE integrations SET state = 'needs-auth', state_reason = $2 WHERE id = $1 AND state = 'active'");
        let hold = sql!("UPDATE objects SET held = 1 WHERE integration_id = $1");
        let siblings = sql!("SELECT id FROM objects WHERE integration_id = $1");
        // Several runs of one integration find out at the same time: whoever locks all its objects locks this row first.
        let turn =
            sql!("SELECT id FROM integrations WHERE id = (SELECT integration_id FROM objects WHERE id = $1)", lock);
        // The other objects of a rate-limited integration wait as well, without a run each to find out.
        let wait = sql!(
            "UPDATE objects SET due_at = ",
            now,
            " + $2 WHERE integration_id = $1 AND active = 0 AND due_at < ",
            now,
            " + $2"
        );
        let state = finish.outcome.state();
        let error = finish.outcome.error().map(|(class, message)| (storable(class), storable(message)));
        let message = error.as_ref().map(|(class, message)| format!("{class}: {message}"));
        write!(self, "finish a run", |tx, sql| {
            if matches!(finish.outcome, Outcome::NeedsAuth { .. } | Outcome::RateLimited { retry_after_ms: Some(_) }) {
                sqlx::query(sql(turn)).bind(lease.object.0).execute(&mut *tx).await.during("finish a run")?;
            }
            let integration: Option<i64> = sqlx::query_scalar(sql(release))
                .bind(lease.object.0)
                .bind(lease.epoch)
                .bind(owner)
                .bind(state)
                .bind(&message)
                .bind(finish.fails)
                .bind(finish.interval_share)
                .bind(millis(finish.due_in))
                .fetch_optional(&mut *tx)
                .await
                .during("finish a run")?;
            let Some(integration) = integration else { return Ok(Err(Fenced)) };
            sqlx::query(sql(end))
                .bind(lease.run.0)
                .bind(state)
                .bind(error.as_ref().map(|(class, _)| class.as_str()))
                .bind(error.as_ref().map(|(_, message)| message.as_str()))
                .bind(finish.requests)
                .bind(Some(storable(&finish.guest_log)).filter(|log| !log.is_empty()))
                .execute(&mut *tx)
                .await
                .during("finish a run")?;
            match &finish.outcome {
                Outcome::NeedsAuth { .. } => {
                    sqlx::query(sql(stop))
                        .bind(integration)
                        .bind(&message)
                        .execute(&mut *tx)
                        .await
                        .during("finish a run")?;
                    sqlx::query(sql(hold)).bind(integration).execute(&mut *tx).await.during("finish a run")?;
                    let all: Vec<i64> = sqlx::query_scalar(sql(siblings))
                        .bind(integration)
                        .fetch_all(&mut *tx)
                        .await
                        .during("finish a run")?;
                    let cancelled: Vec<i64> = sqlx::query_scalar(sql(CANCEL_DISPATCHED))
                        .bind(id_list(all))
                        .fetch_all(&mut *tx)
                        .await
                        .during("finish a run")?;
                    let cancelled = id_list(cancelled);
                    sqlx::query(sql(DEACTIVATE)).bind(&cancelled).execute(&mut *tx).await.during("finish a run")?;
                }
                Outcome::RateLimited { retry_after_ms: Some(pause) } => {
                    sqlx::query(sql(wait))
                        .bind(integration)
                        .bind(*pause)
                        .execute(&mut *tx)
                        .await
                        .during("finish a run")?;
                }
                _ => {}
            }
            Ok(Ok(()))
        })
    }

    /// Gives a run back with its work undone or half done: a new message makes it due after `delay`. `slice` says that
    /// it ended a slice, so that the next claim counts as one. A run whose object was paused meanwhile ends instead.
    ///
    /// # Errors
    /// When the database fails; then the lease runs out and the run is taken up again.
    pub async fn give_back(
        &self,
        owner: &str,
        lease: Lease,
        delay: Duration,
        slice: bool,
    ) -> Result<Result<(), Fenced>, StoreError> {
        let release = sql!(
            "UPDATE objects SET lease_owner = NULL, lease_until = NULL, attempts = 0,
                    active = CASE WHEN state = 'active' AND held = 0 THEN 1 ELSE 0 END
             WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING active"
        );
        let again = sql!(
            "UPDATE runs SET state = 'dispatched', slice = slice + $2, sent_at = ",
            now,
            ", not_before = ",
            now,
            " + $3
             WHERE id = $1"
        );
        let cancel = sql!("UPDATE runs SET state = 'cancelled', finished_at = ", now, " WHERE id = $1");
        write!(self, "give a run back", |tx, sql| {
            let active: Option<i64> = sqlx::query_scalar(sql(release))
                .bind(lease.object.0)
                .bind(lease.epoch)
                .bind(owner)
                .fetch_optional(&mut *tx)
                .await
                .during("give a run back")?;
            match active {
                None => return Ok(Err(Fenced)),
                Some(0) => {
                    sqlx::query(sql(cancel)).bind(lease.run.0).execute(&mut *tx).await.during("give a run back")?;
                }
                Some(_) => {
                    sqlx::query(sql(again))
                        .bind(lease.run.0)
                        .bind(i64::from(slice))
                        .bind(millis(delay))
                        .execute(&mut *tx)
                        .await
                        .during("give a run back")?;
                    let run = id_list([lease.run.0]);
                    let turn = if slice { TURN } else { 0 };
                    sqlx::query(sql(RING_RUNS))
                        .bind(&run)
                        .bind(turn)
                        .execute(&mut *tx)
                        .await
                        .during("give a run back")?;
                }
            }
            Ok(Ok(()))
        })
    }

    /// Bytes committed and not yet landed: what back-pressure looks at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlanded_bytes(&self) -> Result<i64, StoreError> {
        let sum = sql!("SELECT CAST(COALESCE(SUM(payload_bytes), 0) AS BIGINT) FROM batches WHERE state = 'committed'");
        read!(self, |db, sql| sqlx::query_scalar(sql(sum)).fetch_one(db).await.during("read unlanded bytes"))
    }
}

/// Text that every database can hold: a run ends whatever a connector or a provider had to say.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
