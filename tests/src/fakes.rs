//! Fake HubSpot and fake Salesforce on ports of this machine, with a truth to compare destinations with.
//!
//! `FakeProviders::start` opens both. Accounts ("tenants") are told apart as the real providers do it: by token, and
//! at Salesforce also by host name. Content is a function of the seed; stamps of changes are real time.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Bytes, extract::Request};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub mod content;
pub mod control;
pub mod dataset;
pub mod driver;
pub mod faults;
pub mod hubspot;
pub mod reply;
pub mod salesforce;
pub mod schema;
pub mod serve;
pub mod stats;
pub mod tokens;
pub mod truth;

#[cfg(test)]
mod tests;

use dataset::{Shape, World};
use driver::{Change, Driver};
use faults::{Fault, Faults, Knobs};
use schema::Provider;
use stats::{Snapshot, Stats};
use tokens::Tokens;
use truth::Truth;

/// How long a stop waits for answers that are on their way.
const STOP: Duration = Duration::from_secs(2);

/// An account at both providers, and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Name in the control API.
    pub name: String,
    /// HubSpot's static token.
    pub hubspot_token: String,
    /// Salesforce's data host.
    pub salesforce_domain: String,
    /// OAuth client, at both providers.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The refresh token to start with, at both providers.
    pub refresh_token: String,
}

impl Tenant {
    /// A tenant whose credentials follow from its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            hubspot_token: format!("pat-na1-{name}"),
            salesforce_domain: format!("{name}.my.salesforce.com"),
            client_id: format!("client-{name}"),
            client_secret: format!("secret-{name}"),
            refresh_token: format!("refresh-{name}"),
        }
    }
}

/// How the fakes start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of all content and of every choice.
    pub seed: u64,
    /// The accounts.
    pub tenants: Vec<Tenant>,
    /// Records of each object in each account.
    pub records_per_object: u32,
    /// So many of them share one stamp.
    pub ties: u32,
    /// HubSpot: a write reaches search after 0 to so many milliseconds.
    pub index_lag_ms: i64,
    /// Salesforce: one change in eight becomes visible 0 to so many milliseconds after its stamp.
    pub late_commit_ms: i64,
    /// A change in each account at each provider, this often. `None`: only on request.
    pub change_every_ms: Option<u64>,
    /// Port of 127.0.0.1 for HubSpot; 0 for any.
    pub hubspot_port: u16,
    /// Port of 127.0.0.1 for Salesforce; 0 for any.
    pub salesforce_port: u16,
    /// Salesforce: a refresh token works once, the answer holds the next one.
    pub rotate_refresh_tokens: bool,
    /// Count how often each record was served.
    pub count_ids: bool,
    /// For benchmarks: live records only, all tenants share one data set, and HubSpot's list pages are kept once
    /// rendered. Changes are refused.
    pub raw: bool,
    /// Where the knobs stand.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            tenants: vec![Tenant::named("a")],
            records_per_object: 300,
            ties: 0,
            index_lag_ms: 0,
            late_commit_ms: 0,
            change_every_ms: None,
            hubspot_port: 0,
            salesforce_port: 0,
            rotate_refresh_tokens: false,
            count_ids: false,
            raw: false,
            knobs: Knobs::default(),
        }
    }
}

/// One account: its data at both providers, and what the providers remember about the client.
#[derive(Debug)]
struct Account {
    tenant: Tenant,
    hubspot: Arc<Mutex<World>>,
    salesforce: Arc<Mutex<World>>,
    drivers: Mutex<BTreeMap<Provider, Driver>>,
    limiter: Mutex<hubspot::limit::Limiter>,
    api_usage: AtomicU64,
    locators: Mutex<VecDeque<salesforce::rest::Locator>>,
    jobs: Mutex<BTreeMap<String, salesforce::bulk::Job>>,
}

impl Account {
    fn world(&self, provider: Provider) -> MutexGuard<'_, World> {
        match provider {
            Provider::HubSpot => locked(&self.hubspot),
            Provider::Salesforce => locked(&self.salesforce),
        }
    }
}

