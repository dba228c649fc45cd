//! Fake Salesforce: tokens, REST query with locators, describe, deleted and updated ids, Bulk 2.0 query jobs.
//!
//! Stamps have whole seconds, result sets are fixed when the query runs, and errors are arrays.

use std::sync::atomic::Ordering;

use axum::{body::Bytes, response::Response};
use serde_json::{Map, Value, json};

use super::{
    Shared, Tenant,
    api::{Api, Habits, Leaving},
    content,
    dataset::{Record, Table},
    reply::{self, Call},
    schema::{Object, Provider},
    serve::Wait,
    tokens::Refusal,
};

pub mod bulk;
pub mod fields;
pub mod query;
pub mod rest;
pub mod schema;
pub mod soql;

/// Versions of the API that the fake answers.
const VERSIONS: std::ops::RangeInclusive<u32> = 50..=67;

/// The provider.
#[derive(Debug)]
pub(crate) struct Salesforce;

impl Api for Salesforce {
    fn host(&self) -> &'static str {
        "*.my.salesforce.com"
    }

    fn objects(&self) -> &'static [Object] {
        schema::OBJECTS
    }

    fn habits(&self) -> Habits {
        Habits { late_commits: true, leaving: Leaving::Deactivated, rotates: true, ..Habits::default() }
    }

    fn credential(&self, _tenant: &Tenant) -> Option<String> {
        None
    }

    fn issued(&self, opaque: String) -> String {
        format!("00D5g0000012345!AQ.{opaque}")
    }

    fn kind(&self, call: &Call) -> (&'static str, &'static str) {
        let kind = match (call.method.as_str(), call.segments().as_slice()) {
            (_, ["services", "oauth2", "token"]) => "salesforce.token",
            (_, ["services", "data"]) => "salesforce.versions",
            (_, ["services", "data", _, "query" | "queryAll", _]) => "salesforce.query_more",
            (_, ["services", "data", _, "query"]) => "salesforce.query",
            (_, ["services", "data", _, "queryAll"]) => "salesforce.query_all",
            (_, ["services", "data", _, "sobjects"]) => "salesforce.sobjects",
            (_, ["services", "data", _, "sobjects", _, "describe"]) => "salesforce.describe",
            (_, ["services", "data", _, "sobjects", _, "deleted"]) => "salesforce.deleted",
            (_, ["services", "data", _, "sobjects", _, "updated"]) => "salesforce.updated",
            ("POST", ["services", "data", _, "jobs", "query"]) => "salesforce.bulk_create",
            (_, ["services", "data", _, "jobs", "query", _, "results"]) => "salesforce.bulk_results",
            (_, ["services", "data", _, "jobs", "query", ..]) => "salesforce.bulk_status",
            _ => "salesforce.unknown",
        };
        (kind, "all")
    }

    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response {
        let segments = call.segments();
        match (call.method.as_str(), segments.as_slice()) {
            ("POST", ["services", "oauth2", "token"]) => token(shared, call, now),
            ("GET", ["services", "data"]) => reply::json(200, &versions()),
            (method, ["services", "data", version, rest @ ..]) => data(shared, call, method, version, rest, now),
            _ => missing(),
        }
    }

    fn trouble(&self, status: u16) -> Response {
        match status {
            401 => reply::salesforce(401, "INVALID_SESSION_ID", "Session expired or invalid"),
            403 => reply::salesforce(403, "INSUFFICIENT_ACCESS", "insufficient access rights"),
            // Overload answers come from the edge, without a body.
            406 | 420 | 429 => reply::plain(status, "text/plain", Bytes::new()),
            503 => reply::salesforce(503, "SERVER_UNAVAILABLE", "Server too busy"),
            _ => reply::salesforce(status, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        }
    }

    fn stamp(&self, ms: i64) -> String {
        content::salesforce_time(ms)
    }

    fn data(&self, table: &Table, record: &Record) -> Map<String, Value> {
        fields::all(table, record)
    }
}

fn missing() -> Response {
    reply::salesforce(404, "NOT_FOUND", "The requested resource does not exist")
}

fn versions() -> Value {
    let one = |n: u32| json!({ "label": format!("Release {n}"), "url": format!("/services/data/v{n}.0"), "version": format!("{n}.0") });
    VERSIONS.map(one).collect()
}

