//! Fake Pipedrive: lists of API v2 with keyset tokens and closed windows, lists of API v1 by row number, tokens.
//!
//! Strict where the real one is: a parameter that it does not know, a fraction of a second, a token with other
//! parameters than it came with are a 400.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{
    Account, Shared,
    api::{Api, Habits, Leaving},
    dataset::{Record, Table},
    limit::{Refused, Window},
    locked,
    reply::{self, Call},
    schema::{Object, Provider},
    serve::Wait,
    tokens::{Pass, Refusal},
};

pub mod lists;
pub mod rows;
pub mod schema;

const DAY_MS: i64 = 86_400_000;
/// The burst that an account may make in any two seconds, where no knob says otherwise.
const BURST: u32 = 1_000_000;

/// What a request asks for.
#[derive(Debug, PartialEq)]
enum Route<'a> {
    Token,
    List(&'a str),
    Archived,
    Numbered(&'a str),
    Users,
    Me,
    Unknown,
}

fn route<'a>(method: &str, segments: &[&'a str]) -> Route<'a> {
    match (method, segments) {
        ("POST", ["oauth", "token"]) => Route::Token,
        ("GET", ["api", "v2", "deals", "archived"]) => Route::Archived,
        ("GET", ["api", "v2", "notes" | "leads" | "users"]) => Route::Unknown,
        ("GET", ["api", "v2", object]) => Route::List(object),
        ("GET", ["v1", object @ ("notes" | "leads")]) => Route::Numbered(object),
        ("GET", ["v1", "users"]) => Route::Users,
        ("GET", ["v1", "users", "me"]) => Route::Me,
        _ => Route::Unknown,
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Pipedrive;

impl Api for Pipedrive {
    fn host(&self) -> &'static str {
        "*.pipedrive.com"
    }

    fn objects(&self) -> &'static [Object] {
        schema::OBJECTS
    }

    fn habits(&self) -> Habits {
        Habits {
            grain_ms: 1_000,
            // Lists are read from replicas, which lag.
            late_commits: true,
            losers_vanish: true,
            leaving: Leaving::Deactivated,
            implied_wait_ms: 2_000,
            ..Habits::default()
        }
    }

    fn presented(&self, call: &Call) -> Option<String> {
        let key = call.header("x-api-token").map(str::to_owned).or_else(|| call.pairs().remove("api_token"));
        key.or_else(|| call.bearer().map(str::to_owned))
    }

    fn kind(&self, call: &Call) -> (&'static str, &'static str) {
        match route(call.method.as_str(), &call.segments()) {
            Route::Token => ("pipedrive.token", "none"),
            Route::List(_) => ("pipedrive.list", "all"),
            Route::Archived => ("pipedrive.archived", "all"),
            Route::Numbered(_) => ("pipedrive.v1", "all"),
            Route::Users => ("pipedrive.users", "all"),
            Route::Me => ("pipedrive.me", "all"),
            Route::Unknown => ("pipedrive.unknown", "all"),
        }
    }

    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response {
        let segments = call.segments();
        let route = route(call.method.as_str(), &segments);
        if route == Route::Token {
            return token(shared, call, now);
        }
        let account = match shared.caller(Provider::Pipedrive, call, now) {
            Ok(account) => account,
            Err(Pass::Expired(_)) => return refusal(401, "Invalid token: access token is invalid"),
            Err(_) => return refusal(401, "unauthorized access"),
        };
        let knobs = shared.faults.knobs();
        let burst = knobs.rates.get(&Provider::Pipedrive).copied().unwrap_or(BURST);
        let windows = [
            Window { scope: "day", most: knobs.pipedrive_per_day, ms: DAY_MS },
            Window { scope: "all", most: burst, ms: 2_000 },
        ];
        let left = match locked(&account.limiter).admit(Provider::Pipedrive, &windows, now) {
            Ok(left) => left,
            Err(refused) => return limited(refused, burst),
        };
        let response = dispatch(shared, account, call, route, now).unwrap_or_else(|refused| refused);
        rates(response, burst, left, 2)
    }

    fn trouble(&self, status: u16) -> Response {
        match status {
            403 => refusal(403, "Scope and URL mismatch"),
            429 => reply::with(refusal(429, "request over limit"), "x-ratelimit-reset", "2"),
            401 => refusal(401, "unauthorized access"),
            _ => refusal(status, "something went wrong"),
        }
    }

    fn stamp(&self, ms: i64) -> String {
        rows::v2_time(ms)
    }

    fn data(&self, table: &Table, record: &Record) -> Map<String, Value> {
        rows::row(table, record)
    }
}

