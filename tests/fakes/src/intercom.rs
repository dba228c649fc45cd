//! Fake Intercom REST 2.14: contacts, companies with their one scroll, conversations, tickets, notes, admins, teams.
//!
//! Lists show a write at once, search shows it late. Deleted and merged records are in no answer.

use std::collections::BTreeMap;

use axum::response::Response;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

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

pub mod rows;
pub mod schema;
pub mod search;

/// The version of the API that is imitated.
const VERSION: &str = "2.14";

/// Requests of an account in ten seconds, unless a knob says otherwise.
const PER_10_S: u32 = 1_000_000;

/// A scroll that nobody uses is gone after this.
const SCROLL_MS: i64 = 60_000;

/// Companies of one answer of the scroll.
const SCROLL_ROWS: usize = 100;

/// What the provider remembers of a client.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    scroll: Option<Scroll>,
    /// Places of another epoch are refused.
    epoch: u64,
}

impl Memory {
    /// Forgets every place and the scroll.
    pub(crate) fn forget(&mut self) {
        self.scroll = None;
        self.epoch += 1;
    }
}

#[derive(Debug)]
struct Scroll {
    param: String,
    rest: std::vec::IntoIter<Value>,
    used_ms: i64,
}

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

/// One request of a known account.
struct At<'a> {
    shared: &'a Shared,
    account: &'a Account,
    call: &'a Call,
    world: &'a World,
    now: i64,
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
        Route::Read(name, id) => {
            let table = at.table(name)?;
            let record = rows::find(table, id).ok_or_else(missing)?;
            at.served(table, &[record]);
            let mut row = rows::shown(table, record);
            if let Some(row) = row.as_object_mut().filter(|_| name == "conversations") {
                let part =
                    json!({ "type": "conversation_part", "id": format!("{id}-1"), "body": row["source"]["body"] });
                let parts = json!({ "type": "conversation_part.list", "conversation_parts": [part], "total_count": 1 });
                row.insert("conversation_parts".to_owned(), parts);
            }
            Ok(reply::json(200, &row))
        }
        Route::All(name) => {
            let table = at.table(name)?;
            let all: Vec<&Record> = rows::live(table).collect();
            at.served(table, &all);
            let list = Value::Array(all.iter().map(|record| rows::shown(table, record)).collect());
            let kind = format!("{}.list", name.trim_end_matches('s'));
            Ok(reply::json(200, &Map::from_iter([("type".to_owned(), json!(kind)), (name.to_owned(), list)]).into()))
        }
        Route::Unknown => Err(missing()),
    }
}

