//! Bulk API 2.0 query jobs.
//!
//! A job holds what its query saw when it was created, in random order. Every result set starts with the header line
//! and can be read again while the job exists.

use axum::response::Response;
use serde_json::{Value, json};

use super::{
    fields::Column,
    query, rest,
    soql::{self, Query},
};
use crate::{
    content::{millis, mix, opaque, salesforce_time, unwrap_opaque},
    dataset::{Record, Table},
    locked, reply,
    schema::Provider,
};

/// A query job.
#[derive(Debug)]
pub struct Job {
    query: Query,
    operation: String,
    version: String,
    rows: Vec<Record>,
    created_ms: i64,
    ready_ms: i64,
    fails: bool,
    aborted: bool,
}

impl Job {
    fn state(&self, now: i64) -> &'static str {
        let started = self.created_ms + (self.ready_ms - self.created_ms) / 4;
        match now {
            _ if self.aborted => "Aborted",
            _ if now < started => "UploadComplete",
            _ if now < self.ready_ms => "InProgress",
            _ if self.fails => "Failed",
            _ => "JobComplete",
        }
    }

    fn info(&self, id: &str, now: i64) -> Value {
        let state = self.state(now);
        let mut info = json!({
            "id": id, "operation": self.operation, "object": self.query.object.name,
            "createdById": "0055g00000ABCDEAA4", "createdDate": salesforce_time(self.created_ms),
            "systemModstamp": salesforce_time(now.min(self.ready_ms)), "state": state, "concurrencyMode": "Parallel",
            "contentType": "CSV", "apiVersion": super::number(&self.version).unwrap_or(0), "lineEnding": "LF",
            "columnDelimiter": "COMMA"
        });
        if let Some(info) = info.as_object_mut() {
            match state {
                "JobComplete" => {
                    info.insert("jobType".into(), json!("V2Query"));
                    info.insert("numberRecordsProcessed".into(), json!(self.rows.len()));
                    info.insert("retries".into(), json!(0));
                    info.insert("totalProcessingTime".into(), json!(self.ready_ms - self.created_ms));
                    info.insert("isPkChunkingSupported".into(), json!(true));
                }
                "Failed" => {
                    info.insert("errorMessage".into(), json!("InternalServerError : Error executing query"));
                }
                _ => {}
            }
        }
        info
    }
}

/// Answers everything under `jobs/query`.
pub(crate) fn answer(at: &rest::At<'_>, method: &str, rest: &[&str]) -> Response {
    let (id, results) = match (method, rest) {
        ("POST", []) => return create(at),
        ("GET" | "DELETE" | "PATCH", [id]) => (*id, false),
        ("GET", [id, "results"]) => (*id, true),
        _ => return super::missing(),
    };
    let mut jobs = locked(&at.account.jobs);
    let Some(job) = jobs.get_mut(id) else {
        return super::missing();
    };
    if job.version != at.version {
        let text = format!("job was created with {}, asked for with {}", job.version, at.version);
        return reply::salesforce(409, "API_ERROR", &text);
    }
    match method {
        "DELETE" if matches!(job.state(at.now), "UploadComplete" | "InProgress") => {
            reply::salesforce(400, "API_ERROR", "a job that runs cannot be deleted")
        }
        "DELETE" => {
            jobs.remove(id);
            reply::plain(204, "application/json", axum::body::Bytes::new())
        }
        "PATCH" => {
            job.aborted = true;
            reply::json(200, &job.info(id, at.now))
        }
        _ if results => set(at, job),
        _ => reply::json(200, &job.info(id, at.now)),
    }
}

