//! HubSpot's search: what it finds, in which order, and where it ends.
//!
//! Records are found by the stamp that the index knows, which may be older than the record that is returned. Only the
//! first sort rule counts, positions are offsets, and nothing lies beyond the 10,000th.

use std::cmp::{Ordering, Reverse};

use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;

use super::properties;
use crate::{
    content::{mix, numeric_id},
    dataset::{Record, State, Table},
};

/// Rows that can be reached, unless a knob says less.
pub const CAP: usize = 10_000;
const BODY_CHARS: usize = 3_000;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    filter_groups: Vec<Group>,
    sorts: Vec<Sort>,
    properties: Vec<String>,
    limit: Option<usize>,
    after: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: String,
    value: Option<Value>,
    high_value: Option<Value>,
    #[serde(default)]
    values: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sort {
    property_name: String,
    #[serde(default)]
    direction: Option<String>,
}

/// A page of what was found.
#[derive(Debug)]
pub struct Found<'a> {
    /// How many records fit, also beyond the cap.
    pub total: usize,
    /// The page.
    pub rows: Vec<&'a Record>,
    /// Offset of the next page.
    pub next: Option<usize>,
    /// The properties asked for.
    pub properties: Vec<String>,
}

/// Searches a table; nothing beyond `cap` rows can be asked for.
///
/// # Errors
/// The text of a `VALIDATION_ERROR`.
pub fn run<'a>(table: &'a Table, body: &[u8], now: i64, cap: usize) -> Result<Found<'a>, String> {
    if String::from_utf8_lossy(body).chars().count() > BODY_CHARS {
        return Err(format!("The request body is longer than {BODY_CHARS} characters"));
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| format!("Invalid input JSON: {error}"))?;
    let limit = body.limit.unwrap_or(10);
    if !(1..=200).contains(&limit) {
        return Err("limit must be between 1 and 200".to_owned());
    }
    let after = match &body.after {
        None | Some(Value::Null) => 0,
        Some(Value::String(text)) if text.is_empty() => 0,
        Some(Value::String(text)) => text.parse().map_err(|_| "after is not a number".to_owned())?,
        Some(other) => other.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or("after is not a number")?,
    };
    if after + limit > cap {
        return Err(format!("There was a problem with the request: results beyond {cap} cannot be requested"));
    }
    let groups = compile(table, body.filter_groups)?;
    let sort = body.sorts.first();
    let names = properties::names(table.object);
    if let Some(sort) = sort.filter(|sort| !names.contains(&sort.property_name.as_str())) {
        return Err(format!("Cannot sort by unknown property {}", sort.property_name));
    }
    let live = table.rows.iter().filter_map(|r| r.view(now)).filter(|record| record.state == State::Live);
    let found = live.filter_map(|record| Some((record, record.indexed(now)?)));
    let mut found: Vec<(&Record, i64)> = found
        .filter(|(record, stamp)| {
            groups.is_empty() || groups.iter().any(|group| group.iter().all(|test| test.fits(table, record, *stamp)))
        })
        .collect();
    let total = found.len();
    order(table, sort, &mut found);
    let rows: Vec<&Record> = found.into_iter().skip(after).take(limit).map(|(record, _)| record).collect();
    let end = after + rows.len();
    Ok(Found { total, next: (end < total).then_some(end), rows, properties: body.properties })
}

