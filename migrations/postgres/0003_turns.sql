-- The last place in line that a customer has: new work of it goes behind that. SQLite's file of the same name holds the
-- same index; a test compares them.

CREATE INDEX outbox_turns ON outbox (customer_id, order_key) WHERE queue = 'retrieve';