/// Everything that needs a session.
fn data(shared: &Shared, call: &Call, method: &str, version: &str, rest: &[&str], now: i64) -> Response {
    let account = shared.caller(Provider::Salesforce, call, now);
    // A session is worth nothing at another org's host.
    let strangers =
        |own: &Tenant| shared.options.tenants.iter().any(|t| t != own && t.salesforce_domain == call.host());
    let Some(account) = account.ok().filter(|account| !strangers(&account.tenant)) else {
        return reply::salesforce(401, "INVALID_SESSION_ID", "Session expired or invalid");
    };
    let quota = shared.faults.knobs().salesforce_per_day;
    let usage = account.api_usage.fetch_add(1, Ordering::Relaxed) + 1;
    let response = if usage > quota {
        let mut response = reply::salesforce(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        response.extensions_mut().insert(Wait { scope: "all", ms: 0 });
        response
    } else if !number(version).is_some_and(|n| VERSIONS.contains(&n)) {
        missing()
    } else {
        let at = rest::At { shared, account, call, version, now };
        match (method, rest) {
            ("GET", []) => reply::json(200, &rest::resources(version)),
            ("GET", ["limits"]) => rest::limits(usage, quota),
            ("GET", ["query"]) => rest::query(&at, false),
            ("GET", ["queryAll"]) => rest::query(&at, true),
            ("GET", ["query" | "queryAll", locator]) => rest::more(&at, locator),
            ("GET", ["sobjects"]) => reply::json(200, &rest::sobjects(version)),
            ("GET", ["sobjects", object, "describe"]) => rest::describe(version, object),
            ("GET", ["sobjects", object, which @ ("deleted" | "updated")]) => {
                rest::ids(&at, object, *which == "deleted")
            }
            (_, ["jobs", "query", rest @ ..]) => bulk::answer(&at, method, rest),
            _ => missing(),
        }
    };
    reply::with(response, "sforce-limit-info", &format!("api-usage={usage}/{quota}"))
}

/// `63` for `v63.0`.
fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()
}

fn token(shared: &Shared, call: &Call, now: i64) -> Response {
    let (form, tenants) = (call.form(), &shared.options.tenants);
    let expires = now + shared.faults.knobs().token_ms;
    let login = matches!(call.host(), "login.salesforce.com" | "test.salesforce.com");
    let grant = match form.get("grant_type").map(String::as_str) {
        Some("refresh_token") => shared.tokens.refresh(Provider::Salesforce, tenants, &form, expires),
        // Only the org's own host grants by client alone.
        Some("client_credentials") if !login => shared.tokens.client(Provider::Salesforce, tenants, &form, expires),
        _ => Err(Refusal::GrantType),
    };
    let grant = match grant {
        Ok(grant) => grant,
        Err(refusal) => {
            let (error, text) = match refusal {
                Refusal::Refresh => ("invalid_grant", "expired access/refresh token"),
                Refusal::Client => ("invalid_client", "invalid client credentials"),
                Refusal::GrantType => ("unsupported_grant_type", "grant type not supported"),
            };
            return reply::json(400, &json!({ "error": error, "error_description": text }));
        }
    };
    let Some(owner) = tenants.get(grant.tenant) else {
        return missing();
    };
    let instance = if login || call.host() == owner.salesforce_domain {
        format!("https://{}", owner.salesforce_domain)
    } else if tenants.iter().any(|tenant| tenant.salesforce_domain == call.host()) {
        // Another org's host knows nothing of this client.
        return reply::json(
            400,
            &json!({ "error": "invalid_client_id", "error_description": "client identifier invalid" }),
        );
    } else {
        // Asked for by address: a test that talks to the fake directly.
        format!("http://{}", call.header("host").unwrap_or_default())
    };
    let mut body = json!({
        "access_token": grant.access,
        "instance_url": instance,
        "id": format!("{instance}/id/00D5g0000012345EAA/0055g00000ABCDEAA4"),
        "token_type": "Bearer",
        "issued_at": now.to_string(),
        "signature": content::opaque(&now.to_string()),
        "scope": "api refresh_token"
    });
    if let (true, Some(refresh), Some(body)) = (grant.rotated, grant.refresh, body.as_object_mut()) {
        body.insert("refresh_token".to_owned(), json!(refresh));
    }
    reply::json(200, &body)
}
