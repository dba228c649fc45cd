//! Asking a provider through its connector and the real gate, outside of any run.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::exit::{Exit, Failure};
use super::fit::Connection;
use crate::app;
use crate::config::Config;
use crate::connector::{CallReport, Catalog, Connector, Engine, Pin, ResolveError};
use crate::domain::{CallError, ObjectType, ProviderError};
use crate::egress::{
    CredentialStore as _, EgressConfig, Gate, MemoryCredentials, MemoryPauses, OpenError, RequestBudget, Session, Tape,
};
use crate::kit::line::{self, Line, NOBODY, Setting};

/// Calls that a command makes at once.
const CALLS: u32 = 2;

/// The engine, as small as a command needs it.
///
/// # Errors
/// [`Failure`] when it cannot be set up on this machine.
pub fn engine(config: &Config) -> Result<Arc<Engine>, Failure> {
    app::engine(config, CALLS)
        .map_err(|error| Failure::new(Exit::Failure, "connectors cannot run here").caused_by(&*error))
}

/// The catalog of the configured folder.
///
/// # Errors
/// [`Failure`] when the folder of kept connectors cannot be used.
pub async fn catalog(config: &Config) -> Result<Arc<Catalog>, Failure> {
    app::catalog(config, engine(config)?)
        .await
        .map_err(|error| Failure::new(Exit::Failure, "the connectors cannot be read").caused_by(&*error))
}

/// The connector of a name, by what an integration is pinned to.
///
/// # Errors
/// [`Failure`] when there is none, with the nearest name or the reason why its file is refused.
pub async fn resolve(
    config: &Config,
    catalog: &Catalog,
    name: &str,
    pin: Option<&Pin>,
) -> Result<Arc<Connector>, Failure> {
    let error = match catalog.resolve(name, pin).await {
        Ok(connector) => return Ok(connector),
        Err(error) => error,
    };
    let folder = config.connectors.dir.display();
    let refused = catalog.refused().into_iter().find(|(path, _)| path.file_stem().is_some_and(|stem| stem == name));
    Err(match (&error, refused) {
        (_, Some((path, why))) => Failure::new(Exit::Failure, format!("connector `{name}` is refused"))
            .at(path.display().to_string())
            .caused_by(&*why),
        (ResolveError::UnknownName { nearest, .. }, None) => {
            let failure = Failure::new(Exit::NotFound, format!("there is no connector `{name}` in {folder}"));
            match nearest {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => {
                    failure.help("`connectors.dir` says where connectors are; `syncline connector list` shows them")
                }
            }
        }
        (ResolveError::Load { .. }, None) => Failure::new(Exit::Failure, error.to_string()).caused_by(&error),
        (
            ResolveError::UnknownVersion { .. } | ResolveError::UnknownDigest { .. } | ResolveError::WrongName { .. },
            None,
        ) => Failure::new(Exit::NotFound, error.to_string()),
    })
}

/// A connector by its file, or by its name in the configured folder.
///
/// # Errors
/// [`Failure`] when there is none, or it is refused.
pub async fn find(config: &Config, file_or_name: &Path) -> Result<Arc<Connector>, Failure> {
    let is_name = file_or_name.extension().is_none() && file_or_name.components().count() == 1;
    if let Some(name) = file_or_name.to_str().filter(|_| is_name) {
        return resolve(config, &*catalog(config).await?, name, None).await;
    }
    Connector::load_file(&engine(config)?, file_or_name).await.map_err(|error| {
        let missing = std::fs::metadata(file_or_name).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let exit = if missing { Exit::NotFound } else { Exit::Failure };
        Failure::new(exit, "the connector cannot be used").at(file_or_name.display().to_string()).caused_by(&error)
    })
}

/// A connector with a way out to its provider, and failures as a command tells them.
pub struct Probe {
    /// The connector and its way out.
    pub line: Line,
    memory: Arc<MemoryCredentials>,
}

/// The requests that the configuration allows.
#[must_use]
pub const fn budget(config: &Config) -> RequestBudget {
    RequestBudget {
        per_page: config.limits.requests_per_page,
        per_run: config.limits.requests_per_run,
        in_flight: config.egress.concurrency,
    }
}

impl Probe {
    /// With credentials that are kept in memory: whatever happens, nothing is stored.
    ///
    /// # Errors
    /// [`Failure`] when connection, connector and host do not fit.
    pub async fn in_memory(
        config: &Config,
        connector: Arc<Connector>,
        connection: &Connection,
        page_size: u32,
    ) -> Result<Self, Failure> {
        let egress = app::egress(config).map_err(|error| no_gate(&error))?;
        Self::over(config, egress, connector, connection, page_size, None).await
    }

