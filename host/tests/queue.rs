//! The doorbell on all its footings: the outbox as a queue on either database, and relayed to SQS. `cargo xtask test`
//! starts the servers.

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
#[expect(dead_code, reason = "the store's cases use the rest")]
mod support;

mod queue {
    mod delivery;
    mod footing;
    mod relay;
}
