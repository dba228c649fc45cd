//! What all servers share: accounts, credentials, the clock, faults and counts.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::body::Bytes;

use crate::{
    Options, Tenant, content,
    dataset::{Record, Shape, Table, World},
    driver::{Change, Driver},
    faults::{Faults, Knobs},
    intercom,
    limit::Limiter,
    locked,
    reply::Call,
    salesforce,
    schema::{Object, Provider},
    stats::Stats,
    tokens::{Pass, Tokens},
    truth::{self, Truth},
};

/// The data of one account at each provider that runs.
type Worlds = BTreeMap<Provider, Arc<Mutex<World>>>;

/// One account: its data at every provider, and what the providers remember about the client.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) tenant: Tenant,
    worlds: Worlds,
    drivers: Mutex<BTreeMap<Provider, Driver>>,
    pub(crate) limiter: Mutex<Limiter>,
    pub(crate) api_usage: AtomicU64,
    pub(crate) locators: Mutex<VecDeque<salesforce::rest::Locator>>,
    pub(crate) jobs: Mutex<BTreeMap<String, salesforce::bulk::Job>>,
    pub(crate) intercom: Mutex<intercom::answers::Memory>,
}

impl Account {
    /// Its data at a provider; `None` if that one does not run.
    pub(crate) fn world(&self, provider: Provider) -> Option<MutexGuard<'_, World>> {
        self.worlds.get(&provider).map(|world| locked(world))
    }
}

/// Everything the servers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) accounts: Vec<Account>,
    pub(crate) tokens: Tokens,
    pub(crate) faults: Faults,
    pub(crate) stats: Stats,
    pub(crate) paused: AtomicBool,
    advanced_ms: AtomicI64,
    serial: AtomicU64,
    /// Rendered list pages and the number of records in each, by path and query (`raw` only).
    pub(crate) pages: Mutex<HashMap<String, (Bytes, usize)>>,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let common = options.raw.then(|| worlds(&options, 0));
        let accounts = options.tenants.iter().enumerate().map(|(index, tenant)| {
            let seed = content::mix(&[options.seed, content::number(&tenant.name)]);
            let driver = |of: &Provider| (*of, Driver::new(content::mix(&[seed, *of as u64])));
            Account {
                tenant: tenant.clone(),
                worlds: common.clone().unwrap_or_else(|| worlds(&options, index)),
                drivers: Mutex::new(options.providers.iter().map(driver).collect()),
                limiter: Mutex::default(),
                api_usage: AtomicU64::new(0),
                locators: Mutex::default(),
                jobs: Mutex::default(),
                intercom: Mutex::default(),
            }
        });
        let faults = Faults::default();
        faults.turn(|knobs| *knobs = options.knobs.clone());
        Self {
            accounts: accounts.collect(),
            tokens: Tokens::new(&options.tenants, options.rotate_refresh_tokens),
            faults,
            stats: Stats::default(),
            paused: AtomicBool::new(false),
            advanced_ms: AtomicI64::new(0),
            serial: AtomicU64::new(1),
            pages: Mutex::default(),
            options,
        }
    }

    /// The time of the fakes: real time and everything it was advanced by.
    pub(crate) fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.advanced_ms.load(Ordering::Relaxed))
    }

    /// Lets time pass at once.
    pub(crate) fn advance(&self, ms: u32) {
        self.advanced_ms.fetch_add(i64::from(ms), Ordering::Relaxed);
    }

    /// The account of this name.
    pub(crate) fn account(&self, tenant: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.tenant.name == tenant)
    }

    /// Whose credential the request carries.
    pub(crate) fn pass(&self, provider: Provider, call: &Call, now: i64) -> Pass {
        let token = provider.api().presented(call);
        token.map_or(Pass::Unknown, |token| self.tokens.pass(provider, &token, now))
    }

    /// The account that a request acts for.
    ///
    /// # Errors
    /// Whether its credential has expired or never was one.
    pub(crate) fn caller(&self, provider: Provider, call: &Call, now: i64) -> Result<&Account, Pass> {
        match self.pass(provider, call, now) {
            Pass::Tenant(index) => self.accounts.get(index).ok_or(Pass::Unknown),
            pass @ (Pass::Expired(_) | Pass::Unknown) => Err(pass),
        }
    }

    /// The provider and object of a name: at the `preferred` provider if it has one, otherwise at the first that does.
    pub(crate) fn find(&self, preferred: Option<Provider>, name: &str) -> Option<(Provider, &'static Object)> {
        let mut providers = preferred.into_iter().chain(self.options.providers.iter().copied());
        providers.find_map(|provider| Some((provider, provider.object(name)?)))
    }

    pub(crate) fn truth(
        &self,
        provider: Option<Provider>,
        tenant: &str,
        object: &str,
    ) -> Option<BTreeMap<String, Truth>> {
        let (provider, _) = self.find(provider, object)?;
        let world = self.account(tenant)?.world(provider)?;
        let mut truth = truth::of(world.table(object)?, self.now_ms());
        provider.api().amend(&world, object, &mut truth);
        Some(truth)
    }

    pub(crate) fn settled(&self) -> bool {
        let now = self.now_ms();
        self.accounts.iter().all(|account| account.worlds.values().all(|world| locked(world).settled(now)))
    }

    pub(crate) fn change(&self, n: u32, tenant: Option<&str>, provider: Option<Provider>) -> Vec<Change> {
        let mut made = Vec::new();
        if self.options.raw {
            return made;
        }
        for account in self.accounts.iter().filter(|account| tenant.is_none_or(|only| account.tenant.name == only)) {
            let mut drivers = locked(&account.drivers);
            for (of, driver) in drivers.iter_mut().filter(|(of, _)| provider.is_none_or(|only| only == **of)) {
                for _ in 0..n {
                    made.extend(account.world(*of).map(|mut world| driver.step(&mut world, self.now_ms())));
                }
            }
        }
        made
    }

    /// Turns knobs; writes from now on lag as they say.
    pub(crate) fn turn(&self, change: impl FnOnce(&mut Knobs)) {
        self.faults.turn(change);
        let knobs = self.faults.knobs();
        for world in self.accounts.iter().flat_map(|account| account.worlds.values()) {
            let mut world = locked(world);
            (world.shape.index_lag_ms, world.shape.late_commit_ms) = (knobs.index_lag_ms, knobs.late_commit_ms);
        }
    }

    pub(crate) fn kill_locators(&self) {
        for account in &self.accounts {
            locked(&account.locators).clear();
            locked(&account.intercom).forget();
        }
    }

    pub(crate) fn kill_bulk_jobs(&self) {
        self.accounts.iter().for_each(|account| locked(&account.jobs).clear());
    }

    /// Counts records that an answer holds; one by one if the options ask for it.
    pub(crate) fn served(&self, tenant: &str, table: &Table, rows: &[&Record]) {
        let counted: &[&Record] = if self.options.count_ids { rows } else { &[] };
        let ids = counted.iter().map(|record| content::id(table.object, record.seq));
        self.stats.records(tenant, table.object.name, rows.len(), ids);
    }

    /// A number that no other request gets.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }
}

fn worlds(options: &Options, index: usize) -> Worlds {
    let shape = Shape {
        seed: content::mix(&[options.seed, index as u64]),
        records: options.records_per_object,
        ties: options.ties,
        index_lag_ms: options.knobs.index_lag_ms,
        late_commit_ms: options.knobs.late_commit_ms,
        plain: options.raw,
    };
    options.providers.iter().map(|of| (*of, Arc::new(Mutex::new(World::new(*of, shape))))).collect()
}
