//! Fake Zendesk Support: incremental exports, lists by cursor pagination, comments of a ticket, tokens.
//!
//! Accounts are told apart by credential, and by host name where the request names one of `*.zendesk.com`.

use std::collections::BTreeMap;

use axum::{body::Bytes, response::Response};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::{
    Account, Shared,
    api::{Api, Habits, Life},
    content::{self, opaque, unwrap_opaque},
    dataset::{Record, State, Table, World},
    faults::Knobs,
    limit::{Refused, Window},
    locked,
    reply::{self, Call},
    schema::{Object, Provider},
    serve::Wait,
    truth::Truth,
};

mod export;
mod rows;
pub mod schema;

/// The most rows of a list's page.
const LIST_ROWS: usize = 100;

/// The provider.
#[derive(Debug)]
pub(crate) struct Zendesk;

/// A request of an account.
struct Request<'a> {
    shared: &'a Shared,
    account: &'a Account,
    call: &'a Call,
    pairs: BTreeMap<String, String>,
    now: i64,
}

impl Request<'_> {
    fn number(&self, name: &str, default: usize) -> Result<usize, Response> {
        let text = self.pairs.get(name);
        text.map_or(Ok(default), |text| text.parse().map_err(|_| bad(400, &format!("Invalid value for {name}"))))
    }

    /// A link to another page of the same thing.
    fn url(&self, query: &str) -> String {
        format!("https://{}.zendesk.com{}?{query}", self.account.tenant.name, self.call.path)
    }

    fn served(&self, table: &Table, rows: &[&Record]) {
        self.shared.served(&self.account.tenant.name, table, rows);
    }
}

impl Api for Zendesk {
    fn host(&self) -> &'static str {
        "*.zendesk.com"
    }

    fn objects(&self) -> &'static [Object] {
        schema::OBJECTS
    }

    fn habits(&self) -> Habits {
        let hold_back_ms = export::HELD_BACK * 1000;
        Habits { rotates: true, hold_back_ms, implied_wait_ms: 60_000, ..Habits::default() }
    }

    fn life(&self, object: &Object) -> Life {
        match object.name {
            "ticket_comments" => Life::Fixed,
            // Nobody has commented on a ticket that was deleted before.
            "tickets" => Life::Young,
            _ => Life::Full,
        }
    }

    fn stamps(&self, table: &Table, record: &Record) -> Option<(&'static str, u32)> {
        (table.object.name == "ticket_comments").then_some(("tickets", rows::ticket_of(table, record)?))
    }

    fn presented(&self, call: &Call) -> Option<String> {
        match call.basic() {
            Some((user, password)) => user.ends_with("/token").then_some(password),
            None => call.bearer().map(str::to_owned),
        }
    }

    fn kind(&self, call: &Call) -> (&'static str, &'static str) {
        match path(call).as_slice() {
            ["oauth", "tokens"] => ("zendesk.token", "none"),
            ["api", "v2", "incremental", _, "cursor"] => ("zendesk.export_by_cursor", "exports"),
            ["api", "v2", "incremental", _] => ("zendesk.export_by_time", "exports"),
            ["api", "v2", "tickets", _, "comments"] => ("zendesk.comments", "all"),
            ["api", "v2", "users", "me"] => ("zendesk.me", "all"),
            ["api", "v2", _] => ("zendesk.list", "all"),
            _ => ("zendesk.unknown", "all"),
        }
    }

    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response {
        if path(call).as_slice() == ["oauth", "tokens"] {
            return token(shared, call, now);
        }
        let domain = call.host().strip_suffix(".zendesk.com");
        if let Some(name) = domain.filter(|name| shared.account(name).is_none()) {
            return reply::json(
                404,
                &json!({ "error": {
                    "title": format!("No help desk at {name}.zendesk.com"),
                    "message": "There is no help desk configured at this address.",
                }}),
            );
        }
        let account = shared.caller(Provider::Zendesk, call, now).ok();
        let Some(account) = account.filter(|account| domain.is_none_or(|name| name == account.tenant.name)) else {
            return stranger(call);
        };
        let (_, scope) = self.kind(call);
        let knobs = shared.faults.knobs();
        if let Some(most) = knobs.rates.get(&Provider::Zendesk).copied().filter(|_| scope == "exports") {
            let window = Window { scope, most, ms: 60_000 };
            if let Err(refused) = locked(&account.limiter).admit(Provider::Zendesk, &[window], now) {
                return limited(refused, &knobs);
            }
        }
        let request = Request { shared, account, call, pairs: call.pairs(), now };
        dispatch(&request).unwrap_or_else(|refused| refused)
    }

    fn trouble(&self, status: u16) -> Response {
        match status {
            400 | 422 => bad(status, "The cursor is invalid or has expired"),
            401 => reply::json(401, &json!({ "error": "Couldn't authenticate you" })),
            403 => reply::json(
                403,
                &json!({ "error": { "title": "Forbidden", "message": "You do not have access to this page." } }),
            ),
            404 => missing(),
            429 => text(429, "Number of allowed API requests per minute exceeded"),
            _ => reply::json(status, &json!({ "error": "InternalError", "description": "Something went wrong" })),
        }
    }

    fn stamp(&self, ms: i64) -> String {
        rows::stamp(ms)
    }

    fn data(&self, table: &Table, record: &Record) -> Map<String, Value> {
        rows::all(table, record)
    }

    /// A ticket says when somebody changed it last; the stamp that orders the export is another one.
    fn amend(&self, _world: &World, object: &str, truth: &mut BTreeMap<String, Truth>) {
        if object != "tickets" {
            return;
        }
        for ticket in truth.values_mut() {
            ticket.stamp = ticket.data.get("updated_at").and_then(Value::as_str).map(str::to_owned);
            let time = ticket.stamp.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            ticket.stamp_ms = time.map(|time| time.timestamp_millis());
        }
    }
}

