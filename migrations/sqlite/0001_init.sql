-- The first schema. Times are unix milliseconds by the database's clock. Postgres's file of the same name holds the same
-- tables and columns; a test compares them.

CREATE TABLE customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    interval_ms BIGINT,
    created_at BIGINT NOT NULL
);

CREATE TABLE integrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id BIGINT NOT NULL REFERENCES customers (id),
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    config TEXT NOT NULL,
    auth TEXT NOT NULL,
    -- A digest (sha256:...) or a version that this integration stays on; null follows the newest.
    pin TEXT,
    -- active, paused, needs-auth
    state TEXT NOT NULL DEFAULT 'active',
    state_reason TEXT,
    interval_ms BIGINT,
    -- No request of this integration leaves before this time: the provider's Retry-After.
    paused_until BIGINT NOT NULL DEFAULT 0,
    credentials_version BIGINT NOT NULL DEFAULT 0,
    refresh_until BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    UNIQUE (customer_id, name)
);

CREATE TABLE credentials (
    integration_id BIGINT NOT NULL REFERENCES integrations (id),
    field TEXT NOT NULL,
    key_version BIGINT NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (integration_id, field)
);

-- Integration objects: the unit of scheduling, and the lock (epoch and lease).
CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id BIGINT NOT NULL REFERENCES integrations (id),
    customer_id BIGINT NOT NULL REFERENCES customers (id),
    name TEXT NOT NULL,
    interaction_type TEXT NOT NULL,
    record_schema TEXT NOT NULL,
    mode TEXT NOT NULL,
    deletes TEXT NOT NULL,
    suggested_interval_ms BIGINT,
    interval_ms BIGINT,
    effective_interval_ms BIGINT NOT NULL,
    -- active, paused, quarantined
    state TEXT NOT NULL DEFAULT 'active',
    state_reason TEXT,
    -- 1 while the integration is not active: keeps the due index to what may run.
    held BIGINT NOT NULL DEFAULT 0,
    -- 1 while a run of it is dispatched or running.
    active BIGINT NOT NULL DEFAULT 0,
    -- 1 when a person asked for the next run.
    requested BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    dispatched_at BIGINT,
    synced_at BIGINT,
    fails BIGINT NOT NULL DEFAULT 0,
    last_outcome TEXT,
    last_error TEXT,
    cursor TEXT,
    cursor_seq BIGINT NOT NULL DEFAULT 0,
    landed_seq BIGINT NOT NULL DEFAULT 0,
    -- cursor_seq before the first page of the pass that is going on.
    pass_seq BIGINT NOT NULL DEFAULT 0,
    -- A sweep that the guard refused: delete what no page since this seq has shown.
    pending_sweep_seq BIGINT,
    epoch BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until BIGINT,
    -- Claims since the last sign of progress, written before the run starts.
    attempts BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    UNIQUE (integration_id, name)
);
CREATE INDEX objects_due ON objects (due_at) WHERE active = 0 AND state = 'active' AND held = 0;
CREATE INDEX objects_lease ON objects (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    object_id BIGINT NOT NULL REFERENCES objects (id),
    window_start BIGINT NOT NULL,
    -- schedule, manual
    trigger TEXT NOT NULL,
    -- dispatched, running, then one of succeeded, partial, rate-limited, needs-auth, forbidden, failed, cancelled,
    -- quarantined
    state TEXT NOT NULL,
    epoch BIGINT,
    slice BIGINT NOT NULL DEFAULT 0,
    claims BIGINT NOT NULL DEFAULT 0,
    host TEXT,
    connector_version TEXT,
    connector_digest TEXT,
    dispatched_at BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    claimed_at BIGINT,
    finished_at BIGINT,
    pages BIGINT NOT NULL DEFAULT 0,
    interactions BIGINT NOT NULL DEFAULT 0,
    requests BIGINT NOT NULL DEFAULT 0,
    error_class TEXT,
    error_message TEXT,
    guest_log TEXT,
    UNIQUE (object_id, window_start)
);
CREATE UNIQUE INDEX runs_active ON runs (object_id) WHERE state IN ('dispatched', 'running');
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX runs_unclaimed ON runs (sent_at) WHERE state = 'dispatched';

CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    object_id BIGINT NOT NULL REFERENCES objects (id),
    run_id BIGINT NOT NULL REFERENCES runs (id),
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    -- committed, landed
    state TEXT NOT NULL,
    records BIGINT NOT NULL,
    -- Null once landed.
    payload BLOB,
    payload_bytes BIGINT NOT NULL,
    -- Set on the batch that ends a complete pass of an object whose deletes show by absence.
    sweep_seq BIGINT,
    committed_at BIGINT NOT NULL,
    landed_at BIGINT,
    UNIQUE (object_id, seq)
);
CREATE INDEX batches_run ON batches (run_id);
CREATE INDEX batches_landed ON batches (landed_at) WHERE state = 'landed';
CREATE INDEX batches_unlanded ON batches (object_id, seq) WHERE state = 'committed';

