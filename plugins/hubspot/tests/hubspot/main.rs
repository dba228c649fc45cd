//! The connector against a small HubSpot in memory that has the real one's traps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod deletes;
mod full;
mod mini;
mod owners;
mod windows;
