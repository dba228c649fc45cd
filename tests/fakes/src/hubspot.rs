//! Fake HubSpot CRM v3: lists, search, batch read, owners, properties, tokens.
//!
//! Lists show a write at once and in id order; search shows it late and by offset. Unknown properties are ignored,
//! unasked ones are not returned.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{
    Account, Shared, Tenant,
    api::{Api, Habits, Leaving},
    content::{hubspot_time, id, millis, opaque, seq, unwrap_opaque, uuid},
    dataset::{Record, State, Table},
    faults::Knobs,
    limit::{Refused, Window},
    locked,
    reply::{self, Call},
    schema::{Object, Provider},
    serve::Wait,
    tokens::{Pass, Refusal},
};

pub mod properties;
pub mod schema;
pub mod search;

/// What a request asks for.
#[derive(Debug, PartialEq)]
enum Route<'a> {
    Token,
    List(&'a str),
    Search(&'a str),
    Batch(&'a str),
    Read(&'a str, &'a str),
    Owners,
    Properties(&'a str),
    Account,
    Unknown,
}

fn route<'a>(method: &str, segments: &[&'a str]) -> Route<'a> {
    match (method, segments) {
        ("POST", ["oauth", "v1" | "2026-03", "token"]) => Route::Token,
        ("GET", ["crm", "v3", "owners"] | ["crm", "owners", "2026-03"]) => Route::Owners,
        ("GET", ["crm", "v3", "properties", object]) => Route::Properties(object),
        ("GET", ["account-info", "v3", "details"]) => Route::Account,
        (_, ["crm", "v3", "objects", rest @ ..] | ["crm", "objects", "2026-03", rest @ ..]) => match (method, rest) {
            (_, ["owners", ..]) => Route::Unknown,
            ("GET", [object]) => Route::List(object),
            ("POST", [object, "search"]) => Route::Search(object),
            ("POST", [object, "batch", "read"]) => Route::Batch(object),
            ("GET", [object, id]) => Route::Read(object, id),
            _ => Route::Unknown,
        },
        _ => Route::Unknown,
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct HubSpot;

impl Api for HubSpot {
    fn host(&self) -> &'static str {
        "api.hubapi.com"
    }

    fn objects(&self) -> &'static [Object] {
        schema::OBJECTS
    }

    fn habits(&self) -> Habits {
        Habits {
            grain_ms: 1,
            index_lag: true,
            losers_vanish: true,
            leaving: Leaving::Archived,
            implied_wait_ms: 10_000,
            ..Habits::default()
        }
    }

    fn credential(&self, tenant: &Tenant) -> Option<String> {
        Some(tenant.hubspot_token.clone())
    }

    fn issued(&self, opaque: String) -> String {
        format!("CJ-{opaque}")
    }

    fn kind(&self, call: &Call) -> (&'static str, &'static str) {
        match route(call.method.as_str(), &call.segments()) {
            Route::Token => ("hubspot.token", "none"),
            Route::List(_) if call.query.contains("archived=true") => ("hubspot.archived", "all"),
            Route::List(_) => ("hubspot.list", "all"),
            Route::Search(_) => ("hubspot.search", "search"),
            Route::Batch(_) => ("hubspot.batch", "all"),
            Route::Read(..) => ("hubspot.read", "all"),
            Route::Owners => ("hubspot.owners", "all"),
            Route::Properties(_) => ("hubspot.properties", "all"),
            Route::Account => ("hubspot.account", "all"),
            Route::Unknown => ("hubspot.unknown", "all"),
        }
    }

    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response {
        let segments = call.segments();
        let route = route(call.method.as_str(), &segments);
        if route == Route::Token {
            return token(shared, call, now);
        }
        let account = match shared.caller(Provider::HubSpot, call, now) {
            Ok(account) => account,
            Err(Pass::Expired(_)) => return expired(now),
            Err(_) => {
                let text = "Authentication credentials not found. This API supports OAuth 2.0 authentication.";
                return reply::hubspot(401, "INVALID_AUTHENTICATION", text);
            }
        };
        let knobs = shared.faults.knobs();
        let searching = matches!(route, Route::Search(_));
        let all = Window { scope: "all", most: knobs.hubspot_per_10s, ms: 10_000 };
        let search = Window { scope: "search", most: knobs.hubspot_search_per_s, ms: 1_000 };
        let windows: &[Window] = if searching { &[search, all] } else { &[all] };
        let left = match locked(&account.limiter).admit(Provider::HubSpot, windows, now) {
            Ok(left) => left,
            Err(refused) => return limited(refused, &knobs),
        };
        let response = dispatch(shared, account, call, route, now).unwrap_or_else(|refused| refused);
        if searching {
            // Search answers carry no rate headers.
            return response;
        }
        let response = reply::with(response, "x-hubspot-ratelimit-max", &knobs.hubspot_per_10s.to_string());
        let response = reply::with(response, "x-hubspot-ratelimit-remaining", &left.to_string());
        reply::with(response, "x-hubspot-ratelimit-interval-milliseconds", "10000")
    }

    fn trouble(&self, status: u16) -> Response {
        match status {
            429 => reply::hubspot_limit("TEN_SECONDLY_ROLLING"),
            401 => {
                let text = "The OAuth token used to make this call expired 3 minute(s) ago.";
                reply::hubspot(401, "EXPIRED_AUTHENTICATION", text)
            }
            403 => {
                let text = "This app hasn't been granted all required scopes to make this call.";
                reply::hubspot(403, "MISSING_SCOPES", text)
            }
            423 => reply::hubspot(423, "LOCKED", "This resource is locked."),
            477 => reply::hubspot(477, "MIGRATION_IN_PROGRESS", "This account is being moved."),
            _ => reply::hubspot(status, "INTERNAL_ERROR", "internal error"),
        }
    }

    fn stamp(&self, ms: i64) -> String {
        hubspot_time(ms)
    }

    fn data(&self, table: &Table, record: &Record) -> Map<String, Value> {
        properties::all(table, record)
    }
}

