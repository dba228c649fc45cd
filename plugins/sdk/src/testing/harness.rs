//! Calls a connector the way the host does.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde::de::IgnoredAny;

use super::MockHttp;
use super::{FixedClock, MemoryLog, text};
use crate::{Attribute, Connector, Context, Error, Http, Interaction, Page, State};

/// Pages of one run before the harness takes it for endless.
const PAGES: usize = 100_000;

/// A connector under test with everything a call needs.
pub struct Harness<'a> {
    connector: &'a dyn Connector,
    http: Box<dyn Http + 'a>,
    clock: FixedClock,
    log: MemoryLog,
    config: String,
    auth: String,
    attributes: Vec<Attribute>,
}

/// What a run read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Every interaction, in order.
    pub interactions: Vec<Interaction>,
    /// Number of pages.
    pub pages: usize,
    /// Where the next run starts.
    pub cursor: String,
    /// Whether a page said that it ends a complete reading of the object.
    pub pass_complete: bool,
    /// Seconds that pages asked to wait, in all.
    pub waited: u64,
}

impl Reading {
    /// The last state of each record by id, as landing would leave it.
    pub fn landed(&self) -> BTreeMap<&str, &Interaction> {
        self.interactions.iter().map(|record| (record.id.as_str(), record)).collect()
    }
}

impl<'a> Harness<'a> {
    /// A harness with an empty configuration, the first auth scheme of the manifest, and no way out: set
    /// [`http`](Harness::http).
    pub fn new(connector: &'a dyn Connector) -> Self {
        let auth = connector.describe().auth.first().map(|scheme| scheme.name.clone());
        Self {
            connector,
            http: Box::new(MockHttp::new(|request| text(599, format!("no mock for {}", request.url)))),
            clock: FixedClock::default(),
            log: MemoryLog::default(),
            config: "{}".to_owned(),
            auth: auth.unwrap_or_default(),
            attributes: Vec::new(),
        }
    }

    /// Sets the configuration.
    ///
    /// # Panics
    /// If the value cannot be written as JSON.
    #[must_use]
    pub fn config(mut self, config: impl Serialize) -> Self {
        self.config = serde_json::to_string(&config).unwrap_or_else(|error| panic!("not JSON: {error}"));
        self
    }

    /// Sets who answers requests; pass a clone to keep its record at hand.
    #[must_use]
    pub fn http(mut self, http: impl Http + 'a) -> Self {
        self.http = Box::new(http);
        self
    }

    /// Sets the auth scheme in use.
    #[must_use]
    pub fn auth(mut self, name: &str) -> Self {
        name.clone_into(&mut self.auth);
        self
    }

    /// Sets the clock; a page's `wait` moves it on.
    #[must_use]
    pub fn clock(mut self, clock: FixedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the number of records that the host would like in a page.
    #[must_use]
    pub fn page_size(mut self, size: u32) -> Self {
        self.attributes.push(("page-size".to_owned(), size.to_string()));
        self
    }

    /// What the connector logged so far.
    pub fn log(&self) -> &MemoryLog {
        &self.log
    }

    /// A context as the host would lend it to one call.
    pub fn ctx(&self) -> Context<'_> {
        Context::new(&*self.http, &self.log, &self.clock, &self.config, &self.auth, &self.attributes)
    }

    /// Reads one page and checks it against the contract.
    ///
    /// # Panics
    /// If the page breaks the contract.
    pub fn fetch(&self, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let page = self.connector.fetch(&self.ctx(), object, cursor)?;
        validate(&page);
        Ok(page)
    }

    /// Reads a whole run from a cursor: page after page until one says that there is no more.
    ///
    /// # Panics
    /// If a page breaks the contract, or a cursor comes back, which the host would end as stalled.
    pub fn read_all(&self, object: &str, cursor: Option<&str>) -> Result<Reading, Error> {
        let mut seen: HashSet<String> = cursor.map(str::to_owned).into_iter().collect();
        let mut reading = Reading {
            interactions: Vec::new(),
            pages: 0,
            cursor: cursor.unwrap_or_default().to_owned(),
            pass_complete: false,
            waited: 0,
        };
        let mut at = cursor.map(str::to_owned);
        while reading.pages < PAGES {
            let page = self.fetch(object, at.as_deref())?;
            reading.pages += 1;
            reading.pass_complete |=
                page.attributes.iter().any(|(key, value)| key == "pass-complete" && value == "true");
            reading.interactions.extend(page.interactions);
            reading.cursor.clone_from(&page.cursor);
            if !page.more {
                return Ok(reading);
            }
            if let Some(seconds) = page.wait {
                reading.waited = reading.waited.saturating_add(seconds);
                self.clock.advance_ms(seconds.saturating_mul(1_000));
            } else {
                assert!(
                    seen.insert(page.cursor.clone()),
                    "a cursor came back, the run would never end: {}",
                    page.cursor
                );
            }
            at = Some(page.cursor);
        }
        panic!("{object}: no end after {PAGES} pages");
    }
}

/// Fails the test where the host would refuse the page.
fn validate(page: &Page) {
    let size: usize = page.interactions.iter().map(|record| record.data.len()).sum();
    assert!(page.interactions.len() <= 1_000, "a page of {} records", page.interactions.len());
    assert!(size <= 8 << 20, "a page of {size} bytes");
    assert!((1..=16 << 10).contains(&page.cursor.len()), "a cursor of {} bytes", page.cursor.len());
    assert!(page.wait.is_none() || page.interactions.is_empty(), "only an empty page may ask to wait");
    assert!(page.wait.is_none() || page.more, "a page that ends the run may not ask to wait");
    for record in &page.interactions {
        let id = &record.id;
        assert!((1..=512).contains(&id.len()) && !id.contains('\0'), "not an id: {id:?}");
        assert!(record.data.len() <= 1 << 20, "record {id} has {} bytes", record.data.len());
        let empty_tombstone = record.data.is_empty() && record.state != State::Present;
        let object =
            record.data.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&record.data).is_ok();
        assert!(empty_tombstone || object, "the data of record {id} is not a JSON object: {}", record.data);
    }
}
