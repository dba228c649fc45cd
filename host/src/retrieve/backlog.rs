//! What is committed and has not landed: known well enough before every page without asking the database each time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::{Store, StoreError};

/// How old what the database said may be.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The backlog as this host knows it: what the database said, and what the host has committed since then.
#[derive(Default)]
pub(super) struct Backlog {
    committed: AtomicI64,
    said: Mutex<Option<Said>>,
}

/// What the database said.
struct Said {
    at: Instant,
    bytes: i64,
    /// What the host had committed before it asked.
    committed: i64,
}

impl Backlog {
    /// Counts a page that this host has committed.
    pub(super) fn add(&self, payload: Option<&Vec<u8>>) {
        let bytes = payload.map_or(0, |payload| i64::try_from(payload.len()).unwrap_or(i64::MAX));
        self.committed.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether more bytes wait than may. What landed, and what other hosts did, is seen [`LOOK_EVERY`] later; nobody is
    /// told of too many by anything older than the question.
    pub(super) async fn exceeds(&self, bound: i64, store: &Store, now: Instant) -> Result<bool, StoreError> {
        let mut said = self.said.lock().await;
        if let Some(known) = said.as_ref()
            && now.saturating_duration_since(known.at) < LOOK_EVERY
            && known.bytes + self.committed.load(Ordering::Relaxed) - known.committed <= bound
        {
            return Ok(false);
        }
        let committed = self.committed.load(Ordering::Relaxed);
        let bytes = store.unlanded_bytes().await?;
        *said = Some(Said { at: now, bytes, committed });
        Ok(bytes > bound)
    }
}
