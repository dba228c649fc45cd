//! A Zendesk in memory: exports by cursor and by time that hold the last minute back, lists, comments of a ticket.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use syncline_sdk::testing::{self, Harness, MockHttp, Reading};
use syncline_sdk::{Error, Request, Response, State, time};
use zendesk::Zendesk;

/// 2026-03-01T10:00:00Z, in milliseconds.
pub(crate) const START: u64 = 1_772_359_200_000;
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

/// A row and the second that its export has it at.
#[derive(Clone)]
struct Row {
    second: u64,
    name: String,
    gone: bool,
    json: Value,
}

/// Something that happens just before a request is answered; the first argument counts requests from 1.
type Hook = Box<dyn FnMut(usize, &mut World)>;

#[derive(Default)]
pub(crate) struct World {
    /// Zendesk's clock; every request takes 200 ms of it.
    pub(crate) now: u64,
    /// Answers that take precedence, one a request.
    pub(crate) answers: Vec<Response>,
    /// Tokens are refused.
    pub(crate) tokens_dead: bool,
    /// An account of before `end_of_stream` in exports by time.
    pub(crate) old_style: bool,
    /// A body larger than this does not get through.
    pub(crate) body_cap: usize,
    /// By object and id. Ticket events are under `ticket_events`.
    tables: BTreeMap<&'static str, BTreeMap<u64, Row>>,
    hook: Option<Hook>,
    count: usize,
}

impl World {
    /// Zendesk's clock in whole seconds.
    pub(crate) fn second(&self) -> u64 {
        self.now / 1_000
    }

    /// Creates or changes a record now.
    pub(crate) fn write(&mut self, object: &'static str, id: u64, name: &str) {
        let second = self.second();
        let at = stamp(second);
        let json = match object {
            "tickets" => json!({
                "id": id, "subject": name, "status": "open", "created_at": "2026-01-01T00:00:00Z", "updated_at": at,
                "generated_timestamp": second,
            }),
            "users" => json!({"id": id, "name": name, "role": "end-user", "active": true, "updated_at": at}),
            _ => json!({"id": id, "name": name, "updated_at": at, "deleted_at": null}),
        };
        self.put(object, id, Row { second, name: name.to_owned(), gone: false, json });
    }

    /// Deletes a record now, the way its object shows it.
    pub(crate) fn delete(&mut self, object: &'static str, id: u64) {
        let second = self.second();
        let row = self.tables.get_mut(object).unwrap().get_mut(&id).unwrap();
        (row.second, row.gone) = (second, true);
        row.json["updated_at"] = stamp(second).into();
        match object {
            "tickets" => {
                row.json["status"] = "deleted".into();
                row.json["generated_timestamp"] = second.into();
            }
            "users" => row.json["active"] = false.into(),
            _ => row.json["deleted_at"] = stamp(second).into(),
        }
    }

    /// What the system does to a ticket: it is exported again, but its `updated_at` stays as it is.
    pub(crate) fn touch(&mut self, id: u64, subject: &str) {
        let second = self.second();
        let row = self.tables.get_mut("tickets").unwrap().get_mut(&id).unwrap();
        (row.second, row.name) = (second, subject.to_owned());
        row.json["generated_timestamp"] = second.into();
        row.json["subject"] = subject.into();
    }

    /// Comments on a ticket, which must be there.
    pub(crate) fn comment(&mut self, ticket: u64, id: u64, body: &str) {
        let second = self.second();
        let name = self.tables["tickets"][&ticket].name.clone();
        self.write("tickets", ticket, &name);
        let json = json!({
            "id": id + 1_000_000, "ticket_id": ticket, "timestamp": second, "created_at": stamp(second),
            "event_type": "Audit", "child_events": [
                {"id": id + 2_000_000, "event_type": "Change", "status": "open"},
                {"id": id, "event_type": "Comment", "type": "Comment", "body": body, "public": true,
                 "created_at": stamp(second)},
            ],
        });
        self.put("ticket_events", id, Row { second, name: body.to_owned(), gone: false, json });
    }

    /// Sets a property of a row, leaving its stamp alone.
    pub(crate) fn set(&mut self, object: &'static str, id: u64, property: &str, value: Value) {
        self.tables.get_mut(object).unwrap().get_mut(&id).unwrap().json[property] = value;
    }

    pub(crate) fn forget(&mut self, object: &'static str, id: u64) {
        self.tables.get_mut(object).unwrap().remove(&id);
    }

    fn put(&mut self, object: &'static str, id: u64, row: Row) {
        self.tables.entry(object).or_default().insert(id, row);
    }

    /// Runs before every answer from now on.
    pub(crate) fn before_each(&mut self, hook: impl FnMut(usize, &mut World) + 'static) {
        self.hook = Some(Box::new(hook));
        self.count = 0;
    }

