//! Syncline, the connector host: decides what is due, dispatches it over a queue, runs the provider's connector as a
//! sandboxed WebAssembly component and lands what changed.
//!
//! Modules point one way only: [`domain`] (pure) <- `store`, `queue`, `connector`, `egress`, `secrets` (one outside thing
//! each) <- `schedule`, `retrieve`, `process` (the three stages) <- `api`, `app`, `cli`. Beside the
//! stages stands `kit`: what connector authors prove their work with. `supervise` is what a panic of ours runs into, `points`
//! are places that tests hold on to.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod connector;
pub mod domain;
pub mod egress;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod kit;
pub mod points;
pub mod process;
pub mod queue;
#[cfg(test)]
mod reference;
pub mod retrieve;
pub mod schedule;
pub mod secrets;
pub mod store;
mod supervise;
pub mod telemetry;
