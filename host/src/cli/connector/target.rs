//! Which connector, with which connection, against what: a file, a name or a project's folder, and the real provider or
//! one that is made up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::app;
use crate::cli::connection::ConnectionArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::fit::{self, Connection};
use crate::cli::probe::{self, Probe};
use crate::config::Config;
use crate::connector::Connector;
use crate::egress::{EgressConfig, Tape};
use crate::kit::aim;
use crate::kit::build::DIST;
use crate::kit::control::Control;
use crate::kit::project::{FILE, Project, Trial};
use crate::kit::synthetic::{self, Options, Synthetic};

/// Seed of a described provider that nobody gave another one.
const SEED: u64 = 1;

/// What a connector is tried with.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// A synthetic provider to talk to instead of the real one: a file that describes it, or its URL on this machine
    #[arg(long, value_name = "FILE|URL")]
    pub provider: Option<String>,
    /// Configuration and credentials.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// A connector, ready to be called.
pub(super) struct Target {
    pub(super) connector: Arc<Connector>,
    pub(super) connection: Connection,
    /// What the project says about trying it.
    pub(super) trial: Trial,
    provider: Option<Provider>,
}

/// Where a synthetic provider is.
struct Provider {
    origin: url::Url,
    /// The account that it is asked for.
    tenant: Option<String>,
    /// Kept because it runs in this process.
    _running: Option<Synthetic>,
}

impl Target {
    /// Finds the connector, and everything that it is tried with. In a project's folder, whoever gives no credentials
    /// gets what `[test]` in its `connector.toml` says, synthetic provider included.
    pub(super) async fn find(
        named: &Path,
        args: &TargetArgs,
        config: &Config,
        context: &mut Context,
    ) -> Result<Self, Failure> {
        let project = match named.join(FILE).is_file() {
            true => Some(Project::open(named).map_err(Failure::config)?),
            false => None,
        };
        let connector = match &project {
            Some(project) => probe::find(config, &built(project)?).await?,
            None => probe::find(config, named).await?,
        };
        let mut trial = project.map(|project| project.trial).unwrap_or_default();
        let real = args.provider.is_none() && !args.connection.secrets.secrets.is_empty();
        let otherwise = if real { &Trial::default() } else { &trial };
        let connection = fit::connection_or(&args.connection, otherwise, &connector.manifest)?;
        let asked = args.provider.as_ref().map(|text| (text.clone(), PathBuf::from(text)));
        let described = trial.provider.take().filter(|_| !real).map(|path| (path.display().to_string(), path));
        let provider = match asked.or(described) {
            Some((text, path)) => {
                let provider = Provider::open(&text, &path).await?;
                context.output.note(&format!("talking to the synthetic provider {text}"))?;
                Some(provider)
            }
            None => None,
        };
        Ok(Self { connector, connection, trial, provider })
    }

    /// How the gate is set: towards the synthetic provider, if there is one.
    pub(super) fn egress(&self, config: &Config) -> Result<EgressConfig, Failure> {
        let egress = app::egress(config).map_err(|error| probe::no_gate(&error))?;
        let Some(provider) = &self.provider else { return Ok(egress) };
        aim::at(egress, &self.connector.manifest, &self.connection.config, &provider.origin).map_err(|error| {
            Failure::new(Exit::Usage, "the connector's hosts do not fit the configuration").caused_by(&error)
        })
    }

    /// A way to call it.
    pub(super) async fn probe(
        &self,
        config: &Config,
        page_size: u32,
        tape: Option<Arc<dyn Tape>>,
    ) -> Result<Probe, Failure> {
        let egress = self.egress(config)?;
        Probe::over(config, egress, Arc::clone(&self.connector), &self.connection, page_size, tape).await
    }

    /// The strings of the synthetic provider, if there is one.
    pub(super) async fn control(&self) -> Result<Option<Control>, Failure> {
        let Some(provider) = &self.provider else { return Ok(None) };
        let control = Control::open(provider.origin.as_str(), provider.tenant.clone()).await;
        Ok(Some(control.map_err(|error| unreachable(&error))?))
    }
}

/// What a synthetic provider's failure means to who gave the command.
pub(super) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Exit::Failure, error.to_string()).caused_by(error).help("is it running? `--provider` says where it is")
}

/// The component of a project.
fn built(project: &Project) -> Result<PathBuf, Failure> {
    let dist = project.dir.join(DIST);
    let files = std::fs::read_dir(&dist).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut built: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "wasm")).collect();
    match (built.pop(), built.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Failure::new(Exit::Failure, "the project has several components")
            .at(dist.display().to_string())
            .help("remove the old ones, or name one of them")),
        (None, _) => Err(Failure::new(Exit::NotFound, "the project is not built yet")
            .at(project.dir.display().to_string())
            .help(format!("build it: syncline connector build {}", project.dir.display()))),
    }
}

impl Provider {
    async fn open(text: &str, path: &Path) -> Result<Self, Failure> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let origin = url::Url::parse(text)
                .map_err(|error| Failure::new(Exit::Usage, format!("{text:?} is not a URL")).caused_by(&error))?;
            let tenant = origin.query_pairs().find(|(name, _)| name == "tenant").map(|(_, value)| value.into_owned());
            let mut origin = origin;
            origin.set_query(None);
            return Ok(Self { origin, tenant, _running: None });
        }
        let description = synthetic::load(path).map_err(Failure::config)?;
        let running = Synthetic::start(description, Options { seed: SEED, ..Options::default() }).await?;
        let origin = running.origin().clone();
        Ok(Self { origin, tenant: None, _running: Some(running) })
    }
}
