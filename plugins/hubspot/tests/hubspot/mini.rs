//! A HubSpot in memory: lists by id, a search with a lagging index and a cap, an archived list, merges, owners.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use hubspot::HubSpot;
use serde_json::{Map, Value, json};
use syncline_sdk::testing::{self, Harness, MockHttp, Reading};
use syncline_sdk::{Error, Request, Response, State, time};

/// 2026-03-01T10:00:00Z.
pub(crate) const START: u64 = 1_772_359_200_000;
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

/// One record of the one object type that a test looks at.
#[derive(Clone, Default)]
struct Record {
    properties: BTreeMap<String, String>,
    updated: u64,
    archived: Option<u64>,
    /// What the index says the stamp is, and from when on it says so.
    index: Vec<(u64, u64)>,
}

/// Something that happens just before a request is answered; the first argument counts requests from 1.
type Hook = Box<dyn FnMut(usize, &mut World)>;

#[derive(Default)]
pub(crate) struct World {
    /// HubSpot's clock; every request takes 200 ms of it.
    pub(crate) now: u64,
    /// How long the index takes to show a write.
    pub(crate) lag: u64,
    /// Which property a search filters the stamp by.
    pub(crate) modified: &'static str,
    /// Answers that take precedence, one a request.
    pub(crate) answers: Vec<Response>,
    /// Tokens of lists that are no longer known.
    pub(crate) dead_tokens: Vec<String>,
    pub(crate) owners: Vec<Value>,
    /// A body larger than this does not get through.
    pub(crate) body_cap: usize,
    records: BTreeMap<u64, Record>,
    hook: Option<Hook>,
    count: usize,
}

impl World {
    /// Creates or changes a record.
    pub(crate) fn write(&mut self, id: u64, name: &str) {
        self.write_visible_after(id, name, self.lag);
    }

    /// The same, with its own lag of the index.
    pub(crate) fn write_visible_after(&mut self, id: u64, name: &str, lag: u64) {
        let now = self.now;
        let record = self.records.entry(id).or_default();
        record.properties.insert("name".to_owned(), name.to_owned());
        record.updated = now;
        record.index.push((now + lag, now));
    }

    /// Sets a property and stamps the record.
    pub(crate) fn set(&mut self, id: u64, property: &str, value: &str) {
        let name = self.records[&id].properties["name"].clone();
        self.write(id, &name);
        let record = self.records.get_mut(&id).unwrap();
        record.properties.insert(property.to_owned(), value.to_owned());
    }

    pub(crate) fn archive(&mut self, id: u64) {
        self.records.get_mut(&id).unwrap().archived = Some(self.now);
    }

    /// The loser is gone from both lists; the survivor names it.
    pub(crate) fn merge(&mut self, loser: u64, survivor: u64) {
        self.records.remove(&loser);
        self.set(survivor, "hs_merged_object_ids", &loser.to_string());
    }

    /// Runs before every answer from now on.
    pub(crate) fn before_each(&mut self, hook: impl FnMut(usize, &mut World) + 'static) {
        self.hook = Some(Box::new(hook));
        self.count = 0;
    }

    /// What there is: id and name.
    fn truth(&self) -> BTreeMap<String, String> {
        let live = self.records.iter().filter(|(_, record)| record.archived.is_none());
        live.map(|(id, record)| (id.to_string(), record.properties["name"].clone())).collect()
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
        let path: Vec<&str> = request.path().split('/').collect();
        match path.as_slice() {
            ["", "crm", "v3", "owners"] => self.owners(request),
            ["", "crm", "v3", "objects", _] => self.list(request),
            ["", "crm", "v3", "objects", _, "search"] => self.search(request),
            ["", "crm", "v3", "objects", _, "batch", "read"] => self.batch(request),
            _ => testing::text(404, "no such path"),
        }
    }

    fn list(&self, request: &Request) -> Response {
        if request.url.len() > 16_000 {
            return testing::text(414, "URI too long");
        }
        let limit = number(request.query("limit"));
        assert!(limit <= 100, "a list gives at most 100 rows");
        let token = request.query("after");
        if token.as_ref().is_some_and(|token| self.dead_tokens.contains(token)) {
            return invalid("the after parameter is not valid");
        }
        let from = token.map_or(0, |token| token.parse().unwrap());
        let archived = request.query("archived").as_deref() == Some("true");
        let names = names(request.query("properties"));

        let mut matching = self.records.range(from..).filter(|(_, r)| r.archived.is_some() == archived);
        let rows: Vec<Value> = matching.by_ref().take(limit).map(|(id, record)| row(*id, record, &names)).collect();
        let next = matching.next().map(|(id, _)| json!({"next": {"after": id.to_string(), "link": "?"}}));
        page(rows, next, None)
    }

    fn search(&self, request: &Request) -> Response {
        let text = String::from_utf8(request.body.clone().unwrap()).unwrap();
        if text.len() > 3_000 {
            return invalid("the request body is too long");
        }
        let body: Value = serde_json::from_str(&text).unwrap();
        let limit = body["limit"].as_u64().unwrap() as usize;
        let offset = body["after"].as_str().map_or(0, |after| after.parse().unwrap());
        if limit > 200 || offset + limit > 10_000 {
            return invalid("paging past 10,000 rows");
        }
        let filters = body["filterGroups"][0]["filters"].as_array().unwrap();
        let mut matching: Vec<(u64, u64, &Record)> = self
            .records
            .iter()
            .filter(|(_, record)| record.archived.is_none())
            .filter_map(|(id, record)| Some((*id, self.indexed(record)?, record)))
            .filter(|(id, stamp, _)| filters.iter().all(|filter| self.matches(filter, *id, *stamp)))
            .collect();
        match body["sorts"][0]["propertyName"].as_str().unwrap() {
            "hs_object_id" => matching.sort_by_key(|(id, ..)| *id),
            _ => matching.sort_by_key(|(_, stamp, _)| *stamp),
        }
        let total = matching.len();
        let names: Vec<String> = serde_json::from_value(body["properties"].clone()).unwrap();
        let shown = matching.iter().skip(offset).take(limit);
        let rows: Vec<Value> = shown.map(|(id, _, record)| row(*id, record, &names)).collect();
        let more = offset + rows.len() < total;
        let next = more.then(|| json!({"next": {"after": (offset + rows.len()).to_string()}}));
        page(rows, next, Some(total))
    }

