//! A customer's copy of the org's accounts, kept by the connector.

use std::collections::BTreeMap;

use salesforce::Salesforce;
use serde_json::{Value, json};
use syncline_sdk::testing::{FixedClock, Harness, MockHttp};
use syncline_sdk::{Error, Interaction, Page, State};

use crate::org::{START, Shared};

/// The copy, and where it continues.
pub struct Copy {
    pub org: Shared,
    pub http: MockHttp,
    pub clock: FixedClock,
    pub harness: Harness<'static>,
    pub cursor: Option<String>,
    pub landed: BTreeMap<String, Interaction>,
    pub last: Option<Page>,
    object: String,
}

impl Copy {
    /// A copy that was never synced, read in pages of that many rows.
    pub fn new(org: &Shared, page_size: u32) -> Self {
        Self::with_config(org, page_size, json!({}))
    }

    /// The same with further configuration.
    pub fn with_config(org: &Shared, page_size: u32, mut config: Value) -> Self {
        config["domain"] = json!("northwind.my.salesforce.com");
        let http = org.http();
        let clock = FixedClock::new(START * 1_000);
        let harness =
            Harness::new(&Salesforce).http(http.clone()).clock(clock.clone()).config(config).page_size(page_size);
        let object = org.with(|org| org.object.clone());
        let (org, landed) = (org.clone(), BTreeMap::new());
        Self { org, http, clock, harness, cursor: None, landed, last: None, object }
    }

    /// Fetches one page as the host does; true if the run goes on.
    pub fn step(&mut self) -> Result<bool, Error> {
        match self.harness.fetch(&self.object, self.cursor.as_deref()) {
            Ok(page) => {
                let new: Vec<_> = page.interactions.iter().map(|one| (one.id.clone(), one.clone())).collect();
                self.landed.extend(new);
                self.cursor = Some(page.cursor.clone());
                let more = page.more;
                self.last = Some(page);
                Ok(more)
            }
            Err(Error::CursorExpired(resume)) => {
                self.cursor = resume;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// A whole run.
    pub fn run(&mut self) -> Result<(), Error> {
        for _ in 0..10_000 {
            if !self.step()? {
                return Ok(());
            }
        }
        panic!("a run without an end");
    }

    /// Lets everything settle, syncs, and returns the requests that it took.
    pub fn settle(&mut self) -> usize {
        self.org.with(|org| org.now += 120);
        self.http.forget();
        self.run().unwrap();
        self.http.count()
    }

    /// Queries asked since the requests were last forgotten.
    pub fn queries(&self) -> Vec<String> {
        self.http.requests().iter().filter_map(|request| request.query("q")).collect()
    }

    /// Compares the copy with the org.
    #[track_caller]
    pub fn assert_true(&self) {
        let landed: BTreeMap<&str, String> =
            self.landed.values().map(|one| (one.id.as_str(), described(one))).collect();
        self.org.with(|org| {
            let truth: BTreeMap<&str, String> = org
                .rows
                .values()
                .map(|row| match (row.deleted, &row.master) {
                    (false, _) => (row.id.as_str(), format!("present {}", row.value("Name"))),
                    (true, None) => (row.id.as_str(), "deleted".to_owned()),
                    (true, Some(master)) => (row.id.as_str(), format!("merged into {master}")),
                })
                .collect();
            assert_eq!(landed, truth);
        });
    }
}

fn described(one: &Interaction) -> String {
    match &one.state {
        State::Present => {
            let data: Value = serde_json::from_str(&one.data).unwrap();
            format!("present {}", data["Name"])
        }
        State::Deleted => "deleted".to_owned(),
        State::MergedInto(id) => format!("merged into {id}"),
    }
}