/// Everything both servers share.
#[derive(Debug)]
struct Shared {
    options: Options,
    accounts: Vec<Account>,
    tokens: Tokens,
    faults: Faults,
    stats: Stats,
    paused: AtomicBool,
    serial: AtomicU64,
    /// Rendered list pages and the number of records in each, by path and query (`raw` only).
    pages: Mutex<HashMap<String, (Bytes, usize)>>,
}

/// The running fakes. Dropping them ends the servers at once; `stop` lets them finish.
#[derive(Debug)]
pub struct FakeProviders {
    /// Where HubSpot listens.
    pub hubspot_addr: SocketAddr,
    /// Where Salesforce listens.
    pub salesforce_addr: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl FakeProviders {
    /// Makes the data and opens both ports.
    ///
    /// # Errors
    /// If a port cannot be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        let hubspot = TcpListener::bind((Ipv4Addr::LOCALHOST, options.hubspot_port)).await?;
        let salesforce = TcpListener::bind((Ipv4Addr::LOCALHOST, options.salesforce_port)).await?;
        let (hubspot_addr, salesforce_addr) = (hubspot.local_addr()?, salesforce.local_addr()?);
        let period = options.change_every_ms.filter(|_| !options.raw);
        let shared = Arc::new(Shared::new(options));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for (provider, listener) in [(Provider::HubSpot, hubspot), (Provider::Salesforce, salesforce)] {
            let (state, halt) = (shared.clone(), stop.clone());
            let quit = stop.clone();
            let router = Router::new().fallback(move |request: Request| {
                let (shared, halt) = (state.clone(), halt.clone());
                async move {
                    tokio::select! {
                        response = serve::serve(&shared, provider, request) => response,
                        () = halt.cancelled() => reply::trouble(provider, 503),
                    }
                }
            });
            tasks.spawn(async move {
                let server = axum::serve(listener, router).with_graceful_shutdown(quit.cancelled_owned());
                // Serving ends with an error only if the listener dies; every later request then says so itself.
                let _ended = server.await;
            });
        }
        if let Some(ms) = period {
            tasks.spawn(change(shared.clone(), stop.clone(), Duration::from_millis(ms.max(1))));
        }
        Ok(Self { hubspot_addr, salesforce_addr, shared, stop, tasks })
    }

    /// Ends the changes and both servers; waits for answers that are on their way, for two seconds at most.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            self.tasks.shutdown().await;
        }
    }

    /// The accounts.
    pub fn tenants(&self) -> &[Tenant] {
        &self.shared.options.tenants
    }

    /// What a destination must hold by now of an object, by id; `None` if there is no such tenant or object.
    pub fn truth(&self, tenant: &str, object: &str) -> Option<BTreeMap<String, Truth>> {
        self.shared.truth(tenant, object)
    }

    /// Whether every change so far is visible everywhere: nothing waits in a search index or a transaction.
    pub fn settled(&self) -> bool {
        self.shared.settled()
    }

    /// The counts.
    pub fn stats(&self) -> Snapshot {
        self.shared.stats.snapshot()
    }

    /// Sets all counts to zero.
    pub fn reset_stats(&self) {
        self.shared.stats.reset();
    }

    /// Makes `n` random changes in each account at each provider.
    pub fn change(&self, n: u32) -> Vec<Change> {
        self.shared.change(n, None, None)
    }

    /// Makes one random change in each account at each provider.
    pub fn one(&self) -> Vec<Change> {
        self.change(1)
    }

    /// Holds the timed changes back.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::Relaxed);
    }

    /// Lets the timed changes go on.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// Runs `edit` on an account's data; the second argument is the time to write with. `None` without such a tenant.
    pub fn edit<T>(&self, tenant: &str, provider: Provider, edit: impl FnOnce(&mut World, i64) -> T) -> Option<T> {
        let account = self.shared.account(tenant)?;
        let mut world = account.world(provider);
        Some(edit(&mut world, now_ms()))
    }

    /// Queues a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Forgets all queued faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Turns knobs.
    pub fn turn(&self, change: impl FnOnce(&mut Knobs)) {
        self.shared.faults.turn(change);
    }

    /// Ends all issued access tokens.
    pub fn expire_tokens(&self) {
        self.shared.tokens.expire_all();
    }

    /// Kills all of Salesforce's query locators.
    pub fn kill_locators(&self) {
        self.shared.kill_locators();
    }

    /// Makes Salesforce forget all bulk jobs.
    pub fn kill_bulk_jobs(&self) {
        self.shared.kill_bulk_jobs();
    }
}