fn dispatch(shared: &Shared, account: &Account, call: &Call, route: Route<'_>, now: i64) -> Result<Response, Response> {
    let world = account.world(Provider::HubSpot).ok_or_else(unknown)?;
    let find = |name: &str| {
        let table = world.table(name).filter(|table| !table.object.people);
        table.ok_or_else(|| {
            let text = format!("Unable to infer object type from: {name}");
            reply::hubspot(404, "OBJECT_NOT_FOUND", &text)
        })
    };
    match route {
        Route::List(name) => list(shared, account, find(name)?, call, now),
        Route::Search(name) => searched(shared, account, find(name)?, call, now),
        Route::Batch(name) => batch(shared, account, find(name)?, call, now),
        Route::Read(name, wanted) => {
            let (table, pairs) = (find(name)?, call.pairs());
            let record = seq(table.object, wanted).and_then(|seq| table.live(seq)).and_then(|r| r.view(now));
            let record = record.ok_or_else(|| reply::hubspot(404, "OBJECT_NOT_FOUND", "resource not found"))?;
            shared.served(&account.tenant.name, table, &[record]);
            Ok(reply::json(200, &row(table, record, &asked(pairs.get("properties")))))
        }
        Route::Owners => {
            world.table("owners").map_or_else(|| Err(unknown()), |t| owners(shared, account, t, call, now))
        }
        Route::Properties(name) => {
            let names = properties::names(find(name)?.object);
            let results: Vec<Value> =
                names.iter().map(|name| json!({ "name": name, "label": name, "type": "string" })).collect();
            Ok(reply::json(200, &json!({ "results": results })))
        }
        Route::Account => Ok(reply::json(200, &json!({ "portalId": 4_200_000, "timeZone": "Europe/Berlin" }))),
        Route::Token | Route::Unknown => Err(unknown()),
    }
}

fn unknown() -> Response {
    reply::hubspot(404, "OBJECT_NOT_FOUND", "No route was found for this request.")
}

fn limited(refused: Refused, knobs: &Knobs) -> Response {
    let (policy, seconds) = if refused.scope == "search" { ("SECONDLY", 1) } else { ("TEN_SECONDLY_ROLLING", 10) };
    // Some answers name the time to wait, some leave it to the documentation.
    let named = knobs.retry_after.unwrap_or(refused.nth.is_multiple_of(2));
    let mut response = reply::retry_after(reply::hubspot_limit(policy), named.then_some(seconds));
    let ms = i64::try_from(seconds).unwrap_or(0) * 1000;
    response.extensions_mut().insert(Wait { scope: refused.scope, ms });
    response
}

fn invalid(text: &str) -> Response {
    reply::hubspot(400, "VALIDATION_ERROR", text)
}

