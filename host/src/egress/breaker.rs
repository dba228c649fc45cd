//! When requests to a host that keeps failing are held back, and when one is let through to see. No I/O, no clock.
//!
//! Closed, the breaker lets requests pass and counts failures. Enough of them open it: nothing passes until a wait is
//! over, then one request does, the probe. Its answer closes the breaker; its failure opens it for twice as long. What was
//! let through before such a change says nothing about what came after, and is not counted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::config::Limits;

/// How long a request counts for the share of failures.
const WINDOW: Duration = Duration::from_secs(60);

/// Requests that come within this time are counted together, and forgotten together.
const SLOT: Duration = Duration::from_secs(5);

/// Half of the requests in the window are too many failures if there were at least so many requests.
const ENOUGH: u32 = 20;

/// What a request said about its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The host does what it is asked.
    Success,
    /// The host is there and says no: to this request, or to so many.
    Refusal,
    /// An error of the host, or no whole answer.
    Failure,
    /// Nothing: nobody waited for the answer, or the gate did not let the request out.
    Nothing,
}

/// What lets a request pass; its end is told with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    era: u64,
}

/// No request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Since when.
    pub(super) since: Instant,
    /// When the next probe may go; `None` while one is under way.
    pub(super) until: Option<Instant>,
}

/// What the end of a request changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Requests are held back for so long.
    Opened(Duration),
    /// Requests pass again, after so long.
    Closed(Duration),
}

/// The breaker of one integration's requests to one host.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    failures: u32,
    first_wait: Duration,
    longest_wait: Duration,
    state: State,
    /// Another one after each change of state.
    era: u64,
}

#[derive(Debug, Clone)]
enum State {
    Closed(Recent),
    Open { since: Instant, until: Instant, wait: Duration },
    Probing { since: Instant, wait: Duration },
}

impl Breaker {
    /// Closed.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            failures: limits.breaker_failures,
            first_wait: limits.breaker_wait.min(limits.breaker_max_wait),
            longest_wait: limits.breaker_max_wait,
            state: State::Closed(Recent::default()),
            era: 0,
        }
    }

    /// Whether a request would pass now.
    pub(super) fn check(&self, now: Instant) -> Result<(), Held> {
        match self.state {
            State::Open { since, until, .. } if now < until => Err(Held { since, until: Some(until) }),
            State::Probing { since, .. } => Err(Held { since, until: None }),
            State::Open { .. } | State::Closed(_) => Ok(()),
        }
    }

    /// Lets a request pass, or says why not. Whoever has a pass must tell what came of it.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Pass, Held> {
        self.check(now)?;
        if let State::Open { since, wait, .. } = self.state {
            self.era += 1;
            self.state = State::Probing { since, wait };
        }
        Ok(Pass { era: self.era })
    }

    /// A request that had passed is over.
    pub(super) fn hear(&mut self, pass: Pass, heard: Heard, now: Instant) -> Option<Change> {
        if pass.era != self.era {
            return None;
        }
        match &mut self.state {
            State::Closed(recent) => {
                recent.count(heard, now);
                if heard != Heard::Failure || !recent.are_too_many(self.failures) {
                    return None;
                }
                Some(self.open(now, now, self.first_wait))
            }
            // Whoever passed before it opened has the pass of another era.
            State::Open { .. } => None,
            State::Probing { since, wait } => {
                let (since, wait) = (*since, *wait);
                match heard {
                    Heard::Success | Heard::Refusal => {
                        self.era += 1;
                        self.state = State::Closed(Recent::default());
                        Some(Change::Closed(now.duration_since(since)))
                    }
                    Heard::Failure => Some(self.open(since, now, wait.saturating_mul(2).min(self.longest_wait))),
                    // The next one is the probe.
                    Heard::Nothing => {
                        self.state = State::Open { since, until: now, wait };
                        None
                    }
                }
            }
        }
    }

    /// Whether forgetting it changes nothing.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        matches!(&self.state, State::Closed(recent) if recent.in_a_row == 0 && recent.is_over(now))
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    fn open(&mut self, since: Instant, now: Instant, wait: Duration) -> Change {
        self.era += 1;
        self.state = State::Open { since, until: now + wait, wait };
        Change::Opened(wait)
    }
}

