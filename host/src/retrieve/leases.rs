//! The leases this host holds, and the word to stop when one is lost. Deadlines are monotonic: no wall clock decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::ObjectId;
use crate::store::runs::Lease;

/// All leases of this host.
#[derive(Debug, Default, Clone)]
pub(super) struct Leases(Arc<Mutex<HashMap<ObjectId, Entry>>>);

#[derive(Debug)]
struct Entry {
    lease: Lease,
    renewed: Instant,
    lost: CancellationToken,
}

/// One held lease, as its worker sees it.
#[derive(Debug)]
pub(super) struct Held(CancellationToken);

impl Held {
    /// Waits until the lease is lost.
    pub(super) async fn lost(&self) {
        self.0.cancelled().await;
    }
}

impl Leases {
    fn entries(&self) -> MutexGuard<'_, HashMap<ObjectId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a lease that was taken now.
    pub(super) fn hold(&self, lease: Lease, now: Instant) -> Held {
        let lost = CancellationToken::new();
        let entry = Entry { lease, renewed: now, lost: lost.clone() };
        if let Some(older) = self.entries().insert(lease.object, entry) {
            // Taken again although it was still noted here: the older claim is fenced by the newer.
            older.lost.cancel();
        }
        Held(lost)
    }

    /// Forgets a lease whose work is over.
    pub(super) fn release(&self, lease: Lease) {
        let mut entries = self.entries();
        if entries.get(&lease.object).is_some_and(|entry| entry.lease == lease) {
            entries.remove(&lease.object);
        }
    }

    /// Every lease held.
    pub(super) fn all(&self) -> Vec<Lease> {
        self.entries().values().map(|entry| entry.lease).collect()
    }

    /// Notes which of the leases asked for were renewed by a statement sent at `sent`, and stops the others. Answers
    /// with how many were lost.
    pub(super) fn renewed(&self, asked: &[Lease], kept: &[ObjectId], sent: Instant) -> u64 {
        let kept: std::collections::HashSet<_> = kept.iter().collect();
        let mut lost = 0;
        let mut entries = self.entries();
        for lease in asked {
            let Some(entry) = entries.get_mut(&lease.object).filter(|entry| entry.lease == *lease) else { continue };
            if kept.contains(&lease.object) {
                entry.renewed = sent;
            } else {
                entry.lost.cancel();
                lost += 1;
            }
        }
        lost
    }

    /// Stops the work under leases that were not renewed for so long.
    pub(super) fn expire(&self, now: Instant, after: Duration) {
        for entry in self.entries().values() {
            if now.saturating_duration_since(entry.renewed) > after {
                entry.lost.cancel();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RunId;

    const fn lease(object: i64, epoch: i64) -> Lease {
        Lease { object: ObjectId(object), run: RunId(1), epoch }
    }

    #[test]
    fn a_lease_that_is_not_renewed_in_time_is_lost() {
        let leases = Leases::default();
        let (kept, silent) = (leases.hold(lease(1, 1), Instant::now()), leases.hold(lease(2, 1), Instant::now()));
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(leases.renewed(&[lease(1, 1)], &[ObjectId(1)], after(15)), 0);
        leases.expire(after(25), Duration::from_secs(20));
        assert!(!kept.0.is_cancelled() && silent.0.is_cancelled());
    }

    #[tokio::test]
    async fn a_lease_that_the_database_gave_away_is_lost() {
        let leases = Leases::default();
        let held = leases.hold(lease(1, 1), Instant::now());
        assert_eq!(leases.renewed(&[lease(1, 1)], &[], Instant::now()), 1);
        held.lost().await;
    }

    #[tokio::test]
    async fn a_newer_claim_of_one_object_stops_the_older_and_outlives_its_release() {
        let leases = Leases::default();
        let older = leases.hold(lease(1, 1), Instant::now());
        let newer = leases.hold(lease(1, 2), Instant::now());
        older.lost().await;
        leases.release(lease(1, 1));
        assert_eq!(leases.all(), [lease(1, 2)]);
        assert!(!newer.0.is_cancelled());
    }
}