impl<'a> At<'a> {
    fn table(&self, name: &str) -> Result<&'a Table, Response> {
        self.world.table(name).ok_or_else(missing)
    }

    fn served(&self, table: &Table, rows: &[&Record]) {
        let counted: &[&Record] = if self.shared.options.count_ids { rows } else { &[] };
        let ids = counted.iter().map(|record| id(table.object, record.seq));
        self.shared.stats.records(&self.account.tenant.name, table.object.name, rows.len(), ids);
    }

    fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Response> {
        let pairs = self.call.pairs();
        let number = pairs.get(name).map_or(Some(default), |text| text.parse().ok());
        number.filter(|n| (1..=most).contains(n)).ok_or_else(|| invalid(&format!("{name} is out of range")))
    }

    /// The list of contacts: the newest first, nothing hidden by lag.
    fn contacts(&self) -> Result<Response, Response> {
        let (table, rows) = (self.table("contacts")?, self.number("per_page", 50, 150)?);
        let epoch = locked(&self.account.intercom).epoch;
        let before = match self.call.pairs().get("starting_after") {
            None => u32::MAX,
            Some(place) => {
                let bytes = BASE64_STANDARD.decode(place).ok();
                let read = bytes.and_then(|bytes| serde_json::from_slice::<(u32, u64)>(&bytes).ok());
                read.filter(|(_, of)| *of == epoch).ok_or_else(|| invalid("starting_after is invalid"))?.0
            }
        };
        let mut left: Vec<&Record> = rows::live(table).filter(|record| record.seq < before).collect();
        left.reverse();
        let more = left.len() > rows;
        left.truncate(rows);
        let last = left.last().filter(|_| more);
        let next = last.map(|record| search::write(&json!([record.seq, epoch])));
        let total = rows::live(table).count();
        self.served(table, &left);
        Ok(page(table, &left, "data", paged(1, rows, total, next)))
    }

    fn search(&self, name: &str) -> Result<Response, Response> {
        let table = self.table(name)?;
        let epoch = locked(&self.account.intercom).epoch;
        let found = search::run(table, &self.call.body, epoch, self.now).map_err(|text| invalid(&text))?;
        self.served(table, &found.rows);
        let key = if name == "contacts" { "data" } else { name };
        Ok(page(table, &found.rows, key, paged(found.page, found.per_page, found.total, found.next)))
    }

    fn attached(&self, contact: &str, list: &str) -> Result<Response, Response> {
        let table = self.table("contacts")?;
        let record = rows::find(table, contact).ok_or_else(missing)?;
        let all = rows::attached(table, record, list);
        let paged = list == "companies";
        let (at, rows) = if paged {
            (self.number("page", 1, usize::MAX)?, self.number("per_page", 15, 60)?)
        } else {
            (1, usize::MAX)
        };
        let total = all.len();
        let items = all.into_iter().skip((at - 1).saturating_mul(rows)).take(rows);
        let items: Vec<Value> = items
            .map(|(name, id)| json!({ "type": rows::singular(name), "id": id, "name": "shown in full here" }))
            .collect();
        Ok(numbered(if paged { "companies" } else { "data" }, items, at, rows, total))
    }

    fn notes(&self, contact: &str) -> Result<Response, Response> {
        let (notes, contacts) = (self.table("notes")?, self.table("contacts")?);
        let owner = rows::find(contacts, contact).ok_or_else(missing)?;
        let (at, rows) = (self.number("page", 1, usize::MAX)?, self.number("per_page", 50, 50)?);
        let of = |note: &&Record| rows::owner(self.world, note).is_some_and(|record| record.seq == owner.seq);
        let all: Vec<&Record> = rows::live(notes).filter(of).collect();
        let shown: Vec<&Record> = all.iter().copied().skip((at - 1).saturating_mul(rows)).take(rows).collect();
        self.served(notes, &shown);
        let items = shown.iter().map(|note| rows::shown(notes, note)).collect();
        Ok(numbered("data", items, at, rows, all.len()))
    }

    fn companies(&self) -> Result<Response, Response> {
        let table = self.table("companies")?;
        let (at, rows) = (self.number("page", 1, usize::MAX)?, self.number("per_page", 15, 60)?);
        if at.saturating_mul(rows) > 10_000 {
            return Err(invalid("only the first 10,000 companies can be listed; use the scroll"));
        }
        let all: Vec<&Record> = rows::live(table).collect();
        let shown: Vec<&Record> = all.iter().copied().skip((at - 1) * rows).take(rows).collect();
        self.served(table, &shown);
        let items = shown.iter().map(|record| rows::shown(table, record)).collect();
        Ok(numbered("data", items, at, rows, all.len()))
    }

    /// The one scroll: it shows what there was when it began, and moves on with every request.
    fn scroll(&self) -> Result<Response, Response> {
        let table = self.table("companies")?;
        let mut memory = locked(&self.account.intercom);
        memory.scroll = memory.scroll.take().filter(|scroll| self.now - scroll.used_ms < SCROLL_MS);
        let mut scroll = match (memory.scroll.take(), self.call.pairs().get("scroll_param")) {
            (Some(open), None) => {
                memory.scroll = Some(open);
                return Err(refusal(400, "scroll_exists", "scroll already exists for this workspace"));
            }
            (None, None) => {
                let all: Vec<Value> = rows::live(table).map(|record| rows::shown(table, record)).collect();
                Scroll { param: uuid(self.shared.serial()), rest: all.into_iter(), used_ms: self.now }
            }
            (Some(open), Some(param)) if open.param == *param => open,
            (open, Some(_)) => {
                memory.scroll = open;
                return Err(refusal(404, "not_found", "scroll parameter not found"));
            }
        };
        let data: Vec<Value> = scroll.rest.by_ref().take(SCROLL_ROWS).collect();
        self.shared.stats.records(&self.account.tenant.name, "companies", data.len(), []);
        let body = json!({
            "type": "list", "data": data, "pages": null, "total_count": null, "scroll_param": scroll.param,
        });
        scroll.used_ms = self.now;
        memory.scroll = Some(scroll).filter(|_| !data.is_empty());
        Ok(reply::json(200, &body))
    }
}

/// A list that goes on by place.
fn paged(page: u64, per_page: usize, total: usize, next: Option<String>) -> (Value, usize) {
    let next = next.map(|place| json!({ "per_page": per_page, "starting_after": place }));
    let pages = json!({
        "type": "pages", "page": page, "per_page": per_page, "total_pages": total.div_ceil(per_page), "next": next,
    });
    (pages, total)
}

fn page(table: &Table, rows: &[&Record], key: &str, (pages, total): (Value, usize)) -> Response {
    let data = Value::Array(rows.iter().map(|record| rows::shown(table, record)).collect());
    let kind = if key == "data" { "list".to_owned() } else { format!("{}.list", key.trim_end_matches('s')) };
    list(key, &kind, data, pages, total)
}

/// A list that goes on by page number.
fn numbered(key: &str, items: Vec<Value>, page: usize, per_page: usize, total: usize) -> Response {
    let last = total.div_ceil(per_page).max(1);
    let next = (page < last).then(|| format!("https://api.intercom.io/?page={}", page + 1));
    let pages = json!({ "type": "pages", "page": page, "per_page": per_page, "total_pages": last, "next": next });
    list(key, "list", Value::Array(items), pages, total)
}

fn list(key: &str, kind: &str, data: Value, pages: Value, total: usize) -> Response {
    let mut body = json!({ "type": kind, "pages": pages, "total_count": total });
    if let Some(body) = body.as_object_mut() {
        body.insert(key.to_owned(), data);
    }
    reply::json(200, &body)
}
