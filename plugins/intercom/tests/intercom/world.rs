//! An Intercom in memory: day-grained contact search in a zone, places that belong to their query, an index that
//! shows new contacts late, the one scroll, short nested lists.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syncline_sdk::{Request, Response, testing};

/// 2026-03-01T10:00:00Z.
pub(crate) const START: u64 = 1_772_359_200_000;
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// One record of any object.
#[derive(Clone, Default)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) updated: u64,
    /// The search shows it from then on.
    visible: u64,
    pub(crate) tags: usize,
    pub(crate) companies: usize,
    pub(crate) notes: usize,
}

/// Something that happens just before a request is answered; the first argument counts requests from 1.
type Hook = Box<dyn FnMut(usize, &mut World)>;

struct Scroll {
    param: String,
    rest: Vec<Value>,
    used: u64,
}

#[derive(Default)]
pub(crate) struct World {
    /// Intercom's clock; every request takes 200 ms of it.
    pub(crate) now: u64,
    /// Seconds east of UTC of the workspace.
    pub(crate) zone: i64,
    /// How long the search takes to show a new contact.
    pub(crate) lag: u64,
    /// Answers that take precedence, one a request.
    pub(crate) answers: Vec<Response>,
    /// No place of an earlier page is known any more.
    pub(crate) amnesia: bool,
    /// The next request is answered twice, and the first answer is lost: a retry of the host.
    pub(crate) lose_answer: bool,
    /// Companies that are counted and never shown.
    pub(crate) uncounted: usize,
    /// What the details of a conversation weigh.
    pub(crate) body_bytes: usize,
    pub(crate) records: BTreeMap<&'static str, BTreeMap<u64, Record>>,
    scroll: Option<Scroll>,
    scrolls: u64,
    hook: Option<Hook>,
    count: usize,
}

impl World {
    /// Creates or changes a record.
    pub(crate) fn write(&mut self, object: &'static str, id: u64, name: &str) {
        let (now, lag) = (self.now, if object == "contacts" { self.lag } else { 0 });
        let record = self
            .records
            .entry(object)
            .or_default()
            .entry(id)
            .or_insert_with(|| Record { visible: now + lag, ..Record::default() });
        name.clone_into(&mut record.name);
        record.updated = now / 1_000;
    }

    pub(crate) fn record(&mut self, object: &'static str, id: u64) -> &mut Record {
        self.records.get_mut(object).unwrap().get_mut(&id).unwrap()
    }

    /// Deletes a record, or merges it into another: nothing shows either.
    pub(crate) fn remove(&mut self, object: &'static str, id: u64) {
        self.records.get_mut(object).unwrap().remove(&id).unwrap();
    }

    /// Runs before every answer from now on.
    pub(crate) fn before_each(&mut self, hook: impl FnMut(usize, &mut World) + 'static) {
        self.hook = Some(Box::new(hook));
        self.count = 0;
    }

