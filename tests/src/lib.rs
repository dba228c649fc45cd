//! What the tests of Syncline stand on: providers that behave like the real ones, traps included.
//!
//! Nothing here is part of the product. The fakes are ordinary HTTP servers, so the host and its connectors are
//! tested through the same sockets they use in production.

#![allow(clippy::doc_markdown, reason = "HubSpot is a name, not code")]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test may fail"
    )
)]

pub mod fakes;
pub mod rig;
