//! The gate from end to end, against small servers on the loopback interface that are as unkind as providers get.

mod addresses;
mod bodies;
mod breaker;
mod credentials;
mod leaks;
mod pace;
mod redirects;
pub(crate) mod ssrf;
pub(crate) mod stub;
mod tokens;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::http::{Http as _, HttpError, Request, Response};
use crate::domain::{AuthKind, AuthScheme, IntegrationId, Manifest, OAuth2, RateHint};
use stub::Stub;

pub(crate) const INTEGRATION: IntegrationId = IntegrationId(7);
pub(crate) const CANARY: &str = "cAnArY-0123456789+/abc";

/// What a test starts from: `api.acme.test` leads to a stub, limits are short.
pub(crate) struct World {
    pub(crate) egress: EgressConfig,
    pub(crate) manifest: Manifest,
    pub(crate) credentials: Arc<MemoryCredentials>,
    pauses: Arc<MemoryPauses>,
}

impl World {
    fn new(kind: AuthKind, fields: &[(&str, &str)]) -> Self {
        let credentials = Arc::new(MemoryCredentials::default());
        credentials.set(INTEGRATION, fields);
        let limits = Limits {
            retry_base: Duration::from_millis(5),
            max_inline_wait: Duration::from_secs(2),
            ..Limits::default()
        };
        Self {
            egress: EgressConfig { limits, ..EgressConfig::default() },
            manifest: Manifest {
                name: "acme".to_owned(),
                version: semver::Version::new(1, 0, 0),
                title: "Acme".to_owned(),
                config_schema: "{}".to_owned(),
                auth: vec![AuthScheme { name: "default".to_owned(), kind, hosts: Vec::new() }],
                hosts: vec!["api.acme.test".to_owned()],
                rate: Some(RateHint { requests: 100_000, per_seconds: 1, concurrency: 200 }),
            },
            credentials,
            pauses: Arc::default(),
        }
    }

    pub(crate) fn bearer() -> Self {
        Self::new(AuthKind::Bearer, &[("token", CANARY)])
    }

    /// With an OAuth scheme whose endpoint is `login.acme.test`.
    fn oauth(fields: &[(&str, &str)]) -> Self {
        let oauth = OAuth2 {
            token_url: "https://login.acme.test/token".to_owned(),
            authorize_url: None,
            scopes: vec!["crm.read".to_owned()],
            grants: vec!["refresh-token".to_owned()],
        };
        let mut all = vec![("client-id", "the-client"), ("client-secret", "the-client-secret")];
        all.extend(fields);
        Self::new(AuthKind::OAuth2(oauth), &all)
    }

    /// Lets requests for a host go to a stub.
    pub(crate) fn route(mut self, host: &str, stub: &Stub) -> Self {
        self.egress.routes.push((host.parse().unwrap(), stub.origin()));
        self
    }

    fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.egress.limits);
        self
    }

    pub(crate) fn gate(&self) -> Gate {
        self.looking_up(Arc::new(SystemLookup))
    }

    /// The gate, where names are what this says they are.
    pub(crate) fn looking_up(&self, lookup: Arc<dyn Lookup>) -> Gate {
        Gate::with_lookup(self.egress.clone(), self.credentials.clone(), self.pauses.clone(), lookup).unwrap()
    }

    /// A session of this integration: the defaults, without a configuration or a tape.
    pub(crate) fn spec(&self) -> SessionSpec<'_> {
        static CONFIG: LazyLock<Json> = LazyLock::new(|| json!({}));
        SessionSpec {
            integration: INTEGRATION,
            manifest: &self.manifest,
            auth: None,
            config: &CONFIG,
            budget: RequestBudget::default(),
            tape: None,
        }
    }

    async fn try_session(&self, gate: &Gate) -> Result<Arc<Session>, OpenError> {
        let budget = RequestBudget { per_page: 1000, per_run: 1000, in_flight: 200 };
        gate.session(SessionSpec { budget, ..self.spec() }).await
    }

    pub(crate) async fn session(&self) -> Arc<Session> {
        self.try_session(&self.gate()).await.unwrap()
    }
}

fn get(url: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        idempotent: false,
        timeout_ms: None,
        accept_status: Vec::new(),
    }
}

fn post(url: &str, body: &'static str) -> Request {
    Request { method: "POST".to_owned(), body: Some(body.into()), ..get(url) }
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
