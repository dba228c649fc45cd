//! Limits on requests in a rolling window, as the providers count them: for each account.

use std::collections::{BTreeMap, VecDeque};

use super::schema::Provider;

/// A limit.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Which requests it counts: `all`, or a provider's own word.
    pub scope: &'static str,
    /// How many may come.
    pub most: u32,
    /// In any so many milliseconds.
    pub ms: i64,
}

/// A request that came too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The scope of the window that is full.
    pub scope: &'static str,
    /// How long it stays full.
    pub wait_ms: i64,
    /// The how-manieth refusal of the account it is; 1 for the first.
    pub nth: u64,
}

/// The requests of one account that still count.
#[derive(Debug, Default)]
pub struct Limiter {
    times: BTreeMap<(Provider, &'static str), VecDeque<i64>>,
    refused: u64,
}

impl Limiter {
    /// Lets a request in if none of the windows that it falls under is full; says how many more the last of them
    /// takes. A refused request does not count.
    ///
    /// # Errors
    /// The first window that is full.
    pub fn admit(&mut self, provider: Provider, windows: &[Window], now: i64) -> Result<u32, Refused> {
        for window in windows {
            let times = self.times.entry((provider, window.scope)).or_default();
            while times.front().is_some_and(|first| *first <= now - window.ms) {
                times.pop_front();
            }
            if held(times) >= window.most {
                self.refused += 1;
                let wait_ms = times.front().map_or(window.ms, |first| first + window.ms - now);
                return Err(Refused { scope: window.scope, wait_ms, nth: self.refused });
            }
        }
        let mut left = u32::MAX;
        for window in windows {
            let times = self.times.entry((provider, window.scope)).or_default();
            times.push_back(now);
            left = window.most.saturating_sub(held(times));
        }
        Ok(left)
    }
}

fn held(times: &VecDeque<i64>) -> u32 {
    u32::try_from(times.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Window = Window { scope: "all", most: 2, ms: 10_000 };
    const SEARCH: Window = Window { scope: "search", most: 1, ms: 1_000 };

    #[test]
    fn a_window_rolls_and_refused_requests_do_not_count() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.admit(Provider::HubSpot, &[ALL], 0), Ok(1));
        assert_eq!(limiter.admit(Provider::HubSpot, &[ALL], 5_000), Ok(0));
        let refused = limiter.admit(Provider::HubSpot, &[ALL], 9_999).unwrap_err();
        assert_eq!(refused, Refused { scope: "all", wait_ms: 1, nth: 1 });
        assert_eq!(limiter.admit(Provider::HubSpot, &[ALL], 9_999).unwrap_err().nth, 2);
        assert!(limiter.admit(Provider::HubSpot, &[ALL], 10_000).is_ok());
        assert!(limiter.admit(Provider::HubSpot, &[ALL], 10_001).is_err());
        assert!(limiter.admit(Provider::Salesforce, &[ALL], 10_001).is_ok(), "each provider counts for itself");
    }

    #[test]
    fn the_narrower_window_binds_only_the_requests_under_it() {
        let mut limiter = Limiter::default();
        assert!(limiter.admit(Provider::HubSpot, &[SEARCH, ALL], 0).is_ok());
        assert_eq!(limiter.admit(Provider::HubSpot, &[SEARCH, ALL], 500).unwrap_err().scope, "search");
        assert!(limiter.admit(Provider::HubSpot, &[ALL], 500).is_ok());
        assert_eq!(limiter.admit(Provider::HubSpot, &[SEARCH, ALL], 1_000).unwrap_err().scope, "all");
    }
}
