//! What the egress gate needs from the database: credentials, unsealed here, and the pauses providers asked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::{IntegrationId, chain};
use crate::egress::{CredentialStore, Credentials, PauseStore, StoreError};
use crate::secrets::{Sealed, Vault, VaultError};
use crate::store::Store;
use crate::store::credentials::SealedField;

/// Keeps credentials and pauses in the store. Plaintext exists only in what it returns.
#[derive(Debug, Clone)]
pub struct Keeper {
    store: Store,
    vault: Arc<Vault>,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError(Box::new(error))
}

impl Keeper {
    /// A keeper over this store and key.
    #[must_use]
    pub const fn new(store: Store, vault: Arc<Vault>) -> Self {
        Self { store, vault }
    }

    /// Seals credentials for the database.
    ///
    /// # Errors
    /// When a value cannot be sealed.
    pub fn seal(
        &self,
        integration: IntegrationId,
        fields: &[(String, SecretString)],
    ) -> Result<Vec<SealedField>, VaultError> {
        fields
            .iter()
            .map(|(field, value)| {
                let Sealed { key_version, nonce, ciphertext } = self.vault.seal(integration, field, value)?;
                Ok(SealedField { field: field.clone(), key_version, nonce, ciphertext })
            })
            .collect()
    }
}

#[async_trait]
impl CredentialStore for Keeper {
    async fn load(&self, integration: IntegrationId) -> Result<Credentials, StoreError> {
        let (version, sealed) = self.store.sealed_credentials(integration).await.map_err(failed)?;
        let mut credentials = Credentials { version, ..Credentials::default() };
        for SealedField { field, key_version, nonce, ciphertext } in sealed {
            let value =
                self.vault.open(integration, &field, &Sealed { key_version, nonce, ciphertext }).map_err(failed)?;
            credentials.fields.insert(field, value);
        }
        Ok(credentials)
    }

    async fn save(
        &self,
        integration: IntegrationId,
        expected_version: i64,
        changes: &[(String, SecretString)],
    ) -> Result<bool, StoreError> {
        let sealed = self.seal(integration, changes).map_err(failed)?;
        self.store.put_credentials(integration, Some(expected_version), &sealed).await.map_err(failed)
    }

    async fn begin_refresh(&self, integration: IntegrationId, ttl: Duration) -> Result<bool, StoreError> {
        self.store.begin_refresh(integration, ttl).await.map_err(failed)
    }

    async fn end_refresh(&self, integration: IntegrationId) -> Result<(), StoreError> {
        self.store.end_refresh(integration).await.map_err(failed)
    }
}

#[async_trait]
impl PauseStore for Keeper {
    async fn pause(&self, integration: IntegrationId, lasts: Duration) {
        if let Err(error) = self.store.pause(integration, lasts).await {
            tracing::warn!(integration.id = integration.0, error = %chain(&error), "could not keep a provider's pause");
        }
    }

    async fn pause_left(&self, integration: IntegrationId) -> Option<Duration> {
        self.store.pause_left(integration).await.unwrap_or_else(|error| {
            tracing::warn!(integration.id = integration.0, error = %chain(&error), "could not read a provider's pause");
            None
        })
    }
}
