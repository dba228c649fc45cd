//! Proving one variant of the broken connector.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;
use syncline::connector::{Connector, Engine, EngineOptions};
use syncline::egress::{EgressConfig, RequestBudget};
use syncline::kit::aim;
use syncline::kit::cassette::Cassette;
use syncline::kit::conform::report::{Finding, Report, Result};
use syncline::kit::conform::{self, Subject};
use syncline::kit::control::Control;
use url::Url;

use super::guest;
use super::provider::{Order, birch};
use super::scroll;

/// One engine for all of them.
fn engine() -> &'static Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default()).unwrap())
}

/// Proves the connector with a sin, or without one if its name is empty.
pub(super) async fn prove(sin: &str, order: Order) -> Report {
    let provider = birch(order).await;
    // No provider that is described loses anything when a reading is killed.
    let origin =
        if sin == "killed" { scroll::start(provider.origin().clone()).await } else { provider.origin().clone() };
    let control = Control::open(provider.origin().as_str(), None).await.unwrap();
    // Not where it stands by itself, and out of the way of all records.
    control.turn(json!({ "result_cap": 1_000_000 })).await.unwrap();
    let before = control.status().await.unwrap().knobs;
    let mut subject = subject(sin, &origin).await;
    subject.control = Some(control);
    let report = conform::prove(&subject, &mut |_| {}).await.unwrap();
    let after = subject.control.unwrap().status().await.unwrap().knobs;
    assert_eq!(after, before, "the suite leaves the provider's knobs as they were");
    provider.stop().await;
    report
}

/// Proves the connector on cassettes alone.
pub(super) async fn prove_on(cassettes: Vec<Cassette>) -> Report {
    // Nothing is asked there.
    let nowhere = Url::parse("http://127.0.0.1:9").unwrap();
    let mut subject = subject("", &nowhere).await;
    subject.cassettes = cassettes;
    conform::prove(&subject, &mut |_| {}).await.unwrap()
}

async fn subject(sin: &str, origin: &Url) -> Subject {
    let connector = Connector::load(engine(), guest::broken(sin)).await.unwrap();
    let config = json!({});
    let mut egress = aim::at(EgressConfig::default(), &connector.manifest, &config, origin).unwrap();
    egress.limits.max_inline_wait = Duration::ZERO;
    Subject {
        connector,
        config,
        auth: "token".to_owned(),
        secrets: BTreeMap::from([("token".to_owned(), "birch-token".into())]),
        objects: Vec::new(),
        page_size: 5,
        budget: RequestBudget { per_page: 20, per_run: 100_000, in_flight: 4 },
        egress,
        control: None,
        index_lag_ms: 30_000,
        cassettes: Vec::new(),
    }
}

/// The names of the checks with this result.
pub(super) fn names(report: &Report, result: Result) -> Vec<&'static str> {
    let with = |finding: &&Finding| finding.result == result;
    report.findings.iter().filter(with).map(|finding| finding.name).collect()
}
