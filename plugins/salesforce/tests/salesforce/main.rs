//! The connector against a small Salesforce in memory: what lands is compared with what the org holds.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod account;
mod answers;
mod export;
mod org;
mod pass;
mod random;
mod select;
mod serve;
