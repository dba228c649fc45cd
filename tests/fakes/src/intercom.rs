//! Fake Intercom REST 2.14: contacts, companies with their one scroll, conversations, tickets, notes, admins, teams.
//!
//! Lists show a write at once, search shows it late. Deleted and merged records are in no answer.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Map, Value, json};

use self::answers::At;
use super::{
    Account, Shared,
    api::{Api, Habits},
    content::{id, uuid},
    dataset::{Record, Table, World},
    limit::{Refused, Window},
    locked,
    reply::{self, Call},
    schema::{Object, Provider},
    serve::Wait,
    truth::{Fate, Truth},
};

pub(crate) mod answers;
pub mod rows;
pub mod schema;
pub mod search;

/// The version of the API that is imitated.
const VERSION: &str = "2.14";

/// Requests of an account in ten seconds, unless a knob says otherwise.
const PER_10_S: u32 = 1_000_000;

/// What a request asks for.
#[derive(Debug, PartialEq)]
enum Route<'a> {
    Me,
    Contacts,
    Search(&'a str),
    Attached(&'a str, &'a str),
    Notes(&'a str),
    Companies,
    Scroll,
    Read(&'a str, &'a str),
    All(&'a str),
    Unknown,
}

fn route<'a>(method: &str, segments: &[&'a str]) -> Route<'a> {
    match (method, segments) {
        ("GET", ["me"]) => Route::Me,
        ("GET", ["contacts"]) => Route::Contacts,
        ("POST", [object @ ("contacts" | "conversations" | "tickets"), "search"]) => Route::Search(object),
        ("GET", ["contacts", id, list @ ("tags" | "companies")]) => Route::Attached(id, list),
        ("GET", ["contacts", id, "notes"]) => Route::Notes(id),
        ("GET", ["companies"]) | ("POST", ["companies", "list"]) => Route::Companies,
        ("GET", ["companies", "scroll"]) => Route::Scroll,
        ("GET", [object @ ("contacts" | "companies" | "conversations" | "tickets"), id]) => Route::Read(object, id),
        ("GET", [object @ ("admins" | "teams")]) => Route::All(object),
        _ => Route::Unknown,
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Intercom;

impl Api for Intercom {
    fn host(&self) -> &'static str {
        "api.intercom.io"
    }

    fn objects(&self) -> &'static [Object] {
        schema::OBJECTS
    }

    fn habits(&self) -> Habits {
        Habits { index_lag: true, losers_vanish: true, implied_wait_ms: 10_000, ..Habits::default() }
    }

    fn kind(&self, call: &Call) -> (&'static str, &'static str) {
        let kind = match route(call.method.as_str(), &call.segments()) {
            Route::Me => "intercom.me",
            Route::Contacts => "intercom.list",
            Route::Search(_) => "intercom.search",
            Route::Attached(..) => "intercom.attached",
            Route::Notes(_) => "intercom.notes",
            Route::Companies => "intercom.companies",
            Route::Scroll => "intercom.scroll",
            Route::Read(..) => "intercom.read",
            Route::All(_) => "intercom.all",
            Route::Unknown => "intercom.unknown",
        };
        (kind, "all")
    }

    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response {
        let Ok(account) = shared.caller(Provider::Intercom, call, now) else {
            return self.trouble(401);
        };
        let most = shared.faults.knobs().rates.get(&Provider::Intercom).copied().unwrap_or(PER_10_S);
        let window = Window { scope: "all", most, ms: 10_000 };
        let admitted = locked(&account.limiter).admit(Provider::Intercom, &[window], now);
        let (response, left, ms) = match admitted {
            Ok(left) => (dispatch(shared, account, call, now).unwrap_or_else(|refused| refused), left, window.ms),
            Err(refused) => (limited(refused, most), 0, refused.wait_ms),
        };
        let reset = (now + ms).div_euclid(1_000) + 1;
        let response = reply::with(response, "intercom-version", VERSION);
        let response = reply::with(response, "x-ratelimit-limit", &most.to_string());
        let response = reply::with(response, "x-ratelimit-remaining", &left.to_string());
        reply::with(response, "x-ratelimit-reset", &reset.to_string())
    }

    fn trouble(&self, status: u16) -> Response {
        let (code, message) = match status {
            401 => ("unauthorized", "Access Token Invalid"),
            403 => ("api_plan_restricted", "Active subscription needed."),
            404 => ("not_found", "Resource Not Found"),
            429 => ("rate_limit_exceeded", "Exceeded rate limit of 167 in 10_seconds"),
            500 => (
                "server_error",
                "Request failed due to an internal network error. Please restart the scroll operation.",
            ),
            503 => ("service_unavailable", "Sorry, the API service is temporarily unavailable"),
            _ => ("server_error", "An unknown error occurred"),
        };
        refusal(status, code, message)
    }

    fn stamp(&self, ms: i64) -> String {
        (ms / 1_000).to_string()
    }

    fn data(&self, table: &Table, record: &Record) -> Map<String, Value> {
        rows::whole(table, record)
    }

    /// A note goes with its contact.
    fn amend(&self, world: &World, object: &str, truth: &mut BTreeMap<String, Truth>) {
        let Some(notes) = world.table(object).filter(|_| object == "notes") else {
            return;
        };
        for note in notes.rows.iter().filter(|note| rows::owner(world, note).is_none()) {
            if let Some(truth) = truth.get_mut(&id(notes.object, note.seq)) {
                truth.fate = Fate::Deleted;
            }
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let errors = json!([{ "code": code, "message": message }]);
    reply::json(status, &json!({ "type": "error.list", "request_id": uuid(u64::from(status)), "errors": errors }))
}

fn invalid(message: &str) -> Response {
    refusal(400, "parameter_invalid", message)
}

fn missing() -> Response {
    Intercom.trouble(404)
}

fn limited(refused: Refused, most: u32) -> Response {
    let message = format!("Exceeded rate limit of {most} in 10_seconds");
    let mut response = refusal(429, "rate_limit_exceeded", &message);
    response.extensions_mut().insert(Wait { scope: refused.scope, ms: refused.wait_ms });
    response
}

fn dispatch(shared: &Shared, account: &Account, call: &Call, now: i64) -> Result<Response, Response> {
    if call.header("intercom-version") != Some(VERSION) {
        let message = format!("only version {VERSION} is imitated, and it must be asked for");
        return Err(refusal(400, "intercom_version_invalid", &message));
    }
    let segments = call.segments();
    let world = account.world(Provider::Intercom).ok_or_else(missing)?;
    let at = At { shared, account, call, world: &world, now };
    match route(call.method.as_str(), &segments) {
        Route::Me => {
            let app = json!({ "type": "app", "id_code": "abc123", "region": "US", "timezone": "Asia/Tokyo" });
            Ok(reply::json(200, &json!({ "type": "admin", "id": "991267685", "app": app })))
        }
        Route::Contacts => at.contacts(),
        Route::Search(name) => at.search(name),
        Route::Attached(id, list) => at.attached(id, list),
        Route::Notes(id) => at.notes(id),
        Route::Companies => at.companies(),
        Route::Scroll => at.scroll(),
        Route::Read(name, id) => at.read(name, id),
        Route::All(name) => at.all(name),
        Route::Unknown => Err(missing()),
    }
}