fn expired(now: i64) -> Response {
    reply::json(
        401,
        &json!({
            "status": "error",
            "message": "The OAuth token used to make this call expired 3 minute(s) ago.",
            "correlationId": uuid(401),
            "category": "EXPIRED_AUTHENTICATION",
            "context": { "expire time": [millis(now - 180_000)] }
        }),
    )
}

fn token(shared: &Shared, call: &Call, now: i64) -> Response {
    let (form, life) = (call.form(), shared.faults.knobs().token_ms);
    let tenants = &shared.options.tenants;
    let grant = match form.get("grant_type").map(String::as_str) {
        Some("refresh_token") => shared.tokens.refresh(Provider::HubSpot, tenants, &form, now + life),
        Some("client_credentials") => shared.tokens.client(Provider::HubSpot, tenants, &form, now + life),
        _ => Err(Refusal::GrantType),
    };
    match grant {
        Ok(grant) => {
            let mut body = json!({ "token_type": "bearer", "access_token": grant.access, "expires_in": life / 1000 });
            if let (Some(refresh), Some(body)) = (grant.refresh, body.as_object_mut()) {
                body.insert("refresh_token".to_owned(), json!(refresh));
            }
            reply::json(200, &body)
        }
        Err(refusal) => {
            let (status, text) = match refusal {
                Refusal::Refresh => ("BAD_REFRESH_TOKEN", "missing or invalid refresh token"),
                Refusal::Client => ("BAD_CLIENT_ID", "missing or invalid client id"),
                Refusal::GrantType => ("BAD_GRANT_TYPE", "missing or unknown grant type"),
            };
            reply::json(400, &json!({ "status": status, "message": text, "correlationId": uuid(400) }))
        }
    }
}

fn asked(properties: Option<&String>) -> Vec<String> {
    properties.map(|list| list.split(',').map(|name| name.trim().to_owned()).collect()).unwrap_or_default()
}

fn number(text: Option<&String>, default: usize) -> Result<usize, Response> {
    text.map_or(Ok(default), |text| text.parse().map_err(|_| invalid("limit is not a number")))
}

/// The list endpoint: id order, an opaque position, nothing hidden by lag.
fn list(shared: &Shared, account: &Account, table: &Table, call: &Call, now: i64) -> Result<Response, Response> {
    let key = format!("{}?{}", call.path, call.query);
    if shared.options.raw
        && let Some((page, count)) = locked(&shared.pages).get(&key)
    {
        shared.stats.records(&account.tenant.name, table.object.name, *count, []);
        return Ok(reply::plain(200, "application/json;charset=utf-8", page.clone()));
    }
    let pairs = call.pairs();
    let archived = pairs.get("archived").is_some_and(|text| text == "true");
    let limit = number(pairs.get("limit"), 10)?;
    if !(1..=100).contains(&limit) {
        return Err(invalid("limit must be between 1 and 100"));
    }
    let (page, next) = page(table, pairs.get("after"), archived, limit, now)?;
    let asked = asked(pairs.get("properties"));
    let results: Vec<Value> = page.iter().map(|record| row(table, record, &asked)).collect();
    shared.served(&account.tenant.name, table, &page);
    let rows = page.len();
    let body = paged(results, next, &format!("https://api.hubapi.com{}", call.path));
    if shared.options.raw {
        let page = axum::body::Bytes::from(body.to_string());
        locked(&shared.pages).insert(key, (page.clone(), rows));
        return Ok(reply::plain(200, "application/json;charset=utf-8", page));
    }
    Ok(reply::json(200, &body))
}

type Page<'a> = (Vec<&'a Record>, Option<String>);

fn page<'a>(
    table: &'a Table,
    after: Option<&String>,
    archived: bool,
    limit: usize,
    now: i64,
) -> Result<Page<'a>, Response> {
    let from = match after {
        None => 0,
        Some(token) => {
            let wanted = unwrap_opaque(token).and_then(|text| seq(table.object, &text));
            // The first page may also be asked for as "0".
            wanted.or((token == "0").then_some(0)).ok_or_else(|| invalid("invalid paging token"))?
        }
    };
    let fits = |record: &&Record| match record.state {
        State::Live => !archived,
        State::Deleted { .. } => archived,
        State::Merged { .. } | State::Purged => false,
    };
    let rest = table.rows.get(from as usize..).unwrap_or_default();
    let mut rows: Vec<&Record> =
        rest.iter().filter_map(|record| record.view(now)).filter(fits).take(limit + 1).collect();
    let next = (rows.len() > limit).then(|| rows.pop()).flatten().map(|record| opaque(&id(table.object, record.seq)));
    Ok((rows, next))
}

