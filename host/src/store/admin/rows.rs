//! What the listings show, and the statements behind them.

use std::time::Duration;

use serde::Serialize;

use crate::domain::{CustomerId, ObjectType};
use crate::store::sql::{Sql, sql};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct CustomerRow {
    /// Its id.
    pub id: i64,
    /// Its short name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its interval in milliseconds, if one is set.
    pub interval_ms: Option<i64>,
    /// How many integrations it has.
    pub integrations: i64,
    /// How many objects they have.
    pub objects: i64,
}

pub(super) const CUSTOMERS: Sql = sql!(
    "SELECT c.id, c.name, c.title, c.interval_ms,
            (SELECT COUNT(*) FROM integrations i WHERE i.customer_id = c.id) AS integrations,
            (SELECT COUNT(*) FROM objects o WHERE o.customer_id = c.id) AS objects
     FROM customers c ORDER BY c.name"
);

/// An integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct IntegrationRow {
    /// Its id.
    pub id: i64,
    /// The customer's name.
    pub customer: String,
    /// Its name.
    pub name: String,
    /// Name of the connector.
    pub provider: String,
    /// Its configuration, JSON text.
    #[serde(serialize_with = "as_json")]
    pub config: String,
    /// The auth scheme in use.
    pub auth: String,
    /// A version or digest it stays on.
    pub pin: Option<String>,
    /// `active`, `paused`, `needs-auth`.
    pub state: String,
    /// Why it is not active.
    pub state_reason: Option<String>,
    /// Its interval in milliseconds, if one is set.
    pub interval_ms: Option<i64>,
    /// The provider asked for a pause until then, unix milliseconds; 0 if not.
    pub paused_until: i64,
    /// How many objects it has.
    pub objects: i64,
}

/// JSON text as what it says.
fn as_json<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(raw) => raw.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}

pub(super) const INTEGRATIONS: Sql = sql!(
    "SELECT i.id, c.name AS customer, i.name, i.provider, ",
    text("i.config"),
    " AS config, i.auth, i.pin, i.state,
            i.state_reason, i.interval_ms, i.paused_until,
            (SELECT COUNT(*) FROM objects o WHERE o.integration_id = i.id) AS objects
     FROM integrations i JOIN customers c ON c.id = i.customer_id ORDER BY c.name, i.name"
);

/// An integration to add.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// Whose it is.
    pub customer: CustomerId,
    /// Its name, unique for the customer.
    pub name: String,
    /// Name of the connector.
    pub provider: String,
    /// Its configuration: JSON text, valid by the connector's schema.
    pub config: String,
    /// The auth scheme to use; empty if none.
    pub auth: String,
    /// `sha256:...` or a version to stay on.
    pub pin: Option<String>,
    /// Its interval, if not inherited.
    pub interval: Option<Duration>,
    /// What it reads.
    pub objects: Vec<ObjectType>,
}

/// Which objects to list. Nothing set lists all.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// Of this customer.
    pub customer: Option<String>,
    /// Of integrations of this name.
    pub integration: Option<String>,
    /// Of this name.
    pub object: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Only those that an operator should look at: not active, failing, late, or waiting for a confirmation.
    pub unwell: bool,
}

/// Which runs to list. Nothing set but the limit lists the latest of all.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this customer.
    pub customer: Option<String>,
    /// Of integrations of this name.
    pub integration: Option<String>,
    /// Of objects of this name.
    pub object: Option<String>,
    /// In one of these states; none means in any.
    pub states: Vec<String>,
    /// Dispatched no longer ago than this.
    pub since: Option<Duration>,
    /// At most so many.
    pub limit: u32,
}

