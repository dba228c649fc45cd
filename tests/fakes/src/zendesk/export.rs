//! The incremental exports: by cursor and by time. What changed within the last minute is not in them.

use axum::response::Response;
use serde_json::{Value, json};

use super::{Request, bad, rows};
use crate::{
    content::{opaque, unwrap_opaque},
    dataset::{Record, Table},
    reply,
};

/// The most rows of a page.
const ROWS: usize = 1000;

/// What is younger is held back, in seconds.
pub(super) const HELD_BACK: i64 = 60;

/// A place in the order of an export: second, then id.
type Place = (i64, u32);

/// A page by cursor.
pub(super) fn by_cursor(request: &Request<'_>, table: &Table) -> Result<Response, Response> {
    let asked = request.pairs.get("cursor");
    let after = match asked {
        Some(token) => place(token).ok_or_else(|| bad(400, "The cursor is invalid or has expired"))?,
        None => (start_time(request)? - 1, u32::MAX),
    };
    let (page, more) = page(request, table, after)?;
    let last = page.last().map(|record| token(record)).or_else(|| asked.cloned());
    let values: Vec<Value> = page.iter().map(|record| Value::Object(rows::all(table, record))).collect();
    request.served(table, &page);
    let url = last.as_ref().map(|token| request.url(&format!("cursor={token}&per_page={ROWS}")));
    Ok(reply::json(
        200,
        &json!({
            table.object.name: values, "after_url": url, "after_cursor": last, "before_url": null,
            "before_cursor": null, "end_of_stream": !more,
        }),
    ))
}

/// A page by time; the second of the start time is included, so its rows come again.
pub(super) fn by_time(request: &Request<'_>, table: &Table, key: &str) -> Result<Response, Response> {
    let start = start_time(request)?;
    let (page, more) = page(request, table, (start - 1, u32::MAX))?;
    let comments = request.pairs.get("include").is_some_and(|list| list.contains("comment_events"));
    let values = page.iter().map(|record| match key {
        "ticket_events" => rows::event(table, record, comments),
        _ => Value::Object(rows::all(table, record)),
    });
    let values: Vec<Value> = values.collect();
    request.served(table, &page);
    let end = page.last().map(|record| rows::second(record));
    let next = end.map(|end| request.url(&format!("start_time={end}")));
    let count = values.len();
    Ok(reply::json(
        200,
        &json!({ key: values, "count": count, "end_time": end, "next_page": next, "end_of_stream": !more }),
    ))
}

/// Up to a page of what comes after a place, and whether there is more.
fn page<'a>(request: &Request<'_>, table: &'a Table, after: Place) -> Result<(Vec<&'a Record>, bool), Response> {
    let limit = request.number("per_page", ROWS)?;
    if limit == 0 {
        return Err(bad(400, "per_page must be at least 1"));
    }
    let shown = request.now / 1000 - HELD_BACK;
    let place = |record: &Record| (rows::second(record), record.seq);
    let deleted_too = request.pairs.get("exclude_deleted").is_none_or(|text| text != "true");
    let fits = |record: &&Record| {
        rows::second(record) <= shown && place(record) > after && (deleted_too || super::lives(record))
    };
    let mut found: Vec<&Record> = table.views(request.now).filter(fits).collect();
    found.sort_unstable_by_key(|record| place(record));
    let more = found.len() > limit.min(ROWS);
    found.truncate(limit.min(ROWS));
    Ok((found, more))
}

fn start_time(request: &Request<'_>) -> Result<i64, Response> {
    let text = request.pairs.get("start_time").ok_or_else(|| bad(400, "Missing required parameter: start_time"))?;
    let start: i64 = text.parse().map_err(|_| bad(400, "Invalid value for start_time"))?;
    if start > request.now / 1000 - HELD_BACK {
        return Err(bad(422, "Too recent start_time. Use a start_time older than 60 seconds"));
    }
    Ok(start)
}

/// Zendesk's own token is this text in base 64: the second, a fraction, and the id.
fn token(record: &Record) -> String {
    opaque(&format!("{}.0||{}|", rows::second(record), record.seq))
}

fn place(token: &str) -> Option<Place> {
    let text = unwrap_opaque(token)?;
    let (second, id) = text.strip_suffix('|')?.split_once(".0||")?;
    Some((second.parse().ok()?, id.parse().ok()?))
}
