//! The few queries the connector asks.
//!
//! Objects and fields are names that [`objects::is_name`](crate::objects::is_name) has passed; ids come from the
//! provider and are quoted here.

use crate::stamp;

/// Where a span of stamps begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lower {
    /// Rows of that second included.
    From(u64),
    /// Rows of that second are read already.
    After(u64),
}

impl Lower {
    /// The first second of the span.
    pub(crate) fn first(self) -> u64 {
        match self {
            Self::From(second) => second,
            Self::After(second) => second.saturating_add(1),
        }
    }
}

/// Counts every row; the answer carries it as `totalSize` and no records.
pub(crate) fn count(object: &str) -> String {
    format!("SELECT COUNT() FROM {object}")
}

/// Every row, for a bulk job: no order and no limit, since either switches off the parallel execution of the job.
pub(crate) fn everything(fields: &str, object: &str) -> String {
    format!("SELECT {fields} FROM {object}")
}

/// The rest of the rows of one second, from an id on.
pub(crate) fn ties(fields: &str, object: &str, second: u64, from_id: &str, limit: u32) -> String {
    format!(
        "SELECT {fields} FROM {object} WHERE SystemModstamp = {} AND Id >= {} ORDER BY Id LIMIT {limit}",
        stamp::format(second),
        literal(from_id),
    )
}

/// Rows by (stamp, id), up to and including `upper` if there is one.
pub(crate) fn span(fields: &str, object: &str, lower: Lower, upper: Option<u64>, limit: u32) -> String {
    let lower = match lower {
        Lower::From(second) => format!(">= {}", stamp::format(second)),
        Lower::After(second) => format!("> {}", stamp::format(second)),
    };
    let upper = upper.map(|second| format!(" AND SystemModstamp <= {}", stamp::format(second))).unwrap_or_default();
    format!(
        "SELECT {fields} FROM {object} WHERE SystemModstamp {lower}{upper} ORDER BY SystemModstamp, Id LIMIT {limit}"
    )
}

/// A string literal. What is between its quotes can end it only by a quote, and escape only by a backslash.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_772_360_430;

    #[test]
    fn a_quote_in_an_id_cannot_leave_its_literal() {
        assert_eq!(literal("001' OR Name != '"), r"'001\' OR Name != \''");
        assert_eq!(literal("a\\"), r"'a\\'");
        assert_eq!(literal("a\nb"), r"'a\nb'");
    }

    #[test]
    fn the_ties_of_a_second_are_read_by_id() {
        assert_eq!(
            ties("Id,Name", "Account", T, "001Ab00000Qw3rtIAB", 2_000),
            "SELECT Id,Name FROM Account WHERE SystemModstamp = 2026-03-01T10:20:30.000Z AND Id >= '001Ab00000Qw3rtIAB' \
             ORDER BY Id LIMIT 2000"
        );
    }

    #[test]
    fn a_span_is_closed_above_and_ordered_by_stamp_then_id() {
        assert_eq!(
            span("Id", "Task", Lower::After(T), Some(T + 60), 10),
            "SELECT Id FROM Task WHERE SystemModstamp > 2026-03-01T10:20:30.000Z AND SystemModstamp <= \
             2026-03-01T10:21:30.000Z ORDER BY SystemModstamp, Id LIMIT 10"
        );
        assert_eq!(
            span("Id", "Task", Lower::From(T), None, 10),
            "SELECT Id FROM Task WHERE SystemModstamp >= 2026-03-01T10:20:30.000Z ORDER BY SystemModstamp, Id LIMIT 10"
        );
    }
}