fn path(call: &Call) -> Vec<&str> {
    let mut segments = call.segments();
    if let Some(last) = segments.last_mut() {
        *last = last.strip_suffix(".json").unwrap_or(last);
    }
    segments
}

fn dispatch(request: &Request<'_>) -> Result<Response, Response> {
    let world = request.account.world(Provider::Zendesk).ok_or_else(missing)?;
    let table = |name: &str| world.table(name).ok_or_else(missing);
    let call = request.call;
    if call.method != axum::http::Method::GET {
        return Err(missing());
    }
    match path(call).as_slice() {
        ["api", "v2", "incremental", name @ ("tickets" | "users"), "cursor"] => {
            export::by_cursor(request, table(name)?)
        }
        ["api", "v2", "incremental", name @ ("tickets" | "users" | "organizations")] => {
            export::by_time(request, table(name)?, name)
        }
        ["api", "v2", "incremental", key @ "ticket_events"] => export::by_time(request, table("ticket_comments")?, key),
        ["api", "v2", "tickets", id, "comments"] => comments(request, table("tickets")?, table("ticket_comments")?, id),
        ["api", "v2", "users", "me"] => {
            let user = json!({ "id": 1, "name": "Admin", "role": "admin", "active": true });
            Ok(reply::json(200, &json!({ "user": user })))
        }
        ["api", "v2", name] if *name != "ticket_comments" => {
            let table = table(name)?;
            list(request, table, name, lives, rows::all)
        }
        _ => Err(missing()),
    }
}

fn comments(request: &Request<'_>, tickets: &Table, comments: &Table, id: &str) -> Result<Response, Response> {
    // A deleted ticket has none, and cannot be asked for them.
    let ticket = content::seq(tickets.object, id).filter(|seq| tickets.live(*seq).is_some()).ok_or_else(missing)?;
    let of_ticket = |record: &Record| rows::ticket_of(comments, record) == Some(ticket);
    list(request, comments, "comments", of_ticket, rows::comment)
}