fn dispatch(shared: &Shared, account: &Account, call: &Call, route: Route<'_>, now: i64) -> Result<Response, Response> {
    let world = account.world(Provider::Pipedrive).ok_or_else(unknown)?;
    let find = |name: &str| world.table(name).ok_or_else(unknown);
    match route {
        Route::List(name) => lists::list(shared, account, find(name)?, call, now),
        Route::Archived => lists::list(shared, account, find("deals")?, call, now),
        Route::Numbered(name) => lists::by_number(shared, account, find(name)?, call, now),
        Route::Users => {
            let table = find("users")?;
            let rows: Vec<&Record> = table.views(now).collect();
            Ok(reply::json(200, &json!({ "success": true, "data": lists::served(shared, account, table, &rows) })))
        }
        Route::Me => Ok(reply::json(200, &json!({ "success": true, "data": { "id": 7, "company_domain": "birch" } }))),
        Route::Token | Route::Unknown => Err(unknown()),
    }
}

fn refusal(status: u16, error: &str) -> Response {
    let info = "Please check developers.pipedrive.com";
    let body = json!({
        "success": false, "error": error, "error_info": info, "errorCode": status, "data": null, "additional_data": null
    });
    reply::json(status, &body)
}

fn unknown() -> Response {
    refusal(404, "Unknown method .")
}

fn invalid(text: &str) -> Response {
    refusal(400, text)
}

/// The headers that every answer has. The reset is in seconds to go, and no time.
fn rates(response: Response, most: u32, left: u32, seconds: i64) -> Response {
    let response = reply::with(response, "x-ratelimit-limit", &most.to_string());
    let response = reply::with(response, "x-ratelimit-remaining", &left.to_string());
    reply::with(response, "x-ratelimit-reset", &seconds.to_string())
}

/// No `Retry-After`. Where the day is spent, waiting for the reset of the burst does not help.
fn limited(refused: Refused, burst: u32) -> Response {
    let seconds = refused.wait_ms.clamp(1, 2_000).div_euclid(1_000) + 1;
    let mut response = rates(refusal(429, "request over limit"), burst, 0, seconds);
    let mut wait = Wait { scope: "all", ms: refused.wait_ms };
    if refused.scope == "day" {
        response = reply::with(response, "x-daily-ratelimit-token-remaining", "0");
        wait.ms = 0;
    }
    response.extensions_mut().insert(wait);
    response
}

fn token(shared: &Shared, call: &Call, now: i64) -> Response {
    let (mut form, life) = (call.form(), shared.faults.knobs().token_ms);
    // The client is told in the header, and only there.
    let (client, secret) = call.basic().unwrap_or_default();
    form.extend([("client_id".to_owned(), client), ("client_secret".to_owned(), secret)]);
    let grant = match form.get("grant_type").map(String::as_str) {
        Some("refresh_token") => shared.tokens.refresh(Provider::Pipedrive, &shared.options.tenants, &form, now + life),
        _ => Err(Refusal::GrantType),
    };
    let error = match grant {
        Ok(grant) => {
            let refresh = grant.refresh.or_else(|| form.get("refresh_token").cloned());
            let body = json!({
                "access_token": grant.access, "token_type": "Bearer", "refresh_token": refresh, "scope": "base",
                "expires_in": life / 1000, "api_domain": "https://birch.pipedrive.com"
            });
            return reply::json(200, &body);
        }
        Err(Refusal::Refresh) => "invalid_grant",
        Err(Refusal::Client) => "invalid_client",
        Err(Refusal::GrantType) => "unsupported_grant_type",
    };
    reply::json(if error == "invalid_client" { 401 } else { 400 }, &json!({ "success": false, "error": error }))
}
