//! The credentials of one integration while it is in use, kept fresh.
//!
//! One renewal at a time: in this process by a lock, between hosts by the store's lease. A new token is used only after
//! it has been stored, since a rotated refresh token that is lost cannot be had again. For the same reason a renewal
//! goes on when the request that wanted it is given up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, sleep};

use super::breakers::Breakers;
use super::config::Limits;
use super::credentials::{CredentialStore, Credentials, StoreError, field};
use super::inject;
use super::oauth::{Grant, GrantError};
use super::pace::now_ms;
use super::wire::Wire;
use crate::domain::IntegrationId;
use crate::domain::http::HttpError;
use crate::secrets::Redactor;

/// How many values are remembered for redaction: a few generations of tokens.
const REMEMBERED: usize = 32;

/// Shorter values are not masked in bodies: they would spoil a customer's data.
const MIN_BODY_SECRET_BYTES: usize = 8;

/// How often another host's renewal is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Tries to store a new token before giving the request up; the token is kept and stored with the next one.
const SAVE_TRIES: u32 = 5;

/// What takes secrets out of texts and of bodies.
#[derive(Debug, Default)]
pub(super) struct Masks {
    pub(super) text: Redactor,
    pub(super) body: Redactor,
}

/// The credentials of one integration.
pub(super) struct Keyring {
    integration: IntegrationId,
    store: Arc<dyn CredentialStore>,
    current: RwLock<Arc<Credentials>>,
    masks: RwLock<Arc<Masks>>,
    remembered: Mutex<VecDeque<SecretString>>,
    renewal: tokio::sync::Mutex<Renewal>,
}

#[derive(Default)]
struct Renewal {
    /// A token that the provider gave and the store did not take yet.
    unsaved: Option<Unsaved>,
    /// The credentials that the provider refused, and what it said: they are not tried again.
    refused: Option<(i64, String)>,
}

struct Unsaved {
    from: Credentials,
    changes: Vec<(String, SecretString)>,
}

impl Keyring {
    pub(super) fn new(integration: IntegrationId, store: Arc<dyn CredentialStore>) -> Self {
        Self {
            integration,
            store,
            current: RwLock::default(),
            masks: RwLock::default(),
            remembered: Mutex::default(),
            renewal: tokio::sync::Mutex::default(),
        }
    }

