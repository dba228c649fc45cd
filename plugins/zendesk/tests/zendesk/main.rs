//! The connector against a small Zendesk in memory that has the real one's traps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod crowds;
mod describe;
mod exports;
mod lists;
mod mini;
mod since;
