//! A Birch in memory: a list in order of id, an index that lags, a clock of its own.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use birch::Birch;
use serde_json::{Value, json};
use syncline_sdk::testing::{self, Harness, MockHttp, Reading};
use syncline_sdk::{Error, Request, Response, State, time};

/// 2026-03-01T10:00:00Z.
const START: u64 = 1_772_359_200_000;

/// One state of a person, and from when on lists show it.
struct Version {
    name: Option<String>,
    updated: u64,
    shown: u64,
}

/// What happens before a request is answered; the first argument counts requests from 1.
type Hook = Box<dyn FnMut(usize, &mut World)>;

#[derive(Default)]
pub(crate) struct World {
    /// Birch's clock; every request takes 100 ms of it.
    pub(crate) now: u64,
    /// How long lists take to show a change.
    pub(crate) lag: u64,
    /// An answer that takes precedence over the next one.
    pub(crate) answer: Option<Response>,
    people: BTreeMap<String, Vec<Version>>,
    hook: Option<Hook>,
    count: usize,
}

impl World {
    pub(crate) fn write(&mut self, id: &str, name: &str) {
        self.put(id, Some(name.to_owned()));
    }

    pub(crate) fn delete(&mut self, id: &str) {
        self.put(id, None);
    }

    fn put(&mut self, id: &str, name: Option<String>) {
        let version = Version { name, updated: self.now, shown: self.now + self.lag };
        self.people.entry(id.to_owned()).or_default().push(version);
    }

    /// Runs before every answer from now on.
    pub(crate) fn before_each(&mut self, hook: impl FnMut(usize, &mut World) + 'static) {
        self.hook = Some(Box::new(hook));
        self.count = 0;
    }

    fn answer(&mut self, request: &Request) -> Response {
        self.now += 100;
        self.count += 1;
        if let Some(mut hook) = self.hook.take() {
            hook(self.count, self);
            self.hook = Some(hook);
        }
        let answer = self.answer.take().unwrap_or_else(|| match request.path() {
            "/v1/me" => testing::json(200, &json!({"account": "acme"})),
            "/v1/people" => self.people(request),
            _ => testing::text(404, "no such path"),
        });
        answer.with_header("date", time::format_http_date(self.now))
    }

    fn people(&self, request: &Request) -> Response {
        let limit: usize = request.query("limit").unwrap().parse().unwrap();
        assert!(limit <= 200, "Birch refuses a limit of {limit}");
        let since = request.query("updated_since").map_or(0, |text| time::parse_rfc3339_ms(&text).unwrap());
        let after = request.query("after").map(|token| token.strip_prefix("after:").unwrap().to_owned());
        let shown = self.people.iter().filter_map(|(id, versions)| {
            let version = versions.iter().rev().find(|version| version.shown <= self.now)?;
            (version.updated >= since && after.as_ref().is_none_or(|after| id > after)).then_some((id, version))
        });
        let mut rows: Vec<(&String, &Version)> = shown.take(limit + 1).collect();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(id, _)| format!("after:{id}"));
        let people: Vec<Value> = rows
            .into_iter()
            .map(|(id, version)| {
                let updated_at = time::format_rfc3339_ms(version.updated);
                json!({"id": id, "name": version.name, "updated_at": updated_at, "deleted": version.name.is_none()})
            })
            .collect();
        testing::json(200, &json!({"people": people, "next": next}))
    }
}

/// A connector before a Birch.
#[derive(Clone)]
pub(crate) struct Rig {
    world: Rc<RefCell<World>>,
    pub(crate) http: MockHttp,
}

/// What landed: id and name.
pub(crate) type Landed = BTreeMap<String, String>;

impl Rig {
    pub(crate) fn new() -> Self {
        let world = Rc::new(RefCell::new(World { now: START, ..World::default() }));
        let provider = Rc::clone(&world);
        let http = MockHttp::new(move |request: &Request| provider.borrow_mut().answer(request));
        Self { world, http }
    }

    pub(crate) fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    pub(crate) fn harness(&self, page_size: u32) -> Harness<'static> {
        Harness::new(&Birch).http(self.http.clone()).page_size(page_size)
    }

    /// Reads a run with two people on a page, lands it, and answers with what it was.
    pub(crate) fn sync(&self, cursor: Option<&str>, landed: &mut Landed) -> Result<Reading, Error> {
        let reading = self.harness(2).read_all("people", cursor)?;
        for (id, person) in reading.landed() {
            match person.state {
                State::Present => {
                    let data: Value = serde_json::from_str(&person.data).unwrap();
                    landed.insert(id.to_owned(), data["name"].as_str().unwrap().to_owned());
                }
                State::Deleted | State::MergedInto(_) => {
                    landed.remove(id);
                }
            }
        }
        Ok(reading)
    }

    /// Who there is.
    pub(crate) fn truth(&self) -> Landed {
        let world = self.world.borrow();
        let last = world.people.iter().map(|(id, versions)| (id, versions.last().unwrap()));
        last.filter_map(|(id, version)| Some((id.clone(), version.name.clone()?))).collect()
    }
}
