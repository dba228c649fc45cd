//! How fast an integration may ask: a token bucket, a number of requests at once, and the pauses a provider asks for.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

use crate::domain::{IntegrationId, RateHint};

/// How old what is known of the pauses of other hosts may be: a request that comes later asks before it goes out.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long requests wait for that answer, before they go out without.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps pauses that providers asked for, for all hosts, by one clock. An implementation that fails reports that itself: a
/// pause that is not kept costs a refused request, not data.
#[async_trait]
pub trait PauseStore: Send + Sync {
    /// No request of the integration is to be sent for so long. A pause that ends before the one already kept changes
    /// nothing.
    async fn pause(&self, integration: IntegrationId, lasts: Duration);

    /// What is left of the pause; `None` if there is none.
    async fn pause_left(&self, integration: IntegrationId) -> Option<Duration>;
}

/// Pauses in memory, for tests and for trying out a connector.
#[derive(Debug, Default)]
pub struct MemoryPauses {
    until: Mutex<HashMap<IntegrationId, Instant>>,
}

#[async_trait]
impl PauseStore for MemoryPauses {
    async fn pause(&self, integration: IntegrationId, lasts: Duration) {
        let end = Instant::now() + lasts;
        let mut until = locked(&self.until);
        let kept = until.entry(integration).or_insert(end);
        *kept = end.max(*kept);
    }

    async fn pause_left(&self, integration: IntegrationId) -> Option<Duration> {
        let until = locked(&self.until).get(&integration).copied();
        until.and_then(left)
    }
}

/// The pace of one integration in this process.
pub(super) struct Pace {
    bucket: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// Whoever holds this waits for the bucket: requests go out in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    permits: Semaphore,
    paused_until: Mutex<Option<Instant>>,
    /// Whoever holds this asks for the pauses of other hosts: the others wait for the answer.
    looked_at: tokio::sync::Mutex<Option<Instant>>,
}

/// A wait that is longer than a request should take: seconds, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong(pub(super) u64);

impl Pace {
    pub(super) fn new(rate: RateHint, default_concurrency: u32) -> Self {
        let concurrency = if rate.concurrency == 0 { default_concurrency } else { rate.concurrency };
        Self {
            bucket: RateLimiter::direct(quota(rate)),
            clock: DefaultClock::default(),
            turn: tokio::sync::Mutex::default(),
            permits: Semaphore::new(concurrency.clamp(1, 1024) as usize),
            paused_until: Mutex::default(),
            looked_at: tokio::sync::Mutex::default(),
        }
    }

    /// Waits for one of the places for requests at once. `None` never happens: the semaphore is not closed.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    /// Waits until a request may go out, also by what other hosts were told: that is asked for when a wait is over, because
    /// more may have been told meanwhile. Gives up at once if that is not within `longest`.
    pub(super) async fn admit_by_all(
        &self,
        pauses: &dyn PauseStore,
        integration: IntegrationId,
        longest: Duration,
    ) -> Result<Duration, TooLong> {
        let mut waited = Duration::ZERO;
        loop {
            waited += self.admit(longest.saturating_sub(waited)).await?;
            self.look(pauses, integration).await;
            if self.pause_left().is_none() {
                return Ok(waited);
            }
        }
    }

    /// Asks which pauses other hosts were told, if nobody has just now.
    async fn look(&self, pauses: &dyn PauseStore, integration: IntegrationId) {
        let mut looked_at = self.looked_at.lock().await;
        if looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        let began = Instant::now();
        if let Ok(Some(left)) = timeout(LOOK, pauses.pause_left(integration)).await {
            self.pause(left);
        }
        *looked_at = Some(began);
    }

    /// Waits until a request may go out by what is known here; gives up at once if that is not within `longest`.
    async fn admit(&self, longest: Duration) -> Result<Duration, TooLong> {
        let _turn = self.turn.lock().await;
        let start = Instant::now();
        loop {
            let wait = match self.pause_left() {
                Some(pause) => pause,
                None => match self.bucket.check() {
                    Ok(()) => return Ok(start.elapsed()),
                    Err(not_until) => not_until.wait_time_from(self.clock.now()),
                },
            };
            if start.elapsed() + wait > longest {
                return Err(TooLong(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)));
            }
            sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    /// No request for so long.
    pub(super) fn pause(&self, lasts: Duration) {
        let end = Some(Instant::now() + lasts);
        let mut until = locked(&self.paused_until);
        *until = end.max(*until);
    }

    fn pause_left(&self) -> Option<Duration> {
        locked(&self.paused_until).and_then(left)
    }
}

fn left(until: Instant) -> Option<Duration> {
    Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bucket that never lets more than the published number through in any window, bursts included: with a burst of `b`,
/// at most `b - 1` requests come on top of what the steady rate lets through.
fn quota(rate: RateHint) -> Quota {
    let requests = rate.requests.max(1);
    let burst = (requests / 5).max(1);
    let window = Duration::from_secs(u64::from(rate.per_seconds.max(1)));
    let period = window.div_f64(f64::from(requests - burst + 1)).max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    quota.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN))
}

