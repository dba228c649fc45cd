//! The SDK as a connector's author meets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cursors;
mod harness;
mod http;
mod times;
