//! Query with locators, describe, and the ids that were deleted or updated.

use axum::response::Response;
use chrono::{DateTime, Timelike};
use serde_json::{Map, Value, json};

use super::{
    fields::{Column, deleted},
    query as engine,
    soql::{self, Query},
};
use crate::{
    Account, Shared,
    content::{id, mix, salesforce_time},
    dataset::{Record, Table},
    locked,
    reply::{self, Call},
    schema::{self, Provider},
};

/// More open locators than this and the oldest is dropped.
const LOCATORS: usize = 10;

/// Where and when a request is answered.
pub(crate) struct At<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) account: &'a Account,
    pub(crate) call: &'a Call,
    pub(crate) version: &'a str,
    pub(crate) now: i64,
}

impl At<'_> {
    /// Counts records that an answer holds.
    pub(super) fn served(&self, table: &Table, rows: &[&Record]) {
        self.shared.served(&self.account.tenant.name, table, rows);
    }
}

/// A result set that waits to be read on. It is fixed: later changes do not show in it.
#[derive(Debug)]
pub struct Locator {
    key: String,
    query: Query,
    rows: Vec<Record>,
    batch: usize,
}

/// An answer to a query that is refused.
pub(super) fn refused(refused: &soql::Refused) -> Response {
    reply::salesforce(400, refused.code, &refused.text)
}

/// `query` and `queryAll`.
pub(crate) fn query(at: &At<'_>, all: bool) -> Response {
    let Some(text) = at.call.pairs().remove("q") else {
        return reply::salesforce(400, "MALFORMED_QUERY", "A query string has to be specified");
    };
    let query = match soql::parse(&text) {
        Ok(query) => query,
        Err(error) => return refused(&error),
    };
    let Some(world) = at.account.world(Provider::Salesforce) else {
        return super::missing();
    };
    let Some(table) = world.table(query.object.name) else {
        return super::missing();
    };
    let rows = engine::run(&query, table, all, at.now);
    if query.columns.is_empty() {
        return reply::json(200, &json!({ "totalSize": rows.len(), "done": true, "records": [] }));
    }
    let options = at.call.header("sforce-query-options").unwrap_or_default();
    let asked = options.split(',').find_map(|part| part.trim().strip_prefix("batchSize=")?.parse().ok());
    let batch = asked.unwrap_or(2000usize).clamp(200, 2000);
    if rows.len() <= batch {
        return page(at, table, &query, &rows, rows.len(), None);
    }
    let size = short(at, batch, 0);
    let key = format!("0r8{:015X}", mix(&[at.shared.serial()]) >> 4);
    let mut locators = locked(&at.account.locators);
    if locators.len() >= LOCATORS {
        locators.pop_front();
    }
    let fixed = rows.iter().map(|record| (*record).clone()).collect();
    locators.push_back(Locator { key: key.clone(), query: query.clone(), rows: fixed, batch });
    let head = rows.get(..size).unwrap_or(&rows);
    page(at, table, &query, head, rows.len(), Some(format!("{key}-{size}")))
}

/// The next page of a locator.
pub(crate) fn more(at: &At<'_>, locator: &str) -> Response {
    let Some(world) = at.account.world(Provider::Salesforce) else {
        return super::missing();
    };
    let locators = locked(&at.account.locators);
    let found = locator.split_once('-').and_then(|(key, from)| {
        let from: usize = from.parse().ok()?;
        let locator = locators.iter().find(|locator| locator.key == key)?;
        Some((locator, world.table(locator.query.object.name)?, from, locator.rows.get(from..)?))
    });
    let Some((locator, table, from, rest)) = found else {
        return reply::salesforce(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    };
    let size = short(at, locator.batch, from);
    let rows: Vec<&Record> = rest.iter().take(size).collect();
    let next = (rest.len() > size).then(|| format!("{}-{}", locator.key, from + size));
    page(at, table, &locator.query, &rows, locator.rows.len(), next)
}

/// The size of a page: what was asked for, or less.
fn short(at: &At<'_>, batch: usize, from: usize) -> usize {
    let less = if at.shared.faults.knobs().short_pages { mix(&[from as u64, 5]) % 97 } else { 0 };
    batch.saturating_sub(usize::try_from(less).unwrap_or(0)).max(1)
}

fn page(at: &At<'_>, table: &Table, query: &Query, rows: &[&Record], total: usize, next: Option<String>) -> Response {
    at.served(table, rows);
    let kind = table.object.name;
    let records: Vec<Value> = rows
        .iter()
        .map(|record| {
            let url = format!("/services/data/{}/sobjects/{kind}/{}", at.version, id(table.object, record.seq));
            let mut row = Map::new();
            row.insert("attributes".into(), json!({ "type": kind, "url": url }));
            row.extend(query.columns.iter().map(|c| (c.name().to_owned(), c.value(table, record))));
            Value::Object(row)
        })
        .collect();
    let mut body = json!({ "totalSize": total, "done": next.is_none(), "records": records });
    if let (Some(next), Some(body)) = (next, body.as_object_mut()) {
        body.insert("nextRecordsUrl".into(), json!(format!("/services/data/{}/query/{next}", at.version)));
    }
    reply::json(200, &body)
}

/// The resources of a version.
pub(crate) fn resources(version: &str) -> Value {
    let url = |name: &str| (name.to_owned(), json!(format!("/services/data/{version}/{name}")));
    Value::Object(["query", "queryAll", "sobjects", "jobs", "limits"].map(url).into_iter().collect())
}

/// The quota.
pub(crate) fn limits(usage: u64, quota: u64) -> Response {
    let left = quota.saturating_sub(usage);
    reply::json(200, &json!({ "DailyApiRequests": { "Max": quota, "Remaining": left } }))
}

/// The objects that a client may see.
pub(crate) fn sobjects(version: &str) -> Value {
    let list: Vec<Value> = Provider::Salesforce.objects().iter().map(|object| head(version, object)).collect();
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list })
}

