//! What connector authors work with: recording and replaying what passes the egress gate, proving a connector, making
//! and building one.
//!
//! Everything here runs connectors through the same engine and the same gate as a host at work; only what lies behind
//! the gate differs: a cassette, a fault, a provider that is made up. Needs no store, no queue and no account.

pub mod aim;
pub mod build;
pub mod cassette;
pub mod conform;
pub mod contract;
pub mod control;
pub mod line;
pub mod new;
pub mod project;
pub mod reading;
pub mod recording;
pub mod singer;
pub mod synthetic;
pub mod truth;
