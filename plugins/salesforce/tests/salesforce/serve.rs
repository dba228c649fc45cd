//! The endpoints of the org.

use serde_json::{Value, json};
use syncline_sdk::testing::{json as answer_json, text};
use syncline_sdk::time::format_rfc3339_ms;
use syncline_sdk::{Method, Request, Response};

use crate::org::{Header, Job, Org, Row};
use crate::select::Select;

const BASE: &str = "/services/data/v63.0";

pub fn answer(org: &mut Org, request: &Request) -> Response {
    assert!(request.url.starts_with("https://northwind.my.salesforce.com/"), "{}", request.url);
    let path = request.path().strip_prefix(BASE).expect("a pinned version").to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (&request.method, parts.as_slice()) {
        (Method::Get, ["query"]) => query(org, request, false),
        (Method::Get, ["queryAll"]) => query(org, request, true),
        (Method::Get, ["sobjects", name, "describe"]) => describe(org, name),
        (Method::Post, ["jobs", "query"]) => create_job(org, request),
        (Method::Get, ["jobs", "query", id]) => poll_job(org, id),
        (Method::Get, ["jobs", "query", id, "results"]) => results(org, id, request),
        (Method::Delete, ["jobs", "query", id]) => {
            org.deleted_jobs.push((*id).to_owned());
            if org.jobs.remove(*id).is_some() { text(204, "") } else { not_found() }
        }
        _ => not_found(),
    }
}

/// An error as Salesforce reports it.
pub fn error(status: u16, code: &str, message: &str) -> Response {
    answer_json(status, &json!([{"message": message, "errorCode": code}]))
}

fn not_found() -> Response {
    error(404, "NOT_FOUND", "The requested resource does not exist")
}

fn describe(org: &Org, name: &str) -> Response {
    if name != org.object {
        return not_found();
    }
    let field = |(name, kind): &(String, String)| json!({"name": name, "type": kind, "filterable": true});
    let fields: Vec<Value> = org.fields.iter().map(field).collect();
    answer_json(200, &json!({"name": name, "queryable": true, "fields": fields}))
}

fn parse(org: &Org, soql: &str) -> Result<Select, Response> {
    let select = Select::parse(soql).map_err(|why| error(400, "MALFORMED_QUERY", &why))?;
    if select.object != org.object {
        return Err(error(400, "INVALID_TYPE", "sObject type is not supported"));
    }
    let known = |field: &&String| org.fields.iter().any(|(name, _)| name == *field) || *field == "COUNT()";
    match select.fields.iter().find(|field| !known(field)) {
        Some(field) => Err(error(400, "INVALID_FIELD", &format!("No such column '{field}' on entity"))),
        None => Ok(select),
    }
}

fn query(org: &Org, request: &Request, deleted_too: bool) -> Response {
    let select = match parse(org, &request.query("q").expect("q")) {
        Ok(select) => select,
        Err(response) => return response,
    };
    let visible = |row: &&Row| (deleted_too || !row.deleted) && select.matches(&row.id, row.stamp);
    let mut rows: Vec<&Row> = org.rows.values().filter(visible).collect();
    if select.fields == ["COUNT()"] {
        return answer_json(200, &json!({"totalSize": rows.len(), "done": true, "records": []}));
    }
    // A database stops early at a limit, so that both a smaller window and a smaller limit help.
    let cost = rows.len().min(select.limit.map_or(usize::MAX, |limit| limit.saturating_mul(4)));
    if cost > org.slow_above {
        return error(400, "QUERY_TIMEOUT", "Your query request was running for too long.");
    }
    match select.order.as_slice() {
        [] => {}
        [id] if id == "Id" => rows.sort_by(|a, b| a.id.cmp(&b.id)),
        [stamp, id] if stamp == "SystemModstamp" && id == "Id" => {
            rows.sort_by(|a, b| (a.stamp, &a.id).cmp(&(b.stamp, &b.id)));
        }
        other => panic!("no order by {other:?} is expected"),
    }
    rows.truncate(select.limit.unwrap_or(usize::MAX));
    let total = rows.len();
    rows.truncate(org.stop_after);
    let records: Vec<Value> = rows.iter().map(|row| row.record(&org.object, &select.fields)).collect();
    let mut body = json!({"totalSize": total, "done": records.len() == total, "records": records});
    if rows.len() < total {
        body["nextRecordsUrl"] = json!(format!("{BASE}/query/0r8000000000001-{}", rows.len()));
    }
    answer_json(200, &body)
}

fn create_job(org: &mut Org, request: &Request) -> Response {
    let body: Value = serde_json::from_slice(request.body.as_deref().unwrap_or_default()).expect("a JSON body");
    if !org.bulk {
        return error(400, "INVALIDENTITY", "Entity 'Account' is not supported by the Bulk API.");
    }
    let select = match parse(org, body["query"].as_str().expect("a query")) {
        Ok(select) => select,
        Err(response) => return response,
    };
    assert!(select.order.is_empty() && select.limit.is_none(), "a job with an order runs serially");
    assert_eq!((body["contentType"].as_str(), body["lineEnding"].as_str()), (Some("CSV"), Some("LF")));
    let deleted_too = body["operation"] == "queryAll";
    let mut rows: Vec<Row> = org.rows.values().filter(|row| deleted_too || !row.deleted).cloned().collect();
    // Any order but a useful one.
    rows.sort_by_key(|row| row.id.bytes().rev().fold(7_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte)));
    let id = format!("750Ab{:010}IAB", org.jobs.len() + org.deleted_jobs.len() + 1);
    let created = org.now;
    org.jobs.insert(id.clone(), Job { select, rows, created, polls: 0 });
    answer_json(200, &job_body(&id, created, "UploadComplete"))
}

fn job_body(id: &str, created: u64, state: &str) -> Value {
    let created = format_rfc3339_ms(created * 1_000).replace('Z', "+0000");
    json!({"id": id, "operation": "queryAll", "object": "Account", "createdDate": created, "state": state})
}

fn poll_job(org: &mut Org, id: &str) -> Response {
    let Some(job) = org.jobs.get_mut(id) else {
        return not_found();
    };
    let state = org.job_states.get(job.polls).or(org.job_states.last()).expect("a state");
    job.polls += 1;
    let mut body = job_body(id, job.created, state);
    if *state == "Failed" {
        body["errorMessage"] = json!("InternalServerError");
    }
    answer_json(200, &body)
}

fn results(org: &Org, id: &str, request: &Request) -> Response {
    let Some(job) = org.jobs.get(id) else {
        return not_found();
    };
    assert_eq!(request.header("accept"), Some("text/csv"));
    let count: usize = request.query("maxRecords").expect("maxRecords").parse().expect("a number");
    let start: usize = request.query("locator").map_or(0, |locator| locator[3..].parse().expect("our locator"));
    let end = (start + count).min(job.rows.len());
    let mut csv = String::new();
    if start == 0 || org.header == Header::EverySet {
        csv = format!("\"{}\"\n", job.select.fields.join("\",\""));
    }
    csv.extend(job.rows[start..end].iter().map(|row| row.csv(&job.select.fields)));
    let next = if end < job.rows.len() { format!("MTA{end}") } else { "null".to_owned() };
    text(200, csv).with_header("sforce-numberofrecords", (end - start).to_string()).with_header("sforce-locator", next)
}
