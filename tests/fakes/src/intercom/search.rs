//! Search: a query of filters, a sort, and a place that is good for that query alone.
//!
//! Dates of contacts are compared by calendar day in the workspace's zone, those of the others by second. Records are
//! found by the stamp that the index knows, and returned as they are.

use axum::body::Bytes;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::rows;
use crate::{
    content::{id, number},
    dataset::{Record, Table},
};

/// Seconds east of UTC of the workspace: Asia/Tokyo.
pub const ZONE: i64 = 9 * 3_600;

const DAY: i64 = 86_400;

/// Filters of one group, at most.
const FILTERS: usize = 15;

/// What a search found.
#[derive(Debug)]
pub struct Found<'a> {
    /// One page of it.
    pub rows: Vec<&'a Record>,
    /// How many there are in all.
    pub total: usize,
    /// Rows that a page may have.
    pub per_page: usize,
    /// Number of the page.
    pub page: u64,
    /// The place of the next page.
    pub next: Option<String>,
}

/// Runs a search. `epoch` is the age of the places that still count.
///
/// # Errors
/// What is wrong with the request.
pub fn run<'a>(table: &'a Table, body: &Bytes, epoch: u64, now: i64) -> Result<Found<'a>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON".to_owned())?;
    let query = body.get("query").filter(|query| query.is_object()).ok_or("query is missing")?;
    check(table, query, 0)?;
    let text = |path: &str| body.pointer(path).and_then(Value::as_str);
    let default = if table.object.name == "contacts" { 50 } else { 20 };
    let per_page = body.pointer("/pagination/per_page").map_or(Some(default), Value::as_u64);
    let per_page = per_page.filter(|rows| (1..=150).contains(rows)).ok_or("per_page must be between 1 and 150")?;
    let per_page = per_page as usize;
    let field = text("/sort/field").unwrap_or("updated_at");
    if !matches!(field, "updated_at" | "created_at") {
        return Err(format!("cannot sort by {field:?}"));
    }
    let ascending = match text("/sort/order").unwrap_or("descending") {
        "ascending" => true,
        "descending" => false,
        other => return Err(format!("no such order: {other:?}")),
    };
    let digest = number(&format!("{query}{field}{ascending}{}", table.object.name)).to_string();
    let sorted = |record: &Record| key(record, field, now);
    let mut found: Vec<((i64, u32), &Record)> = rows::live(table)
        .filter(|record| matches(table, record, query, now).unwrap_or(false))
        .filter_map(|record| Some((sorted(record)?, record)))
        .collect();
    found.sort_unstable_by_key(|(key, _)| *key);
    if !ascending {
        found.reverse();
    }
    let total = found.len();
    let mut page = 1;
    if let Some(place) = body.pointer("/pagination/starting_after").filter(|place| !place.is_null()) {
        let (after, number) = read(place, epoch, &digest).ok_or("starting_after is invalid")?;
        page = number;
        found.retain(|(key, _)| if ascending { *key > after } else { *key < after });
    }
    let more = found.len() > per_page;
    found.truncate(per_page);
    let last = found.last().filter(|_| more);
    let next = last.map(|((stamp, seq), _)| write(&json!([stamp * 1_000, seq, page + 1, epoch, digest])));
    Ok(Found { rows: found.into_iter().map(|(_, record)| record).collect(), total, per_page, page, next })
}

/// A place: what to sort by, record, page, and what it is good for.
pub fn write(place: &Value) -> String {
    BASE64_STANDARD.encode(place.to_string())
}

fn read(place: &Value, epoch: u64, digest: &str) -> Option<((i64, u32), u64)> {
    let bytes = BASE64_STANDARD.decode(place.as_str()?).ok()?;
    let (ms, seq, page, of, query): (i64, u32, u64, u64, String) = serde_json::from_slice(&bytes).ok()?;
    (of == epoch && query == digest).then_some(((ms / 1_000, seq), page))
}

fn key(record: &Record, field: &str, now: i64) -> Option<(i64, u32)> {
    let indexed = record.indexed(now)?;
    let ms = if field == "created_at" { record.created_ms } else { indexed };
    Some((ms / 1_000, record.seq))
}

/// What a filter must look like.
fn check(table: &Table, query: &Value, depth: usize) -> Result<(), String> {
    let operator = query["operator"].as_str().unwrap_or_default();
    if let Some(parts) = query["value"].as_array().filter(|_| matches!(operator, "AND" | "OR")) {
        if depth > 1 || parts.len() > FILTERS {
            return Err("at most two levels of fifteen filters".to_owned());
        }
        return parts.iter().try_for_each(|part| check(table, part, depth + 1));
    }
    let field = query["field"].as_str().ok_or("a filter without a field")?;
    let date = matches!(field, "updated_at" | "created_at");
    let known: &[&str] = match (date, table.object.name) {
        (true, "contacts") => &["=", ">", "<"],
        (true, _) => &["=", "!=", ">", "<", ">=", "<="],
        (false, _) => &["=", "!="],
    };
    if !known.contains(&operator) {
        return Err(format!("operator {operator:?} is not supported for {field}"));
    }
    if date && query["value"].as_i64().is_none() {
        return Err(format!("the value of {field} must be a timestamp"));
    }
    Ok(())
}

fn matches(table: &Table, record: &Record, query: &Value, now: i64) -> Option<bool> {
    let operator = query["operator"].as_str()?;
    if let Some(parts) = query["value"].as_array().filter(|_| matches!(operator, "AND" | "OR")) {
        let mut parts = parts.iter().map(|part| matches(table, record, part, now).unwrap_or(false));
        return Some(if operator == "AND" { parts.all(|fits| fits) } else { parts.any(|fits| fits) });
    }
    let field = query["field"].as_str()?;
    if !matches!(field, "updated_at" | "created_at") {
        let own = if field == "id" {
            json!(id(table.object, record.seq))
        } else {
            rows::whole(table, record).remove(field).unwrap_or_default()
        };
        return Some((own == query["value"]) == (operator == "="));
    }
    let grain = |second: i64| {
        if table.object.name == "contacts" { (second + ZONE).div_euclid(DAY) } else { second }
    };
    let (own, given) = (grain(key(record, field, now)?.0), grain(query["value"].as_i64()?));
    Some(match operator {
        "=" => own == given,
        "!=" => own != given,
        ">" => own > given,
        "<" => own < given,
        ">=" => own >= given,
        _ => own <= given,
    })
}
