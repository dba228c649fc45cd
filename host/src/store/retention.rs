//! Forgetting what is long over: runs and batches, and records that could not land. What landed is kept.

use std::time::Duration;

use super::outbox::millis;
use super::sql::sql;
use super::{Store, StoreError, write};

impl Store {
    /// Removes up to `limit` each of rejected records, landed batches and ended runs that are older than `keep`. Answers
    /// with how many rows that were; the same again is cheap, so call it until it answers 0 or leave the rest for later.
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
        let mut removed = 0;
        for statement in [rejected, batches, runs] {
            removed += write!(self, "forget what is over", |tx, sql| {
                let done = sqlx::query(sql(statement))
                    .bind(millis(keep))
                    .bind(i64::from(limit))
                    .execute(&mut *tx)
                    .await
                    .during("forget what is over")?;
                Ok(done.rows_affected())
            })?;
        }
        Ok(removed)
    }
}
