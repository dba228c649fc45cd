//! Connectors: WebAssembly components that read a provider, run in a sandbox that can compute and ask for HTTP, nothing
//! else.
//!
//! One [`Engine`] per process compiles and runs. The [`Catalog`] finds components in a folder, refuses what breaks the
//! contract, keeps every accepted component by its digest and hands out [`Connector`]s. A [`Connector`] answers
//! `check`, `discover` and `fetch`; every call gets a fresh store, so that nothing survives a call but the cursor.
//!
//! What this module guarantees, whatever a component does:
//! - a fault ends that call only, as a typed [`CallError`](crate::domain::CallError); no neighbour notices;
//! - CPU, memory, wall time, output and log of a call are bounded by [`CallLimits`];
//! - no version of the contract, and no type of the runtime, is visible outside.

mod budget;
mod call;
mod catalog;
mod contract;
mod engine;
mod error;
mod fault;
mod inspect;
mod load;
mod log;
mod manifest;
mod moment;
mod pipe;
#[cfg(test)]
mod reference;
mod rows;
mod shelf;
mod state;
mod text;
mod wasi_http;
mod world;

#[cfg(test)]
mod tests;

pub use budget::CallLimits;
pub use call::{CallContext, CallReport};
pub use catalog::{Catalog, Pin, ScanReport};
pub use engine::{Engine, EngineOptions};
pub use error::{EngineError, LoadError, ResolveError};
pub use inspect::{Inspection, inspect};
pub use load::Connector;
pub use log::{GuestLog, LogLevel, LogLine, Redactor};
pub use moment::Moment;
#[cfg(any(test, fuzzing))]
pub(crate) use rows::fuzz;
pub(crate) use text::clean;
