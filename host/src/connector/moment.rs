//! A clock that stands still and dice that always fall the same: what makes a call repeatable to the byte.
//!
//! For replays and for proving connectors. Hosts at work use the real ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The time that a guest sees and the seed of the randomness it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970-01-01 UTC. The wall clock shows nothing else.
    pub now_ms: u64,
    /// Every call begins with the same random numbers.
    pub seed: u64,
}

impl Moment {
    /// Puts this clock and these dice into a guest's WASI.
    pub(super) fn freeze(self, wasi: &mut WasiCtxBuilder) {
        wasi.wall_clock(Frozen(Duration::from_millis(self.now_ms)))
            .monotonic_clock(Steps::default())
            .secure_random(StdRng::seed_from_u64(self.seed))
            .insecure_random(StdRng::seed_from_u64(self.seed ^ 1))
            .insecure_random_seed(u128::from(self.seed));
    }
}

struct Frozen(Duration);

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// Every look is a microsecond after the one before: a guest that waits for time to pass by looking does not wait for
/// ever, and sees the same times whenever it is run.
#[derive(Default)]
struct Steps(AtomicU64);

impl HostMonotonicClock for Steps {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}
