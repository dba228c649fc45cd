//! The one way out of the sandbox: every request of every connector passes this gate.
//!
//! In order: the URL is parsed once (`target`); names are checked against what the connector declared and the operator
//! allows (`policy`, [`patterns`]); method, headers and body are checked (`prepare`, `headers`); budgets (`budget`),
//! pace and concurrency are applied (`pace`), hosts that keep failing are left alone (`breakers`); the credential is
//! added last (`inject`, from `credentials` kept fresh by `keyring` and `oauth`); the name is resolved, every address
//! that is not public is refused ([`address`]) and a checked address is dialled (`dial`, behind the seam of `wire`); the
//! body is read and decoded under caps (`body`); transient failures are repeated (`retry`) and redirects walked by hand
//! through all of it again (`redirect`).
//!
//! A connector sees no credential: not in a response, not in an error, not in a redirect. What an integration's
//! requests have in common across runs of this process (pace, pauses, breakers, tokens) is its lane (`lane`).

pub mod address;
mod body;
mod breaker;
mod breakers;
mod budget;
mod config;
mod credentials;
mod denial;
mod dial;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gate;
pub(crate) mod headers;
mod inject;
mod keyring;
mod lane;
mod oauth;
mod pace;
pub mod patterns;
mod policy;
pub(crate) mod prepare;
mod redirect;
mod retry;
mod session;
pub(crate) mod target;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

pub use budget::{RequestBudget, Stats};
pub use config::{EgressConfig, Limits};
pub use credentials::{CredentialStore, Credentials, MemoryCredentials, StoreError, field};
pub use denial::{Denial, Rule};
#[cfg(test)]
pub(crate) use dial::opened;
pub use dial::{Lookup, SystemLookup};
pub use gate::{Gate, GateError, OpenError, SessionSpec};
pub use pace::{MemoryPauses, PauseStore};
pub use session::Session;
pub use wire::{Errand, Exchange, Incoming, Outgoing, Tape, Wire, WireError};