    /// The stamp that the index shows by now, if it knows the record.
    fn indexed(&self, record: &Record) -> Option<u64> {
        record.index.iter().filter(|(visible, _)| *visible <= self.now).map(|(_, stamp)| *stamp).max()
    }

    fn matches(&self, filter: &Value, id: u64, stamp: u64) -> bool {
        let name = filter["propertyName"].as_str().unwrap();
        assert!(name == "hs_object_id" || name == self.modified, "no property {name}");
        let left = if name == "hs_object_id" { id } else { stamp };
        let right: u64 = filter["value"].as_str().unwrap().parse().unwrap();
        match filter["operator"].as_str().unwrap() {
            "GTE" => left >= right,
            "GT" => left > right,
            "LT" => left < right,
            other => panic!("no operator {other} here"),
        }
    }

    fn batch(&self, request: &Request) -> Response {
        let body: Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        let names: Vec<String> = serde_json::from_value(body["properties"].clone()).unwrap();
        let inputs = body["inputs"].as_array().unwrap();
        assert!(inputs.len() <= 100, "a batch takes 100 ids");
        let ids = inputs.iter().map(|input| input["id"].as_str().unwrap().parse::<u64>().unwrap());
        let found = ids.filter_map(|id| Some((id, self.records.get(&id)?)));
        let rows = found.filter(|(_, r)| r.archived.is_none()).map(|(id, r)| row(id, r, &names)).collect();
        page(rows, None, None)
    }

    fn owners(&self, request: &Request) -> Response {
        let archived = request.query("archived").as_deref() == Some("true");
        let limit = number(request.query("limit"));
        let offset = request.query("after").map_or(0, |after| after.parse().unwrap());
        let all: Vec<&Value> = self.owners.iter().filter(|o| o["archived"] == archived).collect();
        let rows: Vec<Value> = all.iter().skip(offset).take(limit).map(|owner| (*owner).clone()).collect();
        let more = offset + rows.len() < all.len();
        let next = more.then(|| json!({"next": {"after": (offset + rows.len()).to_string()}}));
        page(rows, next, None)
    }
}

fn row(id: u64, record: &Record, names: &[String]) -> Value {
    let updated = time::format_rfc3339_ms(record.updated);
    let mut properties = Map::new();
    properties.insert("hs_object_id".to_owned(), id.to_string().into());
    for name in names {
        let value = record.properties.get(name).map_or(Value::Null, |value| value.as_str().into());
        properties.insert(name.clone(), value);
    }
    let mut row = json!({
        "id": id.to_string(), "properties": properties, "createdAt": updated, "updatedAt": updated,
        "archived": record.archived.is_some(),
    });
    if let Some(at) = record.archived {
        row["archivedAt"] = time::format_rfc3339_ms(at).into();
    }
    row
}

fn page(rows: Vec<Value>, next: Option<Value>, total: Option<usize>) -> Response {
    let mut body = json!({ "results": rows });
    if let Some(next) = next {
        body["paging"] = next;
    }
    if let Some(total) = total {
        body["total"] = total.into();
    }
    testing::json(200, &body)
}

fn invalid(message: &str) -> Response {
    testing::json(400, &json!({"status": "error", "category": "VALIDATION_ERROR", "message": message}))
}

fn number(text: Option<String>) -> usize {
    text.unwrap().parse().unwrap()
}

fn names(text: Option<String>) -> Vec<String> {
    text.unwrap_or_default().split(',').map(str::to_owned).collect()
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
    /// A HubSpot with nothing but companies, in which there are none.
    pub(crate) fn new() -> Self {
        let world = World { now: START, modified: "hs_lastmodifieddate", body_cap: usize::MAX, ..World::default() };
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
        let landed = BTreeMap::new();
        Self { world, http, config: json!({}), object: "companies", cursor: None, landed }
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
        let connector = HubSpot;
        // The host's own clock is years off: nothing may depend on it.
        let harness = Harness::new(&connector).config(&self.config).http(self.http.clone());
        let reading = harness.read_all(self.object, self.cursor.as_deref())?;
        self.cursor = Some(reading.cursor.clone());
        for record in &reading.interactions {
            match record.state {
                State::Present => {
                    let data: Value = serde_json::from_str(&record.data).unwrap();
                    let name = data["properties"]["name"].as_str().unwrap_or_default().to_owned();
                    self.landed.insert(record.id.clone(), name);
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
        let truth = self.read().truth();
        let missing: Vec<_> = truth.iter().filter(|(id, name)| self.landed.get(*id) != Some(name)).take(5).collect();
        let surplus: Vec<_> = self.landed.keys().filter(|id| !truth.contains_key(*id)).take(5).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{} landed of {}; missing {missing:?}, surplus {surplus:?}",
            self.landed.len(),
            truth.len()
        );
    }

    /// The bodies of the searches of the last run.
    pub(crate) fn searches(&self) -> Vec<Value> {
        let requests = self.http.requests();
        let searches = requests.iter().filter(|request| request.path().ends_with("/search"));
        searches.map(|request| serde_json::from_slice(request.body.as_ref().unwrap()).unwrap()).collect()
    }
}