fn paged(results: Vec<Value>, next: Option<String>, link: &str) -> Value {
    let mut body = json!({ "results": results });
    if let (Some(after), Some(body)) = (next, body.as_object_mut()) {
        let link = format!("{link}?after={after}");
        body.insert("paging".to_owned(), json!({ "next": { "after": after, "link": link } }));
    }
    body
}

fn row(table: &Table, record: &Record, asked: &[String]) -> Value {
    let mut row = Map::new();
    let id = id(table.object, record.seq);
    row.insert("properties".into(), Value::Object(properties::shown(table, record, asked)));
    row.insert("createdAt".into(), json!(hubspot_time(record.created_ms)));
    row.insert("updatedAt".into(), json!(hubspot_time(record.stamp_ms)));
    row.insert("archived".into(), json!(record.state != State::Live));
    if let State::Deleted { at_ms } = record.state {
        row.insert("archivedAt".into(), json!(hubspot_time(at_ms)));
    }
    row.insert("url".into(), json!(format!("https://app.hubspot.com/contacts/4200000/record/{id}")));
    row.insert("id".into(), json!(id));
    Value::Object(row)
}

fn searched(shared: &Shared, account: &Account, table: &Table, call: &Call, now: i64) -> Result<Response, Response> {
    let cap = shared.faults.knobs().result_cap.unwrap_or(search::CAP);
    let found = search::run(table, &call.body, now, cap).map_err(|text| invalid(&text))?;
    let results: Vec<Value> = found.rows.iter().map(|record| row(table, record, &found.properties)).collect();
    shared.served(&account.tenant.name, table, &found.rows);
    let mut body = paged(results, found.next.map(|after| after.to_string()), "");
    if let Some(body) = body.as_object_mut() {
        body.insert("total".into(), json!(found.total));
    }
    Ok(reply::json(200, &body))
}

fn batch(shared: &Shared, account: &Account, table: &Table, call: &Call, now: i64) -> Result<Response, Response> {
    let body: Value = serde_json::from_slice(&call.body).map_err(|_| invalid("Invalid input JSON"))?;
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let inputs = list("inputs");
    if inputs.is_empty() || inputs.len() > 100 {
        return Err(invalid("inputs must hold 1 to 100 ids"));
    }
    let asked: Vec<String> = list("properties").iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    let archived = call.pairs().get("archived").is_some_and(|text| text == "true");
    let find = |input: &Value| {
        let seq = seq(table.object, input.get("id")?.as_str()?)?;
        let record = table.rows.get(seq as usize)?.view(now)?;
        let fits = if archived { matches!(record.state, State::Deleted { .. }) } else { record.state == State::Live };
        fits.then_some(record)
    };
    let rows: Vec<&Record> = inputs.iter().filter_map(find).collect();
    shared.served(&account.tenant.name, table, &rows);
    let results: Vec<Value> = rows.iter().map(|record| row(table, record, &asked)).collect();
    // Ids that are not there do not fail the rest; the answer says 207 then.
    let missing = inputs.len() - rows.len();
    let mut body = json!({ "status": "COMPLETE", "results": results });
    if let (true, Some(body)) = (missing > 0, body.as_object_mut()) {
        body.insert("numErrors".into(), json!(missing));
        let text = "Could not get some objects, they may be deleted or not exist.";
        body.insert("errors".into(), json!([{ "status": "error", "category": "OBJECT_NOT_FOUND", "message": text }]));
    }
    Ok(reply::json(if missing > 0 { 207 } else { 200 }, &body))
}

fn owners(shared: &Shared, account: &Account, table: &Table, call: &Call, now: i64) -> Result<Response, Response> {
    let pairs = call.pairs();
    let limit = number(pairs.get("limit"), 100)?;
    if !(1..=500).contains(&limit) {
        return Err(invalid("limit must be between 1 and 500"));
    }
    let archived = pairs.get("archived").is_some_and(|text| text == "true");
    let (page, next) = page(table, pairs.get("after"), archived, limit, now)?;
    shared.served(&account.tenant.name, table, &page);
    let results = page.iter().map(|record| Value::Object(properties::all(table, record))).collect();
    Ok(reply::json(200, &paged(results, next, "https://api.hubapi.com/crm/v3/owners")))
}
