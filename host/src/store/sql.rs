//! Statements in both dialects, written once.
//!
//! [`sql!`](crate::store::sql::sql) joins literals with the few words on which the databases differ:
//! `now` (the database's own clock, unix milliseconds), `once(now)` (the same, read once for the statement: an index can
//! be searched with it, where a clock that moves from row to row makes Postgres read the whole index), `skip_locked` (lock the rows found, pass over those of others),
//! `lock` (lock the rows found, wait for others), `json(n)` (a bound JSON text as the column's type), `text(expr)` (a JSON
//! column as text), `ids(n)` (the integers of a bound JSON array), `each(n)` (the keys and values of a bound JSON object),
//! `int(expr)` (an integer), `empty_bytes`.

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
    (postgres once(now)) => {
        "(SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)"
    };
    (sqlite once(now)) => {
        "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
    };
    (postgres skip_locked) => {
        " FOR UPDATE SKIP LOCKED"
    };
    (postgres skip_locked($of:literal)) => {
        concat!(" FOR UPDATE OF ", $of, " SKIP LOCKED")
    };
    (sqlite skip_locked $(($of:literal))?) => {
        ""
    };
    (postgres lock) => {
        " FOR UPDATE"
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
    (sqlite ids($n:literal)) => {
        concat!("(SELECT value FROM json_each(", $n, "))")
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
        assert!(statement.postgres.ends_with("CAST($1 AS JSONB))) FOR UPDATE SKIP LOCKED"));
        assert_eq!(super::id_list([1, 2]), "[1,2]");
    }
}
