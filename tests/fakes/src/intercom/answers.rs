//! What each endpoint of Intercom answers, and what it remembers of a client.

use axum::response::Response;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{invalid, missing, refusal, rows, search};
use crate::{
    Account, Shared,
    content::uuid,
    dataset::{Record, Table, World},
    locked,
    reply::{self, Call},
};

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

/// One request of a known account.
pub(super) struct At<'a> {
    pub(super) shared: &'a Shared,
    pub(super) account: &'a Account,
    pub(super) call: &'a Call,
    pub(super) world: &'a World,
    pub(super) now: i64,
}

impl<'a> At<'a> {
    fn table(&self, name: &str) -> Result<&'a Table, Response> {
        self.world.table(name).ok_or_else(missing)
    }

    fn served(&self, table: &Table, rows: &[&Record]) {
        self.shared.served(&self.account.tenant.name, table, rows);
    }

    fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Response> {
        let pairs = self.call.pairs();
        let number = pairs.get(name).map_or(Some(default), |text| text.parse().ok());
        number.filter(|n| (1..=most).contains(n)).ok_or_else(|| invalid(&format!("{name} is out of range")))
    }

    /// One record.
    pub(super) fn read(&self, name: &str, id: &str) -> Result<Response, Response> {
        let table = self.table(name)?;
        let record = rows::find(table, id).ok_or_else(missing)?;
        self.served(table, &[record]);
        let mut row = rows::shown(table, record);
        let body = row.pointer("/source/body").cloned();
        if let Some(row) = row.as_object_mut().filter(|_| name == "conversations") {
            let part = json!({ "type": "conversation_part", "id": format!("{id}-1"), "body": body });
            let parts = json!({ "type": "conversation_part.list", "conversation_parts": [part], "total_count": 1 });
            row.insert("conversation_parts".to_owned(), parts);
        }
        Ok(reply::json(200, &row))
    }

    /// Everything at once.
    pub(super) fn all(&self, name: &str) -> Result<Response, Response> {
        let table = self.table(name)?;
        let all: Vec<&Record> = rows::live(table).collect();
        self.served(table, &all);
        let list = Value::Array(all.iter().map(|record| rows::shown(table, record)).collect());
        let kind = format!("{}.list", name.trim_end_matches('s'));
        Ok(reply::json(200, &Map::from_iter([("type".to_owned(), json!(kind)), (name.to_owned(), list)]).into()))
    }

    /// The list of contacts: the newest first, nothing hidden by lag.
    pub(super) fn contacts(&self) -> Result<Response, Response> {
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

    pub(super) fn search(&self, name: &str) -> Result<Response, Response> {
        let table = self.table(name)?;
        let epoch = locked(&self.account.intercom).epoch;
        let found = search::run(table, &self.call.body, epoch, self.now).map_err(|text| invalid(&text))?;
        self.served(table, &found.rows);
        let key = if name == "contacts" { "data" } else { name };
        Ok(page(table, &found.rows, key, paged(found.page, found.per_page, found.total, found.next)))
    }

    pub(super) fn attached(&self, contact: &str, list: &str) -> Result<Response, Response> {
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

    pub(super) fn notes(&self, contact: &str) -> Result<Response, Response> {
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

    pub(super) fn companies(&self) -> Result<Response, Response> {
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
    pub(super) fn scroll(&self) -> Result<Response, Response> {
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
