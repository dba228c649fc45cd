//! The conformance suite against a connector that breaks one promise at a time: each is found by its own check, and by no
//! other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod conform {
    mod binary;
    mod guest;
    mod provider;
    mod reports;
    mod scroll;
    mod sins;
    mod trial;
}
