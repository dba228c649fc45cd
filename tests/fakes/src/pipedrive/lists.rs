//! The lists: API v2 by keyset token, API v1 by row number.

use axum::response::Response;
use serde_json::{Value, json};

use super::{
    invalid,
    rows::{Wanted, row},
};
use crate::{
    content::{number, numeric_id, opaque, unwrap_opaque},
    dataset::{Record, State, Table},
    reply::{self, Call},
    shared::{Account, Shared},
};

const MOST: usize = 500;
/// Lists that know nothing of time.
const UNTIMED: [&str; 2] = ["pipelines", "stages"];

/// What a query says.
type Pairs = std::collections::BTreeMap<String, String>;

/// A time in the only spelling that is taken, in ms.
fn bound(pairs: &Pairs, name: &str) -> Result<Option<i64>, Response> {
    let Some(text) = pairs.get(name) else {
        return Ok(None);
    };
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%SZ");
    time.map(|time| Some(time.and_utc().timestamp_millis()))
        .map_err(|_| invalid(&format!("{name} is no RFC 3339 time")))
}

fn counted(pairs: &Pairs, name: &str, default: usize) -> Result<usize, Response> {
    let number = pairs.get(name).map_or(Ok(default), |text| text.parse());
    number.map_err(|_| invalid(&format!("{name} is not a number")))
}

fn limit(pairs: &Pairs) -> Result<usize, Response> {
    let limit = counted(pairs, "limit", 100)?;
    (1..=MOST).contains(&limit).then_some(limit).ok_or_else(|| invalid("limit must be between 1 and 500"))
}

fn known(pairs: &Pairs, names: &[&str]) -> Result<(), Response> {
    let stranger = pairs.keys().find(|name| !names.contains(&name.as_str()));
    stranger.map_or(Ok(()), |name| Err(invalid(&format!("{name} is not allowed"))))
}

/// Where a row stands in a list.
type Place = (i64, u64);

/// A list of API v2: order by id or by a time, a token that names the last row, bounds on `update_time`.
pub(super) fn list(
    shared: &Shared,
    account: &Account,
    table: &Table,
    call: &Call,
    now: i64,
) -> Result<Response, Response> {
    let (name, pairs) = (table.object.name, call.pairs());
    let mut names = vec!["limit", "cursor", "sort_by", "sort_direction", "ids", "custom_fields", "api_token"];
    if !UNTIMED.contains(&name) {
        names.extend(["updated_since", "updated_until"]);
    }
    if name == "deals" {
        names.push("status");
    }
    known(&pairs, &names)?;
    let (limit, since, until) = (limit(&pairs)?, bound(&pairs, "updated_since")?, bound(&pairs, "updated_until")?);
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        return Err(invalid("updated_since must be before updated_until"));
    }
    let by = pairs.get("sort_by").map_or("id", String::as_str);
    let key: fn(&Record) -> i64 = match by {
        "id" => |_| 0,
        "update_time" => |record| record.stamp_ms,
        "add_time" => |record| record.created_ms,
        _ => return Err(invalid("sort_by is not one of id, update_time, add_time")),
    };
    let descending = match pairs.get("sort_direction").map(String::as_str) {
        None | Some("asc") => false,
        Some("desc") => true,
        _ => return Err(invalid("sort_direction must be asc or desc")),
    };
    let ids = pairs.get("ids").map(|ids| ids.split(',').filter_map(|id| id.trim().parse().ok()).collect());
    let status = pairs.get("status").map_or("open,won,lost", String::as_str);
    let archived = call.segments().last() == Some(&"archived");
    let wanted = Wanted { archived, status: status.split(',').collect(), ids };
    let after = pairs.get("cursor").map(|token| after(token, &pairs)).transpose()?;

    let place = |record: &Record| -> Place { (key(record), numeric_id(table.object, record.seq)) };
    let beyond = |record: &&Record| match after {
        Some(after) if descending => place(record) < after,
        Some(after) => place(record) > after,
        None => true,
    };
    let inside = |record: &&Record| {
        since.is_none_or(|since| record.stamp_ms >= since) && until.is_none_or(|until| record.stamp_ms < until)
    };
    let shown = |record: &&Record| wanted.shows(table, record, now);
    let mut rows: Vec<&Record> = table.views(now).filter(beyond).filter(inside).filter(shown).collect();
    rows.sort_by_key(|record| place(record));
    if descending {
        rows.reverse();
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| next(by, place(last), descending, &pairs));
    let mut body = json!({ "success": true, "data": served(shared, account, table, &rows) });
    // The last page says so in one of three ways.
    let additional = match (next, shared.serial() % 3) {
        (Some(token), _) => json!({ "next_cursor": token }),
        (None, 0) => json!({ "next_cursor": null }),
        (None, 1) => json!({}),
        (None, _) => return Ok(reply::json(200, &body)),
    };
    if let Some(body) = body.as_object_mut() {
        body.insert("additional_data".to_owned(), additional);
    }
    Ok(reply::json(200, &body))
}

