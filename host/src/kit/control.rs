//! The other side of a synthetic provider: what it knows to be true, and the strings one can pull.
//!
//! Every synthetic provider, the described one of [`synthetic`](super::synthetic) and those of the test suite alike,
//! answers under `/_fake/` on its own port. `docs/reference/synthetic-providers.md` lists the requests. They leave
//! through an egress gate of their own, like any other request of this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use url::Url;

use super::line::{AS_FAST_AS_IT_ANSWERS, NOBODY};
use crate::domain::Manifest;
use crate::domain::http::{Http as _, HttpError, Request};
use crate::egress::{
    EgressConfig, Gate, GateError, MemoryCredentials, MemoryPauses, OpenError, RequestBudget, Session, SessionSpec,
};

/// What has become of a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Fate {
    /// It exists.
    Present,
    /// It was deleted.
    Deleted,
    /// It was merged.
    Merged {
        /// Id of the record it was merged into.
        into: String,
    },
}

/// What a destination must hold of a record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Truth {
    /// What has become of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// When it was last changed, in milliseconds; none where the provider shows it nowhere.
    pub stamp_ms: Option<i64>,
    /// Its fields. A connector may ask for fewer.
    #[serde(default)]
    pub data: Map<String, Json>,
}

/// How a provider is doing.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// The provider's clock, in milliseconds since 1970.
    #[serde(default)]
    pub now_ms: u64,
    /// Every change can be seen by every kind of read.
    pub settled: bool,
    /// How its knobs stand.
    #[serde(default)]
    pub knobs: Map<String, Json>,
}

/// Why a synthetic provider does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The URL is none.
    #[error("{0:?} is not the URL of a synthetic provider: it looks like http://127.0.0.1:4000")]
    Url(String),
    /// The gate to it does not open.
    #[error("the way to the synthetic provider does not open")]
    Gate(#[from] GateError),
    /// The gate refuses it.
    #[error("the way to the synthetic provider does not open")]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error("the synthetic provider does not answer `{asked}`")]
    Silent {
        /// What was asked.
        asked: String,
        /// Why there is no answer.
        source: HttpError,
    },
    /// It says no: it does not know the request, or cannot do that.
    #[error("the synthetic provider refuses `{asked}` with {status}: {text}")]
    Refused {
        /// What was asked.
        asked: String,
        /// The status of the answer.
        status: u16,
        /// What it said.
        text: String,
    },
    /// It answers what nobody understands.
    #[error("the synthetic provider answers `{asked}` with something else than expected")]
    Malformed {
        /// What was asked.
        asked: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The strings of a synthetic provider.
pub struct Control {
    origin: Url,
    tenant: Option<String>,
    session: Arc<Session>,
}

impl Control {
    /// Opens the way to a provider at this origin. `tenant` is the account whose data is meant; the first one if none.
    ///
    /// # Errors
    /// [`ControlError`] where the origin is no URL.
    pub async fn open(origin: &str, tenant: Option<String>) -> Result<Self, ControlError> {
        let url = Url::parse(origin).ok().filter(|url| url.host_str().is_some());
        let origin = url.ok_or_else(|| ControlError::Url(origin.to_owned()))?;
        let host = origin.host_str().unwrap_or_default().to_owned();
        let authority = origin.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let config = EgressConfig {
            allow_http: true,
            allow_hosts: authority.parse().into_iter().collect(),
            default_rate: AS_FAST_AS_IT_ANSWERS,
            ..EgressConfig::default()
        };
        let gate = Gate::new(config, Arc::new(MemoryCredentials::default()), Arc::new(MemoryPauses::default()))?;
        let manifest = Manifest {
            name: "control".to_owned(),
            version: semver::Version::new(0, 0, 0),
            title: "Control".to_owned(),
            config_schema: "{}".to_owned(),
            auth: Vec::new(),
            hosts: vec![authority],
            rate: Some(AS_FAST_AS_IT_ANSWERS),
        };
        let budget = RequestBudget { per_page: u32::MAX, per_run: u32::MAX, in_flight: 16 };
        let config = json!({});
        let spec =
            SessionSpec { integration: NOBODY, manifest: &manifest, auth: None, config: &config, budget, tape: None };
        let session = gate.session(spec).await?;
        Ok(Self { origin, tenant, session })
    }

    /// What a destination must hold of an object by now, by id.
    ///
    /// # Errors
    /// [`ControlError`], also where it has no such object.
    pub async fn truth(&self, object: &str) -> Result<BTreeMap<String, Truth>, ControlError> {
        #[derive(Deserialize)]
        struct Answer {
            records: BTreeMap<String, Truth>,
        }
        let tenant = self.tenant.iter().map(|tenant| ("tenant", tenant.as_str()));
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("object", object)].into_iter().chain(tenant))
            .finish();
        let answer: Answer = self.ask("GET", &format!("truth?{query}"), None).await?;
        Ok(answer.records)
    }

    /// How the provider is doing.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn status(&self) -> Result<Status, ControlError> {
        self.ask("GET", "status", None).await
    }

    /// Moves the provider's clock on.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn advance(&self, ms: u64) -> Result<(), ControlError> {
        self.ask::<Json>("POST", "clock", Some(json!({ "advance_ms": ms }))).await.map(|_| ())
    }

    /// How these knobs stand now; as they are given here where the provider does not say.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn standing(&self, otherwise: Json) -> Result<Json, ControlError> {
        let (knobs, mut standing) = (self.status().await?.knobs, otherwise);
        for (name, value) in standing.as_object_mut().into_iter().flatten() {
            if let Some(now) = knobs.get(name) {
                value.clone_from(now);
            }
        }
        Ok(standing)
    }

    /// Turns knobs, as in `{"index_lag_ms": 20000}`.
    ///
    /// # Errors
    /// [`ControlError::Refused`] where the provider has no such knob.
    pub async fn turn(&self, knobs: Json) -> Result<(), ControlError> {
        self.ask::<Json>("POST", "faults", Some(json!({ "knobs": knobs }))).await.map(|_| ())
    }

    /// Does something to records of an object: `create`, `update`, `delete`, `mass-update`, `merge`, ...
    ///
    /// # Errors
    /// [`ControlError::Refused`] where that cannot be done.
    pub async fn act(&self, action: &str, object: &str, more: Json) -> Result<Json, ControlError> {
        let mut body = Map::new();
        body.insert("object".to_owned(), object.into());
        if let Some(tenant) = &self.tenant {
            body.insert("tenant".to_owned(), tenant.as_str().into());
        }
        if let Json::Object(more) = more {
            body.extend(more);
        }
        self.ask("POST", action, Some(Json::Object(body))).await
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        method: &str,
        what: &str,
        body: Option<Json>,
    ) -> Result<T, ControlError> {
        let asked = format!("{method} /_fake/{what}");
        let url = format!("{}/_fake/{what}", self.origin.as_str().trim_end_matches('/'));
        let request = Request {
            method: method.to_owned(),
            url,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.map(|body| body.to_string().into()),
            idempotent: false,
            timeout_ms: None,
            accept_status: Vec::new(),
        };
        let answer = self.session.send(request).await;
        let answer = answer.map_err(|source| ControlError::Silent { asked: asked.clone(), source })?;
        if answer.status != 200 {
            let text: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
            return Err(ControlError::Refused { asked, status: answer.status, text });
        }
        serde_json::from_slice(&answer.body).map_err(|source| ControlError::Malformed { asked, source })
    }
}
