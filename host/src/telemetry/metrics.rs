//! The metrics: names, help texts and the recorder that renders them for Prometheus.
//!
//! Counters end in `_total`, durations are in seconds, sizes in bytes. Labels are bounded: connectors, outcomes,
//! reasons; never a customer or an object.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics {
    ($($kind:ident $constant:ident = $name:literal, $unit:ident, $help:literal;)+) => {
        $(#[doc = concat!($help, ".")] pub const $constant: &str = $name;)+

        const ALL: &[(Kind, &str, Unit, &str)] = &[$((Kind::$kind, $name, Unit::$unit, $help)),+];
    };
}

metrics! {
    Gauge BUILD_INFO = "syncline_build_info", Count, "Always 1; the labels say which build runs";
    Counter DISPATCH = "syncline_dispatch_total", Count, "Dispatch attempts, by `result`";
    Histogram DISPATCH_LAG = "syncline_dispatch_lag_seconds", Seconds, "From due to claimed";
    Counter RUNS = "syncline_runs_total", Count, "Ended runs, by `connector`, `outcome` and `error_class`";
    Histogram RUN_DURATION = "syncline_run_duration_seconds", Seconds, "From claim to end, by `connector` and `phase`";
    Counter PAGES = "syncline_pages_total", Count, "Committed pages, by `connector`";
    Counter RECORDS_FETCHED = "syncline_records_fetched_total", Count, "Records in committed pages, by `connector`";
    Counter RECORDS_LANDED = "syncline_records_landed_total", Count, "Records landed, by `op`";
    Counter RECORDS_REJECTED = "syncline_records_rejected_total", Count, "Records refused, by `reason`";
    Histogram FRESHNESS = "syncline_freshness_seconds", Seconds, "Age of objects' last success at its renewal";
    Gauge OBJECTS = "syncline_objects", Count, "Integration objects, by `health`";
    Gauge QUARANTINED_OBJECTS = "syncline_quarantined_objects", Count, "Objects that took hosts down and wait for a person";
    Gauge QUEUE_DEPTH = "syncline_queue_depth", Count, "Messages in a queue, by `queue` and `state`";
    Gauge QUEUE_OLDEST_AGE = "syncline_queue_oldest_age_seconds", Seconds, "Age of the oldest message, by `queue`";
    Gauge UNLANDED = "syncline_unlanded_bytes", Bytes, "Fetched and not yet landed";
    Counter LEASE_LOST = "syncline_lease_lost_total", Count, "Runs that found their lease gone";
    Counter FENCED_WRITES = "syncline_fenced_writes_total", Count, "Writes refused because another worker owns the object";
    Counter RECLAIMS = "syncline_reclaims_total", Count, "Runs taken over from hosts that died";
    Counter HTTP_REQUESTS = "syncline_http_requests_total", Count, "Requests to providers, by `connector` and `status_class`";
    Histogram HTTP_REQUEST_DURATION = "syncline_http_request_duration_seconds", Seconds, "Requests to providers, by `connector`";
    Histogram RATE_LIMIT_WAIT = "syncline_rate_limit_wait_seconds", Seconds, "Waiting for a request's turn, by `connector`";
    Counter EGRESS_DENIED = "syncline_egress_denied_total", Count, "Requests refused by the policy, by `reason`";
    Counter BREAKER_OPENED = "syncline_breaker_opened_total", Count, "Hosts left alone because they kept failing, by `connector`";
    Histogram GUEST_CPU = "syncline_guest_cpu_seconds", Seconds, "Processor time of connector calls, by `connector`";
    Histogram GUEST_MEMORY_PEAK = "syncline_guest_memory_peak_bytes", Bytes, "Most memory of an instance, by `connector`";
    Counter GUEST_TRAPS = "syncline_guest_traps_total", Count, "Connector calls stopped by a fault, by `kind`";
    Histogram COMPONENT_COMPILE = "syncline_component_compile_seconds", Seconds, "Compiling a connector";
    Counter DB_RETRIES = "syncline_db_tx_retries_total", Count, "Transactions repeated, by `sqlstate`";
    Counter PANICS = "syncline_panics_total", Count, "Faults of the host itself, by `part`";
    Gauge CLOCK_DRIFT = "syncline_clock_drift_seconds", Seconds, "How far the database's clock is ahead of this host's";
}

/// Buckets of durations: a millisecond to an hour.
const SECONDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0];

/// Buckets of sizes: 64 KiB to 1 GiB.
const BYTES: [f64; 8] =
    [65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0, 268_435_456.0, 1_073_741_824.0];

/// How often what was recorded is sorted into its buckets.
const TIDY: Duration = Duration::from_secs(5);

/// The metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A bucket list is refused.
    #[error("setting up metrics")]
    Build(#[from] BuildError),
    /// There is a recorder already in this process.
    #[error("metrics are set up already")]
    AlreadySetUp,
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// All metrics, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Sorts recorded durations into their buckets every few seconds, until `stop`: where nobody asks for the metrics, they
    /// would pile up.
    pub async fn tidy(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.0.run_upkeep();
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(TIDY) => {}
            }
        }
    }
}

/// Makes this process record metrics.
///
/// # Errors
/// [`MetricsError`] on a second call.
pub fn install() -> Result<Metrics, MetricsError> {
    let recorder = recorder()?;
    let handle = Metrics(recorder.handle());
    metrics::set_global_recorder(recorder).map_err(|_| MetricsError::AlreadySetUp)?;
    describe();
    Ok(handle)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)?;
    Ok(builder.build_recorder())
}

fn describe() {
    for (kind, name, unit, help) in ALL {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *help),
            Kind::Gauge => describe_gauge!(*name, *unit, *help),
            Kind::Histogram => describe_histogram!(*name, *unit, *help),
        }
    }
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_rendered_with_its_help() {
        let recorder = recorder().unwrap();
        let handle = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::counter!(RUNS, "connector" => "acme", "outcome" => "succeeded").increment(2);
            metrics::histogram!(DISPATCH_LAG).record(0.3);
        });
        let text = handle.render();
        assert!(text.contains(concat!("syncline_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")), "{text}");
        assert!(text.contains("syncline_runs_total{connector=\"acme\",outcome=\"succeeded\"} 2"), "{text}");
        assert!(text.contains("syncline_dispatch_lag_seconds_bucket{le=\"0.5\"} 1"), "{text}");
        assert!(text.contains("# HELP syncline_dispatch_lag_seconds From due to claimed"), "{text}");
    }

    #[test]
    fn names_follow_the_conventions() {
        for (kind, name, unit, help) in ALL {
            assert!(name.starts_with("syncline_") && !help.ends_with('.'), "{name}");
            assert_eq!(matches!(kind, Kind::Counter), name.ends_with("_total"), "{name}");
            assert_eq!(*unit == Unit::Seconds, name.ends_with("_seconds"), "{name}");
            assert_eq!(*unit == Unit::Bytes, name.ends_with("_bytes"), "{name}");
        }
    }
}
