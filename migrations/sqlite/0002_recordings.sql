-- Recorded runs: what passed the egress gate, slice by slice. Postgres's file of the same name holds the same tables and
-- columns; a test compares them. Hosts of the schema before do not see any of it, and record nothing.

-- 1 when a person asked for the next run to be recorded; the run's first claim takes it over.
ALTER TABLE objects ADD COLUMN record_next BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN recorded BIGINT NOT NULL DEFAULT 0;

CREATE TABLE recordings (
    run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    -- Which of the run's claims it is of, from 1.
    part BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    text_bytes BIGINT NOT NULL,
    -- The text of a cassette, gzip.
    payload BLOB NOT NULL,
    PRIMARY KEY (run_id, part)
);
