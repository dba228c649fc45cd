//! Schedule arithmetic: intervals in layers, backoff, spreading, throttle windows. Times are unix milliseconds.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::ObjectId;

/// The interval of an object where nobody configured one: 180 minutes.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(180 * 60);

/// The interval layers, from the least to the most specific. The most specific that is set wins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Intervals {
    /// The host's default.
    pub default: Option<Duration>,
    /// The connector's suggestion for this kind of data.
    pub suggested: Option<Duration>,
    /// Configured for the provider.
    pub provider: Option<Duration>,
    /// Configured for the customer.
    pub customer: Option<Duration>,
    /// Configured for the integration.
    pub integration: Option<Duration>,
    /// Configured for the object.
    pub object: Option<Duration>,
}

impl Intervals {
    /// The interval in force.
    #[must_use]
    pub fn effective(&self) -> Duration {
        self.object
            .or(self.integration)
            .or(self.customer)
            .or(self.provider)
            .or(self.suggested)
            .or(self.default)
            .unwrap_or(DEFAULT_INTERVAL)
    }
}

/// Full-jitter backoff: a random share of `min(cap, base * 2^(fails - 1))`, never less than a tenth of it.
/// `random` is uniform in 0..1.
#[must_use]
pub fn backoff(fails: u32, base: Duration, cap: Duration, random: f64) -> Duration {
    let factor = 2_f64.powi(i32::try_from(fails.saturating_sub(1).min(30)).unwrap_or(30));
    let ceiling = (base.as_secs_f64() * factor).min(cap.as_secs_f64());
    Duration::from_secs_f64(ceiling * random.clamp(0.1, 1.0))
}

/// A deterministic share of the interval, from the object's id: objects created together come due apart, for ever.
/// Added once, to the first due time after the initial sync.
#[must_use]
pub fn spread(object: ObjectId, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    object.0.hash(&mut hasher);
    let share = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
    interval.mul_f64(share)
}

/// The share of its interval after which an object is due again when it was read: all of it, but its own one after the
/// first time.
#[must_use]
pub fn interval_share(object: ObjectId, first: bool) -> f64 {
    // The same share of whatever the interval is when it is applied.
    if first { spread(object, Duration::from_secs(1)).as_secs_f64() } else { 1.0 }
}

/// The start of the throttle window that `now_ms` falls into.
#[must_use]
pub fn window_start_ms(now_ms: i64, throttle: Duration) -> i64 {
    let width = i64::try_from(throttle.as_millis()).unwrap_or(i64::MAX).max(1);
    now_ms - now_ms.rem_euclid(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_most_specific_interval_wins() {
        let minutes = |m: u64| Some(Duration::from_secs(m * 60));
        let mut layers = Intervals::default();
        assert_eq!(layers.effective(), DEFAULT_INTERVAL);
        layers.default = minutes(1);
        assert_eq!(Some(layers.effective()), minutes(1));
        layers.suggested = minutes(2);
        assert_eq!(Some(layers.effective()), minutes(2));
        layers.provider = minutes(3);
        assert_eq!(Some(layers.effective()), minutes(3));
        layers.customer = minutes(4);
        assert_eq!(Some(layers.effective()), minutes(4));
        layers.integration = minutes(5);
        assert_eq!(Some(layers.effective()), minutes(5));
        layers.object = minutes(6);
        assert_eq!(Some(layers.effective()), minutes(6));
    }

    #[test]
    fn a_thousand_objects_created_together_spread_over_the_whole_interval() {
        let interval = Duration::from_secs(1_000);
        let mut buckets = [0_u32; 10];
        for id in 0..1_000 {
            buckets[(spread(ObjectId(id), interval).as_secs_f64() / 100.0) as usize] += 1;
        }
        assert!(buckets.iter().all(|&n| (60..=140).contains(&n)), "{buckets:?}");
    }

    proptest! {
        #[test]
        fn backoff_stays_between_a_tenth_of_its_base_and_its_cap(fails in 0_u32..100, random in 0.0_f64..1.0) {
            let wait = backoff(fails, Duration::from_secs(5), Duration::from_secs(900), random);
            prop_assert!(wait >= Duration::from_millis(500) && wait <= Duration::from_secs(900));
        }

        #[test]
        fn the_ceiling_of_backoff_never_falls_with_more_failures_and_doubles_until_the_cap(fails in 1_u32..100, base in 1_u64..600) {
            let (base, cap) = (Duration::from_secs(base), Duration::from_secs(900));
            let ceiling = |fails| backoff(fails, base, cap, 1.0);
            prop_assert!(ceiling(fails) <= ceiling(fails + 1));
            prop_assert_eq!(ceiling(fails + 1), (ceiling(fails) * 2).min(cap));
            prop_assert_eq!(ceiling(0), ceiling(1));
        }

        #[test]
        fn a_share_of_an_interval_is_less_than_it_always_the_same_and_grows_with_it(id: i64, seconds in 1_u64..1 << 30) {
            let interval = Duration::from_secs(seconds);
            let share = spread(ObjectId(id), interval);
            prop_assert!(share < interval);
            prop_assert_eq!(share, spread(ObjectId(id), interval));
            // Within the rounding of a float: the same place in an interval of twice the length.
            let twice = spread(ObjectId(id), interval * 2).as_secs_f64();
            prop_assert!((twice - 2.0 * share.as_secs_f64()).abs() < 1e-3);
        }

        #[test]
        fn the_interval_in_force_is_the_last_layer_that_is_set(layers in prop::array::uniform6(prop::option::of(1_u64..1 << 30))) {
            let [default, suggested, provider, customer, integration, object] =
                layers.map(|layer| layer.map(Duration::from_secs));
            let all = Intervals { default, suggested, provider, customer, integration, object };
            let last = layers.iter().rev().find_map(|layer| *layer).map(Duration::from_secs);
            prop_assert_eq!(all.effective(), last.unwrap_or(DEFAULT_INTERVAL));
        }

        #[test]
        fn every_time_lies_in_its_window(now in 0_i64..1 << 50, width in 1_i64..1 << 30) {
            let start = window_start_ms(now, Duration::from_millis(width.unsigned_abs()));
            prop_assert!(start <= now && now < start + width && start % width == 0);
        }

        #[test]
        fn two_times_a_window_apart_are_never_in_one_window(now in 0_i64..1 << 50, width in 1_u64..1 << 30) {
            let throttle = Duration::from_millis(width);
            prop_assert!(window_start_ms(now, throttle) < window_start_ms(now + width as i64, throttle));
        }
    }
}