/// The wall clock, in unix milliseconds.
pub(super) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Reads `Retry-After`, in seconds or as a date, and keeps it between nothing and `longest`. What is not understood
/// counts as absent.
pub(super) fn retry_after(headers: &HeaderMap, now_ms: i64, longest: Duration) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(longest, Duration::from_secs)
    } else if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
        Duration::try_from_secs_f64(seconds).unwrap_or(longest)
    } else {
        // The weekday says nothing new, and is wrong often enough.
        let date = text.split_once(", ").map_or(text, |(_, date)| date);
        let until = chrono::DateTime::parse_from_rfc2822(date).ok()?.timestamp_millis();
        Duration::from_millis(u64::try_from(until.saturating_sub(now_ms)).unwrap_or(0))
    };
    Some(pause.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn retry_after_is_read_in_both_forms_and_never_absurd() {
        let now = 1_445_412_420_000; // Wed, 21 Oct 2015 07:27:00 GMT
        for (text, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("1.5", Some(1)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("Wed, 21 Oct 2095 07:28:00 GMT", Some(86_400)),
            ("99999999", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("1e300", Some(86_400)),
            ("-5", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, now, DAY).map(|pause| pause.as_secs()), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now, DAY), None);
    }

    #[tokio::test]
    async fn no_window_ever_holds_more_than_the_published_number() {
        for rate in [(10, 1), (3, 1), (1, 1), (50, 1)] {
            let pace = Pace::new(RateHint { requests: rate.0, per_seconds: rate.1, concurrency: 0 }, 4);
            let (start, mut count) = (std::time::Instant::now(), 0);
            while start.elapsed() < Duration::from_millis(900) {
                if pace.admit(Duration::from_millis(100)).await.is_ok() && start.elapsed() < Duration::from_secs(1) {
                    count += 1;
                }
            }
            assert!(count <= rate.0, "{count} of {} in a window", rate.0);
            assert!(count * 2 >= rate.0, "{count} of {}: far too slow", rate.0);
        }
    }

    /// Takes its time to say what another host was told.
    struct Slow(Instant);

    #[async_trait]
    impl PauseStore for Slow {
        async fn pause(&self, _: IntegrationId, _: Duration) {}

        async fn pause_left(&self, _: IntegrationId) -> Option<Duration> {
            sleep(Duration::from_millis(50)).await;
            left(self.0)
        }
    }

    #[tokio::test]
    async fn nobody_overtakes_who_asks_what_other_hosts_were_told() {
        let pace = Pace::new(RateHint { requests: 1_000, per_seconds: 1, concurrency: 0 }, 4);
        let told = Slow(Instant::now() + Duration::from_millis(300));
        let sent = || async {
            pace.admit_by_all(&told, IntegrationId(1), Duration::from_secs(5)).await.unwrap();
            Instant::now()
        };
        let (one, other, third) = tokio::join!(sent(), sent(), sent());
        assert!(one.min(other).min(third) >= told.0);

        let told = Slow(Instant::now() + Duration::from_secs(60));
        sleep(LOOK_EVERY).await;
        let refused = pace.admit_by_all(&told, IntegrationId(1), Duration::from_secs(5)).await;
        assert!(matches!(refused, Err(TooLong(59 | 60))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_long_wait_is_refused_at_once_and_a_short_one_is_waited_for() {
        let pace = Pace::new(RateHint { requests: 100, per_seconds: 1, concurrency: 0 }, 4);
        pace.pause(Duration::from_secs(60));
        let start = std::time::Instant::now();
        assert!(matches!(pace.admit(Duration::from_secs(5)).await, Err(TooLong(59 | 60))));
        assert!(start.elapsed() < Duration::from_secs(1));

        let pace = Pace::new(RateHint { requests: 100, per_seconds: 1, concurrency: 0 }, 4);
        pace.pause(Duration::from_millis(200));
        assert!(pace.admit(Duration::from_secs(5)).await.unwrap() >= Duration::from_millis(150));
    }
}
