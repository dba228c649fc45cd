//! Every check has a sin that it finds, and that no other check takes offence at.

use std::sync::Mutex;

use syncline::kit::conform::checks;
use syncline::kit::conform::report::{Report, Result};

use super::provider::Order;
use super::trial::{names, prove};

/// Variants that are proved at once.
const AT_ONCE: usize = 4;

/// Mistakes that show everywhere, and where they are told.
const EVERYWHERE: [(&str, &[&str]); 4] = [
    ("no-discover", &["objects-fetchable"]),
    ("one-page", &["objects-fetchable"]),
    ("another-host", &["hosts-declared"]),
    // Whoever asks the host's clock is not the same elsewhere, and wrong where that clock is.
    ("own-clock", &["page-boundary", "clock-skew"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_without_a_sin_holds_every_promise() {
    for order in [Order::Stamps, Order::Ids] {
        let report = prove("", order).await;
        assert!(report.is_green(), "{}", report.to_text());
        assert_eq!(names(&report, Result::Skipped), [""; 0], "{}", report.to_text());
        let passed = names(&report, Result::Passed);
        let all = checks::ALL.iter().map(|check| check.name);
        assert_eq!(all.filter(|name| !passed.contains(name)).collect::<Vec<_>>(), [""; 0], "nothing is said of these");
    }
}

#[test]
fn each_sin_fails_its_own_check_and_no_other() {
    are_told(checks::ALL.iter().map(|check| (check.name, vec![check.name])));
}

#[test]
fn a_mistake_that_shows_everywhere_is_told_where_it_is_made() {
    are_told(EVERYWHERE.iter().map(|(sin, checks)| (*sin, checks.to_vec())));
}

/// Proves the connector with each of these sins, and compares the names of the checks that fail with these.
fn are_told(sins: impl Iterator<Item = (&'static str, Vec<&'static str>)> + Send) {
    let waiting = Mutex::new(sins.filter(|(sin, _)| asked_for(sin)));
    let next = || waiting.lock().unwrap().next();
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some((sin, wanted)) = next() {
                    let report = runtime.block_on(prove(sin, order(sin)));
                    wrong.lock().unwrap().extend(complaint(sin, &wanted, &report));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaint(sin: &str, wanted: &[&str], report: &Report) -> Option<String> {
    let failed = names(report, Result::Failed);
    match failed.as_slice() {
        failed if failed == wanted => None,
        [] => Some(format!("{sin}: nobody found it; does the connector know that sin?")),
        failed => Some(format!("{sin}: told as {failed:?} and not as {wanted:?}\n{}", report.to_text())),
    }
}

/// The list in which the sin shows.
fn order(sin: &str) -> Order {
    // Where the list is in order of change, what changes meanwhile is met again at its end.
    if sin == "changing-while-paging" { Order::Ids } else { Order::Stamps }
}

/// All of them, or those that whoever looks into one has named: `SINS=more-lie,killed`.
fn asked_for(sin: &str) -> bool {
    std::env::var("SINS").map_or(true, |names| names.split(',').any(|name| name == sin))
}
