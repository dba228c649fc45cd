//! What a failing run looks like to a person, to a program and to a build server.

use syncline::kit::cassette::har;
use syncline::kit::conform::report::{Report, Result};

use super::provider::Order;
use super::trial::{names, prove, prove_on};

/// What is the same in each run.
async fn report() -> Report {
    let mut report = prove("status-429-retry-after", Order::Stamps).await;
    report.digest = format!("sha256:{}", "0".repeat(64));
    report.seconds = 1.5;
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_run_is_told_to_people_programs_and_build_servers() {
    let report = report().await;
    insta::assert_snapshot!("text", report.to_text());
    insta::assert_snapshot!("junit", report.to_junit());
    let failed: Vec<_> = report.failed().collect();
    insta::assert_json_snapshot!("failed", failed);
    let mut whole = serde_json::to_value(&report).unwrap();
    whole["findings"] = whole["findings"].as_array().unwrap().len().into();
    insta::assert_json_snapshot!("whole", whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_which_no_object_is_read_is_not_green() {
    let imported = har::import(br#"{"log":{"entries":[]}}"#).unwrap();
    let report = prove_on(vec![imported]).await;
    assert_eq!(names(&report, Result::Failed), ["objects-fetchable"]);
}
