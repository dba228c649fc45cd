//! Landing: committed batches of an object become rows of `interactions`, in the order of their pages, each change with
//! a number in its integration's feed.
//!
//! Idempotent (invariant 4): a row's version only grows, so a batch that comes twice, late or out of order changes
//! nothing that a newer one wrote. An unchanged record gets the newer version and nothing else, so that an older state
//! of it that arrives late cannot win. The row lock on the batches makes two processors take turns on one object; the
//! lock on the feed's row makes the order of commits the order of the numbers.

mod postgres;
mod sqlite;

use super::sql::sql;
use super::{Store, StoreError, read, write, write_one};
use crate::domain::{BatchId, IntegrationId, ObjectId};

/// Records of one page at most; the low bits of a version.
const INDEX_BITS: u32 = 16;

/// The version of a record: the page's seq and the record's place in it, as one number that only ever grows.
#[must_use]
pub fn version(seq: i64, index: usize) -> i64 {
    (seq << INDEX_BITS) | i64::try_from(index).unwrap_or(0).min((1 << INDEX_BITS) - 1)
}

/// The record's place in its page, from its version.
#[must_use]
pub fn place(version: i64) -> usize {
    usize::try_from(version & ((1 << INDEX_BITS) - 1)).unwrap_or(0)
}

/// A committed batch that waits for landing.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CommittedBatch {
    /// Its id.
    pub id: i64,
    /// The page's seq in the object's life.
    pub seq: i64,
    /// The encoded records.
    pub payload: Option<Vec<u8>>,
    /// Set where a complete pass ends here: rows last seen at or before this seq are gone.
    pub sweep_seq: Option<i64>,
}

/// What landing needs to know of an object.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LandingObject {
    /// The integration whose feed counts.
    pub integration_id: i64,
    /// JSON Schema of the data, as text.
    pub record_schema: String,
}

/// A record that is fit to land. Borrowed from its batch.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The provider's id.
    pub external_id: &'a str,
    /// See [`version`].
    pub version: i64,
    /// `present`, `deleted` or `merged`.
    pub state: &'static str,
    /// The record it was merged into.
    pub merged_into: Option<&'a str>,
    /// The provider's version of this state.
    pub provider_version: Option<&'a str>,
    /// When the provider last changed it.
    pub provider_updated_at: Option<&'a str>,
    /// JSON text; none for a tombstone without any.
    pub data: Option<&'a str>,
    /// Hash over state and data.
    pub content_hash: [u8; 32],
    /// The batch it came in.
    pub batch: BatchId,
}

/// A record that is not fit to land, with the reason.
#[derive(Debug, Clone)]
pub struct Reject<'a> {
    /// The batch it came in.
    pub batch: BatchId,
    /// Its place in the batch.
    pub position: usize,
    /// The id as it came, cut to what can be stored.
    pub external_id: String,
    /// Why.
    pub reason: String,
    /// The record as it came.
    pub data: &'a str,
}

/// A set of batches of one object, ready to land in one transaction.
#[derive(Debug, Clone)]
pub struct Landing<'a> {
    /// The object.
    pub object: ObjectId,
    /// Its integration.
    pub integration: IntegrationId,
    /// The batches, in the order of their pages.
    pub batches: Vec<BatchId>,
    /// Seq of the last of them.
    pub last_seq: i64,
    /// One row per id: the newest.
    pub rows: Vec<Row<'a>>,
    /// What does not land.
    pub rejected: Vec<Reject<'a>>,
    /// Where a complete pass ends: sweep rows last seen at or before this seq.
    pub sweep_seq: Option<i64>,
    /// Share of the present rows that a sweep may delete without being confirmed, 0..=1.
    pub sweep_guard: f64,
}

/// What landing did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Landed {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows whose content changed, tombstones included.
    pub changed: u64,
    /// Rows whose content was the same.
    pub unchanged: u64,
    /// Rows that were there in a newer version.
    pub stale: u64,
    /// Records that went to the rejected table.
    pub rejected: u64,
    /// Rows deleted because a complete pass did not show them.
    pub swept: u64,
    /// Rows a sweep would have deleted, had the guard not refused.
    pub sweep_refused: u64,
}