/// A number for all parameters but the token itself.
fn parameters(pairs: &Pairs) -> u64 {
    let text: Vec<String> =
        pairs.iter().filter(|(name, _)| *name != "cursor").map(|(name, value)| format!("{name}={value}")).collect();
    number(&text.join("&"))
}

fn next(by: &str, (value, id): Place, descending: bool, pairs: &Pairs) -> String {
    let direction = if descending { "desc" } else { "asc" };
    let token = json!({
        "field": by, "fieldValue": value, "sortDirection": direction, "id": id, "query": parameters(pairs)
    });
    opaque(&token.to_string())
}

fn after(token: &str, pairs: &Pairs) -> Result<Place, Response> {
    let read = || {
        let token: Value = serde_json::from_str(&unwrap_opaque(token)?).ok()?;
        let place = (token.get("fieldValue")?.as_i64()?, token.get("id")?.as_u64()?);
        (token.get("query")?.as_u64()? == parameters(pairs)).then_some(place)
    };
    read().ok_or_else(|| invalid("Invalid cursor"))
}

/// A list of API v1: order of change, pages by row number, a lower bound only.
pub(super) fn by_number(
    shared: &Shared,
    account: &Account,
    table: &Table,
    call: &Call,
    now: i64,
) -> Result<Response, Response> {
    let pairs = call.pairs();
    known(&pairs, &["start", "limit", "sort", "updated_since", "api_token"])?;
    let (start, limit, since) = (counted(&pairs, "start", 0)?, limit(&pairs)?, bound(&pairs, "updated_since")?);
    let inside = |record: &&Record| since.is_none_or(|since| record.stamp_ms >= since);
    let live = |record: &&Record| record.state == State::Live;
    let mut rows: Vec<&Record> = table.views(now).filter(inside).filter(live).collect();
    match pairs.get("sort").map(String::as_str) {
        None => {}
        Some("update_time ASC") => rows.sort_by_key(|record| (record.stamp_ms, record.seq)),
        Some(_) => return Err(invalid("sort is not supported")),
    }
    let end = start.saturating_add(limit).min(rows.len());
    let page = rows.get(start..end).unwrap_or_default();
    let data = served(shared, account, table, page);
    let mut pagination = json!({ "start": start, "limit": limit, "more_items_in_collection": end < rows.len() });
    if let (true, Some(pagination)) = (end < rows.len(), pagination.as_object_mut()) {
        pagination.insert("next_start".to_owned(), json!(end));
    }
    // An empty list is null.
    let data = if page.is_empty() { Value::Null } else { data };
    Ok(reply::json(200, &json!({ "success": true, "data": data, "additional_data": { "pagination": pagination } })))
}

pub(super) fn served(shared: &Shared, account: &Account, table: &Table, rows: &[&Record]) -> Value {
    shared.served(&account.tenant.name, table, rows);
    rows.iter().map(|record| Value::Object(row(table, record))).collect()
}