fn head(version: &str, object: &schema::Object) -> Value {
    let prefix = match object.key {
        schema::Key::Prefix(prefix) => prefix,
        schema::Key::From(_) => "",
    };
    let label = object.name.trim_end_matches("__c");
    let urls = json!({ "describe": format!("/services/data/{version}/sobjects/{}/describe", object.name) });
    json!({
        "name": object.name, "label": label, "labelPlural": format!("{label}s"), "keyPrefix": prefix, "queryable": true,
        "retrieveable": true, "replicateable": true, "deletable": !object.people, "mergeable": object.merges,
        "custom": object.name.ends_with("__c"), "urls": urls
    })
}

/// The fields of an object.
pub(crate) fn describe(version: &str, name: &str) -> Response {
    let Some(object) = Provider::Salesforce.objects().iter().find(|object| object.name.eq_ignore_ascii_case(name))
    else {
        return super::missing();
    };
    let fields: Vec<Value> = Column::all(object)
        .iter()
        .map(|column| {
            let (name, kind) = (column.name(), column.kind());
            let plain = kind != "textarea";
            json!({
                "name": name, "label": name.trim_end_matches("__c"), "type": kind, "filterable": plain,
                "sortable": plain, "nillable": matches!(column, Column::Own(_) | Column::Master),
                "custom": name.ends_with("__c")
            })
        })
        .collect();
    let mut body = head(version, object);
    if let Some(body) = body.as_object_mut() {
        body.insert("fields".into(), json!(fields));
    }
    reply::json(200, &body)
}

/// `deleted` and `updated`: ids in a window; seconds do not count.
pub(crate) fn ids(at: &At<'_>, name: &str, gone: bool) -> Response {
    let pairs = at.call.pairs();
    let bound = |name: &str| {
        let time = DateTime::parse_from_rfc3339(pairs.get(name)?).ok()?;
        Some(time.with_second(0)?.with_nanosecond(0)?.timestamp_millis())
    };
    let (Some(start), Some(end)) = (bound("start"), bound("end")) else {
        return reply::salesforce(400, "INVALID_REPLICATION_DATE", "start and end must be dateTimes");
    };
    let days = if gone { 15 } else { 30 };
    if start >= end || start < at.now - days * 86_400_000 {
        return reply::salesforce(
            400,
            "INVALID_REPLICATION_DATE",
            &format!("start must be within the last {days} days and before end"),
        );
    }
    let Some(world) = at.account.world(Provider::Salesforce) else {
        return super::missing();
    };
    let Some(table) = world.table(name) else {
        return super::missing();
    };
    let hits: Vec<&Record> = table
        .views(at.now)
        .filter(|record| deleted(table, record) == gone && (start..end).contains(&record.stamp_ms))
        .collect();
    // Held back to the start of a transaction that is still open.
    let open = table.rows.iter().filter(|row| row.commit.as_ref().is_some_and(|commit| commit.at_ms > at.now));
    let covered = open.map(|row| row.stamp_ms).min().unwrap_or(end).min(end).min(at.now);
    let covered = salesforce_time(covered - covered.rem_euclid(60_000));
    let ids = hits.iter().map(|record| id(table.object, record.seq));
    if gone {
        let times = hits.iter().map(|record| salesforce_time(record.stamp_ms));
        let list: Vec<Value> = ids.zip(times).map(|(id, time)| json!({ "id": id, "deletedDate": time })).collect();
        let earliest = salesforce_time(at.now - 15 * 86_400_000);
        let body = json!({ "deletedRecords": list, "earliestDateAvailable": earliest, "latestDateCovered": covered });
        return reply::json(200, &body);
    }
    reply::json(200, &json!({ "ids": ids.collect::<Vec<_>>(), "latestDateCovered": covered }))
}
