-- Only the dispatch makes runs, of objects whose rows it holds locked, and no statement removes an object: the key looked each
-- of them up once more, an eighth of a tick with a thousand due. SQLite's file of the same name keeps it.

ALTER TABLE runs DROP CONSTRAINT runs_object_id_fkey;
