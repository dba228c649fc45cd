//! A world, a door to it, and a host in miniature that lands what a connector reads from it.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use intercom::Intercom;
use serde_json::{Value, json};
use syncline_sdk::testing::{Harness, MockHttp};
use syncline_sdk::{Connector, DeleteMode, Error, Interaction, Request, time};

use crate::world::{START, World};

/// As many as the host allows.
const REQUESTS_OF_A_CALL: usize = 20;
const REWINDS: usize = 3;
const EMPTY_PAGES: usize = 50;

pub(crate) struct Mini {
    world: Rc<RefCell<World>>,
    pub(crate) http: MockHttp,
    pub(crate) config: Value,
    pub(crate) object: &'static str,
    pub(crate) cursor: Option<String>,
    pub(crate) landed: BTreeMap<String, String>,
    /// Seen since the last complete pass.
    marked: BTreeSet<String>,
    /// Times a run went back to an earlier position.
    pub(crate) rewinds: usize,
    /// Seconds waited.
    pub(crate) waited: u64,
}

/// What a run read.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) interactions: Vec<Interaction>,
    pub(crate) pages: usize,
}

impl Mini {
    pub(crate) fn new(object: &'static str) -> Self {
        let world = Rc::new(RefCell::new(World::default()));
        world.borrow_mut().now = START;
        let inside = Rc::clone(&world);
        let http = MockHttp::new(move |request: &Request| {
            let mut world = inside.borrow_mut();
            let response = world.answer(request);
            Ok(response.with_header("date", time::format_http_date(world.now)))
        });
        Self {
            world,
            http,
            config: json!({}),
            object,
            cursor: None,
            landed: BTreeMap::new(),
            marked: BTreeSet::new(),
            rewinds: 0,
            waited: 0,
        }
    }

    /// The same with this many records, two hours old and read.
    pub(crate) fn synced(object: &'static str, records: u64) -> Self {
        let mut mini = Self::new(object);
        mini.write(1..=records, "old");
        mini.pass(2 * crate::world::HOUR);
        mini.sync();
        mini.assert_truth();
        mini
    }

    pub(crate) fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    pub(crate) fn write(&self, ids: impl IntoIterator<Item = u64>, name: &str) {
        ids.into_iter().for_each(|id| self.world().write(self.object, id, name));
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: u64) {
        self.world().now += ms;
    }

    pub(crate) fn sync(&mut self) -> Run {
        self.try_sync().unwrap()
    }

    /// One run, as the host does it: page by page, back where the connector says so, waiting where it asks for it.
    pub(crate) fn try_sync(&mut self) -> Result<Run, Error> {
        self.http.forget();
        (self.rewinds, self.waited) = (0, 0);
        let connector = Intercom;
        // The host's own clock is years off: nothing may depend on it.
        let harness = Harness::new(&connector).config(&self.config).http(self.http.clone());
        let objects = connector.discover(&harness.ctx())?;
        let object = objects.iter().find(|object| object.name == self.object).unwrap();
        let sweeps = object.deletes == DeleteMode::ByAbsence;
        let (mut run, mut seen, mut empty) = (Run::default(), BTreeSet::new(), 0);
        loop {
            let before = self.http.count();
            let fetched = harness.fetch(self.object, self.cursor.as_deref());
            let requests = self.http.count() - before;
            assert!(requests <= REQUESTS_OF_A_CALL, "{requests} requests in one call");
            let page = match fetched {
                Err(Error::CursorExpired(resume)) if self.rewinds < REWINDS => {
                    assert_ne!(resume, self.cursor, "back to where it was");
                    self.rewinds += 1;
                    self.cursor = resume;
                    seen.clear();
                    continue;
                }
                page => page?,
            };
            empty = if page.interactions.is_empty() && page.more && page.wait.is_none() { empty + 1 } else { 0 };
            assert!(empty <= EMPTY_PAGES, "stalled");
            run.pages += 1;
            for record in &page.interactions {
                let data: Value = serde_json::from_str(&record.data).unwrap();
                self.landed.insert(record.id.clone(), data["name"].as_str().unwrap_or_default().to_owned());
                self.marked.insert(record.id.clone());
            }
            run.interactions.extend(page.interactions);
            self.cursor = Some(page.cursor.clone());
            if !page.more {
                if sweeps {
                    self.landed.retain(|id, _| self.marked.contains(id));
                    self.marked.clear();
                }
                return Ok(run);
            }
            match page.wait {
                Some(seconds) => {
                    self.waited += seconds;
                    self.pass(seconds * 1_000);
                }
                None => assert!(seen.insert(page.cursor.clone()), "a cursor came back: {}", page.cursor),
            }
        }
    }

    /// Fails the test unless what has landed is what there is.
    pub(crate) fn assert_truth(&self) {
        let world = self.world();
        let records = world.records.get(self.object).into_iter().flatten();
        let truth: BTreeMap<String, String> = records.map(|(id, r)| (id.to_string(), r.name.clone())).collect();
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

    /// A field of the cursor.
    pub(crate) fn cursor_field(&self, name: &str) -> Value {
        serde_json::from_str::<Value>(self.cursor.as_ref().unwrap()).unwrap()[name].clone()
    }
}
