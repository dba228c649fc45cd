//! Connectors and fakes together, over real sockets: what a connector lands is compared with the truth.
//!
//! The connectors run natively, the JavaScript ones in Node.js, the Python ones in Python, so nothing of the host is needed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bridge;
mod freshdesk;
mod pipedrive;
mod reader;
mod zendesk;
