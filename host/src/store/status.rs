//! Numbers for operators: how many objects are how healthy, what waits, what landed.

use serde::Serialize;

use super::sql::sql;
use super::{Store, StoreError, read};

/// The state of the whole, counted in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Overview {
    /// Customers.
    pub customers: i64,
    /// Integrations.
    pub integrations: i64,
    /// Integrations that wait for credentials or configuration.
    pub needs_auth: i64,
    /// Integrations that the provider asked to pause.
    pub rate_limited: i64,
    /// Integration objects.
    pub objects: i64,
    /// Objects that never had a success.
    pub never_synced: i64,
    /// Objects whose last success is older than two intervals and five minutes.
    pub late: i64,
    /// Objects whose last run failed.
    pub failing: i64,
    /// Objects paused, themselves or with their integration.
    pub paused: i64,
    /// Objects in quarantine.
    pub quarantined: i64,
    /// Runs dispatched and not yet claimed.
    pub dispatched: i64,
    /// Runs being worked on.
    pub running: i64,
    /// Batches committed and not yet landed.
    pub unlanded_batches: i64,
    /// Their bytes.
    pub unlanded_bytes: i64,
    /// Messages in the outbox.
    pub outbox: i64,
    /// Records that could not land.
    pub rejected: i64,
}

impl Store {
    /// Counts everything an operator wants to see at a glance.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn overview(&self) -> Result<Overview, StoreError> {
        let count = sql!(
            "SELECT (SELECT COUNT(*) FROM customers) AS customers,
                    (SELECT COUNT(*) FROM integrations) AS integrations,
                    (SELECT COUNT(*) FROM integrations WHERE state = 'needs-auth') AS needs_auth,
                    (SELECT COUNT(*) FROM integrations WHERE paused_until > ",
            now,
            ") AS rate_limited,
                    COUNT(*) AS objects,
                    COALESCE(SUM(CASE WHEN synced_at IS NULL THEN 1 ELSE 0 END), 0) AS never_synced,
                    COALESCE(SUM(CASE WHEN synced_at < ",
            now,
            " - 2 * effective_interval_ms - 300000
                                       AND state = 'active' AND held = 0 THEN 1 ELSE 0 END), 0) AS late,
                    COALESCE(SUM(CASE WHEN fails > 0 THEN 1 ELSE 0 END), 0) AS failing,
                    COALESCE(SUM(CASE WHEN state = 'paused' OR held = 1 THEN 1 ELSE 0 END), 0) AS paused,
                    COALESCE(SUM(CASE WHEN state = 'quarantined' THEN 1 ELSE 0 END), 0) AS quarantined,
                    (SELECT COUNT(*) FROM runs WHERE state = 'dispatched') AS dispatched,
                    (SELECT COUNT(*) FROM runs WHERE state = 'running') AS running,
                    (SELECT COUNT(*) FROM batches WHERE state = 'committed') AS unlanded_batches,
                    (SELECT CAST(COALESCE(SUM(payload_bytes), 0) AS BIGINT) FROM batches WHERE state = 'committed')
                        AS unlanded_bytes,
                    (SELECT COUNT(*) FROM outbox) AS outbox,
                    (SELECT COUNT(*) FROM rejected) AS rejected
             FROM objects"
        );
        read!(self, |db, sql| sqlx::query_as(sql(count)).fetch_one(db).await.during("read the overview"))
    }
}
