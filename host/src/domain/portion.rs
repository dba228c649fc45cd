//! How much to do in one transaction: half as much after a failure, a tenth of the most more after a whole portion that was
//! done. So a database that is too slow for a whole portion gets one that it can do in its time, instead of the same one for
//! ever. A success with less to do than the portion proves nothing.

use std::sync::atomic::{AtomicU32, Ordering};

/// A number that follows how it goes; shared by reference.
#[derive(Debug)]
pub struct Portion {
    most: u32,
    now: AtomicU32,
}

impl Portion {
    /// Begins with the most, which is at least 1.
    #[must_use]
    pub const fn of(most: u32) -> Self {
        let most = if most == 0 { 1 } else { most };
        Self { most, now: AtomicU32::new(most) }
    }

    /// How much to take now.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// After a whole portion that was done.
    pub fn grow(&self) {
        self.now.store(self.now().saturating_add(self.most.div_ceil(10)).min(self.most), Ordering::Relaxed);
    }

    /// After a failure.
    pub fn shrink(&self) {
        self.now.store((self.now() / 2).max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn went(portion: &Portion, well: bool) -> u32 {
        if well {
            portion.grow()
        } else {
            portion.shrink()
        }
        portion.now()
    }

    #[test]
    fn a_failure_halves_it_and_successes_bring_it_back() {
        let portion = Portion::of(1_000);
        assert_eq!(portion.now(), 1_000);
        assert_eq!([false, false, false].map(|well| went(&portion, well)), [500, 250, 125]);
        assert_eq!([true, true, false, true].map(|well| went(&portion, well)), [225, 325, 162, 262]);
        assert_eq!((0..20).map(|_| went(&portion, true)).max(), Some(1_000));
        assert_eq!((0..20).map(|_| went(&portion, false)).min(), Some(1));
        assert_eq!(went(&portion, true), 101);
        assert_eq!(Portion::of(0).now(), 1);
        assert_eq!(went(&Portion::of(1), true), 1);
    }
}
