-- Postgres's file of the same name drops the key from runs to objects. Here it costs little, and to drop it would mean to write
-- the table anew: it stays.

SELECT 1;
