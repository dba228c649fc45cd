//! Fake Freshdesk API v2: lists of tickets, contacts, companies and agents in pages with numbers.
//!
//! With its traps: without `updated_since` only tickets that were created within 30 days, newest first; no ticket page
//! beyond the 300th; contacts that know `_updated_since` only; deleted and spam records in lists of their own;
//! companies and agents that go without a trace.

use std::{cmp::Reverse, collections::BTreeMap};

use axum::{body::Bytes, http::Method, response::Response};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    api::{Api, Habits},
    content,
    dataset::{Record, State, Table},
    faults::Knobs,
    limit::{Refused, Window},
    locked,
    reply::{self, Call},
    schema::{Object, Provider},
    serve::Wait,
};

mod rows;
pub mod schema;

const DAY_MS: i64 = 86_400_000;
const MOST_ROWS: usize = 100;
const LAST_TICKET_PAGE: usize = 300;
const INCLUDE: [&str; 4] = ["description", "requester", "stats", "company"];

/// The provider.
#[derive(Debug)]
pub(crate) struct Freshdesk;

impl Api for Freshdesk {
    fn host(&self) -> &'static str {
        "*.freshdesk.com"
    }

    fn objects(&self) -> &'static [Object] {
        schema::OBJECTS
    }

    fn habits(&self) -> Habits {
        Habits { implied_wait_ms: 60_000, ..Habits::default() }
    }

    fn presented(&self, call: &Call) -> Option<String> {
        // The key is the user; the password is whatever the client likes.
        call.basic().map(|(user, _)| user)
    }

    fn kind(&self, call: &Call) -> (&'static str, &'static str) {
        match call.segments().as_slice() {
            ["api", "v2", "tickets"] if call.query.contains("filter=") => ("freshdesk.filtered_tickets", "all"),
            ["api", "v2", "tickets"] => ("freshdesk.tickets", "all"),
            ["api", "v2", "contacts"] => ("freshdesk.contacts", "all"),
            ["api", "v2", "companies"] => ("freshdesk.companies", "all"),
            ["api", "v2", "agents"] => ("freshdesk.agents", "all"),
            ["api", "v2", "agents", "me"] => ("freshdesk.me", "all"),
            _ => ("freshdesk.unknown", "all"),
        }
    }

    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response {
        let domain = call.host().strip_suffix(".freshdesk.com");
        if domain.is_some_and(|name| shared.account(name).is_none()) {
            let page = "<!DOCTYPE html><html><body>There is no helpdesk here.</body></html>";
            return reply::plain(404, "text/html; charset=utf-8", Bytes::from_static(page.as_bytes()));
        }
        let account = shared.caller(Provider::Freshdesk, call, now).ok();
        let Some(account) = account.filter(|account| domain.is_none_or(|name| name == account.tenant.name)) else {
            return self.trouble(401);
        };
        let (pairs, knobs) = (call.pairs(), shared.faults.knobs());
        // Each part of a ticket that a list usually leaves out costs two more.
        let credits = 1 + 2 * parts(&pairs).len();
        let most = knobs.rates.get(&Provider::Freshdesk).copied().unwrap_or(1_000_000);
        let window = Window { scope: "all", most, ms: 60_000 };
        let mut left = most;
        for _ in 0..credits {
            match locked(&account.limiter).admit(Provider::Freshdesk, &[window], now) {
                Ok(more) => left = more,
                Err(refused) => return limited(refused, &knobs),
            }
        }
        let request = Request { shared, tenant: &account.tenant.name, call, pairs, now };
        let world = account.world(Provider::Freshdesk);
        let response = match (&call.method, call.segments().as_slice()) {
            (&Method::GET, ["api", "v2", "agents", "me"]) => {
                Ok(reply::json(200, &json!({ "id": 770, "available": true, "contact": { "name": "Api" } })))
            }
            (&Method::GET, ["api", "v2", name]) => {
                let table = world.as_ref().and_then(|world| world.table(name));
                table.map_or_else(|| Err(self.trouble(404)), |table| request.list(table))
            }
            _ => Err(self.trouble(404)),
        };
        let response = response.unwrap_or_else(|refused| refused);
        let response = reply::with(response, "x-request-id", &content::uuid(shared.serial()));
        let response = reply::with(response, "x-ratelimit-total", &most.to_string());
        let response = reply::with(response, "x-ratelimit-remaining", &left.to_string());
        reply::with(response, "x-ratelimit-used-currentrequest", &credits.to_string())
    }

    fn trouble(&self, status: u16) -> Response {
        let coded = |code: &str, message: &str| reply::json(status, &json!({ "code": code, "message": message }));
        match status {
            400 => invalid("value", "It should be a valid value.", "invalid_value"),
            401 => coded("invalid_credentials", "You have to be logged in to perform this action."),
            403 => coded("access_denied", "You are not authorized to perform this action."),
            404 => reply::plain(404, "application/json", Bytes::new()),
            429 => reply::json(429, &json!({ "message": "You have exceeded the limit of requests per minute" })),
            _ => coded("internal_error", "We're sorry, but something went wrong."),
        }
    }

    fn stamp(&self, ms: i64) -> String {
        rows::stamp(ms)
    }

    fn data(&self, table: &Table, record: &Record) -> Map<String, Value> {
        rows::all(table, record)
    }
}

/// A request of an account.
struct Request<'a> {
    shared: &'a Shared,
    tenant: &'a str,
    call: &'a Call,
    pairs: BTreeMap<String, String>,
    now: i64,
}

