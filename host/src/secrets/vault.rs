//! Sealing credentials with AES-256-GCM.
//!
//! Every sealed value is bound to its integration, its field and the version of its key: a ciphertext copied into
//! another row does not open. New values are sealed with the highest key version; older keys only open.

use std::collections::BTreeMap;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, Generate as _, KeyInit as _, Nonce, Payload};
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::key::VaultKey;
use crate::domain::IntegrationId;

/// A credential field as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key sealed it.
    pub key_version: i64,
    /// 12 random bytes, never used twice.
    pub nonce: Vec<u8>,
    /// The encrypted text and its 16 byte tag.
    pub ciphertext: Vec<u8>,
}

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Two different keys claim one version.
    #[error("the encryption key of version {0} is given twice")]
    DuplicateKey(i64),
    /// The key that sealed a value is not configured any more.
    #[error(
        "field {field:?} of integration {integration} needs encryption key version {version}, which is not configured"
    )]
    UnknownKey {
        /// Whose credential.
        integration: IntegrationId,
        /// Which field.
        field: String,
        /// The missing key.
        version: i64,
    },
    /// Wrong key, changed bytes, or a value that belongs to another row.
    #[error(
        "field {field:?} of integration {integration} does not open: wrong encryption key, or not the value sealed for it"
    )]
    Refused {
        /// Whose credential.
        integration: IntegrationId,
        /// Which field.
        field: String,
    },
    /// Longer than the cipher takes.
    #[error("the value of field {0:?} cannot be sealed")]
    Seal(String),
}

/// Seals and opens credentials.
pub struct Vault {
    keys: BTreeMap<i64, Aes256Gcm>,
    current: i64,
}

impl Vault {
    /// A vault that seals with this key.
    #[must_use]
    pub fn new(key: &VaultKey) -> Self {
        Self { keys: BTreeMap::from([(key.version(), Aes256Gcm::new(&(*key.bytes()).into()))]), current: key.version() }
    }

    /// Adds a key; the highest version seals, all of them open.
    ///
    /// # Errors
    /// If the version is taken.
    pub fn with_key(mut self, key: &VaultKey) -> Result<Self, VaultError> {
        if self.keys.insert(key.version(), Aes256Gcm::new(&(*key.bytes()).into())).is_some() {
            return Err(VaultError::DuplicateKey(key.version()));
        }
        self.current = self.current.max(key.version());
        Ok(self)
    }

    /// The version that new values are sealed with; rows with a lower one are due for rotation.
    #[must_use]
    pub const fn current_version(&self) -> i64 {
        self.current
    }

    /// Seals one field of an integration's credentials.
    ///
    /// # Errors
    /// If the value is longer than the cipher takes (64 GiB).
    pub fn seal(
        &self,
        integration: IntegrationId,
        field: &str,
        plaintext: &SecretString,
    ) -> Result<Sealed, VaultError> {
        let failed = || VaultError::Seal(field.to_owned());
        let cipher = self.keys.get(&self.current).ok_or_else(failed)?;
        let nonce = Nonce::<Aes256Gcm>::generate();
        let bound = bound_to(integration, field, self.current);
        let payload = Payload { msg: plaintext.expose_secret().as_bytes(), aad: bound.as_bytes() };
        let ciphertext = cipher.encrypt(&nonce, payload).map_err(|_| failed())?;
        Ok(Sealed { key_version: self.current, nonce: nonce.to_vec(), ciphertext })
    }

    /// Opens one field.
    ///
    /// # Errors
    /// If the key is not configured, or the value was not sealed for this integration and field.
    pub fn open(&self, integration: IntegrationId, field: &str, sealed: &Sealed) -> Result<SecretString, VaultError> {
        let refused = || VaultError::Refused { integration, field: field.to_owned() };
        let cipher = self.keys.get(&sealed.key_version).ok_or_else(|| VaultError::UnknownKey {
            integration,
            field: field.to_owned(),
            version: sealed.key_version,
        })?;
        let nonce = <[u8; 12]>::try_from(sealed.nonce.as_slice()).map_err(|_| refused())?;
        let bound = bound_to(integration, field, sealed.key_version);
        let payload = Payload { msg: &sealed.ciphertext, aad: bound.as_bytes() };
        let plaintext = cipher.decrypt(&nonce.into(), payload).map_err(|_| refused())?;
        match String::from_utf8(plaintext) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(refused())
            }
        }
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault(key versions {:?})", self.keys.keys().collect::<Vec<_>>())
    }
}

