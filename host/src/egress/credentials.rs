//! Where credentials come from. The store decrypts; the gate holds them in memory while an integration is in use.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::IntegrationId;

/// Names of credential fields.
pub mod field {
    /// Bearer token.
    pub const TOKEN: &str = "token";
    /// User of basic authentication.
    pub const USERNAME: &str = "username";
    /// Password of basic authentication.
    pub const PASSWORD: &str = "password";
    /// Key for a header or a query parameter.
    pub const KEY: &str = "key";
    /// OAuth 2.0 client.
    pub const CLIENT_ID: &str = "client-id";
    /// OAuth 2.0 client's secret; absent or empty for public clients.
    pub const CLIENT_SECRET: &str = "client-secret";
    /// OAuth 2.0 refresh token. The host replaces it when the provider rotates it.
    pub const REFRESH_TOKEN: &str = "refresh-token";
    /// OAuth 2.0 access token; written by the host.
    pub const ACCESS_TOKEN: &str = "access-token";
    /// When that expires, in unix milliseconds; `0` if the provider did not say. Written by the host.
    pub const ACCESS_TOKEN_EXPIRES_AT: &str = "access-token-expires-at";
}

/// The credentials of one integration.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Grows with every change.
    pub version: i64,
    /// Values by field name, see [`field`].
    pub fields: BTreeMap<String, SecretString>,
}

impl Credentials {
    /// A field's value, if it is there and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.expose_secret()).filter(|value| !value.is_empty())
    }
}

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the credential store failed")]
pub struct StoreError(#[source] pub Box<dyn Error + Send + Sync>);

/// Keeps credentials, for all hosts.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The current credentials; no fields if there are none.
    async fn load(&self, integration: IntegrationId) -> Result<Credentials, StoreError>;

    /// Sets these fields and raises the version, all or nothing; other fields stay.
    ///
    /// `false`, and nothing is changed, if the version is not the expected one: somebody else was first, load again.
    async fn save(
        &self,
        integration: IntegrationId,
        expected_version: i64,
        changes: &[(String, SecretString)],
    ) -> Result<bool, StoreError>;

    /// Takes the right to renew the tokens of an integration, for so long at most; `false` if another host has it.
    async fn begin_refresh(&self, integration: IntegrationId, ttl: Duration) -> Result<bool, StoreError>;

    /// Gives that right back.
    async fn end_refresh(&self, integration: IntegrationId) -> Result<(), StoreError>;
}

/// Credentials in memory, for tests and for trying out a connector.
#[derive(Debug, Default)]
pub struct MemoryCredentials {
    inner: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    credentials: HashMap<IntegrationId, Credentials>,
    leases: HashMap<IntegrationId, Instant>,
}

impl MemoryCredentials {
    /// Sets fields of an integration, as an operator would.
    pub fn set(&self, integration: IntegrationId, fields: &[(&str, &str)]) {
        let mut inner = self.lock();
        let credentials = inner.credentials.entry(integration).or_default();
        credentials.version += 1;
        for (name, value) in fields {
            credentials.fields.insert((*name).to_owned(), SecretString::from(*value));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CredentialStore for MemoryCredentials {
    async fn load(&self, integration: IntegrationId) -> Result<Credentials, StoreError> {
        Ok(self.lock().credentials.get(&integration).cloned().unwrap_or_default())
    }

    async fn save(
        &self,
        integration: IntegrationId,
        expected_version: i64,
        changes: &[(String, SecretString)],
    ) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        let credentials = inner.credentials.entry(integration).or_default();
        if credentials.version != expected_version {
            return Ok(false);
        }
        credentials.version += 1;
        credentials.fields.extend(changes.iter().cloned());
        Ok(true)
    }

    async fn begin_refresh(&self, integration: IntegrationId, ttl: Duration) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        let now = Instant::now();
        if inner.leases.get(&integration).is_some_and(|until| *until > now) {
            return Ok(false);
        }
        inner.leases.insert(integration, now + ttl);
        Ok(true)
    }

    async fn end_refresh(&self, integration: IntegrationId) -> Result<(), StoreError> {
        self.lock().leases.remove(&integration);
        Ok(())
    }
}
