//! Every check has a sin that it finds, and that no other check takes offence at.

use std::sync::Mutex;

use syncline::kit::conform::checks::{self, Check};
use syncline::kit::conform::report::{Report, Result};

use super::provider::Order;
use super::trial::{names, prove};

/// Variants that are proved at once.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_without_a_sin_holds_every_promise() {
    for order in [Order::Stamps, Order::Ids] {
        let report = prove("", order).await;
        assert!(report.is_green(), "{}", report.to_text());
        assert_eq!(names(&report, Result::Skipped), [""; 0], "{}", report.to_text());
        let looked_at = names(&report, Result::Passed);
        let missing: Vec<_> =
            checks::ALL.iter().map(|check| check.name).filter(|name| !looked_at.contains(name)).collect();
        assert_eq!(missing, [""; 0], "nothing was said of these");
    }
}

#[test]
fn each_sin_fails_its_own_check_and_no_other() {
    let waiting = Mutex::new(checks::ALL.iter().copied().filter(asked_for));
    let next = || waiting.lock().unwrap().next();
    let reports: Mutex<Vec<(&Check, Report)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(check) = next() {
                    let report = runtime.block_on(prove(check.name, order(check)));
                    reports.lock().unwrap().push((check, report));
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap();
    let mut wrong: Vec<String> = reports
        .iter()
        .filter(|(check, report)| names(report, Result::Failed) != [check.name])
        .map(|(check, report)| match names(report, Result::Failed).as_slice() {
            [] => format!("{} {}: nobody found it; is there such a sin?\n", check.code, check.name),
            failed => format!("{} {}: told as {failed:?}\n{}", check.code, check.name, report.to_text()),
        })
        .collect();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The list in which the sin shows.
fn order(check: &Check) -> Order {
    // Where the list is in order of change, what changes meanwhile is met again at its end.
    if check == checks::CHANGING { Order::Ids } else { Order::Stamps }
}

/// All of them, or those that whoever looks into one has named: `SINS=more-lie,killed`.
fn asked_for(check: &&Check) -> bool {
    std::env::var("SINS").map_or(true, |names| names.split(',').any(|name| name == check.name))
}