/// An integration object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ObjectRow {
    /// Its id.
    pub id: i64,
    /// The customer's name.
    pub customer: String,
    /// The integration's id.
    pub integration_id: i64,
    /// The integration's name.
    pub integration: String,
    /// Name of the connector.
    pub provider: String,
    /// Its name.
    pub object: String,
    /// Kind of data.
    pub interaction_type: String,
    /// `incremental` or `full`.
    pub mode: String,
    /// How deletes show.
    pub deletes: String,
    /// `active`, `paused`, `quarantined`, or the integration's state when that is not active.
    pub state: String,
    /// Why it is not active.
    pub state_reason: Option<String>,
    /// 1 while a run is dispatched or running.
    pub active: i64,
    /// The interval in force, milliseconds.
    pub effective_interval_ms: i64,
    /// When it is next due, unix milliseconds.
    pub due_at: i64,
    /// When it was last dispatched.
    pub dispatched_at: Option<i64>,
    /// When its last success ended.
    pub synced_at: Option<i64>,
    /// Failures in a row.
    pub fails: i64,
    /// How the last run ended.
    pub last_outcome: Option<String>,
    /// What went wrong in it.
    pub last_error: Option<String>,
    /// Where the next fetch continues.
    pub cursor: Option<String>,
    /// Pages committed.
    pub cursor_seq: i64,
    /// Pages landed.
    pub landed_seq: i64,
    /// Claims so far.
    pub epoch: i64,
    /// Set when a sweep waits for confirmation.
    pub pending_sweep_seq: Option<i64>,
    /// Who works on it.
    pub lease_owner: Option<String>,
    /// 1 when the next run is to be recorded.
    pub record_next: i64,
    /// The database's clock when this was read.
    pub now: i64,
}

