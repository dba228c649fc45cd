//! The outbox: messages that a transaction made true, waiting to be sent on or, with the embedded queue, received.
//!
//! A row is identified by its dedup key, so a doorbell that already hangs there is not hung twice. Rows are taken in
//! the order of their virtual time, which gives customers turns.

use std::time::Duration;

use super::sql::sql;
use super::{Store, StoreError, read, write_one};
use crate::queue::QueueName;

/// A row taken from the outbox.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OutboxRow {
    /// Its id.
    pub id: i64,
    /// Identity of the message.
    pub dedup: String,
    /// The message.
    pub body: String,
    /// Whose work it is.
    pub customer_id: i64,
    /// How often it has been taken, this time included.
    pub attempts: i64,
}

impl Store {
    /// Takes up to `max` rows and hides them from other takers for `visibility`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_outbox(
        &self,
        queue: QueueName,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let take = sql!(
            "WITH next AS MATERIALIZED (
                SELECT id FROM outbox WHERE queue = $1 AND available_at <= ",
            now_once,
            "
                ORDER BY order_key, id LIMIT $2",
            skip_locked,
            ")
             UPDATE outbox SET attempts = attempts + 1, available_at = ",
            now,
            " + $3 WHERE id IN (SELECT id FROM next)
             RETURNING id, dedup, body, customer_id, attempts, order_key"
        );
        // Materialized: a subquery that is run again for each row would take more than was asked for.
        #[derive(sqlx::FromRow)]
        struct Taken {
            #[sqlx(flatten)]
            row: OutboxRow,
            order_key: i64,
        }
        let mut taken: Vec<Taken> = write_one!(self, "take from the outbox", |db, sql| {
            let taken = sqlx::query_as(sql(take))
                .bind(queue.as_str())
                .bind(i64::try_from(max).unwrap_or(i64::MAX))
                .bind(millis(visibility))
                .fetch_all(db)
                .await
                .during("take from the outbox")?;
            Ok(taken)
        })?;
        taken.sort_by_key(|taken| (taken.order_key, taken.row.id));
        Ok(taken.into_iter().map(|taken| taken.row).collect())
    }

    /// Removes rows that are done with. `taken` holds ids with the attempt they were taken at: a row that was hung
    /// again meanwhile has been taken once less or more, and stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_outbox(&self, taken: &[(i64, i64)]) -> Result<(), StoreError> {
        if taken.is_empty() {
            return Ok(());
        }
        let delete = super::sql::Sql {
            postgres: "DELETE FROM outbox o USING (SELECT (e->>0)::BIGINT AS id, (e->>1)::BIGINT AS attempts
                FROM jsonb_array_elements(CAST($1 AS JSONB)) e) t WHERE o.id = t.id AND o.attempts = t.attempts",
            sqlite: "DELETE FROM outbox WHERE (id, attempts) IN
                (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($1))",
        };
        let pairs = serde_json::to_string(taken).unwrap_or_default();
        write_one!(self, "delete from the outbox", |db, sql| {
            sqlx::query(sql(delete)).bind(&pairs).execute(db).await.during("delete from the outbox")?;
            Ok(())
        })
    }

    /// Messages ready, and messages hidden or not yet due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_depth(&self, queue: QueueName) -> Result<(u64, u64), StoreError> {
        let depth = sql!(
            "SELECT COALESCE(SUM(CASE WHEN available_at <= ",
            now,
            " THEN 1 ELSE 0 END), 0), COUNT(*)
             FROM outbox WHERE queue = $1"
        );
        let (ready, all): (i64, i64) = read!(self, |db, sql| {
            sqlx::query_as(sql(depth)).bind(queue.as_str()).fetch_one(db).await.during("read the outbox's depth")
        })?;
        Ok((u64::try_from(ready).unwrap_or(0), u64::try_from(all - ready).unwrap_or(0)))
    }
}

/// A duration as the store counts it.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
