//! Fakes, so that `cargo test` runs a connector with no host, no account, no database and no network.
//!
//! [`MockHttp`] answers requests from a closure and remembers them; [`Harness`] calls the connector the way the host
//! does, page after page, and fails the test where a page breaks the contract.

mod fakes;
mod harness;
mod mock;

pub use fakes::{FixedClock, MemoryLog};
pub use harness::{Harness, Reading};
pub use mock::{MockHttp, Reply, json, text};
