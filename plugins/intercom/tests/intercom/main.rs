//! The connector against a small Intercom in memory that has the real one's traps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod companies;
mod contacts;
mod conversations;
mod details;
mod host;
mod lists;
mod live;
mod mini;
mod whole;
mod world;
