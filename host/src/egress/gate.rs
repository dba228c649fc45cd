//! The gate of a process: opens a session for each run.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::budget::RequestBudget;
use super::config::EgressConfig;
use super::credentials::{CredentialStore, Credentials, StoreError, field};
use super::dial::{Dialer, Lookup, SystemLookup};
use super::inject::Slot;
use super::keyring::Keys;
use super::lane::Lanes;
use super::oauth::{EndpointError, Grant};
use super::pace::PauseStore;
use super::patterns::PatternError;
use super::policy::{Operator, Policy};
use super::session::{Parts, Session};
use super::wire::{Tape, Wire};
use crate::domain::{AuthKind, AuthScheme, IntegrationId, Manifest, OAuth2};

/// The gate cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up")]
pub struct GateError(#[source] reqwest::Error);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The integration picks a scheme that its connector does not have.
    #[error("connector {connector:?} has no auth scheme {name:?}; it has {known}")]
    UnknownScheme {
        /// The connector.
        connector: String,
        /// What was picked.
        name: String,
        /// What there is.
        known: String,
    },
    /// This host cannot do what the scheme says.
    #[error("auth scheme {0:?} is of a kind that this host does not know or does not allow")]
    UnsupportedScheme(String),
    /// A declared host cannot be filled in from the configuration.
    #[error("the connector's hosts do not fit the configuration")]
    Hosts(#[source] PatternError),
    /// The token endpoint cannot be used.
    #[error("the connector's token endpoint cannot be used")]
    TokenEndpoint(#[from] EndpointError),
    /// The integration has to be connected first.
    #[error("credential field {field:?} is missing")]
    MissingCredential {
        /// The field.
        field: &'static str,
    },
    /// The credentials could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a session is opened for.
#[derive(Clone)]
pub struct SessionSpec<'a> {
    /// Whose credentials, pace and pauses.
    pub integration: IntegrationId,
    /// What the connector declares.
    pub manifest: &'a Manifest,
    /// Name of the auth scheme; `None` is the connector's first, if it has any.
    pub auth: Option<&'a str>,
    /// The integration's configuration, for `{placeholders}` in hosts.
    pub config: &'a Value,
    /// How many requests.
    pub budget: RequestBudget,
    /// Writes down what passes, if anybody wants it.
    pub tape: Option<Arc<dyn Tape>>,
}

/// The one way out. One per process.
pub struct Gate {
    config: Arc<EgressConfig>,
    operator: Operator,
    wire: Arc<dyn Wire>,
    credentials: Arc<dyn CredentialStore>,
    pauses: Arc<dyn PauseStore>,
    lanes: Lanes,
}

impl Gate {
    /// A gate that resolves names with the system's resolver.
    ///
    /// # Errors
    /// If TLS cannot be set up, for example without any trusted root.
    pub fn new(
        config: EgressConfig,
        credentials: Arc<dyn CredentialStore>,
        pauses: Arc<dyn PauseStore>,
    ) -> Result<Self, GateError> {
        Self::with_lookup(config, credentials, pauses, Arc::new(SystemLookup))
    }

    /// A gate that resolves names some other way. What it answers is judged like any answer.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn with_lookup(
        config: EgressConfig,
        credentials: Arc<dyn CredentialStore>,
        pauses: Arc<dyn PauseStore>,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, GateError> {
        let dialer = Dialer::new(&config, lookup).map_err(GateError)?;
        Ok(Self::over(config, credentials, pauses, Arc::new(dialer)))
    }

    /// A gate whose requests are carried by something else than sockets, such as a cassette.
    #[must_use]
    pub fn over(
        config: EgressConfig,
        credentials: Arc<dyn CredentialStore>,
        pauses: Arc<dyn PauseStore>,
        wire: Arc<dyn Wire>,
    ) -> Self {
        let operator = Operator::new(&config);
        Self { config: Arc::new(config), operator, wire, credentials, pauses, lanes: Lanes::default() }
    }

    /// The longest pause that a request waits for; a longer one ends it.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.config.limits.max_inline_wait
    }

    /// Opens the way out for one run: reads the credentials.
    ///
    /// # Errors
    /// If configuration, scheme or credentials do not fit; see [`OpenError`].
    pub async fn session(&self, spec: SessionSpec<'_>) -> Result<Arc<Session>, OpenError> {
        let scheme = pick(spec.manifest, spec.auth)?;
        let slot = match scheme {
            None => Slot::Nothing,
            Some(scheme) => Slot::of(&scheme.kind).ok_or_else(|| OpenError::UnsupportedScheme(scheme.name.clone()))?,
        };
        let policy =
            Policy::new(spec.manifest, scheme, spec.config, self.operator.clone()).map_err(OpenError::Hosts)?;
        let oauth =
            scheme.and_then(|scheme| if let AuthKind::OAuth2(oauth) = &scheme.kind { Some(oauth) } else { None });
        let grant = oauth.map(|oauth| Grant::new(oauth, spec.config, &self.operator)).transpose()?;

        let named = self.config.provider_rates.get(&spec.manifest.name).copied();
        let rate = named.or(spec.manifest.rate).unwrap_or(self.config.default_rate);
        let lane = self.lanes.of(spec.integration, &spec.manifest.name, rate, &self.config, &self.credentials);
        let credentials = lane.ring.reload().await?;
        if let Some(scheme) = scheme {
            require(&scheme.kind, oauth, &credentials)?;
        }
        let keys = Keys {
            ring: Arc::clone(&lane.ring),
            breakers: Arc::clone(&lane.breakers),
            grant,
            wire: Arc::clone(&self.wire),
            limits: self.config.limits.clone(),
        };
        Ok(Arc::new(Session::new(Parts {
            integration: spec.integration,
            provider: spec.manifest.name.clone(),
            config: Arc::clone(&self.config),
            policy,
            slot,
            lane,
            keys: Arc::new(keys),
            pauses: Arc::clone(&self.pauses),
            budget: spec.budget,
            tape: spec.tape,
        })))
    }
}

fn pick<'m>(manifest: &'m Manifest, name: Option<&str>) -> Result<Option<&'m AuthScheme>, OpenError> {
    let Some(name) = name else { return Ok(manifest.auth.first()) };
    let found = manifest.auth.iter().find(|scheme| scheme.name == name);
    found.map(Some).ok_or_else(|| OpenError::UnknownScheme {
        connector: manifest.name.clone(),
        name: name.to_owned(),
        known: match manifest.auth.iter().map(|scheme| format!("{:?}", scheme.name)).collect::<Vec<_>>() {
            names if names.is_empty() => "none".to_owned(),
            names => names.join(", "),
        },
    })
}

/// Empty passwords and client secrets exist; a field that is not there at all was forgotten.
fn require(kind: &AuthKind, oauth: Option<&OAuth2>, credentials: &Credentials) -> Result<(), OpenError> {
    let may_be_empty = |name: &str| name == field::PASSWORD || name == field::CLIENT_SECRET;
    for name in kind.required_fields() {
        let value = credentials.fields.get(*name);
        if !value.is_some_and(|value| may_be_empty(name) || !value.expose_secret().is_empty()) {
            return Err(OpenError::MissingCredential { field: name });
        }
    }
    let needs_consent = oauth.is_some_and(|oauth| !oauth.grants.iter().any(|grant| grant == "client-credentials"));
    if needs_consent
        && credentials.get(field::REFRESH_TOKEN).is_none()
        && credentials.get(field::ACCESS_TOKEN).is_none()
    {
        return Err(OpenError::MissingCredential { field: field::REFRESH_TOKEN });
    }
    Ok(())
}
