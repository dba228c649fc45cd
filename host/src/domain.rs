//! The words of the product as types, and the decisions that need no I/O.
//!
//! Nothing in here reads a clock, a database or the network: times come in as arguments. Everything else in the crate
//! may depend on this module; it depends on nothing of ours.

pub mod batch;
pub mod chain;
pub mod http;
pub mod ids;
pub mod interaction;
pub mod manifest;
pub mod outcome;
pub mod portion;
pub mod progress;
pub mod schedule;

pub use chain::chain;
pub use ids::{BatchId, CustomerId, Digest, IntegrationId, ObjectId, RunId};
pub use interaction::{Cursor, Interaction, MAX_ID_BYTES, Page, RecordState, check_id};
pub use manifest::{AuthKind, AuthScheme, DeleteMode, Manifest, OAuth2, ObjectType, RateHint, SyncMode};
pub use outcome::{CallError, FaultKind, Outcome, ProviderError, classify};
pub use portion::Portion;
pub use progress::{Patience, Progress};