/// The associated data. The field comes last because it is the only part of free form.
fn bound_to(integration: IntegrationId, field: &str, key_version: i64) -> String {
    format!("syncline credential|{integration}|{key_version}|{field}")
}

#[cfg(test)]
mod tests {
    use super::super::key::KeyError;
    use super::*;

    const ONE: IntegrationId = IntegrationId(1);
    const TWO: IntegrationId = IntegrationId(2);

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn what_is_sealed_opens_again_and_never_looks_the_same() {
        let vault = Vault::new(&VaultKey::generate(1));
        let first = vault.seal(ONE, "token", &secret("s3cret")).unwrap();
        let second = vault.seal(ONE, "token", &secret("s3cret")).unwrap();
        assert_eq!(vault.open(ONE, "token", &first).unwrap().expose_secret(), "s3cret");
        assert_ne!(first.ciphertext, second.ciphertext);
        assert_ne!(first.nonce, second.nonce);
    }

    #[test]
    fn a_value_moved_to_another_row_does_not_open() {
        let vault = Vault::new(&VaultKey::generate(1)).with_key(&VaultKey::generate(2)).unwrap();
        let sealed = vault.seal(ONE, "token", &secret("s3cret")).unwrap();
        assert!(matches!(vault.open(TWO, "token", &sealed), Err(VaultError::Refused { .. })));
        assert!(matches!(vault.open(ONE, "key", &sealed), Err(VaultError::Refused { .. })));
        let older = Sealed { key_version: 1, ..sealed.clone() };
        assert!(matches!(vault.open(ONE, "token", &older), Err(VaultError::Refused { .. })));
        let mut changed = sealed;
        changed.ciphertext[0] ^= 1;
        assert!(matches!(vault.open(ONE, "token", &changed), Err(VaultError::Refused { .. })));
    }

    #[test]
    fn an_integration_and_a_field_cannot_be_shifted_into_each_other() {
        assert_ne!(bound_to(IntegrationId(1), "2|x", 3), bound_to(IntegrationId(1), "x", 32));
        let vault = Vault::new(&VaultKey::generate(1));
        let sealed = vault.seal(ONE, "1|token", &secret("x")).unwrap();
        assert!(vault.open(ONE, "token", &sealed).is_err());
    }

    #[test]
    fn the_highest_version_seals_and_older_ones_still_open() {
        let (old, new) = (VaultKey::generate(1), VaultKey::generate(2));
        let sealed = Vault::new(&old).seal(ONE, "token", &secret("old")).unwrap();
        let vault = Vault::new(&new).with_key(&old).unwrap();
        assert_eq!(vault.current_version(), 2);
        assert_eq!(vault.open(ONE, "token", &sealed).unwrap().expose_secret(), "old");
        assert_eq!(vault.seal(ONE, "token", &secret("new")).unwrap().key_version, 2);
        let error = Vault::new(&new).open(ONE, "token", &sealed).unwrap_err();
        assert!(error.to_string().contains("key version 1"), "{error}");
    }

    #[test]
    fn weak_keys_are_refused() {
        let pattern: [u8; 32] = std::array::from_fn(|index| (index % 8) as u8);
        assert!(matches!(VaultKey::from_bytes(1, pattern), Err(KeyError::Weak)));
        assert!(matches!(VaultKey::from_bytes(1, [0; 32]), Err(KeyError::Weak)));
        assert!(VaultKey::from_bytes(1, std::array::from_fn(|index| (index * 37 + 11) as u8)).is_ok());
    }
}
