//! A run's life in the database: claim, renew, commit pages, end. Every write is fenced by the epoch of the claim: zero
//! rows updated means that another worker owns the object, and nothing is written (invariant 1).

use std::time::Duration;

use super::error::During as _;
use super::outbox::millis;
use super::schedule::RING_RUNS;
use super::sql::{Sql, id_list, sql};
use super::{Backend, Store, StoreError, read, write};
use crate::domain::{Cursor, CustomerId, DeleteMode, IntegrationId, ObjectId, Outcome, RunId, SyncMode};

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
    age_ms: i64,
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
             RETURNING epoch, attempts"
        );
        let begin = sql!(
            "UPDATE runs SET state = 'running', claims = claims + 1, epoch = $2, host = $3,
                             claimed_at = COALESCE(claimed_at, ",
            now,
            ")
             WHERE id = $1"
        );
        let load =
            sql!(
            "SELECT c.id AS customer_id, c.name AS customer_name, i.id AS integration_id, i.name AS integration_name,
                    i.provider, ", text("i.config"), " AS config, i.auth, i.pin, r.connector_digest,
                    CASE WHEN i.paused_until > ", now, " THEN i.paused_until - ", now, " ELSE 0 END AS paused_for_ms,
                    o.name AS object_name, o.mode, o.deletes, o.cursor, o.pass_seq, o.cursor_seq, o.synced_at, o.fails,
                    r.slice, r.pages, ", now, " - r.claimed_at AS age_ms
             FROM objects o JOIN integrations i ON i.id = o.integration_id JOIN customers c ON c.id = o.customer_id
             JOIN runs r ON r.id = $2 WHERE o.id = $1"
        );
        write!(self, "claim a run", |tx, sql| {
            let locked: Option<(i64, i64)> = sqlx::query_as(sql(lock))
                .bind(object.0)
                .bind(run.0)
                .bind(owner)
                .bind(millis(lease))
                .fetch_optional(&mut *tx)
                .await
                .during("claim a run")?;
            let Some((epoch, attempts)) = locked else { return Ok(None) };
            sqlx::query(sql(begin))
                .bind(run.0)
                .bind(epoch)
                .bind(owner)
                .execute(&mut *tx)
                .await
                .during("claim a run")?;
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
                age_ms: row.age_ms,
            }))
        })
    }

    /// Notes which connector a run uses; later slices of it use the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_connector(&self, lease: Lease, version: &str, digest: &str) -> Result<(), StoreError> {
        let note = sql!("UPDATE runs SET connector_version = $3, connector_digest = $4 WHERE id = $1 AND epoch = $2");
        write!(self, "note the connector", |tx, sql| {
            sqlx::query(sql(note))
                .bind(lease.run.0)
                .bind(lease.epoch)
                .bind(version)
                .bind(digest)
                .execute(&mut *tx)
                .await
                .during("note the connector")?;
        });
        Ok(())
    }

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
        write!(self, "renew leases", |tx, sql| {
            let held: Vec<i64> = sqlx::query_scalar(sql(renew))
                .bind(owner)
                .bind(&pairs)
                .bind(millis(lease))
                .fetch_all(&mut *tx)
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
            Backend::Postgres(pool) => {
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
                let seq: Option<i64> = sqlx::query_scalar(COMMIT)
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
                    .fetch_optional(pool)
                    .await
                    .during("commit a page")?;
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
            "UPDATE objects SET active = 0, lease_owner = NULL, lease_until = NULL, attempts = 0, requested = 0,
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
        // The other objects of a rate-limited integration wait as well, without a run each to find out.
        let wait = sql!(
            "UPDATE objects SET due_at = ",
            now,
            " + $2 WHERE integration_id = $1 AND active = 0 AND due_at < ",
            now,
            " + $2"
        );
        let state = finish.outcome.state();
        let error = finish.outcome.error();
        let message = error.map(|(class, message)| format!("{class}: {message}"));
        write!(self, "finish a run", |tx, sql| {
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
                .bind(error.map(|(class, _)| class))
                .bind(error.map(|(_, message)| message))
                .bind(finish.requests)
                .bind(Some(finish.guest_log.as_str()).filter(|log| !log.is_empty()))
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
                    sqlx::query(sql(RING_RUNS)).bind(&run).execute(&mut *tx).await.during("give a run back")?;
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
