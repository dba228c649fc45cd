//! Syncline, the connector host: decides what is due, dispatches it over a queue, runs the provider's connector as a
//! sandboxed WebAssembly component and lands what changed.
//!
//! Modules point one way only: [`domain`] (pure) <- `store`, `queue`, `connector`, `egress` (one outside thing each) <-
//! `schedule`, `retrieve`, `process` (the three stages) <- `app`, `cli`, `api`.

pub mod cli;
pub mod config;
pub mod domain;
pub mod queue;
pub mod telemetry;
