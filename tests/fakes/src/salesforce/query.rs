//! Runs a query on a table.
//!
//! Without ORDER BY the rows come in an order that means nothing, always the same for one data set.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    fields::{Column, deleted},
    soql::{Expr, Literal, Operator, Query},
};
use crate::{
    content::{id, mix, seq},
    dataset::{Record, Table},
};

/// The rows of a query as they are at this time; `all` includes the bin.
pub fn run<'a>(query: &Query, table: &'a Table, all: bool, now: i64) -> Vec<&'a Record> {
    let filter = query.filter.as_ref();
    let mut rows: Vec<&Record> = table
        .views(now)
        .filter(|record| all || !deleted(table, record))
        .filter(|record| filter.is_none_or(|expr| fits(expr, table, record)))
        .collect();
    let limit = query.limit.unwrap_or(usize::MAX);
    if query.columns.is_empty() {
        rows.truncate(limit);
        return rows;
    }
    let shuffled = |record: &Record| mix(&[table.seed, 77, u64::from(record.seq)]);
    if query.order.is_empty() {
        rows.sort_by_cached_key(|record| shuffled(record));
        rows.truncate(limit);
        return rows;
    }
    let by = |a: &&Record, b: &&Record| {
        let order = query.order.iter().map(|(column, down)| {
            let order = compare(*column, table, a, b);
            if *down { order.reverse() } else { order }
        });
        order.fold(Ordering::Equal, Ordering::then).then_with(|| shuffled(a).cmp(&shuffled(b)))
    };
    // Most pages are a small part of what fits: only that part is sorted.
    if limit < rows.len() {
        rows.select_nth_unstable_by(limit, by);
        rows.truncate(limit);
    }
    rows.sort_unstable_by(by);
    rows
}

