//! A host of a simulated world: the real scheduler, retriever and processor over the shared database, and its work that
//! waits for a turn.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use syncline::connector::{Catalog, Engine, EngineOptions};
use syncline::domain::{IntegrationId, Patience, chain};
use syncline::egress::{EgressConfig, Gate, MemoryCredentials, MemoryPauses, RequestBudget, Wire};
use syncline::process::{ProcessOptions, Processor};
use syncline::queue::relay::send_ready;
use syncline::queue::{Bell, Message, QueueName, Receiver, Sender};
use syncline::retrieve::{RetrieveOptions, Retriever};
use syncline::schedule::{ScheduleOptions, Scheduler};
use syncline::store::Store;
use tokio_util::sync::CancellationToken;

use crate::turns::{Waiting, Work};
use crate::{clock, dice};

/// Where tests find the built connectors.
pub const PLUGINS: &str = "SYNCLINE_TEST_PLUGINS";

/// The component that reads people.
const CONNECTOR: &str = "birch.wasm";

/// How long a claim holds.
pub const LEASE: Duration = Duration::from_secs(30);
/// An object is dispatched at most once in this time.
pub const THROTTLE: Duration = Duration::from_secs(20);
/// The interval of every object.
pub const INTERVAL: Duration = Duration::from_secs(25);

/// The dice of backoff: set anew by each world, because options hold no more than a function.
static JITTER: Mutex<Option<dice::Dice>> = Mutex::new(None);

/// Sets the dice of backoff.
pub fn set_jitter(dice: dice::Dice) {
    *JITTER.lock().unwrap_or_else(PoisonError::into_inner) = Some(dice);
}

fn chance() -> f64 {
    JITTER.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map_or(0.5, dice::Dice::share)
}

/// Compiles the connector, once for all worlds.
///
/// # Errors
/// When it has not been built.
pub async fn catalog(scratch: &Path) -> Result<Arc<Catalog>> {
    let from = std::env::var_os(PLUGINS).with_context(|| {
        format!("{PLUGINS} is not set: `cargo xtask test` and `cargo xtask sim` build the connectors")
    })?;
    let (plugins, store) = (scratch.join("plugins"), scratch.join("store"));
    std::fs::create_dir_all(&plugins)?;
    let file = Path::new(&from).join(CONNECTOR);
    std::fs::copy(&file, plugins.join(CONNECTOR)).with_context(|| format!("cannot copy {}", file.display()))?;
    let engine = Engine::new(EngineOptions { max_concurrent_calls: 16, ..EngineOptions::default() })?;
    let catalog = Catalog::open(engine, &plugins, &store)?;
    catalog.scan().await?;
    Ok(Arc::new(catalog))
}

/// A part of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dispatches what is due.
    Tick,
    /// Takes back and rings again.
    Sweep,
    /// Sends retrieve jobs on.
    RelayJobs,
    /// Sends process jobs on.
    RelayBells,
    /// Receives a retrieve job and claims.
    Receive,
    /// Receives process jobs and lands.
    Process,
    /// Renews the leases.
    Beat,
    /// Works on a claim.
    Work,
    /// An operator at the command line.
    Operator,
}

/// What all hosts of a world share.
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The queue's receiving end.
    pub receiver: Arc<dyn Receiver>,
    /// Its sending end, where the outbox is sent on.
    pub sender: Option<Arc<dyn Sender>>,
    /// The compiled connector.
    pub catalog: Arc<Catalog>,
    /// The provider.
    pub wire: Arc<dyn Wire>,
    /// The integrations, whose credentials every host has.
    pub integrations: Vec<IntegrationId>,
    /// Bytes that may wait for landing.
    pub unlanded_bytes: i64,
    /// Pages of a slice.
    pub slice_pages: u32,
}

type Handed = Arc<Mutex<Vec<(Work, Option<i64>)>>>;

/// A host.
pub struct Host {
    /// The owner of its leases.
    pub name: String,
    /// Whether it stands still while time passes.
    pub frozen: bool,
    shared: Arc<Shared>,
    scheduler: Scheduler,
    retriever: Arc<Retriever>,
    processor: Arc<Processor>,
    failures: Arc<Mutex<Vec<String>>>,
    handed: Handed,
}

impl Host {
    /// A host that has just started.
    #[must_use]
    pub fn start(name: String, shared: &Arc<Shared>) -> Self {
        let (bell, store) = (Arc::new(Bell::default()), shared.store.clone());
        let credentials = MemoryCredentials::default();
        for integration in &shared.integrations {
            credentials.set(*integration, &[("token", "a-token-that-nothing-else-is-called")]);
        }
        let pauses = Arc::new(MemoryPauses::default());
        let gate = Gate::over(EgressConfig::default(), Arc::new(credentials), pauses, Arc::clone(&shared.wire));
        let retriever = Retriever::new(
            store.clone(),
            Arc::clone(&shared.receiver),
            Arc::clone(&bell),
            Arc::clone(&shared.catalog),
            Arc::new(gate),
            retrieve_options(&name, shared),
        );
        let options = ProcessOptions {
            concurrency: 4,
            wait: Duration::ZERO,
            gather: Duration::ZERO,
            landings: 2,
            sweep_guard: 1.0,
        };
        let processor = Processor::new(store.clone(), Arc::clone(&shared.receiver), options);
        Self {
            name,
            frozen: false,
            scheduler: Scheduler::new(store, bell, schedule_options()),
            retriever: Arc::new(retriever),
            processor: Arc::new(processor),
            shared: Arc::clone(shared),
            failures: Arc::default(),
            handed: Arc::default(),
        }
    }

