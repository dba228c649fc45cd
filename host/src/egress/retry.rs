//! When a request is repeated, and how soon. No I/O.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use http::{Method, StatusCode};

use super::config::Limits;

/// The longest wait before a retry that no provider asked for.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Waits before the retries of one request: full jitter, from nothing up to a bound that doubles each time.
pub(super) struct Delays(ExponentialBackoff);

impl Delays {
    pub(super) fn new(limits: &Limits) -> Self {
        let retries = limits.tries.saturating_sub(1) as usize;
        let bounds =
            ExponentialBuilder::new().with_factor(2.0).with_min_delay(limits.retry_base).with_max_delay(MAX_DELAY);
        Self(bounds.with_max_times(retries).build())
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let bound = self.0.next()?;
        Some(bound.mul_f64(rand::random::<f64>()))
    }
}

/// Whether repeating the request does no harm, as far as its method tells.
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS)
}

/// Whether a request that was answered so may be sent again.
pub(super) fn is_transient(status: StatusCode, idempotent: bool) -> bool {
    match status.as_u16() {
        // The provider says that it did nothing.
        429 | 503 => true,
        500 | 502 | 504 | 521..=524 => idempotent,
        _ => false,
    }
}

/// Keeps retries to a tenth of the traffic: ten requests earn one, and a few are there to begin with.
pub(super) struct RetryBudget {
    tenths: AtomicI64,
}

impl RetryBudget {
    const START: i64 = 50;
    const MOST: i64 = 100;
    const PRICE: i64 = 10;

    pub(super) const fn new() -> Self {
        Self { tenths: AtomicI64::new(Self::START) }
    }

    /// A request was made.
    pub(super) fn earn(&self) {
        let _ = self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |had| Some((had + 1).min(Self::MOST)));
    }

    /// Pays for a retry; `false` if there is nothing to pay with.
    pub(super) fn pay(&self) -> bool {
        let paid = |had: i64| (had >= Self::PRICE).then(|| had - Self::PRICE);
        self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_their_bound_and_end_with_the_tries() {
        let limits = Limits { tries: 4, retry_base: Duration::from_millis(100), ..Limits::default() };
        for _ in 0..200 {
            let delays: Vec<Duration> = Delays::new(&limits).collect();
            assert_eq!(delays.len(), 3);
            for (delay, bound) in delays.iter().zip([100, 200, 400]) {
                assert!(*delay <= Duration::from_millis(bound), "{delay:?} > {bound} ms");
            }
        }
        assert_eq!(Delays::new(&Limits { tries: 1, ..limits }).count(), 0);
    }

    #[test]
    fn what_may_have_happened_is_repeated_only_if_that_does_no_harm() {
        for status in [500, 502, 504, 521, 524] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(is_transient(status, true) && !is_transient(status, false));
        }
        for status in [429, 503] {
            assert!(is_transient(StatusCode::from_u16(status).unwrap(), false));
        }
        for status in [200, 301, 400, 401, 403, 404, 409, 410, 501, 520, 525] {
            assert!(!is_transient(StatusCode::from_u16(status).unwrap(), true), "{status}");
        }
        assert!(is_idempotent(&Method::DELETE) && !is_idempotent(&Method::POST) && !is_idempotent(&Method::PATCH));
    }

    #[test]
    fn retries_are_at_most_a_tenth_of_many_requests() {
        let budget = RetryBudget::new();
        let retries = (0..10_000).filter(|_| {
            budget.earn();
            budget.pay()
        });
        let retries = retries.count();
        assert!((1000..=1005).contains(&retries), "{retries}");
    }
}
