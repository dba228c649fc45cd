//! Recordings of runs: asked for on an object, taken over by its next run, kept slice by slice, and forgotten soon.
//!
//! What is in a part is not known here: compressed text, written and read by `kit::cassette`.

use super::runs::{Fenced, Lease};
use super::sql::sql;
use super::{Store, StoreError, read, write, write_one};
use crate::domain::{ObjectId, RunId};

/// What one slice of a run leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingPart {
    /// Which of the run's claims it is of, from 1.
    pub part: i64,
    /// Bytes of the text before it was compressed.
    pub text_bytes: i64,
    /// The compressed text.
    pub payload: Vec<u8>,
}

impl Store {
    /// Asks for the object's next run to be recorded, or takes that back. A run that has begun is not recorded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_next(&self, object: ObjectId, wanted: bool) -> Result<(), StoreError> {
        let set = sql!("UPDATE objects SET record_next = $2 WHERE id = $1");
        write_one!(self, "ask for a recording", |db, sql| {
            sqlx::query(sql(set))
                .bind(object.0)
                .bind(i64::from(wanted))
                .execute(db)
                .await
                .during("ask for a recording")?;
            Ok(())
        })
    }

    /// Keeps a part. Where the parts of the run hold more than `most_bytes` of text together, the oldest make room: what
    /// somebody wants to see is mostly how a run ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_recording(
        &self,
        owner: &str,
        lease: Lease,
        part: &RecordingPart,
        most_bytes: i64,
    ) -> Result<Result<(), Fenced>, StoreError> {
        let insert = sql!(
            "INSERT INTO recordings (run_id, part, created_at, text_bytes, payload)
             SELECT $1, $2, ",
            now,
            ", $3, $4 FROM objects WHERE id = $5 AND epoch = $6 AND lease_owner = $7",
            lock
        );
        let make_room = sql!(
            "DELETE FROM recordings WHERE run_id = $1 AND part IN (
                SELECT part FROM (SELECT part, SUM(text_bytes) OVER (ORDER BY part DESC) AS newer FROM recordings
                                  WHERE run_id = $1) p WHERE newer > $2)"
        );
        write!(self, "keep a recording", |tx, sql| {
            let kept = sqlx::query(sql(insert))
                .bind(lease.run.0)
                .bind(part.part)
                .bind(part.text_bytes)
                .bind(&part.payload)
                .bind(lease.object.0)
                .bind(lease.epoch)
                .bind(owner)
                .execute(&mut *tx)
                .await
                .during("keep a recording")?;
            if kept.rows_affected() == 0 {
                return Ok(Err(Fenced));
            }
            sqlx::query(sql(make_room))
                .bind(lease.run.0)
                .bind(most_bytes)
                .execute(&mut *tx)
                .await
                .during("keep a recording")?;
            Ok(Ok(()))
        })
    }

    /// The parts of a run's recording, in order; none if it was not recorded or is forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording(&self, run: RunId) -> Result<Vec<RecordingPart>, StoreError> {
        let parts = sql!("SELECT part, text_bytes, payload FROM recordings WHERE run_id = $1 ORDER BY part");
        let rows: Vec<(i64, i64, Vec<u8>)> = read!(self, |db, sql| {
            sqlx::query_as(sql(parts)).bind(run.0).fetch_all(db).await.during("read a recording")
        })?;
        Ok(rows.into_iter().map(|(part, text_bytes, payload)| RecordingPart { part, text_bytes, payload }).collect())
    }
}
