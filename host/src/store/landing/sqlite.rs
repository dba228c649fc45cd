//! The bulk upsert on SQLite: multi-row statements of a few fixed sizes, so that each is prepared once.

use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::super::error::During as _;
use super::{Landing, Row, Upsert, Upserted};
use crate::store::StoreError;

/// Rows of the largest statement; smaller ones are powers of two below it.
const CHUNK: usize = 256;

const INSERT: &str = "INSERT INTO interactions (object_id, integration_id, external_id, version, change_seq, state,
    merged_into, provider_version, provider_updated_at, data, content_hash, first_batch_id, batch_id, first_landed_at,
    changed_at) ";

const ON_CONFLICT: &str = " ON CONFLICT (object_id, external_id) DO UPDATE SET
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
    WHERE version < excluded.version
    RETURNING change_seq, first_batch_id = batch_id";

impl Upsert for SqliteConnection {
    async fn upsert(&mut self, landing: &Landing<'_>, base: i64) -> Result<Upserted, StoreError> {
        let now: i64 = sqlx::query_scalar("SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)")
            .fetch_one(&mut *self)
            .await
            .during("upsert interactions")?;
        let mut counts = Upserted::default();
        let mut rest = landing.rows.as_slice();
        let mut next = base;
        while !rest.is_empty() {
            let size = if rest.len() >= CHUNK { CHUNK } else { 1 << rest.len().ilog2() };
            let (chunk, tail) = rest.split_at(size.min(rest.len()));
            let mut statement = statement(landing, chunk, next, now);
            for row in statement.build().fetch_all(&mut *self).await.during("upsert interactions")? {
                let change_seq: i64 = row.try_get(0).during("upsert interactions")?;
                let first: bool = row.try_get(1).during("upsert interactions")?;
                match (change_seq > base, first) {
                    (true, true) => counts.inserted += 1,
                    (true, false) => counts.changed += 1,
                    (false, _) => counts.unchanged += 1,
                }
            }
            next += i64::try_from(chunk.len()).unwrap_or(0);
            rest = tail;
        }
        Ok(counts)
    }
}

fn statement(landing: &Landing<'_>, chunk: &[Row<'_>], base: i64, now: i64) -> QueryBuilder<Sqlite> {
    let mut statement = QueryBuilder::new(INSERT);
    statement.push_values(chunk.iter().zip(1_i64..), |mut values, (row, n)| {
        values
            .push_bind(landing.object.0)
            .push_bind(landing.integration.0)
            .push_bind(row.external_id.to_owned())
            .push_bind(row.version)
            .push_bind(base + n)
            .push_bind(row.state)
            .push_bind(row.merged_into.map(str::to_owned))
            .push_bind(row.provider_version.map(str::to_owned))
            .push_bind(row.provider_updated_at.map(str::to_owned))
            .push_bind(row.data.map(str::to_owned))
            .push_bind(row.content_hash.to_vec())
            .push_bind(row.batch.0)
            .push_bind(row.batch.0)
            .push_bind(now)
            .push_bind(now);
    });
    statement.push(ON_CONFLICT);
    statement
}