    /// What there is: id and name.
    fn truth(&self, object: &str) -> BTreeMap<String, String> {
        let table = if object == "ticket_comments" { "ticket_events" } else { object };
        let rows = self.tables.get(table).into_iter().flatten();
        rows.filter(|(_, row)| !row.gone).map(|(id, row)| (id.to_string(), row.name.clone())).collect()
    }

    fn answer(&mut self, request: &Request) -> Response {
        self.now += 200;
        self.count += 1;
        if let Some(mut hook) = self.hook.take() {
            hook(self.count, self);
            self.hook.get_or_insert(hook);
        }
        if !self.answers.is_empty() {
            return self.answers.remove(0);
        }
        assert!(request.url.starts_with("https://birch.zendesk.com/api/v2/"), "{}", request.url);
        let path: Vec<&str> = request.path().split('/').skip(3).collect();
        match path.as_slice() {
            ["incremental", object, "cursor.json"] => self.by_cursor(object, request),
            ["incremental", "organizations.json"] => self.by_time("organizations", request),
            ["incremental", "ticket_events.json"] => self.by_time("ticket_events", request),
            ["tickets", id, "comments.json"] => self.comments(id.parse().unwrap(), request),
            [list] => {
                let object = list.trim_end_matches(".json");
                let rows = self.tables.get(object).into_iter().flatten();
                let rows = rows.filter(|(_, row)| !row.gone).map(|(id, row)| (*id, row.json.clone()));
                self.list(object, rows.collect(), request)
            }
            _ => testing::json(404, &json!({"error": "RecordNotFound", "description": "Not found"})),
        }
    }

    /// Rows in the order of the export, without those of the last minute.
    fn exported(&self, object: &str) -> Vec<((u64, u64), &Row)> {
        let rows = self.tables.get(object).into_iter().flatten();
        let mut rows: Vec<_> = rows.map(|(id, row)| ((row.second, *id), row)).collect();
        rows.retain(|((second, _), _)| second + 60 <= self.second());
        rows.sort_by_key(|(key, _)| *key);
        rows
    }

    fn by_cursor(&self, object: &str, request: &Request) -> Response {
        let limit = per_page(request);
        let token = request.query("cursor");
        if token.is_some() && self.tokens_dead {
            return testing::json(400, &json!({"error": "InvalidValue", "description": "Invalid cursor"}));
        }
        let after = match &token {
            Some(token) => {
                let (second, id) = token.split_once('-').unwrap();
                (second.parse().unwrap(), id.parse().unwrap())
            }
            None => {
                let start: u64 = request.query("start_time").unwrap().parse().unwrap();
                if start + 60 > self.second() {
                    return too_recent();
                }
                (start.saturating_sub(1), u64::MAX)
            }
        };
        let rows: Vec<_> = self.exported(object).into_iter().filter(|(key, _)| *key > after).collect();
        let page = &rows[..rows.len().min(limit)];
        let last = page.last().map(|((second, id), _)| format!("{second}-{id}")).or(token);
        let values: Vec<&Value> = page.iter().map(|(_, row)| &row.json).collect();
        let mut body = json!({
            "after_url": "https://support.birch.test/elsewhere", "after_cursor": last, "before_url": null,
            "before_cursor": null, "end_of_stream": page.len() == rows.len(),
        });
        body[object] = json!(values);
        testing::json(200, &body)
    }

    fn by_time(&self, object: &str, request: &Request) -> Response {
        let limit = per_page(request);
        let start: u64 = request.query("start_time").unwrap().parse().unwrap();
        if start + 60 > self.second() {
            return too_recent();
        }
        if object == "ticket_events" {
            assert_eq!(request.query("include").as_deref(), Some("comment_events"));
        }
        let rows: Vec<_> = self.exported(object).into_iter().filter(|((second, _), _)| *second >= start).collect();
        let page = &rows[..rows.len().min(limit)];
        let end = page.last().map(|((second, _), _)| *second);
        let values: Vec<&Value> = page.iter().map(|(_, row)| &row.json).collect();
        let mut body = json!({
            "count": values.len(), "end_time": end, "next_page": "https://support.birch.test/elsewhere",
        });
        if !self.old_style {
            body["end_of_stream"] = (page.len() == rows.len()).into();
        }
        body[object] = json!(values);
        testing::json(200, &body)
    }

    fn comments(&self, ticket: u64, request: &Request) -> Response {
        let of_ticket = |row: &Row| row.json["ticket_id"] == ticket;
        let events = self.tables.get("ticket_events").into_iter().flatten();
        let rows = events.filter(|(_, row)| of_ticket(row)).map(|(id, row)| (*id, row.json["child_events"][1].clone()));
        self.list("comments", rows.collect(), request)
    }

