//! A connector with a way out, outside of any run: what commands, replays and checks call it through.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;

use crate::connector::{CallContext, CallReport, Connector, GuestLog, Moment};
use crate::domain::{AuthKind, CallError, Cursor, IntegrationId, Manifest, ObjectType, Page, RateHint};
use crate::egress::{
    EgressConfig, Gate, MemoryCredentials, MemoryPauses, OpenError, RequestBudget, Session, SessionSpec, Tape, Wire,
    field,
};

/// Whose credentials are in memory.
pub(crate) const NOBODY: IntegrationId = IntegrationId(0);

/// The pace towards a provider that is on this machine, or in a cassette.
pub(crate) const AS_FAST_AS_IT_ANSWERS: RateHint = RateHint { requests: 1_000_000, per_seconds: 1, concurrency: 64 };

/// What a call is told and may use.
#[derive(Clone)]
pub struct Setting<'a> {
    /// Whose credentials and pace.
    pub integration: IntegrationId,
    /// The configuration: a JSON object.
    pub config: &'a Json,
    /// Name of the auth scheme; empty if none.
    pub auth: &'a str,
    /// Records the host would like in a page.
    pub page_size: u32,
    /// Requests in a page and in all.
    pub budget: RequestBudget,
    /// The time and randomness of the calls; the real ones if none.
    pub moment: Option<Moment>,
    /// Writes down what passes the gate.
    pub tape: Option<Arc<dyn Tape>>,
}

/// A connector that can be called.
pub struct Line {
    /// The connector.
    pub connector: Arc<Connector>,
    /// Its way out.
    pub session: Arc<Session>,
    /// What its calls work with.
    pub call: CallContext,
}

impl Line {
    /// Opens a way out through a gate.
    ///
    /// # Errors
    /// [`OpenError`] when connection, connector and gate do not fit.
    pub async fn open(gate: &Gate, connector: Arc<Connector>, setting: Setting<'_>) -> Result<Self, OpenError> {
        let spec = SessionSpec {
            integration: setting.integration,
            manifest: &connector.manifest,
            auth: Some(setting.auth).filter(|name| !name.is_empty()),
            config: setting.config,
            budget: setting.budget,
            tape: setting.tape,
        };
        let session = gate.session(spec).await?;
        let redactor = Arc::clone(&session);
        let call = CallContext {
            config: setting.config.to_string().into(),
            auth: setting.auth.into(),
            page_size: setting.page_size,
            http: Arc::clone(&session) as _,
            log: Arc::new(GuestLog::new(Arc::new(move |text| redactor.redact(text)))),
            limits: connector.limits(),
            moment: setting.moment,
        };
        Ok(Self { connector, session, call })
    }

    /// Proves configuration and credentials.
    pub async fn check(&self) -> (Result<(), CallError>, CallReport) {
        self.session.new_page();
        self.connector.check(&self.call).await
    }

    /// Lists what can be read.
    pub async fn discover(&self) -> (Result<Vec<ObjectType>, CallError>, CallReport) {
        self.session.new_page();
        self.connector.discover(&self.call).await
    }

    /// Reads a page.
    pub async fn fetch(&self, object: &str, cursor: Option<&Cursor>) -> (Result<Page, CallError>, CallReport) {
        self.session.new_page();
        self.connector.fetch(&self.call, object, cursor).await
    }
}

/// Credentials that exist in memory only, for nobody's integration.
#[must_use]
pub fn in_memory<'s>(secrets: impl IntoIterator<Item = (&'s str, &'s SecretString)>) -> Arc<MemoryCredentials> {
    let memory = Arc::new(MemoryCredentials::default());
    let fields: Vec<(&str, &str)> = secrets.into_iter().map(|(name, value)| (name, value.expose_secret())).collect();
    memory.set(NOBODY, &fields);
    memory
}

/// A gate over a wire that needs no credentials: whatever the scheme asks for is there and worth nothing.
#[must_use]
pub fn gate_without_credentials(
    mut config: EgressConfig,
    manifest: &Manifest,
    auth: &str,
    wire: Arc<dyn Wire>,
) -> Gate {
    // The provider's own limit was kept to when it was recorded.
    config.provider_rates.insert(manifest.name.clone(), config.default_rate);
    let memory = Arc::new(MemoryCredentials::default());
    let scheme = manifest.auth.iter().find(|scheme| auth.is_empty() || scheme.name == auth);
    if let Some(scheme) = scheme {
        let mut fields: Vec<(&str, &str)> =
            scheme.kind.required_fields().iter().map(|name| (*name, "replayed-credential")).collect();
        if matches!(scheme.kind, AuthKind::OAuth2(_)) {
            fields.extend([(field::REFRESH_TOKEN, "replayed-credential"), (field::ACCESS_TOKEN, "replayed")]);
        }
        memory.set(NOBODY, &fields);
    }
    Gate::over(config, memory, Arc::new(MemoryPauses::default()), wire)
}

impl<'a> Setting<'a> {
    /// For nobody's integration, with the real time and no recording.
    #[must_use]
    pub const fn of(config: &'a Json, auth: &'a str, page_size: u32, budget: RequestBudget) -> Self {
        Self { integration: NOBODY, config, auth, page_size, budget, moment: None, tape: None }
    }
}