    /// The credentials as last seen.
    pub(super) fn current(&self) -> Arc<Credentials> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What takes these credentials, and those before them, out of texts.
    pub(super) fn masks(&self) -> Arc<Masks> {
        Arc::clone(&self.masks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the credentials from the store.
    pub(super) async fn reload(&self) -> Result<Arc<Credentials>, StoreError> {
        let loaded = Arc::new(self.store.load(self.integration).await?);
        self.remember(inject::secrets(&loaded));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.version >= current.version {
            *current = Arc::clone(&loaded);
        }
        Ok(Arc::clone(&current))
    }

    fn remember(&self, secrets: Vec<SecretString>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.len();
        for secret in secrets {
            if !remembered.iter().any(|other| other.expose_secret() == secret.expose_secret()) {
                remembered.push_back(secret);
            }
        }
        if remembered.len() == known {
            return;
        }
        while remembered.len() > REMEMBERED {
            remembered.pop_front();
        }
        let masks = Masks {
            text: Redactor::new(remembered.iter()),
            body: Redactor::with_min_bytes(MIN_BODY_SECRET_BYTES, remembered.iter()),
        };
        *self.masks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(masks);
    }
}

/// A keyring with what it takes to renew what is on it.
pub(super) struct Keys {
    pub(super) ring: Arc<Keyring>,
    pub(super) breakers: Arc<Breakers>,
    pub(super) grant: Option<Grant>,
    pub(super) wire: Arc<dyn Wire>,
    pub(super) limits: Limits,
}

/// What to use instead of credentials that were refused.
pub(super) struct Other {
    pub(super) credentials: Arc<Credentials>,
    /// The provider has just given them. Those that were found in the store may be as old as the refused ones: another
    /// host renewed them, nobody knows when.
    pub(super) new: bool,
}

impl Keys {
    /// Credentials that can be used now: renewed if they are about to expire.
    pub(super) async fn usable(self: &Arc<Self>) -> Result<Arc<Credentials>, HttpError> {
        let current = self.ring.current();
        if self.grant.is_none() || self.is_fresh(&current) {
            Ok(current)
        } else {
            self.renewed(None).await.map(|other| other.credentials)
        }
    }

    /// Other credentials than those that a provider has just refused; `None` if there are none.
    pub(super) async fn instead_of(self: &Arc<Self>, refused: &Arc<Credentials>) -> Result<Option<Other>, HttpError> {
        if self.grant.is_some() {
            return self.renewed(Some(Arc::clone(refused))).await.map(Some);
        }
        let loaded = self.ring.reload().await.map_err(unavailable)?;
        Ok((loaded.version != refused.version).then_some(Other { credentials: loaded, new: true }))
    }

    async fn renewed(self: &Arc<Self>, refused: Option<Arc<Credentials>>) -> Result<Other, HttpError> {
        let keys = Arc::clone(self);
        let task = tokio::spawn(async move { keys.renew(refused.as_deref()).await });
        task.await.unwrap_or_else(|_| Err(HttpError::Unreachable("the renewal of the access token stopped".to_owned())))
    }

    async fn renew(&self, refused: Option<&Credentials>) -> Result<Other, HttpError> {
        let found = |credentials| Other { credentials, new: false };
        let Some(grant) = &self.grant else { return Ok(found(self.ring.current())) };
        let mut renewal = self.ring.renewal.lock().await;
        // Those who waited for the lock find the work done.
        let current = self.ring.current();
        if self.serves(&current, refused) {
            return Ok(found(current));
        }
        if let Some(unsaved) = renewal.unsaved.take() {
            self.save(&mut renewal, unsaved).await?;
        }
        let started = Instant::now();
        loop {
            let stored = self.ring.reload().await.map_err(unavailable)?;
            if self.serves(&stored, refused) {
                return Ok(found(stored));
            }
            if let Some((version, why)) = &renewal.refused
                && *version == stored.version
            {
                return Err(HttpError::Unauthorized(why.clone()));
            }
            let (store, id) = (&self.ring.store, self.ring.integration);
            if store.begin_refresh(id, self.limits.refresh_lease).await.map_err(unavailable)? {
                let done = self.renew_alone(grant, refused, &mut renewal).await;
                if let Err(error) = store.end_refresh(id).await {
                    tracing::warn!(integration.id = %id, error = %error, "a refresh lease was not given back and has to run out");
                }
                return done;
            }
            if started.elapsed() > self.limits.refresh_lease * 2 {
                return Err(HttpError::Unreachable(
                    "another host has been renewing the access token for too long".to_owned(),
                ));
            }
            sleep(LOOK_AGAIN.mul_f64(0.5 + rand::random::<f64>())).await;
        }
    }

    /// Renews while holding the lock and the lease.
    async fn renew_alone(
        &self,
        grant: &Grant,
        refused: Option<&Credentials>,
        renewal: &mut Renewal,
    ) -> Result<Other, HttpError> {
        // Another host may have been done between the look and the lease.
        let from = self.ring.reload().await.map_err(unavailable)?;
        if self.serves(&from, refused) {
            return Ok(Other { credentials: from, new: false });
        }
        match grant.request(&*self.wire, &self.breakers, &from).await {
            Ok(changes) => {
                self.ring.remember(
                    changes
                        .iter()
                        .filter(|(name, _)| name != field::ACCESS_TOKEN_EXPIRES_AT)
                        .map(|(_, value)| value.clone())
                        .collect(),
                );
                let credentials = self.save(renewal, Unsaved { from: (*from).clone(), changes }).await?;
                Ok(Other { credentials, new: true })
            }
            Err(GrantError::Refused(why)) => {
                let why = self.ring.masks().text.redact(&why).into_owned();
                renewal.refused = Some((from.version, why.clone()));
                Err(HttpError::Unauthorized(why))
            }
            Err(GrantError::Failed(error)) => Err(error),
        }
    }

    /// Stores a new token, and reads back what is stored now.
    async fn save(&self, renewal: &mut Renewal, unsaved: Unsaved) -> Result<Arc<Credentials>, HttpError> {
        let (store, id) = (&self.ring.store, self.ring.integration);
        let mut version = unsaved.from.version;
        for attempt in 0..SAVE_TRIES {
            if attempt > 0 {
                sleep(self.limits.retry_base * 2_u32.saturating_pow(attempt - 1)).await;
            }
            match store.save(id, version, &unsaved.changes).await {
                Ok(true) => return self.ring.reload().await.map_err(unavailable),
                Ok(false) => {
                    let Ok(stored) = self.ring.reload().await else { continue };
                    let same = |name| stored.get(name) == unsaved.from.get(name);
                    if !same(field::REFRESH_TOKEN) || !same(field::CLIENT_ID) {
                        // Somebody connected anew in the meantime: theirs is the one that counts.
                        return Ok(stored);
                    }
                    version = stored.version;
                }
                Err(error) => {
                    tracing::warn!(integration.id = %id, error = %error, attempt, "a new access token could not be stored")
                }
            }
        }
        renewal.unsaved = Some(unsaved);
        Err(HttpError::Unreachable("the credential store did not take the new access token".to_owned()))
    }

    /// Whether a request can be made with these, given those that were refused.
    fn serves(&self, credentials: &Credentials, refused: Option<&Credentials>) -> bool {
        let other =
            refused.is_none_or(|refused| refused.get(field::ACCESS_TOKEN) != credentials.get(field::ACCESS_TOKEN));
        other && self.is_fresh(credentials)
    }

    fn is_fresh(&self, credentials: &Credentials) -> bool {
        let expires_at =
            credentials.get(field::ACCESS_TOKEN_EXPIRES_AT).and_then(|text| text.parse().ok()).unwrap_or(0);
        let ahead = i64::try_from(self.limits.refresh_ahead.as_millis()).unwrap_or(i64::MAX);
        // A provider that does not say when a token expires shows it with a 401.
        let lasts = expires_at == 0_i64 || expires_at.saturating_sub(ahead) > now_ms();
        credentials.get(field::ACCESS_TOKEN).is_some() && lasts
    }
}

fn unavailable(error: StoreError) -> HttpError {
    tracing::warn!(error = %error, cause = ?std::error::Error::source(&error).map(ToString::to_string), "credentials are unavailable");
    HttpError::Unreachable("the credential store does not answer".to_owned())
}
