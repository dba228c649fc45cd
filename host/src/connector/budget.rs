//! What a call may use, and the three gauges that hold it to that: CPU, memory, wall clock.
//!
//! Two clocks are needed. Epochs stop a guest that computes; they never fire while a guest is parked in a host call, so
//! the wall clock is a timer around the whole call. CPU is metered by timing every poll of the call's future, so that
//! waiting for HTTP costs a connector nothing. (A poll also takes as long as the operating system lets other processes run
//! in the middle of it: on a machine that is overloaded the budget is a little smaller than it says.)

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bounds of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Linear memory of the instance, in bytes; never more than the engine's.
    pub memory_bytes: usize,
    /// Time on a CPU.
    pub cpu: Duration,
    /// Time from start to end, HTTP included.
    pub wall: Duration,
    /// Bytes that one host call or one answer may make the host copy.
    pub hostcall_bytes: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(120),
            hostcall_bytes: 16 << 20,
        }
    }
}

/// The call has used its CPU.
#[derive(Debug, thiserror::Error)]
#[error("used its {} ms of CPU", .0.as_millis())]
pub(crate) struct CpuBudgetSpent(pub(crate) Duration);

/// The call asked for more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("asked for {asked} bytes of memory, {limit} are allowed")]
pub(crate) struct MemoryBudgetSpent {
    pub(crate) asked: usize,
    pub(crate) limit: usize,
}

/// CPU time of one call: the sum of its polls.
#[derive(Debug)]
pub(crate) struct Meter {
    zero: Instant,
    spent_ns: AtomicU64,
    /// When the poll in progress began, in nanoseconds after `zero`; 0 while the call is parked.
    entered_ns: AtomicU64,
}

impl Meter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { zero: Instant::now(), spent_ns: AtomicU64::new(0), entered_ns: AtomicU64::new(0) })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// CPU used so far, the poll in progress included.
    pub(crate) fn cpu(&self) -> Duration {
        let entered = self.entered_ns.load(Ordering::Relaxed);
        let running = if entered == 0 { 0 } else { self.now_ns().saturating_sub(entered) };
        Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed).saturating_add(running))
    }

    /// Runs a future and counts the time its polls take.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            self.entered_ns.store(self.now_ns(), Ordering::Relaxed);
            let answer = work.as_mut().poll(cx);
            let took = self.now_ns().saturating_sub(self.entered_ns.swap(0, Ordering::Relaxed));
            self.spent_ns.fetch_add(took, Ordering::Relaxed);
            answer
        })
        .await
    }
}

/// Elements of all tables of a call. Language runtimes keep their function pointers there.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// Memory and tables of one call, summed over its instances.
#[derive(Debug)]
pub(crate) struct MemoryGauge {
    limit: usize,
    used: usize,
    table_elements: usize,
    /// The most memory held at once.
    pub(crate) peak: usize,
}

impl MemoryGauge {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, used: 0, table_elements: 0, peak: 0 }
    }
}

impl wasmtime::ResourceLimiter for MemoryGauge {
    fn memory_growing(&mut self, current: usize, desired: usize, most: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.used.saturating_add(desired.saturating_sub(current));
        if asked > self.limit {
            // An error instead of `false`: the guest would only abort with an `unreachable` that says nothing.
            return Err(MemoryBudgetSpent { asked, limit: self.limit }.into());
        }
        if most.is_some_and(|most| desired > most) {
            // The module's own maximum: the guest sees -1 and holds no more than before.
            return Ok(false);
        }
        self.used = asked;
        self.peak = self.peak.max(asked);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, most: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.table_elements.saturating_add(desired.saturating_sub(current));
        let granted = asked <= TABLE_ELEMENTS && most.is_none_or(|most| desired <= most);
        if granted {
            self.table_elements = asked;
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        super::engine::CORE_INSTANCES_PER_CALL
    }

    fn tables(&self) -> usize {
        super::engine::TABLES_PER_CALL
    }

    fn memories(&self) -> usize {
        super::engine::MEMORIES_PER_CALL
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::ResourceLimiter as _;

    use super::*;

    #[tokio::test]
    async fn waiting_costs_no_cpu_and_computing_does() {
        let meter = Meter::new();
        meter.run(tokio::time::sleep(Duration::from_millis(60))).await;
        assert!(meter.cpu() < Duration::from_millis(30), "{:?}", meter.cpu());
        meter.run(async { std::thread::sleep(Duration::from_millis(60)) }).await;
        assert!(meter.cpu() >= Duration::from_millis(60), "{:?}", meter.cpu());
    }

    #[test]
    fn memory_is_summed_over_the_instances_of_a_call() {
        let mut gauge = MemoryGauge::new(100);
        assert!(gauge.memory_growing(0, 60, None).unwrap());
        let refused = gauge.memory_growing(0, 60, None).unwrap_err();
        assert!(refused.is::<MemoryBudgetSpent>());
        assert_eq!(gauge.peak, 60);
    }

    #[test]
    fn what_a_module_refuses_itself_is_not_counted() {
        let mut gauge = MemoryGauge::new(100);
        assert!(gauge.memory_growing(0, 10, Some(20)).unwrap());
        for _ in 0..10 {
            assert!(!gauge.memory_growing(10, 30, Some(20)).unwrap());
            assert!(!gauge.table_growing(0, 10_000, Some(9_999)).unwrap());
        }
        assert!(gauge.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert_eq!((gauge.used, gauge.peak), (10, 10));
    }
}