-- The outbox, which is also the embedded queue.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    dedup TEXT NOT NULL,
    body TEXT NOT NULL,
    customer_id BIGINT NOT NULL,
    -- Virtual time: smaller goes first. Gives customers turns.
    order_key BIGINT NOT NULL,
    available_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    UNIQUE (queue, dedup)
);
CREATE INDEX outbox_order ON outbox (queue, order_key, id);

-- What landed.
CREATE TABLE interactions (
    object_id BIGINT NOT NULL REFERENCES objects (id),
    external_id TEXT NOT NULL,
    integration_id BIGINT NOT NULL,
    -- (seq of the page, index in the page) as one number; only ever grows.
    version BIGINT NOT NULL,
    -- Position in the integration's change feed.
    change_seq BIGINT NOT NULL,
    -- present, deleted, merged
    state TEXT NOT NULL,
    merged_into TEXT,
    provider_version TEXT,
    provider_updated_at TEXT,
    data TEXT,
    content_hash BLOB NOT NULL,
    first_batch_id BIGINT NOT NULL,
    batch_id BIGINT NOT NULL,
    first_landed_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (object_id, external_id)
);
CREATE INDEX interactions_feed ON interactions (integration_id, change_seq);

CREATE TABLE feeds (
    integration_id BIGINT PRIMARY KEY REFERENCES integrations (id),
    last_seq BIGINT NOT NULL
);

-- Records that could not land, with the reason.
CREATE TABLE rejected (
    batch_id BIGINT NOT NULL REFERENCES batches (id),
    position BIGINT NOT NULL,
    object_id BIGINT NOT NULL REFERENCES objects (id),
    external_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    data TEXT NOT NULL,
    rejected_at BIGINT NOT NULL,
    PRIMARY KEY (batch_id, position)
);
CREATE INDEX rejected_object ON rejected (object_id);

-- For people: glossary names, real timestamps.
CREATE VIEW integration_objects AS
SELECT
    o.id, c.name AS customer, i.name AS integration, i.provider, o.name AS object, o.interaction_type, o.mode,
    CASE WHEN o.state <> 'active' THEN o.state WHEN i.state <> 'active' THEN i.state ELSE 'active' END AS state,
    COALESCE(o.state_reason, i.state_reason) AS state_reason,
    o.effective_interval_ms / 60000.0 AS interval_minutes,
    strftime('%Y-%m-%dT%H:%M:%fZ', o.synced_at / 1000.0, 'unixepoch') AS synced_at, strftime('%Y-%m-%dT%H:%M:%fZ', o.due_at / 1000.0, 'unixepoch') AS due_at,
    o.last_outcome, o.last_error, o.fails AS failures, o.cursor_seq AS fetched_pages, o.landed_seq AS landed_pages
FROM objects o JOIN integrations i ON i.id = o.integration_id JOIN customers c ON c.id = o.customer_id;

CREATE VIEW landed_interactions AS
SELECT
    c.name AS customer, i.name AS integration, i.provider, o.name AS object, o.interaction_type, x.external_id AS id,
    x.state, x.merged_into, x.provider_version, x.provider_updated_at, x.data, x.change_seq,
    strftime('%Y-%m-%dT%H:%M:%fZ', x.first_landed_at / 1000.0, 'unixepoch') AS first_landed_at, strftime('%Y-%m-%dT%H:%M:%fZ', x.changed_at / 1000.0, 'unixepoch') AS changed_at,
    b.run_id, x.batch_id
FROM interactions x JOIN objects o ON o.id = x.object_id JOIN integrations i ON i.id = x.integration_id
JOIN customers c ON c.id = i.customer_id LEFT JOIN batches b ON b.id = x.batch_id;

CREATE VIEW run_history AS
SELECT
    r.id, c.name AS customer, i.name AS integration, o.name AS object, r.trigger, r.state, r.claims, r.pages,
    r.interactions, r.requests, r.error_class, r.error_message, r.connector_version, r.connector_digest, r.host,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.dispatched_at / 1000.0, 'unixepoch') AS dispatched_at, strftime('%Y-%m-%dT%H:%M:%fZ', r.claimed_at / 1000.0, 'unixepoch') AS claimed_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.finished_at / 1000.0, 'unixepoch') AS finished_at
FROM runs r JOIN objects o ON o.id = r.object_id JOIN integrations i ON i.id = o.integration_id
JOIN customers c ON c.id = o.customer_id;
