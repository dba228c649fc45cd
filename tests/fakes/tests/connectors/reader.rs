//! Reads an object the way the host does, page after page from the cursor kept, and lands what comes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syncline_fakes::{
    FakeProviders,
    schema::Provider,
    truth::{Fate, Truth},
};
use syncline_sdk::testing::Harness;
use syncline_sdk::{Connector, DeleteMode, Error, State};

use crate::bridge::Bridge;

/// Tries of one page before a fault counts as lasting.
const TRIES: u32 = 20;

/// One object of one account, and what has landed of it.
pub(crate) struct Reader<'a> {
    pub(crate) fakes: &'a FakeProviders,
    pub(crate) provider: Provider,
    pub(crate) connector: &'a dyn Connector,
    pub(crate) bridge: Bridge,
    pub(crate) config: Value,
    pub(crate) object: String,
    pub(crate) deletes: DeleteMode,
    pub(crate) cursor: Option<String>,
    pub(crate) landed: BTreeMap<String, Value>,
    /// Ids of the pass that goes on, where deletes show by absence.
    pub(crate) pass: BTreeSet<String>,
}

impl Reader<'_> {
    /// Goes on until the connector says that there is no more, or for so many pages. Says whether the run ended.
    pub(crate) fn run(&mut self, pages: usize) -> bool {
        (0..pages).any(|_| !self.page())
    }

    /// Reads one page and says whether there is more.
    fn page(&mut self) -> bool {
        for _ in 0..TRIES {
            let harness = Harness::new(self.connector).config(&self.config).http(self.bridge.clone());
            match harness.fetch(&self.object, self.cursor.as_deref()) {
                Ok(page) => {
                    let complete = page.attributes.iter().any(|(key, _)| key == "pass-complete");
                    self.land(page.interactions, complete);
                    if let Some(seconds) = page.wait {
                        self.pass_time(seconds);
                    }
                    assert!(!page.more || page.wait.is_some() || self.cursor.as_ref() != Some(&page.cursor), "stalled");
                    self.cursor = Some(page.cursor);
                    return page.more;
                }
                Err(Error::RateLimited(pause)) => self.pass_time(pause.unwrap_or(60)),
                Err(Error::CursorExpired(to)) => {
                    self.cursor = to;
                    self.pass.clear();
                }
                Err(Error::Unavailable(_) | Error::Unexpected(_)) => {}
                Err(error) => panic!("{}: {error}", self.object),
            }
        }
        panic!("{}: {TRIES} tries from {:?} and no page", self.object, self.cursor);
    }

    fn pass_time(&self, seconds: u64) {
        self.fakes.advance(u32::try_from(seconds * 1_000).unwrap());
    }

    fn land(&mut self, records: Vec<syncline_sdk::Interaction>, complete: bool) {
        for record in records {
            match record.state {
                State::Present => {
                    self.pass.insert(record.id.clone());
                    self.landed.insert(record.id, serde_json::from_str(&record.data).unwrap());
                }
                State::Deleted | State::MergedInto(_) => {
                    self.landed.remove(&record.id);
                }
            }
        }
        if complete && self.deletes == DeleteMode::ByAbsence {
            let pass = std::mem::take(&mut self.pass);
            self.landed.retain(|id, _| pass.contains(id));
        }
    }

    /// Fails the test unless what has landed is the truth.
    pub(crate) fn assert_truth(&self) {
        let truth = self.fakes.truth_at(self.provider, "a", &self.object).unwrap();
        let present: BTreeMap<&String, &Truth> = truth.iter().filter(|(_, t)| t.fate == Fate::Present).collect();
        let wrong = |(id, truth): &(&&String, &&Truth)| {
            let landed = self.landed.get(**id);
            landed.is_none_or(|landed| truth.data.iter().any(|(name, value)| landed.get(name) != Some(value)))
        };
        let wrong: Vec<_> = present.iter().filter(wrong).map(|(id, _)| *id).take(5).collect();
        let surplus: Vec<_> = self.landed.keys().filter(|id| !present.contains_key(id)).take(5).collect();
        assert!(
            wrong.is_empty() && surplus.is_empty(),
            "{}: {} landed of {}; missing or old {wrong:?}, surplus {surplus:?}",
            self.object,
            self.landed.len(),
            present.len()
        );
    }
}