    /// The same through a gate that is set in another way than the configuration says.
    ///
    /// # Errors
    /// [`Failure`] when connection, connector and gate do not fit.
    pub async fn over(
        config: &Config,
        egress: EgressConfig,
        connector: Arc<Connector>,
        connection: &Connection,
        page_size: u32,
        tape: Option<Arc<dyn Tape>>,
    ) -> Result<Self, Failure> {
        let memory = line::in_memory(connection.secrets.iter().map(|(name, value)| (name.as_str(), value)));
        let gate = Gate::new(egress, Arc::clone(&memory) as _, Arc::new(MemoryPauses::default()))
            .map_err(|error| no_gate(&error.into()))?;
        let setting = Setting { tape, ..Setting::of(&connection.config, &connection.auth, page_size, budget(config)) };
        Ok(Self { memory, ..Self::open(&gate, connector, setting).await? })
    }

    /// With whatever credentials the gate keeps for an integration.
    ///
    /// # Errors
    /// [`Failure`] when connection, connector and host do not fit.
    pub async fn open(gate: &Gate, connector: Arc<Connector>, setting: Setting<'_>) -> Result<Self, Failure> {
        let line = Line::open(gate, connector, setting).await.map_err(|error| no_session(&error))?;
        Ok(Self { line, memory: Arc::default() })
    }

    /// The connector.
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.line.connector
    }

    /// Proves configuration and credentials.
    ///
    /// # Errors
    /// [`Failure`] with what the provider or the connector said.
    pub async fn check(&self) -> Result<CallReport, Failure> {
        let (answer, report) = self.line.check().await;
        answer.map_err(|error| self.failures().of("check", &error))?;
        Ok(report)
    }

    /// Lists what can be read.
    ///
    /// # Errors
    /// [`Failure`] with what the provider or the connector said.
    pub async fn discover(&self) -> Result<(Vec<ObjectType>, CallReport), Failure> {
        let (answer, report) = self.line.discover().await;
        Ok((answer.map_err(|error| self.failures().of("discover", &error))?, report))
    }

    /// The credentials in memory as they are now: tokens that the provider gave in the meantime are among them.
    ///
    /// # Errors
    /// Never, in fact: they are in memory.
    pub async fn credentials(&self) -> Result<Vec<(String, SecretString)>, Failure> {
        Ok(self.memory.load(NOBODY).await?.fields.into_iter().collect())
    }

    /// What failures of this connector mean to who gave the command.
    #[must_use]
    pub fn failures(&self) -> Failures {
        Failures { name: self.connector().manifest.name.clone(), session: Arc::clone(&self.line.session) }
    }
}

/// What failures of a connector mean to who gave a command.
pub struct Failures {
    name: String,
    session: Arc<Session>,
}

impl Failures {
    /// Of one call.
    #[must_use]
    pub fn of(&self, call: &str, error: &CallError) -> Failure {
        let name = &self.name;
        let exit = match error {
            CallError::Provider(ProviderError::Unauthorized(_) | ProviderError::Forbidden(_)) => Exit::Auth,
            CallError::Provider(ProviderError::RateLimited(_) | ProviderError::Unavailable(_)) | CallError::Host(_) => {
                Exit::Temporary
            }
            CallError::Provider(
                ProviderError::CursorExpired(_)
                | ProviderError::InvalidConfig(_)
                | ProviderError::Unexpected(_)
                | ProviderError::Other(..),
            )
            | CallError::Fault(..) => Exit::CheckFailed,
        };
        let mut failure = Failure::new(exit, format!("`{call}` of connector {name} failed"));
        failure.causes.push(self.session.redact(&error.to_string()));
        match error {
            CallError::Provider(ProviderError::Other(code, _)) if code == "unknown-object" => {
                failure.exit(Exit::NotFound).help("`discover` lists the objects")
            }
            CallError::Provider(ProviderError::Unauthorized(_)) => {
                failure.help("the provider refuses the credentials: check each --secret and --auth")
            }
            CallError::Provider(ProviderError::InvalidConfig(_)) => failure.help("check --set and --config-file"),
            CallError::Provider(ProviderError::RateLimited(_) | ProviderError::Unavailable(_)) => {
                failure.help("try again later")
            }
            CallError::Fault(..) => failure.help("the connector is at fault: -vv shows its log"),
            CallError::Provider(_) | CallError::Host(_) => failure.help("-vv shows each request"),
        }
    }
}

/// What it means that the gate cannot be set up.
pub fn no_gate(error: &anyhow::Error) -> Failure {
    Failure::new(Exit::Config, "the egress configuration does not hold").caused_by(&**error)
}

/// What it means that there is no way out.
pub(super) fn no_session(error: &OpenError) -> Failure {
    let failure = |exit| Failure::new(exit, error.to_string()).caused_by(error);
    match error {
        OpenError::MissingCredential { field } => {
            failure(Exit::Auth).help(format!("give it with --secret {field}=env:NAME, {field}=@FILE or {field}=-"))
        }
        OpenError::Store(_) => failure(Exit::Temporary),
        OpenError::UnknownScheme { .. } => failure(Exit::NotFound),
        OpenError::UnsupportedScheme(_) | OpenError::Hosts(_) | OpenError::TokenEndpoint(_) => {
            failure(Exit::CheckFailed)
        }
    }
}