fn compare(column: Column, table: &Table, a: &Record, b: &Record) -> Ordering {
    match column {
        Column::Id => a.seq.cmp(&b.seq),
        Column::Created | Column::Modified | Column::Stamp => column.time(a).cmp(&column.time(b)),
        Column::Deleted | Column::Master | Column::Active | Column::Own(_) => {
            let (a, b) = (column.value(table, a), column.value(table, b));
            match (&a, &b) {
                (Value::Null, Value::Null) => Ordering::Equal,
                (Value::Null, _) => Ordering::Less,
                (_, Value::Null) => Ordering::Greater,
                (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
                (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
                (a, b) => a.as_str().map(str::to_lowercase).cmp(&b.as_str().map(str::to_lowercase)),
            }
        }
    }
}

fn fits(expr: &Expr, table: &Table, record: &Record) -> bool {
    match expr {
        Expr::And(terms) => terms.iter().all(|term| fits(term, table, record)),
        Expr::Or(terms) => terms.iter().any(|term| fits(term, table, record)),
        Expr::Not(term) => !fits(term, table, record),
        Expr::Compare(column, operator, literal) => {
            let order = against(*column, table, record, literal);
            match operator {
                Operator::Eq => order.is_some_and(Ordering::is_eq),
                Operator::Ne => order.is_none_or(Ordering::is_ne),
                Operator::Lt => order.is_some_and(Ordering::is_lt),
                Operator::Le => order.is_some_and(Ordering::is_le),
                Operator::Gt => order.is_some_and(Ordering::is_gt),
                Operator::Ge => order.is_some_and(Ordering::is_ge),
            }
        }
        Expr::In(column, negated, literals) => {
            let hit = |literal| against(*column, table, record, literal).is_some_and(Ordering::is_eq);
            literals.iter().any(hit) != *negated
        }
    }
}

/// How a record's value stands to a literal; `None` if one of them is null and the other is not.
fn against(column: Column, table: &Table, record: &Record, literal: &Literal) -> Option<Ordering> {
    match (column, literal) {
        (Column::Created | Column::Modified | Column::Stamp, Literal::Time(ms)) => {
            // Comparisons ignore milliseconds.
            column.time(record).map(|time| (time - time.rem_euclid(1000)).cmp(ms))
        }
        (Column::Id, Literal::Text(text)) => match seq(table.object, text) {
            Some(seq) => Some(record.seq.cmp(&seq)),
            None => Some(id(table.object, record.seq).as_str().cmp(text)),
        },
        (Column::Deleted, Literal::Bool(wanted)) => Some(deleted(table, record).cmp(wanted)),
        _ => match (column.value(table, record), literal) {
            (Value::Null, Literal::Null) => Some(Ordering::Equal),
            (Value::Bool(value), Literal::Bool(wanted)) => Some(value.cmp(wanted)),
            (Value::Number(value), Literal::Number(wanted)) => value.as_f64()?.partial_cmp(wanted),
            (Value::String(value), Literal::Text(wanted)) => Some(value.to_lowercase().cmp(&wanted.to_lowercase())),
            (Value::String(value), Literal::Date(wanted)) => Some(value.as_str().cmp(wanted.as_str())),
            (Value::String(value), Literal::Time(wanted)) => {
                let time = chrono::DateTime::parse_from_rfc3339(&value).ok()?;
                Some((time.timestamp() * 1000).cmp(wanted))
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        content::salesforce_time,
        dataset::{Shape, World},
        salesforce::soql::parse,
        schema::Provider,
    };

    const NOW: i64 = 1_790_000_000_777;

    fn world() -> World {
        let shape = Shape { seed: 2, records: 600, ties: 250, index_lag_ms: 0, late_commit_ms: 0, plain: false };
        World::new(Provider::Salesforce, shape)
    }

    fn rows<'a>(world: &'a World, text: &str, all: bool) -> Vec<&'a Record> {
        let query = parse(text).unwrap();
        run(&query, world.table(query.object.name).unwrap(), all, NOW)
    }

    #[test]
    fn the_bin_shows_only_to_query_all() {
        let world = world();
        let (live, all) = (rows(&world, "SELECT Id FROM Account", false), rows(&world, "SELECT Id FROM Account", true));
        assert_eq!(all.len(), 600);
        assert!(live.len() < 590);
        let bin = rows(&world, "SELECT Id FROM Account WHERE IsDeleted = TRUE", true);
        assert_eq!(bin.len() + live.len(), 600);
        let merged = rows(&world, "SELECT Id FROM Account WHERE MasterRecordId != null", true);
        assert!(!merged.is_empty() && merged.len() < bin.len());
    }

    #[test]
    fn keyset_paging_by_stamp_and_id_sees_every_record_once_across_ties() {
        let world = world();
        let (mut stamp, mut last, mut seen) = (0i64, String::new(), Vec::new());
        loop {
            let time = salesforce_time(stamp);
            let text = format!(
                "SELECT Id, SystemModstamp FROM Account WHERE (SystemModstamp = {time} AND Id > '{last}') \
                 OR SystemModstamp > {time} ORDER BY SystemModstamp, Id LIMIT 7"
            );
            let page = rows(&world, &text, true);
            let Some(end) = page.last() else { break };
            (stamp, last) = (end.stamp_ms, id(world.table("Account").unwrap().object, end.seq));
            seen.extend(page.iter().map(|record| record.seq));
        }
        assert_eq!(seen.len(), 600);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 600);
    }

    #[test]
    fn without_order_by_the_order_means_nothing() {
        let world = world();
        let found = rows(&world, "SELECT Id FROM Contact", true);
        assert!(!found.is_sorted_by_key(|record| record.seq));
        assert!(!found.is_sorted_by_key(|record| record.stamp_ms));
    }

    #[test]
    fn milliseconds_in_a_literal_do_not_count() {
        let world = world();
        let tie = world.table("Account").unwrap().rows.last().unwrap().stamp_ms;
        let with = |operator: &str, ms: i64| {
            let time = salesforce_time(tie + ms);
            rows(&world, &format!("SELECT Id FROM Account WHERE SystemModstamp {operator} {time}"), true).len()
        };
        assert!(with("=", 0) >= 240);
        assert_eq!(with("=", 0), with("=", 900));
        assert_eq!(with(">", 0) + with("=", 0), with(">=", 999));
        assert_eq!(with("<", 0) + with(">=", 0), 600);
    }

    #[test]
    fn a_deactivated_user_stays() {
        let mut world = world();
        assert!(world.delete("User", 3, NOW));
        let gone = rows(&world, "SELECT Id FROM User WHERE IsActive = false", false);
        assert!(gone.iter().any(|record| record.seq == 3));
    }
}
