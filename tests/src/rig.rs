//! A whole Syncline on this machine: fake providers in this process, real hosts as child processes, one of the two
//! footings under them. What the demo and the end-to-end tests stand on.

pub mod backend;
pub mod compare;
mod guests;
pub mod host;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use syncline::domain::ObjectId;
use syncline::store::admin::{ObjectFilter, ObjectRow, RunFilter, RunRow};
use syncline::store::{Store, StoreOptions};
use tempfile::TempDir;

use crate::fakes::{self, FakeProviders, schema::Provider};
use backend::{Backend, Footing};
use host::Host;

/// An object of a rig is dispatched at most once in this time.
pub const THROTTLE: Duration = Duration::from_millis(500);

/// How often a rig's hosts look for leases that ran out.
pub const SWEEP: Duration = Duration::from_millis(500);

/// Makes a test on each footing of every case named: an `async fn` that takes a [`Backend`].
#[macro_export]
macro_rules! on_both_footings {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case($crate::rig::backend::Backend::Sqlite).await;
            })+
        }
        mod postgres_sqs {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case($crate::rig::backend::Backend::PostgresSqs).await;
            })+
        }
    };
}

/// How to set a rig up.
#[derive(Debug, Clone)]
pub struct RigOptions {
    /// What stores and queues.
    pub backend: Backend,
    /// The providers.
    pub fakes: fakes::Options,
    /// Which connectors to add for each tenant: `hubspot`, `salesforce`.
    pub connectors: Vec<&'static str>,
    /// Objects to sync; all if empty.
    pub objects: Vec<&'static str>,
    /// More lines for the configuration file, in TOML: `[section]` and keys. Keys of the rig itself cannot be repeated.
    pub config: String,
    /// Port of 127.0.0.1 for health and metrics; none leaves them off.
    pub http: Option<u16>,
    /// How often objects are synced.
    pub interval: Duration,
    /// The lease of a claim; heartbeats are a third of it.
    pub lease: Duration,
    /// Pages of a slice.
    pub slice_pages: u32,
}

impl Default for RigOptions {
    fn default() -> Self {
        Self {
            backend: Backend::Sqlite,
            fakes: fakes::Options::default(),
            connectors: vec!["hubspot", "salesforce"],
            objects: Vec::new(),
            config: String::new(),
            http: None,
            interval: Duration::from_secs(2),
            lease: Duration::from_secs(3),
            slice_pages: 100,
        }
    }
}

/// Everything that runs. Dropping it ends it and removes its files.
#[derive(Debug)]
pub struct Rig {
    /// The providers and their truth.
    pub fakes: FakeProviders,
    /// The store, for looking at what happened.
    pub store: Store,
    binary: PathBuf,
    config: PathBuf,
    dir: TempDir,
    footing: Footing,
}