/// What was heard while closed.
#[derive(Debug, Clone, Default)]
struct Recent {
    in_a_row: u32,
    /// The oldest first; as many as fit into the window.
    slots: VecDeque<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    begin: Instant,
    requests: u32,
    failures: u32,
}

impl Recent {
    fn count(&mut self, heard: Heard, now: Instant) {
        let failed = match heard {
            Heard::Success => false,
            Heard::Failure => true,
            Heard::Refusal | Heard::Nothing => return,
        };
        self.in_a_row = if failed { self.in_a_row.saturating_add(1) } else { 0 };
        while self.slots.front().is_some_and(|slot| now.duration_since(slot.begin) >= WINDOW) {
            self.slots.pop_front();
        }
        if self.slots.back().is_none_or(|slot| now.duration_since(slot.begin) >= SLOT) {
            self.slots.push_back(Slot { begin: now, requests: 0, failures: 0 });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.requests = slot.requests.saturating_add(1);
            slot.failures = slot.failures.saturating_add(u32::from(failed));
        }
    }

    fn are_too_many(&self, failures: u32) -> bool {
        let sum = |of: fn(&Slot) -> u32| self.slots.iter().map(|slot| u64::from(of(slot))).sum::<u64>();
        let (requests, failed) = (sum(|slot| slot.requests), sum(|slot| slot.failures));
        failures > 0 && (self.in_a_row >= failures || requests >= u64::from(ENOUGH) && failed * 2 >= requests)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.slots.back().is_none_or(|slot| now.duration_since(slot.begin) >= WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(&Limits::default()), Instant::now())
    }

    /// One request, from beginning to end.
    fn ask(breaker: &mut Breaker, heard: Heard, now: Instant) -> Option<Change> {
        let pass = breaker.admit(now).unwrap();
        breaker.hear(pass, heard, now)
    }