    /// Begins what a part of the host does when its timer fires, or when it receives.
    #[must_use]
    pub fn begin(&self, role: Role) -> Waiting {
        let shared = Arc::clone(&self.shared);
        let failures = Arc::clone(&self.failures);
        let fail = move |what: &str, error: &dyn std::error::Error| {
            failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{what}: {}", chain(error)));
        };
        let work: Work = match role {
            Role::Tick => {
                let scheduler = self.scheduler.clone();
                Box::pin(async move {
                    if let Err(error) = scheduler.tick().await {
                        fail("tick", &error);
                    }
                })
            }
            Role::Sweep => {
                let scheduler = self.scheduler.clone();
                Box::pin(async move {
                    if let Err(error) = scheduler.sweep().await {
                        fail("sweep", &error);
                    }
                })
            }
            Role::RelayJobs | Role::RelayBells => {
                let queue = if role == Role::RelayJobs { QueueName::Retrieve } else { QueueName::Process };
                Box::pin(async move {
                    let Some(sender) = &shared.sender else { return };
                    if let Err(error) = send_ready(&shared.store, sender.as_ref(), queue).await {
                        fail("relay", &error);
                    }
                })
            }
            Role::Receive => {
                let (retriever, handed) = (Arc::clone(&self.retriever), Arc::clone(&self.handed));
                Box::pin(async move {
                    let received = shared.receiver.receive(QueueName::Retrieve, 1, Duration::ZERO).await;
                    let deliveries = received.unwrap_or_default();
                    let object = deliveries.first().and_then(|delivery| match Message::decode(&delivery.body) {
                        Ok(Message::Retrieve { object, .. }) => Some(object.0),
                        _ => None,
                    });
                    let spawn = |work| {
                        handed.lock().unwrap_or_else(PoisonError::into_inner).push((work, object));
                    };
                    retriever.accept(deliveries, spawn).await;
                })
            }
            Role::Process => {
                let processor = Arc::clone(&self.processor);
                Box::pin(async move {
                    let received = shared.receiver.receive(QueueName::Process, 10, Duration::ZERO).await;
                    processor.handle(received.unwrap_or_default(), &CancellationToken::new()).await;
                })
            }
            Role::Beat => {
                let retriever = Arc::clone(&self.retriever);
                Box::pin(async move { retriever.renew().await })
            }
            Role::Work | Role::Operator => Box::pin(async {}),
        };
        Waiting::new(work, None)
    }

    /// Work on claims that a receive has handed out since the last time.
    #[must_use]
    pub fn handed(&self) -> Vec<Waiting> {
        let handed = std::mem::take(&mut *self.handed.lock().unwrap_or_else(PoisonError::into_inner));
        handed.into_iter().map(|(work, object)| Waiting::new(work, object)).collect()
    }

    /// What failed although no database was out of reach.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        std::mem::take(&mut *self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn schedule_options() -> ScheduleOptions {
    ScheduleOptions {
        tick: Duration::from_secs(1),
        throttle: THROTTLE,
        dispatch_batch: 2,
        sweep: Duration::from_secs(5),
        resend_after: Duration::from_secs(60),
        interval: INTERVAL,
        keep_history: Duration::from_secs(86_400),
        provider_intervals: std::collections::BTreeMap::default(),
    }
}

fn retrieve_options(name: &str, shared: &Shared) -> RetrieveOptions {
    RetrieveOptions {
        owner: name.to_owned(),
        concurrency: 4,
        wait: Duration::ZERO,
        lease: LEASE,
        heartbeat: LEASE / 3,
        slice_pages: shared.slice_pages,
        // By the process's own clock, which knows nothing of the simulated one: out of the way.
        slice_time: Duration::from_secs(3_600),
        patience: Patience { empty_pages: 50, rejected: 100, rejected_share: 0.01 },
        max_attempts: 4,
        page_size: 3,
        unlanded_bytes: shared.unlanded_bytes,
        backoff_base: Duration::from_secs(1),
        backoff_cap: Duration::from_secs(20),
        spread: true,
        requests: RequestBudget::default(),
        cpu_per_slice: Duration::from_secs(3_600),
        drain: Duration::from_secs(10),
        now: clock::monotonic,
        chance,
    }
}