impl Drop for FakeProviders {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn new(options: Options) -> Self {
        let common = options.raw.then(|| Account::worlds(&options, 0));
        let accounts = options.tenants.iter().enumerate().map(|(index, tenant)| {
            let seed = content::mix(&[options.seed, content::number(&tenant.name)]);
            let (hubspot, salesforce) = common.clone().unwrap_or_else(|| Account::worlds(&options, index));
            Account {
                tenant: tenant.clone(),
                hubspot,
                salesforce,
                drivers: Mutex::new(Provider::ALL.map(|p| (p, Driver::new(content::mix(&[seed, p as u64])))).into()),
                limiter: Mutex::default(),
                api_usage: AtomicU64::new(0),
                locators: Mutex::default(),
                jobs: Mutex::default(),
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
            serial: AtomicU64::new(1),
            pages: Mutex::default(),
            options,
        }
    }

    fn account(&self, tenant: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.tenant.name == tenant)
    }

    fn truth(&self, tenant: &str, object: &str) -> Option<BTreeMap<String, Truth>> {
        let (provider, _) = schema::find(object)?;
        let world = self.account(tenant)?.world(provider);
        Some(truth::of(world.table(object)?, provider, now_ms()))
    }

    fn settled(&self) -> bool {
        let now = now_ms();
        self.accounts.iter().all(|account| Provider::ALL.iter().all(|p| account.world(*p).settled(now)))
    }

    fn change(&self, n: u32, tenant: Option<&str>, provider: Option<Provider>) -> Vec<Change> {
        let mut made = Vec::new();
        if self.options.raw {
            return made;
        }
        for account in self.accounts.iter().filter(|account| tenant.is_none_or(|only| account.tenant.name == only)) {
            let mut drivers = locked(&account.drivers);
            for (of, driver) in drivers.iter_mut().filter(|(of, _)| provider.is_none_or(|only| only == **of)) {
                for _ in 0..n {
                    made.push(driver.step(&mut account.world(*of), now_ms()));
                }
            }
        }
        made
    }

    fn kill_locators(&self) {
        self.accounts.iter().for_each(|account| locked(&account.locators).clear());
    }

    fn kill_bulk_jobs(&self) {
        self.accounts.iter().for_each(|account| locked(&account.jobs).clear());
    }

    /// A number that no other request gets.
    fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }
}

impl Account {
    fn worlds(options: &Options, index: usize) -> (Arc<Mutex<World>>, Arc<Mutex<World>>) {
        let shape = Shape {
            seed: content::mix(&[options.seed, index as u64]),
            records: options.records_per_object,
            ties: options.ties,
            index_lag_ms: options.index_lag_ms,
            late_commit_ms: options.late_commit_ms,
            plain: options.raw,
        };
        let world = |provider| Arc::new(Mutex::new(World::new(provider, shape)));
        (world(Provider::HubSpot), world(Provider::Salesforce))
    }
}

async fn change(shared: Arc<Shared>, stop: CancellationToken, period: Duration) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        if !shared.paused.load(Ordering::Relaxed) {
            shared.change(1, None, None);
        }
    }
}

/// The lock; a panic elsewhere does not take the data with it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Real time: the fakes' `Date` header and their stamps agree.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
