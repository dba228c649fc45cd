//! Whether this host's clock and the database's agree. Nothing is decided by a host's clock (invariant 9), but people read its
//! log lines, and providers judge what it signs.

use std::time::{Duration, Instant};

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use crate::domain::chain;
use crate::store::Store;

/// How often the clocks are compared: one small question.
const LOOK: Duration = Duration::from_secs(30);

/// How far they may be apart.
const TOLERATED: Duration = Duration::from_secs(5);

/// How long nothing more is said of it.
const QUIET: Duration = Duration::from_secs(60);

/// Compares the clocks until `stop`.
pub(super) async fn watch(store: Store, stop: CancellationToken) {
    let mut said = None;
    while !stop.is_cancelled() {
        compare(&store, now_ms, &mut said).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Compares once. `said` is when a drift was last told.
async fn compare(store: &Store, clock: impl Fn() -> i64, said: &mut Option<Instant>) {
    let asked = clock();
    let database = match store.now_ms().await {
        Ok(database) => database,
        Err(error) => return tracing::debug!(error = %chain(&error), "could not read the database's clock"),
    };
    let drift = drift_ms(asked, database, clock());
    gauge!("syncline_clock_drift_seconds").set(drift as f64 / 1_000.0);
    if u128::from(drift.unsigned_abs()) > TOLERATED.as_millis() && said.is_none_or(|at| at.elapsed() >= QUIET) {
        *said = Some(Instant::now());
        tracing::warn!(
            code = "clock-drift",
            drift_ms = drift,
            "the database's clock and this host's are apart: let both be set from the network"
        );
    }
}

/// How far the database's clock is ahead of ours, in milliseconds, at the least: it was read at some time between the
/// question and the answer, so a slow answer may hide a drift, and never makes one.
fn drift_ms(asked: i64, database: i64, answered: i64) -> i64 {
    if database > answered { database - answered } else { (database - asked).min(0) }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::store::StoreOptions;

    #[test]
    fn a_drift_is_what_the_time_of_the_question_does_not_explain() {
        for (asked, database, answered, drift) in [
            (1_000, 1_000, 1_000, 0),
            (1_000, 1_004, 1_010, 0),
            (1_000, 1_010, 1_010, 0),
            (1_000, 7_500, 1_500, 6_000),
            (1_000, 400, 9_000, -600),
            // Our own clock was put back meanwhile.
            (9_000, 8_000, 1_000, 7_000),
        ] {
            assert_eq!(drift_ms(asked, database, answered), drift, "{asked} {database} {answered}");
        }
    }

    #[test]
    fn a_drift_is_a_gauge_and_told_once_a_minute() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let gauge = || {
            let text = recorder.handle().render();
            let line = text.lines().find_map(|line| line.strip_prefix("syncline_clock_drift_seconds "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("syncline.db").display());
        let store = runtime.block_on(Store::open(&StoreOptions::new(url))).unwrap();
        let look = |clock: fn() -> i64, said: &mut Option<Instant>| {
            metrics::with_local_recorder(&recorder, || runtime.block_on(compare(&store, clock, said)));
        };

        let mut said = None;
        look(now_ms, &mut said);
        assert!(gauge().abs() < 0.5 && said.is_none(), "{}", gauge());
        look(|| now_ms() - 4_000, &mut said);
        assert!((3.0..4.5).contains(&gauge()) && said.is_none(), "{}", gauge());
        look(|| now_ms() + 600_000, &mut said);
        assert!((-600.5..-599.0).contains(&gauge()), "{}", gauge());
        let first = said.unwrap();
        look(|| now_ms() - 600_000, &mut said);
        assert_eq!(said, Some(first), "told twice within a minute");
        said = first.checked_sub(QUIET);
        look(|| now_ms() - 600_000, &mut said);
        assert!(said.unwrap() > first, "not told again");
    }
}
