//! The composition root: builds every collaborator from the configuration, starts the roles, stops them in order.

mod clock;
pub mod keepers;
pub mod machine;
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use backon::{ExponentialBuilder, Retryable as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::cli::run::Role;
use crate::config::Config;
use crate::config::sections::QueueKind;
use crate::connector::{Catalog, Engine};
use crate::domain::chain;
use crate::egress::{EgressConfig, Gate};
use crate::process::Processor;
use crate::queue::sqs::SqsQueue;
use crate::queue::{Bell, EmbeddedQueue, QueueError, QueueName, Receiver, Sender, relay, sqs};
use crate::retrieve::Retriever;
use crate::schedule::Scheduler;
use crate::secrets::{Vault, VaultKey};
use crate::store::{Store, StoreError};
use crate::supervise::supervise;
use crate::telemetry::metrics::Metrics;
use keepers::Keeper;

/// How long a message of the embedded queue stays hidden once it was received.
const EMBEDDED_VISIBILITY: Duration = Duration::from_secs(60);

/// How often the outbox is looked at for SQS when no bell rings.
const RELAY_POLL: Duration = Duration::from_millis(500);

/// Opens the store, whatever its schema.
///
/// # Errors
/// When the database cannot be reached.
pub async fn connect(config: &Config) -> Result<Store, StoreError> {
    Store::open(&settings::store(config)).await
}

/// Opens the store and checks its schema. A SQLite database that is empty is set up; anything else is only brought up to
/// date when `migrate` says so.
///
/// # Errors
/// When the database cannot be reached, or its schema is not this binary's.
pub async fn open_store(config: &Config, migrate: bool) -> Result<Store, StoreError> {
    let store = connect(config).await?;
    if migrate || (store.is_sqlite() && store.schema_version().await? == 0) {
        store.migrate().await?;
    }
    store.check_schema().await?;
    Ok(store)
}

/// The same for a host, which has to write as well.
async fn open_to_work(config: &Config, migrate: bool) -> Result<Store, StoreError> {
    let store = open_store(config, migrate).await?;
    store.check_writable().await?;
    Ok(store)
}

/// The keeper of credentials, with the configured keys.
///
/// # Errors
/// When the key file cannot be read or made, or a key is weak.
pub fn keeper(config: &Config, store: &Store) -> anyhow::Result<Keeper> {
    // Old keys were versions 1, 2, ...; the current one comes after them.
    let current = config.secret_key()?;
    let mut vault: Option<Vault> = None;
    for (version, key) in (1..).zip(config.secrets.old_keys.iter().chain([&current])) {
        let key = VaultKey::from_bytes(version, *key.expose())?;
        vault = Some(match vault {
            None => Vault::new(&key),
            Some(vault) => vault.with_key(&key)?,
        });
    }
    let vault = vault.context("no encryption key")?;
    Ok(Keeper::new(store.clone(), Arc::new(vault)))
}

/// The egress gate over these credentials.
///
/// # Errors
/// When the egress configuration does not hold or TLS cannot be set up.
pub fn gate(config: &Config, keeper: &Keeper) -> anyhow::Result<Arc<Gate>> {
    let keeper = Arc::new(keeper.clone());
    Ok(Arc::new(Gate::new(settings::egress(config)?, Arc::clone(&keeper) as _, keeper)?))
}

/// How the egress gate is set.
///
/// # Errors
/// When the egress configuration does not hold.
pub fn egress(config: &Config) -> anyhow::Result<EgressConfig> {
    settings::egress(config)
}

/// Brings the effective intervals in step with the configuration and what is stored.
///
/// # Errors
/// When the database fails.
pub async fn apply_intervals(config: &Config, store: &Store) -> Result<u64, StoreError> {
    let schedule = settings::schedule(config);
    store.apply_intervals(Some(schedule.interval), &schedule.provider_intervals).await
}

/// Says so where the database's server may not give this process all the connections that it is to have.
async fn warn_of_connections(wanted: u32, store: &Store) {
    match store.connections().await {
        Ok(Some(server)) if i64::from(wanted) > server.free() => tracing::warn!(
            code = "store-connections",
            wanted,
            free = server.free(),
            server.most,
            server.reserved,
            server.used,
            "the database's server has fewer connections to give than `store.max_connections` of this process: lower it, \
             or raise the server's `max_connections`"
        ),
        Ok(_) => {}
        Err(error) => tracing::debug!(error = %chain(&error), "could not ask for the server's connections"),
    }
}

/// The component engine.
///
/// # Errors
/// When it cannot be set up on this machine.
pub fn engine(config: &Config, max_concurrent_calls: u32) -> anyhow::Result<Arc<Engine>> {
    Ok(Engine::new(settings::engine(config, max_concurrent_calls))?)
}

/// The catalog of connectors, scanned once. What is refused is logged with the reason.
///
/// # Errors
/// When the plugins folder or the folder of kept connectors cannot be read.
pub async fn catalog(config: &Config, engine: Arc<Engine>) -> anyhow::Result<Arc<Catalog>> {
    let catalog = Catalog::open(engine, &config.connectors.dir, &config.connectors.store)?;
    report_scan(&catalog).await;
    Ok(Arc::new(catalog))
}

async fn report_scan(catalog: &Catalog) {
    match catalog.scan().await {
        Ok(report) => {
            for connector in report.added {
                tracing::info!(
                    connector.name = connector.manifest.name,
                    connector.version = %connector.manifest.version,
                    connector.digest = connector.digest.short(),
                    "connector ready"
                );
            }
            for (path, error) in report.refused {
                tracing::warn!(path = %path.display(), error = %chain(&*error), "connector refused");
            }
        }
        Err(error) => tracing::warn!(error = %chain(&error), "cannot read the connectors"),
    }
}

/// The queue's two ends, as the configuration says.
struct Queues {
    receiver: Arc<dyn Receiver>,
    sender: Option<Arc<dyn Sender>>,
    /// How long one receive waits.
    wait: Duration,
}

async fn queues(config: &Config, store: &Store, bell: &Arc<Bell>) -> Result<Queues, QueueError> {
    match config.queue.kind {
        QueueKind::Embedded => {
            let queue = EmbeddedQueue::new(store.clone(), Arc::clone(bell), config.queue.poll, EMBEDDED_VISIBILITY);
            Ok(Queues { receiver: Arc::new(queue), sender: None, wait: Duration::from_secs(20) })
        }
        QueueKind::Sqs => {
            let queue = Arc::new(SqsQueue::open(settings::sqs(config)).await?);
            Ok(Queues { receiver: Arc::clone(&queue) as _, sender: Some(queue), wait: config.sqs.wait })
        }
    }
}

/// How a host starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start {
    /// Bring the store's tables up to date first.
    pub migrate: bool,
    /// End at once where the database or the queue is out of reach, instead of waiting for it.
    pub fail_fast: bool,
}

