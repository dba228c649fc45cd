//! Statements in both dialects, written once.
//!
//! [`sql!`](crate::store::sql::sql) joins literals with the few words on which the databases differ:
//! `now` (the database's own clock, unix milliseconds), `now_once` (the same, read once per statement: what a column is
//! compared with, because Postgres searches no index for a value that may change from row to row), `skip_locked` (lock the rows found, pass over those of others),
//! `lock` (lock the rows found, wait for others), `json(n)` (a bound JSON text as the column's type), `text(expr)` (a JSON
//! column as text), `ids(n)` (the integers of a bound JSON array), `texts(n)` (its texts), `each(n)` (the keys and values of a bound JSON object),
//! `int(expr)` (an integer), `greatest` (the function that answers with the largest of its arguments), `empty_bytes`; and
//! where in the line of retrieve jobs new ones go, see `TURN` in `store::schedule`: `head` (whose turn it is),
//! `turn(customer)` (the place behind which the next job of a customer goes); and `put_off(n)`: how much later, in
//! milliseconds, the run of a due row of `objects` may begin, the throttle being the parameter `n`. That is nothing, but
//! after an outage: where a row could have been dispatched a whole interval ago, its share of the interval, or of ten
//! minutes if that is less. Multiples of the golden ratio are the shares, from row to row: as even as can be.
//! `object_bell` begins the statement that hangs a process job for all that objects have (`batches b`, `objects o`, a group for
//! each object); where in the line and from when on comes behind it.

/// One statement, for both databases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

macro_rules! sql {
    ($($part:tt $(($arg:tt))?),+ $(,)?) => {
        $crate::store::sql::Sql {
            postgres: concat!($($crate::store::sql::part!(postgres $part $(($arg))?)),+),
            sqlite: concat!($($crate::store::sql::part!(sqlite $part $(($arg))?)),+),
        }
    };
}

macro_rules! part {
    ($dialect:ident $text:literal) => {
        $text
    };
    (postgres now) => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
    };
    (sqlite now) => {
        "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
    };
    (postgres now_once) => {
        "(SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)"
    };
    (sqlite now_once) => {
        "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
    };
    // No key changes, ever: rows that foreign keys point at are free for those who only point at them.
    (postgres skip_locked) => {
        " FOR NO KEY UPDATE SKIP LOCKED"
    };
    (sqlite skip_locked) => {
        ""
    };
    (postgres lock) => {
        " FOR NO KEY UPDATE"
    };
    (sqlite lock) => {
        ""
    };
    (postgres empty_bytes) => {
        "''::BYTEA"
    };
    (sqlite empty_bytes) => {
        "X''"
    };
    (postgres json($n:literal)) => {
        concat!("CAST(", $n, " AS JSONB)")
    };
    (sqlite json($n:literal)) => {
        $n
    };
    (postgres text($column:literal)) => {
        concat!($column, "::TEXT")
    };
    (sqlite text($column:literal)) => {
        $column
    };
    (postgres ids($n:literal)) => {
        concat!("(SELECT value::BIGINT FROM jsonb_array_elements_text(CAST(", $n, " AS JSONB)))")
    };
    (postgres texts($n:literal)) => {
        concat!("(SELECT value FROM jsonb_array_elements_text(CAST(", $n, " AS JSONB)))")
    };
    (sqlite texts($n:literal)) => {
        concat!("(SELECT value FROM json_each(", $n, "))")
    };
    (postgres each($n:literal)) => {
        concat!("jsonb_each_text(CAST(", $n, " AS JSONB))")
    };
    (sqlite each($n:literal)) => {
        concat!("json_each(", $n, ")")
    };
    (postgres int($expr:literal)) => {
        concat!("CAST(", $expr, " AS BIGINT)")
    };
    (sqlite int($expr:literal)) => {
        concat!("CAST(", $expr, " AS INTEGER)")
    };
    (postgres greatest) => {
        "GREATEST"
    };
    (sqlite greatest) => {
        "MAX"
    };
    ($dialect:ident head) => {
        concat!(
            "COALESCE((SELECT q.order_key FROM outbox q WHERE q.queue = 'retrieve' AND q.available_at <= ",
            $crate::store::sql::part!($dialect now_once),
            " ORDER BY q.order_key LIMIT 1), ",
            $crate::store::sql::part!($dialect greatest),
            "(COALESCE((SELECT MAX(q.order_key) FROM outbox q WHERE q.queue = 'retrieve'), 0), ",
            $crate::store::sql::part!($dialect now),
            "))"
        )
    };
    ($dialect:ident turn($customer:literal)) => {
        concat!(
            $crate::store::sql::part!($dialect greatest),
            "((SELECT ",
            $crate::store::sql::part!($dialect head),
            "), COALESCE((SELECT MAX(q.order_key) FROM outbox q WHERE q.queue = 'retrieve' AND q.customer_id = ",
            $customer,
            "), 0))"
        )
    };
    ($dialect:ident object_bell) => {
        "INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
         SELECT 'process', 'o' || b.object_id,
                '{\"v\":1,\"kind\":\"process\",\"batch\":' || MAX(b.id) || ',\"object\":' || b.object_id || '}',
                MAX(o.customer_id), "
    };
    (sqlite ids($n:literal)) => {
        concat!("(SELECT value FROM json_each(", $n, "))")
    };
    (postgres least) => {
        "LEAST"
    };
    (sqlite least) => {
        "MIN"
    };
    ($dialect:ident put_off($throttle:literal)) => {
        concat!(
            "CASE WHEN requested = 0 AND synced_at IS NOT NULL AND due_at + effective_interval_ms < ",
            $crate::store::sql::part!($dialect now_once),
            " AND dispatched_at + effective_interval_ms + ",
            $throttle,
            " < ",
            $crate::store::sql::part!($dialect now_once),
            " THEN id % 65536 * 40503 % 65536 * ",
            $crate::store::sql::part!($dialect least),
            "(effective_interval_ms, 600000) / 65536 ELSE 0 END"
        )
    };
}

pub(crate) use {part, sql};

/// The JSON array that `ids(n)` takes.
pub(crate) fn id_list(ids: impl IntoIterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_statement_differs_only_where_it_says_so() {
        let statement = sql!("UPDATE t SET at = ", now, " WHERE id IN ", ids("$1"), skip_locked);
        assert_eq!(
            statement.sqlite,
            "UPDATE t SET at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) WHERE id IN (SELECT value FROM json_each($1))"
        );
        assert!(statement.postgres.ends_with("CAST($1 AS JSONB))) FOR NO KEY UPDATE SKIP LOCKED"));
        assert_eq!(super::id_list([1, 2]), "[1,2]");
    }
}
