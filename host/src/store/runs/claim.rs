//! Claiming a run: the one conditional update that makes a worker the owner of an object (invariant 2).

use std::time::Duration;

use super::Lease;
use crate::domain::{Cursor, CustomerId, DeleteMode, IntegrationId, ObjectId, RunId, SyncMode};
use crate::store::outbox::millis;
use crate::store::sql::sql;
use crate::store::{Store, StoreError, write, write_one};

/// A claimed run with everything that is needed to work on it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The lock.
    pub lease: Lease,
    /// Whose data it is.
    pub customer: CustomerId,
    /// The customer's name.
    pub customer_name: String,
    /// The integration.
    pub integration: IntegrationId,
    /// The integration's name.
    pub integration_name: String,
    /// Name of the connector.
    pub provider: String,
    /// The integration's configuration, JSON text.
    pub config: String,
    /// The auth scheme in use; empty if none.
    pub auth: String,
    /// What the integration is pinned to, as stored.
    pub pin: Option<String>,
    /// Digest an earlier slice of this run used.
    pub connector_digest: Option<String>,
    /// Milliseconds until the integration may be asked again; 0 if it may now.
    pub paused_for_ms: i64,
    /// The object's name.
    pub object_name: String,
    /// How it is read.
    pub mode: SyncMode,
    /// How deletes show.
    pub deletes: DeleteMode,
    /// Where to continue; none from the very beginning.
    pub cursor: Option<Cursor>,
    /// Where the current pass began.
    pub pass_seq: i64,
    /// Pages committed so far in the object's life.
    pub cursor_seq: i64,
    /// Whether it has ever been synced.
    pub synced: bool,
    /// Failures in a row before this run.
    pub fails: i64,
    /// Claims since the last sign of progress, this one included.
    pub attempts: i64,
    /// How many slices came before this one.
    pub slice: i64,
    /// Pages this run committed in earlier slices.
    pub pages: i64,
    /// Milliseconds since the run was first claimed.
    pub age_ms: i64,
    /// The database's clock at this claim, unix milliseconds.
    pub now_ms: i64,
    /// Claims of this run so far, this one included.
    pub claims: i64,
    /// Whether what passes the gate is to be recorded.
    pub recorded: bool,
}

#[derive(sqlx::FromRow)]
struct ClaimRow {
    customer_id: i64,
    customer_name: String,
    integration_id: i64,
    integration_name: String,
    provider: String,
    config: String,
    auth: String,
    pin: Option<String>,
    connector_digest: Option<String>,
    paused_for_ms: i64,
    object_name: String,
    mode: String,
    deletes: String,
    cursor: Option<String>,
    pass_seq: i64,
    cursor_seq: i64,
    synced_at: Option<i64>,
    fails: i64,
    slice: i64,
    pages: i64,
    now_ms: i64,
    claimed_at: i64,
    claims: i64,
    recorded: i64,
}