/// A page of a list by Zendesk's cursor pagination: in the order of ids, without the deleted.
fn list(
    request: &Request<'_>,
    table: &Table,
    key: &str,
    fits: impl Fn(&Record) -> bool,
    row: impl Fn(&Table, &Record) -> Map<String, Value>,
) -> Result<Response, Response> {
    let limit = request.number("page[size]", LIST_ROWS)?;
    if !(1..=LIST_ROWS).contains(&limit) {
        return Err(bad(400, "page[size] must be between 1 and 100"));
    }
    let from = match request.pairs.get("page[after]") {
        None => 0,
        Some(token) => {
            let last: Option<u32> = unwrap_opaque(token).and_then(|text| text.parse().ok());
            last.ok_or_else(|| bad(400, "Invalid parameter: page[after] is not a valid cursor"))? + 1
        }
    };
    let rest = table.views(request.now).filter(|record| record.seq >= from && fits(record));
    let mut page: Vec<&Record> = rest.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    request.served(table, &page);
    let after = page.last().map(|record| opaque(&record.seq.to_string()));
    let next = after.as_ref().filter(|_| more).map(|token| request.url(&format!("page[after]={token}")));
    let values: Vec<Value> = page.iter().map(|record| Value::Object(row(table, record))).collect();
    let meta = json!({ "has_more": more, "after_cursor": after, "before_cursor": null });
    Ok(reply::json(200, &json!({ key: values, "meta": meta, "links": { "next": next, "prev": null } })))
}

fn lives(record: &Record) -> bool {
    !matches!(record.state, State::Deleted { .. })
}

/// What somebody gets who is not known: without any credential a user who is nobody, and a refusal otherwise.
fn stranger(call: &Call) -> Response {
    if call.header("authorization").is_none() && path(call).as_slice() == ["api", "v2", "users", "me"] {
        return reply::json(200, &json!({ "user": { "id": null, "name": "Anonymous user", "role": "end-user" } }));
    }
    if call.bearer().is_some() {
        let text = "The access token provided is expired, revoked, malformed or invalid for other reasons.";
        return reply::json(401, &json!({ "error": "invalid_token", "error_description": text }));
    }
    Zendesk.trouble(401)
}

fn token(shared: &Shared, call: &Call, now: i64) -> Response {
    // JSON as documented, or a form as OAuth has it.
    let asked = serde_json::from_slice(&call.body).unwrap_or_else(|_| call.form());
    let life = shared.faults.knobs().token_ms;
    if asked.get("grant_type").is_none_or(|grant| grant != "refresh_token") {
        return reply::json(400, &json!({ "error": "unsupported_grant_type" }));
    }
    match shared.tokens.refresh(Provider::Zendesk, &shared.options.tenants, &asked, now + life) {
        Ok(grant) => reply::json(
            200,
            &json!({
                "access_token": grant.access, "refresh_token": grant.refresh, "token_type": "bearer", "scope": "read",
                "expires_in": life / 1000,
            }),
        ),
        Err(_) => reply::json(400, &json!({ "error": "invalid_grant", "error_description": "The token is invalid." })),
    }
}

/// 429, now as text and now as JSON, with and without `Retry-After`.
fn limited(refused: Refused, knobs: &Knobs) -> Response {
    let says = "Number of allowed API requests per minute exceeded";
    let response = if refused.nth.is_multiple_of(2) {
        reply::json(429, &json!({ "error": "APIRateLimitExceeded", "description": says }))
    } else {
        text(429, says)
    };
    let seconds = u64::try_from(refused.wait_ms).unwrap_or(0).div_ceil(1000);
    let named = knobs.retry_after.unwrap_or(!refused.nth.is_multiple_of(3));
    let mut response = reply::retry_after(response, named.then_some(seconds));
    response.extensions_mut().insert(Wait { scope: refused.scope, ms: refused.wait_ms });
    response
}

fn text(status: u16, says: &'static str) -> Response {
    reply::plain(status, "text/plain;charset=utf-8", Bytes::from_static(says.as_bytes()))
}

fn bad(status: u16, says: &str) -> Response {
    reply::json(status, &json!({ "error": "InvalidValue", "description": says }))
}

fn missing() -> Response {
    reply::json(404, &json!({ "error": "RecordNotFound", "description": "Not found" }))
}