/// Sorts by the one rule; records that tie come in no useful order.
fn order(table: &Table, sort: Option<&Sort>, found: &mut [(&Record, i64)]) {
    let Some(sort) = sort else { return };
    let down = sort.direction.as_deref().is_some_and(|text| text.eq_ignore_ascii_case("DESCENDING"));
    let shuffled = |record: &Record| mix(&[table.seed, u64::from(record.seq), u64::from(record.revision)]);
    match sort.property_name.as_str() {
        "hs_object_id" if down => found.reverse(),
        // The table is in id order already.
        "hs_object_id" => {}
        name if name == table.object.modified && down => found.sort_by_key(|(r, stamp)| (Reverse(*stamp), shuffled(r))),
        name if name == table.object.modified => found.sort_by_key(|(r, stamp)| (*stamp, shuffled(r))),
        name => {
            found.sort_by_cached_key(|(record, _)| {
                let value = properties::one(table, record, name).unwrap_or_default();
                (value.as_str().unwrap_or_default().to_owned(), shuffled(record))
            });
            if down {
                found.reverse();
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    Has,
    HasNot,
    Token,
    NotToken,
}

#[derive(Debug)]
enum Key {
    Id,
    Modified,
    Created,
    Other(String),
}

/// One filter, ready to be tried on many records.
#[derive(Debug)]
struct Test {
    key: Key,
    operator: Operator,
    values: Vec<String>,
    numbers: Vec<Option<f64>>,
}

fn compile(table: &Table, groups: Vec<Group>) -> Result<Vec<Vec<Test>>, String> {
    let count: usize = groups.iter().map(|group| group.filters.len()).sum();
    if groups.len() > 5 || count > 25 || groups.iter().any(|group| group.filters.len() > 10) {
        return Err("too many filters: at most 5 groups, 10 in a group, 25 in all".to_owned());
    }
    let group = |group: Group| group.filters.into_iter().map(|filter| test(table, filter)).collect();
    groups.into_iter().map(group).collect()
}

fn test(table: &Table, filter: Filter) -> Result<Test, String> {
    let name = filter.property_name;
    if !properties::names(table.object).contains(&name.as_str()) {
        return Err(format!("There was a problem with the request: property {name} does not exist"));
    }
    let operator = match filter.operator.as_str() {
        "EQ" => Operator::Eq,
        "NEQ" => Operator::Neq,
        "LT" => Operator::Lt,
        "LTE" => Operator::Lte,
        "GT" => Operator::Gt,
        "GTE" => Operator::Gte,
        "BETWEEN" => Operator::Between,
        "IN" => Operator::In,
        "NOT_IN" => Operator::NotIn,
        "HAS_PROPERTY" => Operator::Has,
        "NOT_HAS_PROPERTY" => Operator::HasNot,
        "CONTAINS_TOKEN" => Operator::Token,
        "NOT_CONTAINS_TOKEN" => Operator::NotToken,
        other => return Err(format!("{other} is not a valid operator")),
    };
    let plain = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let values: Vec<String> = match operator {
        Operator::In | Operator::NotIn => filter.values.into_iter().map(plain).collect(),
        _ => filter.value.into_iter().chain(filter.high_value).map(plain).collect(),
    };
    let needed = match operator {
        Operator::Has | Operator::HasNot => 0,
        Operator::Between => 2,
        _ => 1,
    };
    if values.len() < needed {
        return Err(format!("operator {} on {name} needs more values", filter.operator));
    }
    let key = match name.as_str() {
        "hs_object_id" => Key::Id,
        "createdate" => Key::Created,
        _ if name == table.object.modified => Key::Modified,
        _ => Key::Other(name),
    };
    let numbers: Vec<Option<f64>> = values.iter().map(|text| numeric(text)).collect();
    if !matches!(key, Key::Other(_)) && numbers.iter().any(Option::is_none) {
        return Err("There was a problem with the request: the value is neither a number nor a time".to_owned());
    }
    Ok(Test { key, operator, values, numbers })
}

/// A number, or a time in milliseconds.
fn numeric(text: &str) -> Option<f64> {
    let time = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis() as f64);
    text.parse().ok().or_else(time)
}

impl Test {
    fn fits(&self, table: &Table, record: &Record, stamp: i64) -> bool {
        match &self.key {
            Key::Modified => self.number(stamp as f64),
            Key::Created => self.number(record.created_ms as f64),
            Key::Id => self.number(numeric_id(table.object, record.seq) as f64),
            Key::Other(name) => {
                let value = properties::one(table, record, name).unwrap_or_default();
                self.text(value.as_str())
            }
        }
    }

    fn number(&self, value: f64) -> bool {
        let order = |at: usize| self.numbers.get(at).copied().flatten().and_then(|other| value.partial_cmp(&other));
        self.judge(Some((order(0), order(1))), || self.numbers.contains(&Some(value)))
    }

    fn text(&self, value: Option<&str>) -> bool {
        let token = || {
            let wanted = self.values.first().map(|text| text.trim_matches('*').to_lowercase()).unwrap_or_default();
            value.is_some_and(|text| text.to_lowercase().contains(&wanted))
        };
        match (self.operator, value) {
            (Operator::Token, _) => token(),
            (Operator::NotToken, _) => !token(),
            (_, None) => self.judge(None, || false),
            (_, Some(text)) => {
                let order = |at: usize| {
                    let other = self.values.get(at)?;
                    match (numeric(text), self.numbers.get(at).copied().flatten()) {
                        (Some(a), Some(b)) => a.partial_cmp(&b),
                        _ => Some(text.cmp(other.as_str())),
                    }
                };
                self.judge(Some((order(0), order(1))), || self.values.iter().any(|other| other == text))
            }
        }
    }

    /// The operator's verdict from how the value stands to the filter's one or two; `None` for a missing value.
    fn judge(&self, orders: Option<(Option<Ordering>, Option<Ordering>)>, listed: impl Fn() -> bool) -> bool {
        let Some((first, second)) = orders else {
            return matches!(self.operator, Operator::HasNot | Operator::Neq | Operator::NotIn);
        };
        match self.operator {
            Operator::Eq => first.is_some_and(Ordering::is_eq),
            Operator::Neq => first.is_none_or(Ordering::is_ne),
            Operator::Lt => first.is_some_and(Ordering::is_lt),
            Operator::Lte => first.is_some_and(Ordering::is_le),
            Operator::Gt => first.is_some_and(Ordering::is_gt),
            Operator::Gte => first.is_some_and(Ordering::is_ge),
            Operator::Between => first.is_some_and(Ordering::is_ge) && second.is_some_and(Ordering::is_le),
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::Has => true,
            Operator::HasNot => false,
            // Only meant for text, where it is handled before.
            Operator::Token => listed(),
            Operator::NotToken => !listed(),
        }
    }
}

#[cfg(test)]
mod tests;
