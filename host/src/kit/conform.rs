//! The conformance suite: proves a connector, whatever language it is written in, without an account.
//!
//! It reads once, live from a synthetic provider or from a cassette, and keeps what passed the egress gate. Everything
//! that asks "and if?" is then replayed from there, with a clock that stands still, through the gate that hosts use:
//! the same page again, a kill at every request, a fault in the place of every answer. Only what is about change over
//! time, [`paging`], is asked of the provider itself and compared with its truth.
//!
//! A check judges one promise; [`checks`] lists them by their codes.

mod baseline;
pub mod checks;
mod contract;
mod faults;
mod honesty;
mod limits;
mod mutate;
mod paging;
#[cfg(test)]
mod reference;
pub mod report;
mod resume;
mod stage;
mod sync;
mod wires;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value as Json;

use super::cassette::{Cassette, Function};
use super::control::{Control, ControlError};
use crate::connector::Connector;
use crate::egress::{EgressConfig, GateError, OpenError, RequestBudget};
use baseline::Truths;
use report::{Failure, Report, Tally};
use stage::Stage;

/// What is to be proved.
pub struct Subject {
    /// The connector.
    pub connector: Arc<Connector>,
    /// Its configuration: a JSON object, valid by its schema.
    pub config: Json,
    /// Name of the auth scheme; empty if none.
    pub auth: String,
    /// Credentials for the synthetic provider.
    pub secrets: BTreeMap<String, SecretString>,
    /// Objects to look at; all that `discover` lists if empty.
    pub objects: Vec<String>,
    /// Records in a page: few, so that there are many pages.
    pub page_size: u32,
    /// Requests that a page and a run may make.
    pub budget: RequestBudget,
    /// How the gate to the synthetic provider is set.
    pub egress: EgressConfig,
    /// The synthetic provider, if there is one.
    pub control: Option<Control>,
    /// How late the provider may show a change, in milliseconds: what the connector promises to cope with.
    pub index_lag_ms: u64,
    /// Recordings to replay. With a synthetic provider they are replayed too.
    pub cassettes: Vec<Cassette>,
}

/// Why nothing could be proved.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// There is nothing to read from.
    #[error("there is nothing to test against: no synthetic provider and no cassette")]
    Nothing,
    /// The connection does not fit the connector.
    #[error("the connection does not fit the connector")]
    Open(#[from] OpenError),
    /// The gate does not open.
    #[error("the egress gate does not open")]
    Gate(#[from] GateError),
    /// The synthetic provider fails.
    #[error("the synthetic provider fails")]
    Control(#[from] ControlError),
    /// An object that is to be tested does not exist.
    #[error("`discover` lists no object {name:?}; it lists {known}")]
    UnknownObject {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Proves a connector. `tell` hears what is looked at next.
///
/// # Errors
/// [`ConformError`] where the suite cannot work; what the connector does wrong is in the report.
pub async fn prove(subject: &Subject, tell: &mut (dyn FnMut(&str) + Send)) -> Result<Report, ConformError> {
    let began = std::time::Instant::now();
    let mut tally = Tally::default();
    let stage = Stage::new(subject).await?;

    tell("the manifest");
    contract::manifest(&stage, &mut tally).await;

    let mut sources = Vec::new();
    if let Some(control) = &subject.control {
        tell("reading from the synthetic provider");
        let (recorded, truths) = baseline::record(&stage, control, &mut tally, tell).await?;
        sources.push((Arc::new(recorded), truths));
    }
    sources.extend(subject.cassettes.iter().map(|cassette| (Arc::new(cassette.clone()), Truths::new())));
    if sources.is_empty() {
        return Err(ConformError::Nothing);
    }
    let (mut control, mut read) = (subject.control.as_ref(), 0);
    for (cassette, mut truths) in sources {
        let stage = stage.for_cassette(&cassette);
        contract::calls(&stage, &cassette, &mut tally).await;
        let objects = baseline::objects(&stage, &cassette, &subject.objects, &mut truths).await;
        read += objects.len();
        for baseline in &objects {
            let object = baseline.object.name.as_str();
            tell(&format!("{object}: {} pages, {} requests", baseline.pages.len(), baseline.requests()));
            contract::pages(baseline, &mut tally);
            contract::strangers(&stage, baseline, &mut tally).await;
            honesty::judge(baseline, &mut tally);
            resume::judge(&stage, baseline, &mut tally).await;
            faults::judge(&stage, baseline, &mut tally).await;
            limits::judge(&stage, baseline, &mut tally).await;
        }
        // The first source is the provider itself. What the others tell must not keep anybody from looking at it.
        if let Some(control) = control.take() {
            paging::judge(&stage, control, &mut tally, tell).await?;
        }
    }
    if read == 0 && !tally.failed(checks::OBJECTS_FETCHABLE, "") {
        let why = "no object was read: `discover` lists none, or no cassette holds a page of one";
        tally.case(checks::OBJECTS_FETCHABLE, "", Err(Failure::new(why)));
    }
    Ok(tally.report(&subject.connector, began.elapsed()))
}

/// The calls of an object in a cassette, in order.
fn calls_of<'c>(cassette: &'c Cassette, object: &'c str) -> impl Iterator<Item = (usize, &'c super::cassette::Call)> {
    let calls = cassette.calls.iter().enumerate();
    calls.filter(move |(_, call)| call.call == Function::Fetch && call.object.as_deref() == Some(object))
}
