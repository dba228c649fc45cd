//! Keys of the vault; those that protect nothing are refused. The configuration reads them (`config/secret.rs`).

use secrecy::zeroize::Zeroize as _;

/// Bytes of an AES-256 key.
pub(super) const KEY_BYTES: usize = 32;

/// A key made of fewer different byte values is a pattern, not randomness: 32 random bytes hold about 30.
const MIN_DISTINCT_BYTES: usize = 16;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// 32 bytes that anybody could guess.
    #[error("the encryption key is weak (few different bytes); make one with `openssl rand -hex 32`")]
    Weak,
}

/// One key of the vault. Its bytes are wiped when it goes.
pub struct VaultKey {
    version: i64,
    bytes: [u8; KEY_BYTES],
}

impl VaultKey {
    /// Takes a key as bytes.
    ///
    /// # Errors
    /// If the bytes are a pattern.
    pub fn from_bytes(version: i64, bytes: [u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let mut seen = [false; 256];
        for byte in bytes {
            if let Some(flag) = seen.get_mut(usize::from(byte)) {
                *flag = true;
            }
        }
        let key = Self { version, bytes };
        if seen.iter().filter(|flag| **flag).count() < MIN_DISTINCT_BYTES { Err(KeyError::Weak) } else { Ok(key) }
    }

    /// Makes a random key.
    #[cfg(test)]
    pub(super) fn generate(version: i64) -> Self {
        Self { version, bytes: rand::random() }
    }

    /// The version that is stored beside what the key sealed.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl Drop for VaultKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaultKey(version {})", self.version)
    }
}
