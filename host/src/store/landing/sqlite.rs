//! The bulk upsert on SQLite: multi-row statements of a few fixed sizes, so that each is written and prepared once.
//!
//! Nothing is returned row by row, because every row of an answer crosses a thread; what happened is counted by the feed
//! numbers afterwards, in one look at an index.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::super::error::During as _;
use super::{Landing, Upsert, Upserted};
use crate::store::StoreError;

/// Powers of two that a statement's number of rows can be: 1 to 256.
const SIZES: u32 = 9;

/// The statements, by the power of two.
static STATEMENTS: LazyLock<Vec<String>> = LazyLock::new(|| (0..SIZES).map(|power| statement(1 << power)).collect());

/// What is the same for all rows comes once. Placeholders have no numbers: SQLite looks numbered ones up one by one.
fn statement(rows: usize) -> String {
    let values: Vec<String> = (1..=rows).map(|n| format!("({n}, ?, ?, ?, ?, ?, ?, ?, ?, ?)")).collect();
    format!(
        "INSERT INTO interactions (change_seq, external_id, version, state, merged_into, provider_version,
             provider_updated_at, data, content_hash, first_batch_id, batch_id, object_id, integration_id,
             first_landed_at, changed_at)
         SELECT c.base + r.column1, r.column2, r.column3, r.column4, r.column5, r.column6, r.column7, r.column8,
                r.column9, r.column10, r.column10, c.object, c.integration, c.now, c.now
         FROM (VALUES {}) r, (SELECT ? AS object, ? AS integration, ? AS base, ? AS now) c WHERE TRUE
         ON CONFLICT (object_id, external_id) DO UPDATE SET
             version = excluded.version,
             provider_version = excluded.provider_version,
             provider_updated_at = excluded.provider_updated_at,
             change_seq = iif(content_hash = excluded.content_hash, change_seq, excluded.change_seq),
             state = excluded.state,
             merged_into = excluded.merged_into,
             data = iif(content_hash = excluded.content_hash, data, excluded.data),
             batch_id = iif(content_hash = excluded.content_hash, batch_id, excluded.batch_id),
             changed_at = iif(content_hash = excluded.content_hash, changed_at, excluded.changed_at),
             content_hash = excluded.content_hash
         WHERE version < excluded.version",
        values.join(", ")
    )
}

/// Rows with a new feed number, and those of them that were not there before.
const FRESH: &str = "SELECT COUNT(*), COALESCE(SUM(first_batch_id = batch_id), 0) FROM interactions
    WHERE integration_id = ? AND change_seq > ? AND change_seq <= ?";

impl Upsert for SqliteConnection {
    async fn upsert(&mut self, landing: &Landing<'_>, base: i64) -> Result<Upserted, StoreError> {
        let now: i64 = sqlx::query_scalar("SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)")
            .fetch_one(&mut *self)
            .await
            .during("upsert interactions")?;
        let mut rest = landing.rows.as_slice();
        let (mut next, mut written) = (base, 0);
        while !rest.is_empty() {
            let power = rest.len().ilog2().min(SIZES - 1);
            let (chunk, tail) = rest.split_at(1 << power);
            let mut query = sqlx::query(STATEMENTS.get(power as usize).map_or("", String::as_str));
            for row in chunk {
                query = query
                    .bind(row.external_id)
                    .bind(row.version)
                    .bind(row.state)
                    .bind(row.merged_into)
                    .bind(row.provider_version)
                    .bind(row.provider_updated_at)
                    .bind(row.data)
                    .bind(row.content_hash.as_slice())
                    .bind(row.batch.0);
            }
            query = query.bind(landing.object.0).bind(landing.integration.0).bind(next).bind(now);
            written += query.execute(&mut *self).await.during("upsert interactions")?.rows_affected();
            next += i64::try_from(chunk.len()).unwrap_or(0);
            rest = tail;
        }
        let (fresh, inserted): (i64, i64) = sqlx::query_as(FRESH)
            .bind(landing.integration.0)
            .bind(base)
            .bind(next)
            .fetch_one(&mut *self)
            .await
            .during("upsert interactions")?;
        let written = i64::try_from(written).unwrap_or(i64::MAX);
        Ok(Upserted { inserted, changed: fresh - inserted, unchanged: written - fresh })
    }
}
