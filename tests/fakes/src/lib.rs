//! Fake providers on ports of this machine, with a truth to compare destinations with.
//!
//! `FakeProviders::start` opens one port for each. Accounts ("tenants") are told apart as the real providers do it: by
//! credential, and at some also by host name. Content is a function of the seed; the clock is the real one, plus
//! whatever it was advanced by.
//!
//! Nothing here is part of the product, and nothing of the product is known here. The fakes are ordinary HTTP servers,
//! so a host and its connectors are tested through the same sockets they use in production.

#![allow(clippy::doc_markdown, reason = "HubSpot is a name, not code")]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test may fail"
    )
)]

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use axum::{Router, extract::Request};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub mod api;
pub mod content;
pub mod control;
pub mod dataset;
pub mod driver;
pub mod echo;
pub mod faults;
pub mod freshdesk;
pub mod hubspot;
pub mod intercom;
pub mod limit;
pub mod pipedrive;
pub mod reply;
pub mod salesforce;
pub mod schema;
pub mod serve;
mod shared;
pub mod stats;
pub mod tokens;
pub mod truth;
pub mod zendesk;

#[cfg(test)]
mod tests;

use dataset::World;
use driver::Change;
use faults::{Fault, Knobs};
use schema::Provider;
use shared::{Account, Shared};
use stats::Snapshot;
use truth::Truth;

/// How long a stop waits for answers that are on their way.
const STOP: Duration = Duration::from_secs(2);

/// An account at every provider, and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Name in the control API.
    pub name: String,
    /// HubSpot's static token.
    pub hubspot_token: String,
    /// Salesforce's data host.
    pub salesforce_domain: String,
    /// Static credential at all others: a bearer token, an API key, or part of basic authentication.
    pub token: String,
    /// OAuth client, at every provider.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The refresh token to start with, at every provider.
    pub refresh_token: String,
}

impl Tenant {
    /// A tenant whose credentials follow from its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            hubspot_token: format!("pat-na1-{name}"),
            salesforce_domain: format!("{name}.my.salesforce.com"),
            token: format!("token-{name}"),
            client_id: format!("client-{name}"),
            client_secret: format!("secret-{name}"),
            refresh_token: format!("refresh-{name}"),
        }
    }
}

/// How the fakes start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which providers run.
    pub providers: Vec<Provider>,
    /// Ports of 127.0.0.1; any free one for a provider that is not named.
    pub ports: BTreeMap<Provider, u16>,
    /// Seed of all content and of every choice.
    pub seed: u64,
    /// The accounts.
    pub tenants: Vec<Tenant>,
    /// Records of each object in each account.
    pub records_per_object: u32,
    /// So many of them share one stamp.
    pub ties: u32,
    /// A change in each account at each provider, this often. `None`: only on request.
    pub change_every_ms: Option<u64>,
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
            providers: vec![Provider::HubSpot, Provider::Salesforce],
            ports: BTreeMap::new(),
            seed: 1,
            tenants: vec![Tenant::named("a")],
            records_per_object: 300,
            ties: 0,
            change_every_ms: None,
            rotate_refresh_tokens: false,
            count_ids: false,
            raw: false,
            knobs: Knobs::default(),
        }
    }
}

/// The running fakes. Dropping them ends the servers at once; `stop` lets them finish.
#[derive(Debug)]
pub struct FakeProviders {
    addrs: BTreeMap<Provider, SocketAddr>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl FakeProviders {
    /// Makes the data and opens the ports.
    ///
    /// # Errors
    /// If a port cannot be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        let mut listeners = BTreeMap::new();
        for provider in &options.providers {
            let port = options.ports.get(provider).copied().unwrap_or(0);
            listeners.insert(*provider, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?);
        }
        let period = options.change_every_ms.filter(|_| !options.raw);
        let shared = Arc::new(Shared::new(options));
        let stop = CancellationToken::new();
        let (mut addrs, mut tasks) = (BTreeMap::new(), JoinSet::new());
        for (provider, listener) in listeners {
            addrs.insert(provider, listener.local_addr()?);
            let (state, halt) = (shared.clone(), stop.clone());
            let quit = stop.clone();
            let router = Router::new().fallback(move |request: Request| {
                let (shared, halt) = (state.clone(), halt.clone());
                async move {
                    tokio::select! {
                        response = serve::serve(&shared, provider, request) => response,
                        () = halt.cancelled() => provider.api().trouble(503),
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
        Ok(Self { addrs, shared, stop, tasks })
    }

    /// Ends the changes and the servers; waits for answers that are on their way, for two seconds at most.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            self.tasks.shutdown().await;
        }
    }

    /// Where a provider listens; `None` if it does not run.
    pub fn addr(&self, provider: Provider) -> Option<SocketAddr> {
        self.addrs.get(&provider).copied()
    }

    /// Where each of them listens.
    pub fn addrs(&self) -> &BTreeMap<Provider, SocketAddr> {
        &self.addrs
    }

    /// The fakes' time, in ms.
    pub fn now_ms(&self) -> i64 {
        self.shared.now_ms()
    }

    /// Lets time pass at once: stamps, lags, limits, lifetimes and the `Date` header follow.
    pub fn advance(&self, ms: u32) {
        self.shared.advance(ms);
    }

    /// The accounts.
    pub fn tenants(&self) -> &[Tenant] {
        &self.shared.options.tenants
    }

    /// What a destination must hold by now of an object, by id; `None` if there is no such tenant or object. The first
    /// provider that has the object counts.
    pub fn truth(&self, tenant: &str, object: &str) -> Option<BTreeMap<String, Truth>> {
        self.shared.truth(None, tenant, object)
    }

    /// The same for an object of this provider.
    pub fn truth_at(&self, provider: Provider, tenant: &str, object: &str) -> Option<BTreeMap<String, Truth>> {
        self.shared.truth(Some(provider), tenant, object)
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

    /// Runs `edit` on an account's data; the second argument is the time to write with. `None` without such a tenant
    /// or provider.
    pub fn edit<T>(&self, tenant: &str, provider: Provider, edit: impl FnOnce(&mut World, i64) -> T) -> Option<T> {
        let account = self.shared.account(tenant)?;
        let mut world = account.world(provider)?;
        Some(edit(&mut world, self.shared.now_ms()))
    }

    /// Queues a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Forgets all queued faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Faults that still wait for a request.
    pub fn waiting(&self) -> usize {
        self.shared.faults.len()
    }

    /// Every access and refresh token that an endpoint has issued, also those that have expired or were used up.
    pub fn issued(&self) -> Vec<String> {
        self.shared.tokens.issued()
    }

    /// Turns knobs.
    pub fn turn(&self, change: impl FnOnce(&mut Knobs)) {
        self.shared.turn(change);
    }

    /// Ends all issued access tokens.
    pub fn expire_tokens(&self) {
        self.shared.tokens.expire_all();
    }

    /// Kills all of Salesforce's query locators, and makes Intercom forget its places and its scroll.
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