    fn list(&self, key: &str, rows: BTreeMap<u64, Value>, request: &Request) -> Response {
        let limit: usize = request.query("page[size]").unwrap().parse().unwrap();
        assert!((1..=100).contains(&limit), "a list gives at most 100 rows");
        let token = request.query("page[after]");
        if token.is_some() && self.tokens_dead {
            let error = json!({"code": "InvalidPaginationParameter", "title": "Invalid parameter: page[after]"});
            return testing::json(400, &json!({"errors": [error]}));
        }
        let after: u64 = token.map_or(0, |token| token.trim_start_matches("id-").parse().unwrap());
        let rest: Vec<_> = rows.range(after + 1..).collect();
        let page = &rest[..rest.len().min(limit)];
        let values: Vec<&Value> = page.iter().map(|(_, value)| *value).collect();
        let last = page.last().map(|(id, _)| format!("id-{id}"));
        let meta = json!({"has_more": page.len() < rest.len(), "after_cursor": last, "before_cursor": null});
        let mut body = json!({"meta": meta, "links": {"next": null}});
        body[key] = json!(values);
        testing::json(200, &body)
    }
}

fn per_page(request: &Request) -> usize {
    let limit = request.query("per_page").unwrap().parse().unwrap();
    assert!((1..=1_000).contains(&limit), "an export gives at most 1,000 rows");
    limit
}

fn stamp(second: u64) -> String {
    time::format_rfc3339_ms(second * 1_000).replace(".000Z", "Z")
}

fn too_recent() -> Response {
    let description = "Too recent start_time. Use a start_time older than 60 seconds";
    testing::json(422, &json!({"error": "InvalidValue", "description": description}))
}

/// The world, a door to it, and what a host has landed from it so far.
pub(crate) struct Mini {
    world: Rc<RefCell<World>>,
    pub(crate) http: MockHttp,
    pub(crate) config: Value,
    pub(crate) object: &'static str,
    pub(crate) cursor: Option<String>,
    pub(crate) landed: BTreeMap<String, String>,
}

impl Mini {
    /// A Zendesk in which there is nothing, and a reader of one object.
    pub(crate) fn new(object: &'static str) -> Self {
        let world = World { now: START, body_cap: usize::MAX, ..World::default() };
        let world = Rc::new(RefCell::new(world));
        let inside = Rc::clone(&world);
        let http = MockHttp::new(move |request: &Request| {
            let mut world = inside.borrow_mut();
            let response = world.answer(request);
            if response.body.len() > world.body_cap {
                return Err(syncline_sdk::HttpError::TooLarge("the body".to_owned()));
            }
            Ok(response.with_header("date", time::format_http_date(world.now)))
        });
        let config = json!({"subdomain": "birch"});
        Self { world, http, config, object, cursor: None, landed: BTreeMap::new() }
    }

    pub(crate) fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    fn read(&self) -> Ref<'_, World> {
        self.world.borrow()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: u64) {
        self.world().now += ms;
    }

    /// Runs once more from where the last run ended and lands what it read.
    pub(crate) fn sync(&mut self) -> Reading {
        self.try_sync().unwrap()
    }

    pub(crate) fn try_sync(&mut self) -> Result<Reading, Error> {
        self.http.forget();
        let connector = Zendesk;
        // The host's own clock is years off: nothing may depend on it.
        let harness = Harness::new(&connector).config(&self.config).http(self.http.clone());
        let reading = harness.read_all(self.object, self.cursor.as_deref())?;
        self.cursor = Some(reading.cursor.clone());
        for record in &reading.interactions {
            match record.state {
                State::Present => {
                    let data: Value = serde_json::from_str(&record.data).unwrap();
                    let name = ["subject", "name", "body"].into_iter().find_map(|key| data[key].as_str());
                    self.landed.insert(record.id.clone(), name.unwrap().to_owned());
                }
                State::Deleted | State::MergedInto(_) => {
                    self.landed.remove(&record.id);
                }
            }
        }
        Ok(reading)
    }

    /// Fails the test unless what has landed is what there is.
    pub(crate) fn assert_truth(&self) {
        let truth = self.read().truth(self.object);
        let missing: Vec<_> = truth.iter().filter(|(id, name)| self.landed.get(*id) != Some(name)).take(5).collect();
        let surplus: Vec<_> = self.landed.keys().filter(|id| !truth.contains_key(*id)).take(5).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{} landed of {}; missing {missing:?}, surplus {surplus:?}",
            self.landed.len(),
            truth.len()
        );
    }

    /// A query parameter of each request of the last run.
    pub(crate) fn asked(&self, name: &str) -> Vec<Option<String>> {
        self.http.requests().iter().map(|request| request.query(name)).collect()
    }
}
