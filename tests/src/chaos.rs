//! Hosts are killed, held up and drained while the providers' data changes, and afterwards nothing may be missing, stale or
//! doubled. What the crash tests, `cargo xtask chaos` and `cargo xtask soak` stand on.

pub mod checker;
pub mod dice;
pub mod fetches;
pub mod history;
pub mod invariants;
pub mod places;
pub mod soak;
pub mod storm;
