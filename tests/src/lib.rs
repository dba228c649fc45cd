//! What the tests of Syncline stand on: a whole Syncline on one machine, against providers that behave like the real
//! ones. Nothing here is part of the product.

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

pub mod canary;
pub mod chaos;
pub mod proxy;
pub mod queue;
pub mod rig;

pub use syncline_fakes as fakes;