fn create(at: &rest::At<'_>) -> Response {
    let body: Value = serde_json::from_slice(&at.call.body).unwrap_or_default();
    let get = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let operation = get("operation").to_owned();
    if !matches!(operation.as_str(), "query" | "queryAll") {
        return reply::salesforce(400, "INVALIDOPERATION", "operation must be query or queryAll");
    }
    let query = match soql::parse(get("query")) {
        Ok(query) => query,
        Err(error) => return rest::refused(&error),
    };
    if query.columns.is_empty() {
        return reply::salesforce(400, "FEATURENOTENABLED", "Aggregate Relationships not supported in Bulk Query");
    }
    let number = at.shared.serial();
    // The world is let go before the jobs are locked: reading results takes the two in the other order.
    let mut rows: Vec<Record> = {
        let Some(world) = at.account.world(Provider::Salesforce) else {
            return super::missing();
        };
        let Some(table) = world.table(query.object.name) else {
            return super::missing();
        };
        query::run(&query, table, operation == "queryAll", at.now).into_iter().cloned().collect()
    };
    // Chunks of the key space finish as they like, unless the query forbids chunks.
    if query.order.is_empty() {
        rows.sort_by_cached_key(|record| mix(&[number, u64::from(record.seq)]));
    }
    let knobs = at.shared.faults.knobs();
    at.shared.faults.turn(|knobs| knobs.fail_bulk_jobs = knobs.fail_bulk_jobs.saturating_sub(1));
    let job = Job {
        query,
        operation,
        version: at.version.to_owned(),
        rows,
        created_ms: at.now,
        ready_ms: at.now + knobs.bulk_delay_ms,
        fails: knobs.fail_bulk_jobs > 0,
        aborted: false,
    };
    let id = format!("750{:015X}", mix(&[number, 750]) >> 4);
    let mut info = job.info(&id, at.now);
    if let Some(info) = info.as_object_mut() {
        info.insert("state".into(), json!("UploadComplete"));
    }
    locked(&at.account.jobs).insert(id, job);
    reply::json(200, &info)
}

/// One result set.
fn set(at: &rest::At<'_>, job: &Job) -> Response {
    let state = job.state(at.now);
    if state != "JobComplete" {
        return reply::salesforce(400, "INVALIDJOBSTATE", &format!("The job is {state}: there are no results"));
    }
    let pairs = at.call.pairs();
    let from = match pairs.get("locator") {
        None => Some(0),
        Some(text) => unwrap_opaque(text).and_then(|text| text.parse().ok()),
    };
    let Some((from, rest)) = from.and_then(|from| Some((from, job.rows.get(from..)?))) else {
        return reply::salesforce(400, "INVALID_LOCATOR", "Invalid locator");
    };
    let asked = pairs.get("maxRecords").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    let size = asked.min(at.shared.faults.knobs().bulk_rows).max(1);
    let rows: Vec<&Record> = rest.iter().take(size).collect();
    let Some(world) = at.account.world(Provider::Salesforce) else {
        return super::missing();
    };
    let Some(table) = world.table(job.query.object.name) else {
        return super::missing();
    };
    at.served(table, &rows);
    let next = if rest.len() > size { opaque(&(from + size).to_string()) } else { "null".to_owned() };
    let response = reply::plain(200, "text/csv; charset=UTF-8", csv(table, &job.query.columns, &rows).into());
    let response = reply::with(response, "sforce-numberofrecords", &rows.len().to_string());
    reply::with(response, "sforce-locator", &next)
}

fn csv(table: &Table, columns: &[Column], rows: &[&Record]) -> String {
    let mut text = String::new();
    line(&mut text, columns.iter().map(|column| column.name().to_owned()));
    for record in rows {
        line(&mut text, columns.iter().map(|column| cell(table, *column, record)));
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        text.push_str(if at > 0 { ",\"" } else { "\"" });
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    }
    text.push('\n');
}

/// A value as CSV holds it: null is empty, and times end with `Z`.
fn cell(table: &Table, column: Column, record: &Record) -> String {
    if let Some(ms) = column.time(record) {
        return millis(ms);
    }
    match column.value(table, record) {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Shape, World};

    #[test]
    fn csv_quotes_every_value_and_doubles_quotes() {
        let mut text = String::new();
        line(&mut text, ["a\"b".to_owned(), String::new(), "x,\ny".to_owned()].into_iter());
        assert_eq!(text, "\"a\"\"b\",\"\",\"x,\ny\"\n");
    }

    #[test]
    fn times_in_csv_end_with_z() {
        let shape = Shape { seed: 2, records: 5, ties: 0, index_lag_ms: 0, late_commit_ms: 0, plain: true };
        let world = World::new(Provider::Salesforce, shape);
        let table = world.table("Account").unwrap();
        let rows: Vec<&Record> = table.rows.iter().collect();
        let text = csv(table, &[Column::Id, Column::Stamp, Column::Master, Column::Deleted], &rows);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("\"Id\",\"SystemModstamp\",\"MasterRecordId\",\"IsDeleted\""));
        assert!(lines.all(|line| line.ends_with(".000Z\",\"\",\"false\"")), "{text}");
    }
}