/// Counts of one upsert.
#[derive(Debug, Clone, Copy, Default)]
struct Upserted {
    inserted: i64,
    changed: i64,
    unchanged: i64,
}

impl Store {
    /// The next committed batches of an object, oldest first: up to `max` of them, none added once they hold `max_bytes`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn committed_batches(
        &self,
        object: ObjectId,
        max: u32,
        max_bytes: i64,
    ) -> Result<Vec<CommittedBatch>, StoreError> {
        let next = sql!(
            "SELECT id, seq, payload, sweep_seq FROM (
                SELECT id, seq, payload, sweep_seq, SUM(payload_bytes) OVER (ORDER BY seq) - payload_bytes AS before
                FROM batches WHERE object_id = $1 AND state = 'committed' ORDER BY seq LIMIT $2) b
             WHERE before < $3 ORDER BY seq"
        );
        read!(self, |db, sql| {
            sqlx::query_as(sql(next))
                .bind(object.0)
                .bind(i64::from(max))
                .bind(max_bytes)
                .fetch_all(db)
                .await
                .during("read batches")
        })
    }

    /// Whether the database can hold a row's values. Only asked after it refused a whole landing.
    ///
    /// # Errors
    /// [`StoreError::is_bad_data`] when it cannot.
    pub async fn accepts(&self, row: &Row<'_>) -> Result<(), StoreError> {
        let probe = sql!("SELECT COUNT(", json("$1"), ") + COUNT($2) + COUNT($3)");
        read!(self, |db, sql| {
            let _: i64 = sqlx::query_scalar(sql(probe))
                .bind(row.data)
                .bind(row.external_id)
                .bind(row.provider_version)
                .fetch_one(db)
                .await
                .during("store a record")?;
            Ok(())
        })
    }

    /// What landing needs to know of an object; none if it is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn landing_object(&self, object: ObjectId) -> Result<Option<LandingObject>, StoreError> {
        let load = sql!("SELECT integration_id, record_schema FROM objects WHERE id = $1");
        read!(self, |db, sql| sqlx::query_as(sql(load))
            .bind(object.0)
            .fetch_optional(db)
            .await
            .during("read an object"))
    }

    /// Hangs a bell for what is committed of an object and has not landed, behind all that waits; nothing if all has landed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ring_object(&self, object: ObjectId) -> Result<(), StoreError> {
        // Whoever holds this very bell deletes it at the attempt they took it at, and leaves it by that.
        let ring = sql!(
            object_bell,
            now,
            ", ",
            now,
            "
             FROM batches b JOIN objects o ON o.id = b.object_id
             WHERE b.state = 'committed' AND b.object_id = $1
             GROUP BY b.object_id
             ON CONFLICT (queue, dedup) DO UPDATE
             SET attempts = outbox.attempts + 1, order_key = EXCLUDED.order_key, available_at = EXCLUDED.available_at"
        );
        write_one!(self, "ring for the rest of an object", |db, sql| {
            sqlx::query(sql(ring)).bind(object.0).execute(db).await.during("ring for the rest of an object")?;
            Ok(())
        })
    }

    /// Lands a set of batches in one transaction. Batches that somebody else has landed meanwhile make it land nothing
    /// and answer `None`: look again.
    ///
    /// # Errors
    /// When the database fails, or refuses a value ([`StoreError::is_bad_data`]); then nothing has landed.
    pub async fn land(&self, landing: &Landing<'_>) -> Result<Option<Landed>, StoreError> {
        let list = super::sql::id_list(landing.batches.iter().map(|batch| batch.0));
        let lock = sql!("SELECT id FROM batches WHERE state = 'committed' AND id IN ", ids("$1"), " ORDER BY id", lock);
        let reserve = sql!(
            "INSERT INTO feeds (integration_id, last_seq) VALUES ($1, $2)
             ON CONFLICT (integration_id) DO UPDATE SET last_seq = feeds.last_seq + EXCLUDED.last_seq
             RETURNING last_seq"
        );
        let landed =
            sql!("UPDATE batches SET state = 'landed', landed_at = ", now, ", payload = NULL WHERE id IN ", ids("$1"));
        let mark = sql!("UPDATE objects SET landed_seq = $2 WHERE id = $1 AND landed_seq < $2");
        let reject = sql!(
            "INSERT INTO rejected (batch_id, position, object_id, external_id, reason, data, rejected_at)
             VALUES ($1, $2, $3, $4, $5, $6, ",
            now,
            ") ON CONFLICT (batch_id, position) DO NOTHING"
        );
        let rows = i64::try_from(landing.rows.len()).unwrap_or(i64::MAX);
        write!(self, "land", |tx, sql| {
            let mine: Vec<i64> =
                sqlx::query_scalar(sql(lock)).bind(&list).fetch_all(&mut *tx).await.during("lock batches")?;
            if mine.len() != landing.batches.len() {
                return Ok(None);
            }
            let mut done = Landed::default();
            if rows > 0 {
                let last: i64 = sqlx::query_scalar(sql(reserve))
                    .bind(landing.integration.0)
                    .bind(rows)
                    .fetch_one(&mut *tx)
                    .await
                    .during("reserve feed numbers")?;
                let counts = Upsert::upsert(&mut *tx, landing, last - rows).await?;
                done.inserted = counts.inserted.try_into().unwrap_or(0);
                done.changed = counts.changed.try_into().unwrap_or(0);
                done.unchanged = counts.unchanged.try_into().unwrap_or(0);
                done.stale = (rows - counts.inserted - counts.changed - counts.unchanged).try_into().unwrap_or(0);
            }
            for record in &landing.rejected {
                sqlx::query(sql(reject))
                    .bind(record.batch.0)
                    .bind(i64::try_from(record.position).unwrap_or(i64::MAX))
                    .bind(landing.object.0)
                    .bind(&record.external_id)
                    .bind(&record.reason)
                    .bind(record.data.replace('\0', "\u{fffd}"))
                    .execute(&mut *tx)
                    .await
                    .during("store a rejected record")?;
            }
            done.rejected = landing.rejected.len() as u64;
            if let Some(seq) = landing.sweep_seq {
                let last_batch = landing.batches.last().map_or(0, |batch| batch.0);
                let doomed: (i64, i64) = sqlx::query_as(sql(SWEEP_SIZE))
                    .bind(landing.object.0)
                    .bind(version(seq + 1, 0))
                    .fetch_one(&mut *tx)
                    .await
                    .during("size a sweep")?;
                let refused = doomed.0 > 0 && doomed.0 as f64 > doomed.1 as f64 * landing.sweep_guard;
                sqlx::query(sql(SWEEP_PENDING))
                    .bind(landing.object.0)
                    .bind(refused.then_some(seq))
                    .execute(&mut *tx)
                    .await
                    .during("note a sweep")?;
                if refused {
                    done.sweep_refused = doomed.0.try_into().unwrap_or(0);
                } else if doomed.0 > 0 {
                    let last: i64 = sqlx::query_scalar(sql(reserve))
                        .bind(landing.integration.0)
                        .bind(doomed.0)
                        .fetch_one(&mut *tx)
                        .await
                        .during("reserve feed numbers")?;
                    sqlx::query(sql(SWEEP))
                        .bind(landing.object.0)
                        .bind(version(seq + 1, 0))
                        .bind(last - doomed.0)
                        .bind(last_batch)
                        .execute(&mut *tx)
                        .await
                        .during("sweep")?;
                    done.swept = doomed.0.try_into().unwrap_or(0);
                }
            }
            sqlx::query(sql(landed)).bind(&list).execute(&mut *tx).await.during("mark batches as landed")?;
            sqlx::query(sql(mark))
                .bind(landing.object.0)
                .bind(landing.last_seq)
                .execute(&mut *tx)
                .await
                .during("mark the object")?;
            Ok(Some(done))
        })
    }

    /// How many rows a refused sweep would delete, and how many present rows there are; none where no sweep waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_sweep(&self, object: ObjectId) -> Result<Option<(i64, i64)>, StoreError> {
        let pending = sql!("SELECT pending_sweep_seq FROM objects WHERE id = $1");
        read!(self, |db, sql| {
            let seq: Option<Option<i64>> = sqlx::query_scalar(sql(pending))
                .bind(object.0)
                .fetch_optional(&mut *db)
                .await
                .during("read a sweep")?;
            let Some(seq) = seq.flatten() else { return Ok(None) };
            let size = sqlx::query_as(sql(SWEEP_SIZE)).bind(object.0).bind(version(seq + 1, 0)).fetch_one(db).await;
            size.during("size a sweep").map(Some)
        })
    }

    /// Carries out a sweep that the guard refused, now that a person confirmed it. Answers with the rows deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn confirm_sweep(&self, object: ObjectId) -> Result<u64, StoreError> {
        let integration = sql!("SELECT integration_id FROM objects WHERE id = $1");
        let pending = sql!("SELECT pending_sweep_seq FROM objects WHERE id = $1", lock);
        let reserve = sql!(
            "INSERT INTO feeds (integration_id, last_seq) VALUES ($1, $2)
             ON CONFLICT (integration_id) DO UPDATE SET last_seq = feeds.last_seq + EXCLUDED.last_seq
             RETURNING last_seq"
        );
        write!(self, "confirm a sweep", |tx, sql| {
            let integration: i64 = sqlx::query_scalar(sql(integration))
                .bind(object.0)
                .fetch_one(&mut *tx)
                .await
                .during("confirm a sweep")?;
            // Nothing is reserved yet: it locks the feed before the object, as landing does.
            sqlx::query(sql(reserve))
                .bind(integration)
                .bind(0_i64)
                .execute(&mut *tx)
                .await
                .during("confirm a sweep")?;
            let seq: Option<i64> =
                sqlx::query_scalar(sql(pending)).bind(object.0).fetch_one(&mut *tx).await.during("confirm a sweep")?;
            let Some(seq) = seq else { return Ok(0) };
            let bound = version(seq + 1, 0);
            let doomed: (i64, i64) = sqlx::query_as(sql(SWEEP_SIZE))
                .bind(object.0)
                .bind(bound)
                .fetch_one(&mut *tx)
                .await
                .during("size a sweep")?;
            let last: i64 = sqlx::query_scalar(sql(reserve))
                .bind(integration)
                .bind(doomed.0)
                .fetch_one(&mut *tx)
                .await
                .during("reserve feed numbers")?;
            sqlx::query(sql(SWEEP))
                .bind(object.0)
                .bind(bound)
                .bind(last - doomed.0)
                .bind(Option::<i64>::None)
                .execute(&mut *tx)
                .await
                .during("sweep")?;
            sqlx::query(sql(SWEEP_PENDING))
                .bind(object.0)
                .bind(Option::<i64>::None)
                .execute(&mut *tx)
                .await
                .during("note a sweep")?;
            Ok(u64::try_from(doomed.0).unwrap_or(0))
        })
    }
}