pub(super) const OBJECTS: Sql = sql!(
    "SELECT o.id, c.name AS customer, i.id AS integration_id, i.name AS integration, i.provider, o.name AS object,
            o.interaction_type, o.mode, o.deletes,
            CASE WHEN o.state <> 'active' THEN o.state WHEN i.state <> 'active' THEN i.state ELSE 'active' END AS state,
            COALESCE(o.state_reason, i.state_reason) AS state_reason, o.active, o.effective_interval_ms, o.due_at,
            o.dispatched_at, o.synced_at, o.fails, o.last_outcome, o.last_error, o.cursor, o.cursor_seq, o.landed_seq,
            o.epoch, o.pending_sweep_seq, o.lease_owner, o.record_next, ",
    now,
    " AS now
     FROM objects o JOIN integrations i ON i.id = o.integration_id JOIN customers c ON c.id = o.customer_id
     WHERE ($1 IS NULL OR c.name = $1) AND ($2 IS NULL OR i.name = $2) AND ($3 IS NULL OR o.name = $3)
       AND ($5 = 0 OR o.state <> 'active' OR i.state <> 'active' OR o.fails > 0 OR o.pending_sweep_seq IS NOT NULL
            OR o.synced_at < ",
    now,
    " - 2 * o.effective_interval_ms - 300000)
     ORDER BY c.name, i.name, o.name LIMIT $4"
);

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct RunRow {
    /// Its id.
    pub id: i64,
    /// `customer/integration/object`.
    pub object: String,
    /// `schedule` or `manual`.
    pub trigger: String,
    /// Where it stands or how it ended.
    pub state: String,
    /// How often it was claimed.
    pub claims: i64,
    /// Who claimed it last.
    pub host: Option<String>,
    /// Version of the connector.
    pub connector_version: Option<String>,
    /// Digest of the connector.
    pub connector_digest: Option<String>,
    /// When it was dispatched, unix milliseconds.
    pub dispatched_at: i64,
    /// When it was first claimed.
    pub claimed_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// Pages committed.
    pub pages: i64,
    /// Interactions in them.
    pub interactions: i64,
    /// Requests made.
    pub requests: i64,
    /// Class of the error.
    pub error_class: Option<String>,
    /// The error for people.
    pub error_message: Option<String>,
    /// What the connector logged.
    pub guest_log: Option<String>,
    /// 1 if it is or was to be recorded.
    pub recorded: i64,
    /// Parts of its recording that are there: one for each slice that called the connector.
    pub recording_parts: i64,
}

pub(super) const RUNS: Sql = sql!(
    "SELECT r.id, c.name || '/' || i.name || '/' || o.name AS object, r.trigger, r.state, r.claims, r.host,
            r.connector_version, r.connector_digest, r.dispatched_at, r.claimed_at, r.finished_at, r.pages,
            r.interactions, r.requests, r.error_class, r.error_message, r.guest_log, r.recorded,
            CASE r.recorded WHEN 1 THEN (SELECT COUNT(*) FROM recordings p WHERE p.run_id = r.id) ELSE 0 END
                AS recording_parts
     FROM runs r JOIN objects o ON o.id = r.object_id JOIN integrations i ON i.id = o.integration_id
     JOIN customers c ON c.id = o.customer_id
     WHERE ($1 IS NULL OR r.id = $1) AND ($2 IS NULL OR c.name = $2) AND ($3 IS NULL OR i.name = $3)
       AND ($4 IS NULL OR o.name = $4) AND ($5 IS NULL OR r.state IN ",
    texts("$5"),
    ")
       AND ($6 IS NULL OR r.dispatched_at >= ",
    now,
    " - $6)
     ORDER BY r.id DESC LIMIT $7"
);

/// Adds objects from a JSON array of [`ObjectType`]s, or brings known ones up to date.
pub(super) const UPSERT_OBJECTS: Sql = Sql {
    postgres: "INSERT INTO objects (integration_id, customer_id, name, interaction_type, record_schema, mode, deletes,
            suggested_interval_ms, effective_interval_ms, held, due_at, created_at)
        SELECT i.id, i.customer_id, e->>'name', e->>'interaction_type', e->>'schema', e->>'mode', e->>'deletes',
               (e->>'default_interval_seconds')::BIGINT * 1000,
               COALESCE(i.interval_ms, c.interval_ms, (e->>'default_interval_seconds')::BIGINT * 1000, $3),
               CASE i.state WHEN 'active' THEN 0 ELSE 1 END, n.now, n.now
        FROM integrations i JOIN customers c ON c.id = i.customer_id, jsonb_array_elements(CAST($2 AS JSONB)) e,
             (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT AS now) n
        WHERE i.id = $1
        ON CONFLICT (integration_id, name) DO UPDATE SET interaction_type = EXCLUDED.interaction_type,
            record_schema = EXCLUDED.record_schema, mode = EXCLUDED.mode, deletes = EXCLUDED.deletes,
            suggested_interval_ms = EXCLUDED.suggested_interval_ms",
    sqlite: "INSERT INTO objects (integration_id, customer_id, name, interaction_type, record_schema, mode, deletes,
            suggested_interval_ms, effective_interval_ms, held, due_at, created_at)
        SELECT i.id, i.customer_id, value->>'name', value->>'interaction_type', value->>'schema', value->>'mode',
               value->>'deletes', (value->>'default_interval_seconds') * 1000,
               COALESCE(i.interval_ms, c.interval_ms, (value->>'default_interval_seconds') * 1000, $3),
               CASE i.state WHEN 'active' THEN 0 ELSE 1 END, n.now, n.now
        FROM integrations i JOIN customers c ON c.id = i.customer_id, json_each($2),
             (SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) AS now) n
        WHERE i.id = $1
        ON CONFLICT (integration_id, name) DO UPDATE SET interaction_type = excluded.interaction_type,
            record_schema = excluded.record_schema, mode = excluded.mode, deletes = excluded.deletes,
            suggested_interval_ms = excluded.suggested_interval_ms",
};

/// The JSON array that [`UPSERT_OBJECTS`] takes.
pub(super) fn object_list(objects: &[ObjectType]) -> String {
    serde_json::to_string(objects).unwrap_or_else(|_| "[]".to_owned())
}
