//! HubSpot's two limits: requests in any ten seconds, and searches in any second.

use std::collections::VecDeque;

use crate::fakes::faults::Knobs;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The policy's name in the answer.
    pub policy: &'static str,
    /// Which requests have to wait.
    pub scope: &'static str,
    /// `Retry-After`, if the answer carries it.
    pub retry_after: Option<u64>,
    /// How long the client has to wait either way.
    pub wait_ms: i64,
}

/// The requests of one account in the last ten seconds.
#[derive(Debug, Default)]
pub struct Limiter {
    all: VecDeque<i64>,
    searches: VecDeque<i64>,
    refused: u64,
}

impl Limiter {
    /// Lets a request in, and says how many more may come; or says why not.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn admit(&mut self, knobs: &Knobs, search: bool, now: i64) -> Result<u32, Limit> {
        drop_before(&mut self.all, now - 10_000);
        drop_before(&mut self.searches, now - 1_000);
        let held = |queue: &VecDeque<i64>| u32::try_from(queue.len()).unwrap_or(u32::MAX);
        let full = if search && held(&self.searches) >= knobs.hubspot_search_per_s {
            Some(("SECONDLY", "search", 1))
        } else if held(&self.all) >= knobs.hubspot_per_10s {
            Some(("TEN_SECONDLY_ROLLING", "all", 10))
        } else {
            None
        };
        if let Some((policy, scope, seconds)) = full {
            self.refused += 1;
            let named = knobs.retry_after.unwrap_or(self.refused.is_multiple_of(2));
            let retry_after = named.then_some(seconds);
            return Err(Limit { policy, scope, retry_after, wait_ms: i64::try_from(seconds).unwrap_or(0) * 1000 });
        }
        self.all.push_back(now);
        if search {
            self.searches.push_back(now);
        }
        Ok(knobs.hubspot_per_10s.saturating_sub(held(&self.all)))
    }
}

fn drop_before(queue: &mut VecDeque<i64>, time: i64) {
    while queue.front().is_some_and(|first| *first <= time) {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_second_window_rolls_and_retry_after_comes_every_other_time() {
        let knobs = Knobs { hubspot_per_10s: 2, ..Knobs::default() };
        let mut limiter = Limiter::default();
        assert_eq!(limiter.admit(&knobs, false, 0), Ok(1));
        assert_eq!(limiter.admit(&knobs, false, 5_000), Ok(0));
        let first = limiter.admit(&knobs, false, 9_999).unwrap_err();
        assert_eq!((first.policy, first.retry_after), ("TEN_SECONDLY_ROLLING", None));
        assert_eq!(limiter.admit(&knobs, false, 9_999).unwrap_err().retry_after, Some(10));
        assert!(limiter.admit(&knobs, false, 10_000).is_ok());
        assert!(limiter.admit(&knobs, false, 10_001).is_err());
    }

    #[test]
    fn search_has_a_limit_of_its_own() {
        let knobs = Knobs { hubspot_search_per_s: 1, retry_after: Some(false), ..Knobs::default() };
        let mut limiter = Limiter::default();
        assert!(limiter.admit(&knobs, true, 0).is_ok());
        assert_eq!(limiter.admit(&knobs, true, 500).unwrap_err().policy, "SECONDLY");
        assert!(limiter.admit(&knobs, false, 500).is_ok());
        assert!(limiter.admit(&knobs, true, 1_000).is_ok());
    }
}