/// The least of the first wait for what is out of reach at the start; it doubles with every try, and jitter adds up to as
/// much again: at most 15 seconds.
const START_WAIT: Duration = Duration::from_millis(500);
const START_WAIT_MOST: Duration = Duration::from_millis(7_500);

/// Opens what the host cannot start without, again and again while it is only out of reach. `None` when stopped meanwhile.
async fn patiently<T, E: std::error::Error + 'static, F: Future<Output = Result<T, E>>>(
    what: &str,
    start: Start,
    api: &Api,
    stop: &CancellationToken,
    passes: fn(&E) -> bool,
    open: impl FnMut() -> F,
) -> Result<Option<T>, E> {
    let waits = ExponentialBuilder::default().with_min_delay(START_WAIT).with_max_delay(START_WAIT_MOST);
    let opening = open
        .retry(waits.without_max_times().with_jitter())
        .when(|error| !start.fail_fast && passes(error))
        .notify(|error, _| {
            tracing::warn!(error = %chain(error), "{what} is out of reach, the host waits for it");
            api.waits_for(format!("waiting for {what}: {}", chain(error)));
        });
    tokio::select! {
        () = stop.cancelled() => Ok(None),
        opened = opening => opened.map(Some),
    }
}

/// Runs these roles until `stop`, then drains. Answers when everything has ended. A database or a queue that is out of
/// reach is waited for, while health is served already.
///
/// # Errors
/// When something cannot be set up, or the machine lacks it: a [`StoreError`] as such, also behind [`anyhow::Error`].
/// Once it runs, failures are logged and tried again, and a part that panics begins again.
pub async fn run(
    config: Config,
    start: Start,
    roles: BTreeSet<Role>,
    metrics: Metrics,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    machine::check(&config, &roles)?;
    let mut tasks = JoinSet::new();
    let tidied = metrics.clone();
    tasks.spawn(supervise("metrics", stop.clone(), move |stop| tidied.clone().tidy(stop)));
    let api = Api::new(metrics, stop.clone());
    if roles.contains(&Role::Api) && config.http.enabled {
        let listener = tokio::net::TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("cannot listen on {} (http.listen)", config.http.listen))?;
        tracing::info!(address = %config.http.listen, "serving health and metrics");
        tasks.spawn(api.clone().serve(listener, stop.clone()));
    }
    let open = || open_to_work(&config, start.migrate);
    let store = patiently("the database", start, &api, &stop, StoreError::is_transient, open);
    let Some(store) = store.await? else { return Ok(()) };
    warn_of_connections(config.store.max_connections, &store).await;
    let clocks = store.clone();
    tasks.spawn(supervise("clock", stop.clone(), move |stop| clock::watch(clocks.clone(), stop)));
    let bell = Arc::new(Bell::default());
    let queues = patiently("the queue", start, &api, &stop, sqs::may_come_back, || queues(&config, &store, &bell));
    let Some(queues) = queues.await? else { return Ok(()) };

    if roles.contains(&Role::Retriever) {
        let keeper = keeper(&config, &store)?;
        let gate = gate(&config, &keeper)?;
        let catalog = catalog(&config, engine(&config, config.retrieve.concurrency)?).await?;
        let retriever = Arc::new(Retriever::new(
            store.clone(),
            Arc::clone(&queues.receiver),
            Arc::clone(&bell),
            Arc::clone(&catalog),
            gate,
            settings::retrieve(&config, queues.wait),
        ));
        tasks.spawn(retriever.run(stop.clone()));
        let every = config.connectors.rescan;
        tasks.spawn(supervise("catalog", stop.clone(), move |stop| rescan(Arc::clone(&catalog), every, stop)));
    }
    if roles.contains(&Role::Processor) {
        let options = settings::process(&config, queues.wait);
        let processor = Arc::new(Processor::new(store.clone(), Arc::clone(&queues.receiver), options));
        tasks.spawn(processor.run(stop.clone()));
    }
    if roles.contains(&Role::Scheduler) {
        let scheduler = Scheduler::new(store.clone(), Arc::clone(&bell), settings::schedule(&config));
        tasks.spawn(supervise("scheduler", stop.clone(), move |stop| scheduler.clone().run(stop)));
    }
    if let Some(sender) = &queues.sender {
        // Every role writes to the outbox, so every role relays it. What a drain leaves there, the next host sends.
        for queue in [QueueName::Retrieve, QueueName::Process] {
            let (store, sender, bell) = (store.clone(), Arc::clone(sender), Arc::clone(&bell));
            let relay = move |stop| {
                relay::relay(store.clone(), Arc::clone(&sender), queue, Arc::clone(&bell), RELAY_POLL, stop)
            };
            tasks.spawn(supervise("relay", stop.clone(), relay));
        }
    }
    api.works(store.clone(), Arc::clone(&queues.receiver));
    tracing::info!(
        host = config.host.name_or_default(),
        roles = roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect::<Vec<_>>().join(","),
        store = if store.is_sqlite() { "sqlite" } else { "postgres" },
        queue = if queues.sender.is_some() { "sqs" } else { "embedded" },
        "syncline is running"
    );
    let mut lost = None;
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part of the host ended unexpectedly, stopping");
            stop.cancel();
            lost = Some(error);
        }
    }
    store.close().await;
    lost.map_or(Ok(()), |error| Err(error).context("a part of the host ended unexpectedly"))
}

async fn rescan(catalog: Arc<Catalog>, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => report_scan(&catalog).await,
        }
    }
}
