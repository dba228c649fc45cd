//! A store with integrations of the fake HubSpot, and the options with which a host serves it.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;
use syncline::app::{self, keepers::Keeper};
use syncline::config::Config;
use syncline::domain::{DeleteMode, ObjectId, ObjectType, SyncMode};
use syncline::store::Store;
use syncline::store::admin::{NewIntegration, ObjectFilter, RunFilter};
use tempfile::TempDir;

use crate::bench;
use crate::children::{self, Fakes, Process};
use crate::database::{self, Backend, Database};

/// The object that is synced.
pub(crate) const OBJECT: &str = "contacts";

/// No run of a bench takes as long.
const PATIENCE: Duration = Duration::from_secs(900);

static SITES: AtomicU32 = AtomicU32::new(0);

/// A store and the options that belong to it.
pub(crate) struct Site {
    pub(crate) options: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) store: Store,
    pub(crate) database: Database,
    keeper: Keeper,
    _directory: TempDir,
}

/// A URL for a database that does not exist yet.
pub(crate) async fn fresh(bench: &bench::Options, backend: Backend, directory: &TempDir) -> Result<String> {
    match backend {
        Backend::Sqlite => Ok(format!("sqlite://{}/bench.db", directory.path().display())),
        Backend::Postgres => {
            let server = bench.postgres.as_deref().context("no Postgres")?;
            let name = format!("bench_{}_{}", std::process::id(), SITES.fetch_add(1, Ordering::Relaxed));
            database::create(server, &name).await
        }
    }
}

/// A directory for one measurement.
pub(crate) fn directory(bench: &bench::Options) -> Result<TempDir> {
    tempfile::Builder::new().prefix("site-").tempdir_in(&bench.scratch).context("no scratch directory")
}

impl Site {
    /// An empty store, its schema in place. `more` are further options of the host.
    pub(crate) async fn new(bench: &bench::Options, backend: Backend, fakes: &Fakes, more: &[&str]) -> Result<Self> {
        let directory = directory(bench)?;
        let url = fresh(bench, backend, &directory).await?;
        let (data, cache) = (directory.path().display(), bench.scratch.join("cache"));
        let mut options = vec![
            format!("host.data_dir={data}"),
            format!("store.url={url}"),
            format!("connectors.dir={}", bench.plugins.display()),
            format!("connectors.cache={}", cache.display()),
            format!("egress.routes=api.hubapi.com={}", fakes.url()),
            // The fake has no limit: what the host itself can do is in question.
            "providers.hubspot.rate=100000/s".to_owned(),
            "schedule.tick=1s".to_owned(),
            "http.enabled=false".to_owned(),
            "log.format=text".to_owned(),
        ];
        options.extend(more.iter().map(|&option| option.to_owned()));
        let config = Config::load(None, std::iter::empty::<(OsString, OsString)>(), &options)?.config;
        let store = app::open_store(&config, true).await?;
        let keeper = app::keeper(&config, &store)?;
        let database = Database::open(&url).await?;
        Ok(Self { options, environment: Vec::new(), store, database, keeper, _directory: directory })
    }

    /// Adds integrations that sync contacts, paused.
    pub(crate) async fn add(&self, fakes: &Fakes, count: u64) -> Result<Vec<ObjectId>> {
        for place in 0..count {
            let customer = self.store.add_customer(&format!("customer-{place}"), "Customer", None).await?;
            let integration = NewIntegration {
                customer,
                name: "hubspot".to_owned(),
                provider: "hubspot".to_owned(),
                config: "{}".to_owned(),
                auth: "private-app".to_owned(),
                pin: None,
                interval: Some(Duration::from_secs(86_400)),
                objects: vec![contacts()],
            };
            let secrets = [("token".to_owned(), SecretString::from(fakes.token.clone()))];
            self.store.add_integration(&integration, |id| self.keeper.seal(id, &secrets)).await?;
        }
        let objects = self.store.objects(&ObjectFilter::default()).await?;
        let ids: Vec<ObjectId> = objects.into_iter().map(|object| ObjectId(object.id)).collect();
        self.store.set_paused(&ids, true, Some("not yet")).await?;
        Ok(ids)
    }

    /// Starts a host over this store.
    pub(crate) fn host(&self, bench: &bench::Options) -> Result<Process> {
        children::host(&bench.programs, &self.options, &self.environment)
    }

    /// Lets objects begin: they have never been synced, and are due at once.
    pub(crate) async fn start(&self, objects: &[ObjectId]) -> Result<()> {
        Ok(self.store.set_paused(objects, false, None).await?)
    }

    /// Makes objects due that have been synced.
    pub(crate) async fn again(&self, objects: &[ObjectId]) -> Result<()> {
        self.store.trigger(objects, Duration::ZERO, true).await?;
        Ok(())
    }

    /// Waits until so many runs have succeeded in all and everything has landed.
    pub(crate) async fn wait(&self, runs: u64) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let ended = self
                .database
                .number("SELECT COUNT(*) FROM runs WHERE state NOT IN ('dispatched', 'running', 'cancelled')");
            let ended = ended.await?;
            let waiting = self.database.number("SELECT COUNT(*) FROM batches WHERE state = 'committed'").await?;
            if u64::try_from(ended)? >= runs && waiting == 0 {
                break;
            }
            if Instant::now() > end {
                bail!("the host did not get done: {ended} of {runs} runs, {waiting} batches wait");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let failed = "SELECT COUNT(*) FROM runs WHERE state NOT IN ('succeeded', 'dispatched', 'running', 'cancelled')";
        match self.database.number(failed).await? {
            0 => Ok(()),
            failed => {
                let last = self.store.runs(&RunFilter { limit: 1_000, ..RunFilter::default() }).await?;
                let why = last.iter().find_map(|run| run.error_message.clone());
                bail!("{failed} runs did not succeed: {why:?}")
            }
        }
    }

    /// From the first claim to the last landing, by the database's clock.
    pub(crate) async fn wall(&self) -> Result<Duration> {
        let began = self.database.number("SELECT MIN(claimed_at) FROM runs").await?;
        let ended = self.database.number("SELECT MAX(landed_at) FROM batches").await?;
        Ok(Duration::from_millis(u64::try_from(ended - began)?))
    }
}

/// What the connector's `discover` says of contacts.
fn contacts() -> ObjectType {
    let schema = r#"{"type":"object","required":["id","properties"],"properties":{"id":{"type":"string"},"properties":{"type":"object"},"createdAt":{"type":"string"},"updatedAt":{"type":"string"},"archived":{"type":"boolean"}}}"#;
    ObjectType {
        name: OBJECT.to_owned(),
        interaction_type: "contact".to_owned(),
        schema: schema.to_owned(),
        primary_key: vec!["id".to_owned()],
        mode: SyncMode::Incremental,
        deletes: DeleteMode::Tombstones,
        default_interval_seconds: None,
    }
}

/// The engine's options with which a host would run, and a connector from its folder.
pub(crate) async fn connector(bench: &bench::Options, name: &str) -> Result<Arc<syncline::connector::Connector>> {
    let options = syncline::connector::EngineOptions {
        cache_dir: Some(bench.scratch.join("cache")),
        ..syncline::connector::EngineOptions::default()
    };
    let engine = syncline::connector::Engine::new(options)?;
    let file = bench.plugins.join(format!("{name}.wasm"));
    Ok(syncline::connector::Connector::load_file(&engine, &file).await?)
}
