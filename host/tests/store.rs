//! What the store promises, written once and run against both databases. `cargo xtask test` starts the Postgres server;
//! every case has a database or schema of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::doc_markdown,
    reason = "a test may fail"
)]

#[path = "store/support.rs"]
#[macro_use]
mod support;

mod store {
    mod claims;
    mod connections;
    mod credentials;
    mod dispatch;
    mod fences;
    mod intervals;
    mod landing;
    mod listings;
    mod outbox;
    mod outcomes;
    mod pauses;
    mod properties;
    mod recordings;
    mod recovery;
    mod retention;
    mod schema;
    mod slow;
    mod storm;
    mod sweeps;
    mod turns;
}