    /// Somebody else opens the scroll.
    pub(crate) fn occupy(&mut self) {
        self.scroll = Some(Scroll { param: "theirs".to_owned(), rest: Vec::new(), used: self.now });
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Response {
        self.now += 200;
        self.count += 1;
        if let Some(mut hook) = self.hook.take() {
            hook(self.count, self);
            self.hook.get_or_insert(hook);
        }
        if !self.answers.is_empty() {
            return self.answers.remove(0);
        }
        assert_eq!(request.header("intercom-version"), Some("2.14"));
        let path: Vec<&str> = request.path().split('/').skip(1).collect();
        let answer = |world: &mut Self| match path.as_slice() {
            ["me"] => testing::json(200, &json!({"type": "admin", "app": {"region": "US"}})),
            ["contacts"] => world.contacts(request),
            ["contacts", id, list] => world.nested(request, id.parse().unwrap(), list),
            [object, "search"] => world.search(request, object),
            ["contacts", id] => world.contact(id.parse().unwrap()),
            ["conversations", id] => world.conversation(id.parse().unwrap()),
            ["companies"] => {
                let total = world.all("companies").len() + world.uncounted;
                testing::json(200, &json!({"type": "list", "data": [], "total_count": total}))
            }
            ["companies", "scroll"] => world.scroll(request.query("scroll_param")),
            [list @ ("admins" | "teams")] => {
                let all: Vec<Value> = world.all(list).iter().map(|(id, record)| row(list, *id, record)).collect();
                testing::json(200, &json!({"type": "list", *list: all}))
            }
            _ => panic!("no such path: {}", request.url),
        };
        if std::mem::take(&mut self.lose_answer) {
            answer(self);
        }
        answer(self)
    }

    fn all(&self, object: &str) -> Vec<(u64, &Record)> {
        self.records.get(object).into_iter().flatten().map(|(id, record)| (*id, record)).collect()
    }

    fn contacts(&self, request: &Request) -> Response {
        let rows: usize = request.query("per_page").unwrap().parse().unwrap();
        let after = match request.query("starting_after") {
            Some(_) if self.amnesia => return refused(400, "parameter_invalid", "invalid starting_after"),
            after => after.map_or(0, |after| after.parse().unwrap()),
        };
        let all = self.all("contacts");
        let left: Vec<_> = all.into_iter().filter(|(id, _)| *id > after).collect();
        let shown = &left[..rows.min(left.len())];
        let next = (left.len() > rows).then(|| shown.last().unwrap().0.to_string());
        page("contacts", "data", shown, next)
    }

    fn search(&self, request: &Request, object: &str) -> Response {
        let body: Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        let rows = body["pagination"]["per_page"].as_u64().unwrap() as usize;
        assert!((1..=150).contains(&rows));
        if object == "contacts" && ["<=", ">="].contains(&body["query"]["operator"].as_str().unwrap()) {
            return refused(400, "parameter_invalid", "operator not supported for date fields");
        }
        let mut found: Vec<(u64, &Record)> = self.all(object);
        found.retain(|(_, record)| record.visible <= self.now && self.matches(object, &body["query"], record));
        let ascending = body["sort"]["field"] == "updated_at" && body["sort"]["order"] == "ascending";
        found.sort_by_key(|(id, record)| (record.updated, *id));
        if !ascending {
            found.reverse();
        }
        // A place belongs to the query and the order it came from.
        let tag = format!("{}{}", body["query"], body["sort"]);
        if let Some(place) = body["pagination"]["starting_after"].as_str() {
            let (stamp, id, from): (u64, u64, String) = serde_json::from_str(place).unwrap();
            if self.amnesia || from != tag {
                return refused(400, "parameter_invalid", "invalid starting_after");
            }
            let key = (stamp, id);
            found.retain(|(id, record)| ((record.updated, *id) > key) == ascending);
        }
        let shown = &found[..rows.min(found.len())];
        let next = (found.len() > rows).then(|| {
            let (id, record) = shown.last().unwrap();
            json!([record.updated, id, tag]).to_string()
        });
        page(object, if object == "contacts" { "data" } else { object }, shown, next)
    }

    fn matches(&self, object: &str, query: &Value, record: &Record) -> bool {
        if let Some(parts) = query["value"].as_array() {
            assert_eq!(query["operator"], "OR");
            return parts.iter().any(|part| self.matches(object, part, record));
        }
        assert_eq!(query["field"], "updated_at");
        let value = query["value"].as_u64().unwrap();
        let grain = |second: u64| if object == "contacts" { self.day(second) } else { second as i64 };
        match query["operator"].as_str().unwrap() {
            ">" => grain(record.updated) > grain(value),
            "=" => grain(record.updated) == grain(value),
            "<" => grain(record.updated) < grain(value),
            other => panic!("operator {other}"),
        }
    }

    /// The calendar day of a second in the workspace's zone.
    fn day(&self, second: u64) -> i64 {
        (second as i64 + self.zone).div_euclid(86_400)
    }

    fn scroll(&mut self, param: Option<String>) -> Response {
        self.scroll = self.scroll.take().filter(|scroll| self.now - scroll.used < MINUTE);
        let (now, open) = (self.now, self.scroll.is_some());
        match &param {
            None if open => return refused(400, "scroll_exists", "scroll already exists for this workspace"),
            None => {
                self.scrolls += 1;
                let rest = self.all("companies").iter().map(|(id, record)| row("companies", *id, record)).collect();
                self.scroll = Some(Scroll { param: format!("scroll-{}", self.scrolls), rest, used: now });
            }
            Some(param) if self.scroll.as_ref().is_none_or(|scroll| scroll.param != *param) => {
                return refused(404, "not_found", "scroll parameter not found");
            }
            Some(_) => {}
        }
        let scroll = self.scroll.as_mut().unwrap();
        scroll.used = now;
        let rows: Vec<Value> = scroll.rest.drain(..scroll.rest.len().min(100)).collect();
        let body = json!({
            "type": "list", "data": rows, "pages": null, "total_count": null, "scroll_param": scroll.param,
        });
        if body["data"].as_array().unwrap().is_empty() {
            self.scroll = None;
        }
        testing::json(200, &body)
    }

    fn nested(&self, request: &Request, id: u64, list: &str) -> Response {
        let Some(record) = self.records["contacts"].get(&id) else {
            return refused(404, "not_found", "User Not Found");
        };
        let (count, kind, key) = match list {
            "tags" => (record.tags, "tag", "data"),
            "companies" => (record.companies, "company", "companies"),
            _ => (record.notes, "note", "data"),
        };
        let rows = request.query("per_page").map_or(usize::MAX, |rows| rows.parse().unwrap());
        let at: usize = request.query("page").map_or(1, |page| page.parse().unwrap());
        let items: Vec<Value> = (0..count)
            .skip((at - 1).saturating_mul(rows))
            .take(rows)
            .map(|n| json!({"type": kind, "id": format!("{id}-{n}"), "name": "long"}))
            .collect();
        let pages = json!({"type": "pages", "page": at, "total_pages": count.div_ceil(rows).max(1), "next": null});
        testing::json(200, &json!({"type": "list", key: items, "pages": pages, "total_count": count}))
    }

    fn contact(&self, id: u64) -> Response {
        match self.records["contacts"].get(&id) {
            Some(record) => testing::json(200, &row("contacts", id, record)),
            None => refused(404, "not_found", "User Not Found"),
        }
    }

    fn conversation(&self, id: u64) -> Response {
        let Some(record) = self.records["conversations"].get(&id) else {
            return refused(404, "not_found", "Resource Not Found");
        };
        let mut whole = row("conversations", id, record);
        whole["conversation_parts"] = json!({"conversation_parts": [{"body": "x".repeat(self.body_bytes)}]});
        testing::json(200, &whole)
    }
}

pub(crate) fn row(object: &str, id: u64, record: &Record) -> Value {
    let mut row = json!({"id": id.to_string(), "name": record.name, "updated_at": record.updated});
    if object == "contacts" {
        for (list, count) in [("tags", record.tags), ("companies", record.companies), ("notes", record.notes)] {
            let data: Vec<Value> = (0..count.min(10)).map(|n| json!({"id": format!("{id}-{n}")})).collect();
            let url = format!("/contacts/{id}/{list}");
            row[list] = json!({"type": "list", "data": data, "url": url, "total_count": count, "has_more": count > 10});
        }
    }
    row
}

fn page(object: &str, key: &str, rows: &[(u64, &Record)], next: Option<String>) -> Response {
    let data: Vec<Value> = rows.iter().map(|(id, record)| row(object, *id, record)).collect();
    let next = next.map(|place| json!({"per_page": rows.len(), "starting_after": place}));
    testing::json(200, &json!({"type": "list", key: data, "pages": {"type": "pages", "next": next}}))
}

pub(crate) fn refused(status: u16, code: &str, message: &str) -> Response {
    let errors = json!([{"code": code, "message": message}]);
    testing::json(status, &json!({"type": "error.list", "request_id": "b2c", "errors": errors}))
}
