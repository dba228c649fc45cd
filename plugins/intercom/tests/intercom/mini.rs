//! A world, a door to it, and a host that reads it.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use serde_json::Value;
use syncline_sdk::testing::MockHttp;
use syncline_sdk::{Error, Request, time};

use crate::host::{Host, Run};
use crate::world::{HOUR, START, World};

pub(crate) struct Mini {
    world: Rc<RefCell<World>>,
    pub(crate) http: MockHttp,
    host: Host,
}

impl Deref for Mini {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl DerefMut for Mini {
    fn deref_mut(&mut self) -> &mut Host {
        &mut self.host
    }
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
        Self { world, http, host: Host::new(object) }
    }

    /// The same with this many records, two hours old and read.
    pub(crate) fn synced(object: &'static str, records: u64) -> Self {
        let mut mini = Self::new(object);
        mini.write(1..=records, "old");
        mini.pass(2 * HOUR);
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

    pub(crate) fn try_sync(&mut self) -> Result<Run, Error> {
        self.http.forget();
        self.host.run(&self.http, |seconds| self.world.borrow_mut().now += seconds * 1_000)
    }

    /// Fails the test unless what has landed is what there is.
    pub(crate) fn assert_truth(&self) {
        let world = self.world();
        let records = world.records.get(self.object).into_iter().flatten();
        let truth: BTreeMap<String, &str> = records.map(|(id, r)| (id.to_string(), r.name.as_str())).collect();
        let landed = |id: &str| self.landed.get(id).map(|data| data["name"].as_str().unwrap_or_default());
        let missing: Vec<_> = truth.iter().filter(|(id, name)| landed(id) != Some(name)).take(5).collect();
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