    /// Five failures.
    fn opened() -> (Breaker, Instant) {
        let (mut breaker, now) = breaker();
        for _ in 0..4 {
            assert_eq!(ask(&mut breaker, Heard::Failure, now), None);
        }
        assert_eq!(ask(&mut breaker, Heard::Failure, now), Some(Change::Opened(SECOND * 30)));
        (breaker, now)
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_begins_the_row_anew() {
        let (mut breaker, now) = breaker();
        for round in 0..10 {
            for _ in 0..4 {
                assert_eq!(ask(&mut breaker, Heard::Failure, now + SECOND * 61 * round), None);
            }
            assert_eq!(ask(&mut breaker, Heard::Success, now + SECOND * 61 * round), None);
        }
        let (breaker, now) = opened();
        assert_eq!(breaker.check(now), Err(Held { since: now, until: Some(now + SECOND * 30) }));
    }

    #[test]
    fn half_of_twenty_within_a_minute_open_it() {
        // Never two in a row, and no more than half.
        let (mut breaker, now) = breaker();
        for n in 0..19 {
            let heard = if n % 2 == 0 { Heard::Success } else { Heard::Failure };
            assert_eq!(ask(&mut breaker, heard, now + SECOND * 2 * n), None);
        }
        let mut slow = breaker.clone();
        assert_eq!(ask(&mut breaker, Heard::Failure, now + SECOND * 38), Some(Change::Opened(SECOND * 30)));
        // By then the first of them no longer count.
        assert_eq!(ask(&mut slow, Heard::Failure, now + SECOND * 61), None);
    }

    #[test]
    fn refusals_and_what_nobody_waited_for_count_for_nothing() {
        let (mut breaker, now) = breaker();
        for _ in 0..1_000 {
            assert_eq!(ask(&mut breaker, Heard::Refusal, now), None);
            assert_eq!(ask(&mut breaker, Heard::Nothing, now), None);
        }
        assert!(breaker.is_idle(now));
        for _ in 0..4 {
            assert_eq!(ask(&mut breaker, Heard::Failure, now), None);
            assert_eq!(ask(&mut breaker, Heard::Refusal, now), None);
        }
        assert!(matches!(ask(&mut breaker, Heard::Failure, now), Some(Change::Opened(_))), "they are no successes");
    }

    #[test]
    fn one_probe_at_a_time_and_each_that_fails_doubles_the_wait_up_to_the_longest() {
        let (mut breaker, begin) = opened();
        let (mut now, mut waits) = (begin, Vec::new());
        for _ in 0..7 {
            let Err(Held { until: Some(until), .. }) = breaker.check(now) else { panic!("closed") };
            assert!(breaker.admit(until - SECOND).is_err());
            now = until;
            let probe = breaker.admit(now).unwrap();
            assert_eq!(breaker.admit(now + SECOND * 3_600), Err(Held { since: begin, until: None }));
            let Some(Change::Opened(wait)) = breaker.hear(probe, Heard::Failure, now) else { panic!("closed") };
            waits.push(wait.as_secs());
        }
        assert_eq!(waits, [60, 120, 240, 480, 600, 600, 600]);
        now += SECOND * 600;
        assert_eq!(ask(&mut breaker, Heard::Success, now), Some(Change::Closed(now - begin)));
        for _ in 0..4 {
            assert_eq!(ask(&mut breaker, Heard::Failure, now), None, "the row begins anew");
        }
        assert_eq!(ask(&mut breaker, Heard::Failure, now), Some(Change::Opened(SECOND * 30)), "so does the wait");
    }

    #[test]
    fn a_probe_that_nobody_waited_for_makes_room_for_another_and_a_refusal_is_an_answer() {
        let (mut breaker, begin) = opened();
        let now = begin + SECOND * 30;
        assert_eq!(ask(&mut breaker, Heard::Nothing, now), None);
        assert_eq!(ask(&mut breaker, Heard::Nothing, now), None);
        assert_eq!(ask(&mut breaker, Heard::Refusal, now), Some(Change::Closed(SECOND * 30)));
    }

    #[test]
    fn what_passed_before_it_opened_changes_nothing_afterwards() {
        let (mut breaker, now) = breaker();
        let late: Vec<Pass> = (0..20).map(|_| breaker.admit(now).unwrap()).collect();
        for _ in 0..5 {
            ask(&mut breaker, Heard::Failure, now);
        }
        let open = breaker.check(now);
        assert!(open.is_err());
        for pass in &late[..10] {
            assert_eq!(breaker.hear(*pass, Heard::Success, now), None);
        }
        assert_eq!(breaker.check(now), open);
        assert!(ask(&mut breaker, Heard::Success, now + SECOND * 30).is_some());
        for pass in &late[10..] {
            assert_eq!(breaker.hear(*pass, Heard::Failure, now + SECOND * 30), None);
        }
        assert!(breaker.is_closed());
    }

    #[test]
    fn with_no_failures_allowed_for_it_never_opens() {
        let mut breaker = Breaker::new(&Limits { breaker_failures: 0, ..Limits::default() });
        let now = Instant::now();
        assert!((0..1_000).all(|_| ask(&mut breaker, Heard::Failure, now).is_none()));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Ask,
        /// The end of one of the requests under way.
        End(prop::sample::Index, Heard),
        /// So many slots of time pass.
        Wait(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let heard = prop_oneof![
            5 => Just(Heard::Failure),
            4 => Just(Heard::Success),
            1 => Just(Heard::Refusal),
            1 => Just(Heard::Nothing),
        ];
        prop_oneof![
            5 => Just(Step::Ask),
            5 => (any::<prop::sample::Index>(), heard).prop_map(|(which, heard)| Step::End(which, heard)),
            2 => prop_oneof![4 => 0..3_u32, 1 => 3..130_u32].prop_map(Step::Wait),
        ]
    }

    /// The same told at length: everything that was heard since it closed, and what the next wait is.
    #[derive(Default)]
    struct Told {
        heard: Vec<(Instant, bool)>,
        open_until: Option<Instant>,
        probing: bool,
        waited: Duration,
        /// Changes so far.
        changes: usize,
    }

    impl Told {
        fn opens(&self, now: Instant) -> bool {
            let in_a_row = self.heard.iter().rev().take_while(|(_, failed)| *failed).count();
            let recent: Vec<bool> =
                self.heard.iter().filter(|(at, _)| now - *at < WINDOW).map(|(_, failed)| *failed).collect();
            let failed = recent.iter().filter(|failed| **failed).count();
            in_a_row >= 5 || recent.len() >= 20 && failed * 2 >= recent.len()
        }

        fn open(&mut self, now: Instant, wait: Duration) -> Option<Change> {
            *self = Self { open_until: Some(now + wait), waited: wait, changes: self.changes + 1, ..Self::default() };
            Some(Change::Opened(wait))
        }
    }

    proptest! {
        /// It opens when it should and only then, holds everything back for as long as it should, lets one probe through
        /// at a time, and keeps little.
        #[test]
        fn it_does_what_a_full_account_of_everything_says(steps in prop::collection::vec(step(), 1..400)) {
            let (mut breaker, begin) = breaker();
            let (mut now, mut told, mut under_way, mut opened_at) = (begin, Told::default(), Vec::new(), begin);
            for step in steps {
                match step {
                    Step::Wait(slots) => now += SLOT * slots,
                    Step::Ask => {
                        let held = told.probing || told.open_until.is_some_and(|until| now < until);
                        prop_assert_eq!(breaker.check(now).is_err(), held);
                        match breaker.admit(now) {
                            Err(why) => {
                                prop_assert!(held);
                                let until = told.open_until.filter(|_| !told.probing);
                                prop_assert_eq!(why, Held { since: opened_at, until });
                            }
                            Ok(pass) => {
                                prop_assert!(!held);
                                if told.open_until.is_some() {
                                    told.probing = true;
                                    told.changes += 1;
                                }
                                under_way.push((pass, told.changes));
                            }
                        }
                    }
                    Step::End(which, heard) if !under_way.is_empty() => {
                        let (pass, changes) = under_way.swap_remove(which.index(under_way.len()));
                        let was_open = told.open_until.is_some();
                        let expected = if changes != told.changes {
                            None
                        } else if told.probing {
                            match heard {
                                Heard::Failure => told.open(now, (told.waited * 2).min(SECOND * 600)),
                                Heard::Nothing => {
                                    (told.probing, told.open_until) = (false, Some(now));
                                    None
                                }
                                Heard::Success | Heard::Refusal => {
                                    told = Told { changes: told.changes + 1, ..Told::default() };
                                    Some(Change::Closed(now - opened_at))
                                }
                            }
                        } else {
                            if matches!(heard, Heard::Success | Heard::Failure) {
                                told.heard.push((now, heard == Heard::Failure));
                            }
                            let opens = heard == Heard::Failure && told.opens(now);
                            if opens { told.open(now, SECOND * 30) } else { None }
                        };
                        prop_assert_eq!(breaker.hear(pass, heard, now), expected);
                        if !was_open && told.open_until.is_some() {
                            opened_at = now;
                        }
                    }
                    Step::End(..) => {}
                }
                if let State::Closed(recent) = &breaker.state {
                    prop_assert!(recent.slots.len() <= 12);
                }
            }
        }
    }
}
