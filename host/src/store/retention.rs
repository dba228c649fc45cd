//! Forgetting what is long over: runs with their recordings, batches, and records that could not land. What landed is
//! kept.

use std::time::Duration;

use super::outbox::millis;
use super::sql::sql;
use super::{Store, StoreError, write_one};

/// A recording holds a customer's data in bulk and is kept for somebody who waits for it: no longer than this.
const RECORDINGS: Duration = Duration::from_secs(7 * 86_400);

impl Store {
    /// Removes up to `limit` each of rejected records, landed batches and ended runs that are older than `keep`, and of
    /// parts of recordings that are older than that or a week. Answers with how many rows that were; the same again is
    /// cheap, so call it until it answers 0 or leave the rest for later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        let rejected = sql!(
            "DELETE FROM rejected WHERE batch_id IN (SELECT b.id FROM batches b WHERE b.state = 'landed' AND b.landed_at < ",
            now_once,
            " - $1 ORDER BY b.landed_at LIMIT $2)"
        );
        let batches = sql!(
            "DELETE FROM batches WHERE id IN (SELECT b.id FROM batches b WHERE b.state = 'landed' AND b.landed_at < ",
            now_once,
            " - $1 AND NOT EXISTS (SELECT 1 FROM rejected r WHERE r.batch_id = b.id) ORDER BY b.landed_at LIMIT $2)"
        );
        let runs = sql!(
            "DELETE FROM runs WHERE id IN (SELECT r.id FROM runs r WHERE r.finished_at < ",
            now_once,
            " - $1 AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.run_id = r.id) ORDER BY r.finished_at LIMIT $2)"
        );
        // A run takes its recording along.
        let recordings = sql!(
            "DELETE FROM recordings WHERE (run_id, part) IN (SELECT p.run_id, p.part FROM recordings p WHERE p.created_at < ",
            now_once,
            " - $1 ORDER BY p.created_at LIMIT $2)"
        );
        let mut removed = 0;
        let steps = [(recordings, keep.min(RECORDINGS)), (rejected, keep), (batches, keep), (runs, keep)];
        for (statement, keep) in steps {
            removed += write_one!(self, "forget what is over", |db, sql| {
                let done = sqlx::query(sql(statement))
                    .bind(millis(keep))
                    .bind(i64::from(limit))
                    .execute(db)
                    .await
                    .during("forget what is over")?;
                Ok(done.rows_affected())
            })?;
        }
        Ok(removed)
    }
}
