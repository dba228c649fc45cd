//! Credentials at rest and in text: sealing them for the database, and taking them out of whatever is printed.
//!
//! Nothing here reads the database or the network. A plaintext leaves [`Vault::open`] only inside a
//! [`secrecy::SecretString`], whose `Debug` shows nothing.

mod key;
mod redact;
mod vault;

pub use key::{KeyError, VaultKey};
pub use redact::{MASK, Redacted, Redactor};
pub use vault::{Sealed, Vault, VaultError};
