//! A host in miniature: it runs a connector page by page and lands what it reads.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use intercom::Intercom;
use serde_json::{Value, json};
use syncline_sdk::testing::Harness;
use syncline_sdk::{Connector, DeleteMode, Error, Http, HttpError, Interaction, Request, Response};

/// As many as the host allows.
const REQUESTS_OF_A_CALL: usize = 20;
const REWINDS: usize = 3;
const EMPTY_PAGES: usize = 50;

/// An integration object, and what it landed.
pub(crate) struct Host {
    pub(crate) config: Value,
    pub(crate) object: &'static str,
    pub(crate) cursor: Option<String>,
    pub(crate) landed: BTreeMap<String, Value>,
    /// Seen since the last complete pass.
    marked: BTreeSet<String>,
    /// Times the last run went back to an earlier position.
    pub(crate) rewinds: usize,
    /// Seconds the last run waited.
    pub(crate) waited: u64,
}

/// What a run read.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) interactions: Vec<Interaction>,
    pub(crate) pages: usize,
}

/// Counts requests.
struct Counted<'a> {
    http: &'a dyn Http,
    count: &'a Cell<usize>,
}

impl Http for Counted<'_> {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.count.set(self.count.get() + 1);
        self.http.send(request)
    }
}

impl Host {
    pub(crate) fn new(object: &'static str) -> Self {
        Self {
            config: json!({}),
            object,
            cursor: None,
            landed: BTreeMap::new(),
            marked: BTreeSet::new(),
            rewinds: 0,
            waited: 0,
        }
    }

    /// One run, as the host does it: page by page, back where the connector says so; `pass` lets seconds pass where
    /// it asks for them.
    pub(crate) fn run(&mut self, http: &dyn Http, mut pass: impl FnMut(u64)) -> Result<Run, Error> {
        (self.rewinds, self.waited) = (0, 0);
        let (connector, count) = (Intercom, Cell::new(0));
        // The host's own clock is years off: nothing may depend on it.
        let harness = Harness::new(&connector).config(&self.config).http(Counted { http, count: &count });
        let objects = connector.discover(&harness.ctx())?;
        let object = objects.iter().find(|object| object.name == self.object).unwrap();
        let sweeps = object.deletes == DeleteMode::ByAbsence;
        let (mut run, mut seen, mut empty) = (Run::default(), BTreeSet::new(), 0);
        loop {
            count.set(0);
            let fetched = harness.fetch(self.object, self.cursor.as_deref());
            assert!(count.get() <= REQUESTS_OF_A_CALL, "{} requests in one call", count.get());
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
                self.landed.insert(record.id.clone(), serde_json::from_str(&record.data).unwrap());
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
                    pass(seconds);
                }
                None => assert!(seen.insert(page.cursor.clone()), "a cursor came back: {}", page.cursor),
            }
        }
    }

    /// A field of the cursor.
    pub(crate) fn cursor_field(&self, name: &str) -> Value {
        serde_json::from_str::<Value>(self.cursor.as_ref().unwrap()).unwrap()[name].clone()
    }
}