impl Store {
    /// Claims a dispatched run: bumps the object's epoch and takes the lease. `None` when there is nothing to claim: a
    /// duplicate of the message, a run that ended, is held by another worker, or waits for its time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(
        &self,
        run: RunId,
        object: ObjectId,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let lock = sql!(
            "UPDATE objects SET epoch = epoch + 1, attempts = attempts + 1, lease_owner = $3, lease_until = ",
            now,
            " + $4
             WHERE id = $1 AND active = 1 AND lease_until IS NULL
               AND EXISTS (SELECT 1 FROM runs r WHERE r.id = $2 AND r.object_id = $1 AND r.state = 'dispatched'
                           AND r.not_before <= ",
            now,
            ")
             RETURNING epoch, attempts, record_next"
        );
        // Asked once more, now that the object is locked: while this waited for the lock, the run may have been cancelled
        // and another dispatched, which the subquery above, being as old as its statement, does not see.
        let begin = sql!(
            "UPDATE runs SET state = 'running', claims = claims + 1, epoch = $2, host = $3,
                             claimed_at = COALESCE(claimed_at, ",
            now,
            ")
             WHERE id = $1 AND state = 'dispatched' AND not_before <= ",
            now_once
        );
        // A run that has begun is not recorded from its middle: the wish waits for the next one.
        let record = sql!("UPDATE runs SET recorded = 1 WHERE id = $1 AND claims = 1");
        let no_more = sql!("UPDATE objects SET record_next = 0 WHERE id = $1");
        let load =
            sql!(
            "SELECT c.id AS customer_id, c.name AS customer_name, i.id AS integration_id, i.name AS integration_name,
                    i.provider, ", text("i.config"), " AS config, i.auth, i.pin, r.connector_digest,
                    CASE WHEN i.paused_until > ", now, " THEN i.paused_until - ", now, " ELSE 0 END AS paused_for_ms,
                    o.name AS object_name, o.mode, o.deletes, o.cursor, o.pass_seq, o.cursor_seq, o.synced_at, o.fails,
                    r.slice, r.pages, ", now, " AS now_ms, r.claimed_at, r.claims, r.recorded
             FROM objects o JOIN integrations i ON i.id = o.integration_id JOIN customers c ON c.id = o.customer_id
             JOIN runs r ON r.id = $2 WHERE o.id = $1"
        );
        write!(self, "claim a run", |tx, sql| {
            let locked: Option<(i64, i64, i64)> = sqlx::query_as(sql(lock))
                .bind(object.0)
                .bind(run.0)
                .bind(owner)
                .bind(millis(lease))
                .fetch_optional(&mut *tx)
                .await
                .during("claim a run")?;
            let Some((epoch, attempts, record_next)) = locked else { return Ok(None) };
            let begun = sqlx::query(sql(begin))
                .bind(run.0)
                .bind(epoch)
                .bind(owner)
                .execute(&mut *tx)
                .await
                .during("claim a run")?;
            if begun.rows_affected() == 0 {
                return Ok(None);
            }
            if record_next == 1 {
                let taken = sqlx::query(sql(record)).bind(run.0).execute(&mut *tx).await.during("claim a run")?;
                if taken.rows_affected() == 1 {
                    sqlx::query(sql(no_more)).bind(object.0).execute(&mut *tx).await.during("claim a run")?;
                }
            }
            let row: ClaimRow =
                sqlx::query_as(sql(load)).bind(object.0).bind(run.0).fetch_one(&mut *tx).await.during("claim a run")?;
            let damaged = |detail| StoreError::Damaged { what: "object", detail };
            Ok(Some(Claim {
                lease: Lease { object, run, epoch },
                customer: CustomerId(row.customer_id),
                customer_name: row.customer_name,
                integration: IntegrationId(row.integration_id),
                integration_name: row.integration_name,
                provider: row.provider,
                config: row.config,
                auth: row.auth,
                pin: row.pin,
                connector_digest: row.connector_digest,
                paused_for_ms: row.paused_for_ms,
                object_name: row.object_name,
                mode: row.mode.parse().map_err(damaged)?,
                deletes: row.deletes.parse().map_err(damaged)?,
                cursor: row.cursor.map(Cursor),
                pass_seq: row.pass_seq,
                cursor_seq: row.cursor_seq,
                synced: row.synced_at.is_some(),
                fails: row.fails,
                attempts,
                slice: row.slice,
                pages: row.pages,
                age_ms: row.now_ms - row.claimed_at,
                now_ms: row.now_ms,
                claims: row.claims,
                recorded: row.recorded == 1,
            }))
        })
    }

    /// Notes which connector a run uses; later slices of it use the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_connector(&self, lease: Lease, version: &str, digest: &str) -> Result<(), StoreError> {
        // The sweep that takes a run back leaves its epoch until the next claim; its state tells.
        let note = sql!(
            "UPDATE runs SET connector_version = $3, connector_digest = $4
             WHERE id = $1 AND epoch = $2 AND state = 'running'"
        );
        write_one!(self, "note the connector", |db, sql| {
            sqlx::query(sql(note))
                .bind(lease.run.0)
                .bind(lease.epoch)
                .bind(version)
                .bind(digest)
                .execute(db)
                .await
                .during("note the connector")?;
            Ok(())
        })
    }
}