impl Request<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(String::as_str)
    }

    fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Response> {
        let number = self.get(name).map_or(Ok(default), str::parse).unwrap_or(0);
        let says = format!("It should be a Positive Integer less than or equal to {most}");
        if (1..=most).contains(&number) { Ok(number) } else { Err(invalid(name, &says, "invalid_value")) }
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Response> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let time = chrono::DateTime::parse_from_rfc3339(text);
        let time = time.map_err(|_| {
            invalid(name, "It should be in the 'combined date and time ISO8601' format", "invalid_date")
        })?;
        Ok(Some(time.timestamp_millis()))
    }

    /// A page of a list.
    fn list(&self, table: &Table) -> Result<Response, Response> {
        let size = self.number("per_page", 30, MOST_ROWS)?;
        let page = self.number("page", 1, usize::MAX)?;
        let tickets = table.object.name == "tickets";
        if tickets && page > LAST_TICKET_PAGE {
            let says = "You cannot access tickets beyond the 300th page. Please provide a smaller page number.";
            return Err(invalid("page", says, "invalid_value"));
        }
        let include = parts(&self.pairs);
        if let Some(unknown) = include.iter().find(|part| !INCLUDE.contains(part)) {
            return Err(invalid("include", &format!("It should not contain {unknown}"), "invalid_value"));
        }
        let found = match table.object.name {
            "tickets" => self.tickets(table)?,
            "contacts" => self.contacts(table)?,
            _ => by_name(table, table.views(self.now).filter(|record| !rows::is_deleted(record))),
        };
        let more = found.len() > page.saturating_mul(size);
        let shown: Vec<&Record> = found.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
        let values = shown
            .iter()
            .map(|record| if tickets { rows::ticket(table, record, &include) } else { rows::all(table, record) });
        let body: Vec<Value> = values.map(Value::Object).collect();
        self.shared.served(self.tenant, table, &shown);
        let response = reply::json(200, &Value::Array(body));
        Ok(if more { reply::with(response, "link", &self.link(page + 1)) } else { response })
    }

    /// Another page of the same list.
    fn link(&self, page: usize) -> String {
        let pairs = self.pairs.iter().filter(|(name, _)| *name != "page");
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let glue = if query.is_empty() { "" } else { "&" };
        format!("<https://{}.freshdesk.com{}?{query}{glue}page={page}>; rel=\"next\"", self.tenant, self.call.path)
    }

    fn tickets<'a>(&self, table: &'a Table) -> Result<Vec<&'a Record>, Response> {
        let filter = self.get("filter");
        if !matches!(filter, None | Some("deleted" | "spam")) {
            return Err(invalid("filter", "It should be one of these values: 'deleted,spam'", "invalid_value"));
        }
        let since = self.time("updated_since")?;
        let fits = |record: &&Record| {
            let list = match rows::is_deleted(record) {
                true => Some("deleted"),
                false => rows::is_spam(table, record).then_some("spam"),
            };
            list == filter && since.map_or(record.created_ms > self.now - 30 * DAY_MS, |since| record.stamp_ms >= since)
        };
        let mut found: Vec<&Record> = table.views(self.now).filter(fits).collect();
        let key = |record: &&Record| match self.get("order_by") {
            None | Some("created_at") => Some((record.created_ms, record.seq)),
            Some("updated_at") => Some((record.stamp_ms, record.seq)),
            Some(_) => None,
        };
        if found.iter().any(|record| key(record).is_none()) {
            return Err(invalid(
                "order_by",
                "It should be one of these values: 'created_at,updated_at'",
                "invalid_value",
            ));
        }
        match self.get("order_type") {
            Some("asc") => found.sort_by_key(key),
            _ => found.sort_by_key(|record| Reverse(key(record))),
        }
        Ok(found)
    }

    fn contacts<'a>(&self, table: &'a Table) -> Result<Vec<&'a Record>, Response> {
        // Without the underscore the filter is not one.
        let since = self.time("_updated_since")?.unwrap_or(i64::MIN);
        let deleted = match self.get("state") {
            None => false,
            Some("deleted") => true,
            Some(_) => return Err(invalid("state", "It should be one of these values: 'deleted'", "invalid_value")),
        };
        let fits = |record: &&Record| rows::is_deleted(record) == deleted && record.stamp_ms >= since;
        Ok(by_name(table, table.views(self.now).filter(fits)))
    }
}

/// In order of name. A name never changes here, but a record that goes moves all behind it to the left.
fn by_name<'a>(table: &'a Table, records: impl Iterator<Item = &'a Record>) -> Vec<&'a Record> {
    let mut records: Vec<&Record> = records.filter(|record| !matches!(record.state, State::Merged { .. })).collect();
    records.sort_by_cached_key(|record| (table.named("name", record).to_string(), record.seq));
    records
}

/// The parts of a ticket that a request asks for besides.
fn parts(pairs: &BTreeMap<String, String>) -> Vec<&str> {
    pairs.get("include").into_iter().flat_map(|list| list.split(',')).collect()
}

fn invalid(field: &str, message: &str, code: &str) -> Response {
    let errors = json!([{ "field": field, "message": message, "code": code }]);
    reply::json(400, &json!({ "description": "Validation failed", "errors": errors }))
}

fn limited(refused: Refused, knobs: &Knobs) -> Response {
    let seconds = u64::try_from(refused.wait_ms).unwrap_or(0).div_ceil(1000).max(1);
    let named = knobs.retry_after.unwrap_or(refused.nth.is_multiple_of(2));
    let mut response = reply::retry_after(Freshdesk.trouble(429), named.then_some(seconds));
    response.extensions_mut().insert(Wait { scope: refused.scope, ms: refused.wait_ms });
    response
}