/// Rows a sweep would delete, and all present rows.
const SWEEP_SIZE: super::sql::Sql = sql!(
    "SELECT COALESCE(SUM(CASE WHEN version < $2 THEN 1 ELSE 0 END), 0), COUNT(*)
     FROM interactions WHERE object_id = $1 AND state = 'present'"
);

const SWEEP_PENDING: super::sql::Sql = sql!("UPDATE objects SET pending_sweep_seq = $2 WHERE id = $1");

/// Deletes what the pass did not show. The version stays below every later page's, so that a record which comes back
/// lands; the hash is emptied for the same reason.
const SWEEP: super::sql::Sql = sql!(
    "UPDATE interactions SET state = 'deleted', content_hash = ",
    empty_bytes,
    ", changed_at = ",
    now,
    ",
            batch_id = COALESCE($4, interactions.batch_id), change_seq = $3 + gone.n
     FROM (SELECT external_id, row_number() OVER (ORDER BY external_id) AS n FROM interactions
           WHERE object_id = $1 AND state = 'present' AND version < $2) gone
     WHERE interactions.object_id = $1 AND interactions.external_id = gone.external_id"
);

/// The one statement where the databases part ways: the bulk upsert.
trait Upsert {
    async fn upsert(&mut self, landing: &Landing<'_>, base: i64) -> Result<Upserted, StoreError>;
}
