-- What waits for landing is summed up before every page: from the index alone, because a row holds its bytes behind the
-- payload. Postgres's file of the same name holds the same index; a test compares them.

DROP INDEX batches_unlanded;
CREATE INDEX batches_unlanded ON batches (object_id, seq, payload_bytes) WHERE state = 'committed';
