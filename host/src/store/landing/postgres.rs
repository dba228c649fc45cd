//! The bulk upsert on Postgres: one statement, columns as arrays.

use sqlx::PgConnection;

use super::super::error::During as _;
use super::{Landing, Upsert, Upserted};
use crate::store::StoreError;

const UPSERT: &str = "WITH up AS (
    INSERT INTO interactions AS x (object_id, integration_id, external_id, version, change_seq, state, merged_into,
        provider_version, provider_updated_at, data, content_hash, first_batch_id, batch_id, first_landed_at, changed_at)
    SELECT $1, $2, r.external_id, r.version, $3 + r.n, r.state, r.merged_into, r.provider_version,
           r.provider_updated_at, CAST(r.data AS JSONB), r.content_hash, r.batch, r.batch, c.now, c.now
    FROM UNNEST($4::TEXT[], $5::BIGINT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[], $10::TEXT[], $11::BYTEA[],
                $12::BIGINT[])
         WITH ORDINALITY AS r (external_id, version, state, merged_into, provider_version, provider_updated_at, data,
                               content_hash, batch, n),
         (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT AS now) c
    ON CONFLICT (object_id, external_id) DO UPDATE SET
        version = EXCLUDED.version,
        provider_version = EXCLUDED.provider_version,
        provider_updated_at = EXCLUDED.provider_updated_at,
        change_seq = CASE WHEN x.content_hash = EXCLUDED.content_hash THEN x.change_seq ELSE EXCLUDED.change_seq END,
        state = EXCLUDED.state,
        merged_into = EXCLUDED.merged_into,
        data = CASE WHEN x.content_hash = EXCLUDED.content_hash THEN x.data ELSE EXCLUDED.data END,
        content_hash = EXCLUDED.content_hash,
        batch_id = CASE WHEN x.content_hash = EXCLUDED.content_hash THEN x.batch_id ELSE EXCLUDED.batch_id END,
        changed_at = CASE WHEN x.content_hash = EXCLUDED.content_hash THEN x.changed_at ELSE EXCLUDED.changed_at END
    WHERE x.version < EXCLUDED.version
    RETURNING x.change_seq > $3 AS fresh, xmax = 0 AS inserted
)
SELECT COUNT(*) FILTER (WHERE inserted), COUNT(*) FILTER (WHERE fresh AND NOT inserted), COUNT(*) FILTER (WHERE NOT fresh)
FROM up";

impl Upsert for PgConnection {
    async fn upsert(&mut self, landing: &Landing<'_>, base: i64) -> Result<Upserted, StoreError> {
        let rows = &landing.rows;
        let (inserted, changed, unchanged): (i64, i64, i64) = sqlx::query_as(UPSERT)
            .bind(landing.object.0)
            .bind(landing.integration.0)
            .bind(base)
            .bind(rows.iter().map(|row| row.external_id).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.state).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.merged_into).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.provider_version).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.provider_updated_at).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.data).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.content_hash.as_slice()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.batch.0).collect::<Vec<_>>())
            .fetch_one(self)
            .await
            .during("upsert interactions")?;
        Ok(Upserted { inserted, changed, unchanged })
    }
}