impl Rig {
    /// Starts the providers, makes the store, and adds a customer with its integrations for each tenant, through the
    /// command line as anybody would. No host runs yet.
    ///
    /// # Errors
    /// When a program, a server or a connector is missing, or refuses.
    pub async fn start(options: &RigOptions) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("syncline-").tempdir()?;
        let footing = Footing::prepare(options.backend, dir.path()).await?;
        let fakes = FakeProviders::start(options.fakes.clone()).await.context("the fake providers do not start")?;
        let config = dir.path().join("syncline.toml");
        copy_plugins(&dir.path().join("plugins"))?;
        std::fs::write(&config, configuration(options, &footing, &fakes, dir.path()))?;
        let binary = program("syncline")?;
        let store = Store::open(&StoreOptions { max_connections: 4, ..StoreOptions::new(footing.store_url()) }).await?;
        let rig = Self { fakes, store, binary, config, dir, footing };
        rig.cli(&["migrate"]).await?;
        for tenant in rig.fakes.tenants().to_vec() {
            rig.cli(&["customer", "add", &tenant.name]).await?;
            for connector in &options.connectors {
                rig.add_integration(&tenant, connector, &options.objects).await?;
            }
        }
        Ok(rig)
    }

    async fn add_integration(&self, tenant: &fakes::Tenant, connector: &str, objects: &[&str]) -> Result<()> {
        let name = format!("{}/{connector}", tenant.name);
        let (config, secrets) = match connector {
            "hubspot" => (
                serde_json::json!({ "settle_seconds": 1, "overlap_seconds": 15, "archived_every_seconds": 2 }),
                vec![("token", tenant.hubspot_token.clone())],
            ),
            "salesforce" => (
                serde_json::json!({
                    "domain": tenant.salesforce_domain, "settle_seconds": 1, "overlap_seconds": 15,
                    "custom_objects": ["Invoice__c"], "bulk_above": 250,
                }),
                vec![
                    ("client-id", tenant.client_id.clone()),
                    ("client-secret", tenant.client_secret.clone()),
                    ("refresh-token", tenant.refresh_token.clone()),
                ],
            ),
            other => bail!("the rig knows no connector {other:?}"),
        };
        let config = config.to_string();
        let sources: Vec<String> =
            secrets.iter().map(|(field, _)| format!("{field}=env:{}", variable(field))).collect();
        let mut arguments = vec!["integration", "add", &name, "--config-json", &config];
        for source in &sources {
            arguments.extend(["--secret", source]);
        }
        let objects = objects.join(",");
        if !objects.is_empty() {
            arguments.extend(["--object", &objects]);
        }
        let environment: Vec<(String, String)> =
            secrets.into_iter().map(|(field, value)| (variable(field), value)).collect();
        self.cli_with(&arguments, &environment).await?;
        Ok(())
    }

    /// Runs a `syncline` command against this rig and answers with what it printed.
    ///
    /// # Errors
    /// When it exits with anything but 0; the error holds what it said.
    pub async fn cli(&self, arguments: &[&str]) -> Result<String> {
        self.cli_with(arguments, &[]).await
    }

    /// The same with more environment.
    ///
    /// # Errors
    /// When it exits with anything but 0.
    pub async fn cli_with(&self, arguments: &[&str], environment: &[(String, String)]) -> Result<String> {
        let output = tokio::process::Command::new(&self.binary)
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        ensure!(
            output.status.success(),
            "`syncline {}` ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts a host with these roles (all if empty); `name` tells its log file and its leases from others'.
    ///
    /// # Errors
    /// When the program does not start.
    pub fn host(&self, name: &str, roles: &str) -> Result<Host> {
        self.host_with(name, roles, &[])
    }

    /// The same with more environment, where every key of the configuration has a name too.
    ///
    /// # Errors
    /// When the program does not start.
    pub fn host_with(&self, name: &str, roles: &str, environment: &[(&str, String)]) -> Result<Host> {
        let log = self.dir.path().join(format!("{name}.log"));
        Host::start(&self.binary, &self.config, &log, name, roles, environment)
    }

    /// Stops a host at a moment at which it does not keep the others from writing: one that stops with SQLite's lock in its
    /// hand stops them all, until it continues.
    ///
    /// # Errors
    /// When the host is gone, or the database fails.
    pub async fn freeze(&self, host: &Host) -> Result<()> {
        loop {
            host.freeze()?;
            if self.footing.is_free().await? {
                return Ok(());
            }
            host.thaw()?;
            // Nobody could write meanwhile: the others are to renew their leases before that happens again.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The database's URL, for looking deeper than the store does.
    #[must_use]
    pub fn store_url(&self) -> &str {
        self.footing.store_url()
    }

    /// Where the files of this rig are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds the hostile connector and, for a tenant, an integration of it: an object for each of its sins.
    ///
    /// # Errors
    /// When it does not build.
    pub async fn add_hostile(&self, tenant: &str, sins: &[&str]) -> Result<()> {
        let built = guests::hostile()?;
        std::fs::copy(built, self.dir.path().join("plugins").join("hostile.wasm"))?;
        let name = format!("{tenant}/hostile");
        self.cli(&["integration", "add", &name, "--object", &sins.join(",")]).await?;
        Ok(())
    }

    /// One object by its name, of whichever integration has it first.
    ///
    /// # Errors
    /// When there is none.
    pub async fn object(&self, name: &str) -> Result<ObjectRow> {
        let objects = self.objects().await?;
        objects.into_iter().find(|object| object.object == name).with_context(|| format!("no object {name}"))
    }

    /// The runs of an object that have ended, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn ended_runs(&self, object: &str) -> Result<Vec<RunRow>> {
        let filter = RunFilter { object: Some(object.to_owned()), limit: 10_000, ..RunFilter::default() };
        let mut runs = self.store.runs(&filter).await?;
        runs.reverse();
        runs.retain(|run| run.finished_at.is_some());
        Ok(runs)
    }

    /// Asks the database for one number.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn count(&self, query: &str) -> Result<i64> {
        self.footing.count(query).await
    }

    /// Every value in the database as text: what somebody sees who can read all of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn dump(&self) -> Result<String> {
        self.footing.dump().await
    }

    /// Every integration object.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn objects(&self) -> Result<Vec<ObjectRow>> {
        Ok(self.store.objects(&ObjectFilter::default()).await?)
    }

    /// Stops the changes, waits until every change is visible, syncs every object twice more and waits until all has
    /// landed. A host must be running.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub async fn settle(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        self.fakes.pause();
        self.wait("the providers' changes to be visible", deadline, async || Ok(self.fakes.settled())).await?;
        // Connectors read no further than a second before now.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        for _ in 0..2 {
            let since = self.store.now_ms().await?;
            let all: Vec<ObjectId> = self.objects().await?.iter().map(|object| ObjectId(object.id)).collect();
            self.store.trigger(&all, Duration::ZERO, true).await?;
            self.wait("every object to sync", deadline, async || {
                let objects = self.objects().await?;
                if let Some(object) = objects.iter().find(|object| object.state != "active") {
                    bail!(
                        "{}/{}/{} is {}: {:?}",
                        object.customer,
                        object.integration,
                        object.object,
                        object.state,
                        object.state_reason
                    );
                }
                Ok(objects.iter().all(|o| {
                    o.active == 0
                        && o.synced_at.is_some_and(|at| at > since)
                        && o.dispatched_at.is_some_and(|at| at > since)
                }))
            })
            .await?;
        }
        self.wait("every batch to land", deadline, async || Ok(self.store.overview().await?.unlanded_batches == 0))
            .await
    }

    /// Waits until something holds, looking ten times a second.
    ///
    /// # Errors
    /// When it does not by the deadline; the error says what every object is doing.
    pub async fn wait(
        &self,
        what: &str,
        deadline: Instant,
        mut holds: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        while !holds().await? {
            if Instant::now() > deadline {
                let objects: Vec<String> = self
                    .objects()
                    .await?
                    .iter()
                    .map(|o| {
                        format!(
                            "{}/{}/{}: active {} outcome {:?} error {:?}",
                            o.customer, o.integration, o.object, o.active, o.last_outcome, o.last_error
                        )
                    })
                    .collect();
                bail!("waited too long for {what}; objects:\n{}", objects.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

fn variable(field: &str) -> String {
    format!("RIG_{}", field.replace('-', "_").to_uppercase())
}

/// The connectors that a rig knows how to add. No others are copied: every one costs each rig's first host its compilation.
const CONNECTORS: [&str; 2] = ["hubspot", "salesforce"];

/// Copies the built connectors, so that a test can add, replace and remove some.
fn copy_plugins(to: &Path) -> Result<()> {
    let from = std::env::var_os("SYNCLINE_TEST_PLUGINS")
        .context("SYNCLINE_TEST_PLUGINS is not set: run this through `cargo xtask test` or `cargo xtask demo`")?;
    std::fs::create_dir_all(to)?;
    for connector in CONNECTORS {
        let file = format!("{connector}.wasm");
        let built = Path::new(&from).join(&file);
        std::fs::copy(&built, to.join(file)).with_context(|| format!("cannot copy {}", built.display()))?;
    }
    Ok(())
}

fn configuration(options: &RigOptions, footing: &Footing, fakes: &FakeProviders, dir: &Path) -> String {
    let interval = options.interval.as_millis();
    let lease = options.lease.as_millis();
    let route = |(provider, addr): (&Provider, &SocketAddr)| format!("{:?} = \"http://{addr}\"\n", provider.host());
    let routes: String = fakes.addrs().iter().map(route).collect();
    format!(
        "[host]\ndata_dir = {data:?}\ndrain = \"10s\"\n\
         {footing}\n\
         [schedule]\ninterval = \"{interval}ms\"\ntick = \"300ms\"\nthrottle = \"{throttle}ms\"\nsweep = \"{sweep}ms\"\n\
         resend_after = \"5s\"\nbackoff_base = \"500ms\"\nbackoff_cap = \"3s\"\n\
         [retrieve]\nlease = \"{lease}ms\"\nheartbeat = \"{heartbeat}ms\"\nslice_pages = {slice_pages}\n\
         [connectors]\ndir = {plugins:?}\n\
         [providers.hubspot]\nrate = \"1000/s\"\n[providers.salesforce]\nrate = \"1000/s\"\n\
         [egress]\nrate = \"1000/s\"\nbreaker_wait = \"500ms\"\nbreaker_max_wait = \"3s\"\n\
         [egress.routes]\n{routes}\
         [http]\n{http}\n\
         {more}\n",
        data = dir.join("data"),
        throttle = THROTTLE.as_millis(),
        sweep = SWEEP.as_millis(),
        plugins = dir.join("plugins"),
        footing = footing.configuration(),
        heartbeat = lease / 3,
        slice_pages = options.slice_pages,
        http = options.http.map_or("enabled = false".to_owned(), |port| format!("listen = \"127.0.0.1:{port}\"")),
        more = options.config,
    )
}

/// Finds a program that cargo built beside this one.
///
/// # Errors
/// When it is not there.
pub fn program(name: &str) -> Result<PathBuf> {
    let me = std::env::current_exe()?;
    me.ancestors()
        .skip(1)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("no program {name} beside {}: build the whole workspace first", me.display()))
}
