//! What a panic of ours costs: the piece of work in which it happens, never the process, and never a part of the host for
//! good. A part that panics begins again.
//!
//! All that a part keeps between two pieces of work is in the database, or behind locks that outlive a panic: what unwinds
//! leaves nothing half done there.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::domain::schedule::backoff;

/// The pause before a part begins again, doubled with each panic in a row, with jitter.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A part that held out for so long does not panic in a row.
const STEADY: Duration = Duration::from_secs(60);

/// Does a piece of work; none when it panicked, which is logged.
pub(crate) async fn survive<T>(part: &'static str, work: impl Future<Output = T>) -> Option<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => Some(done),
        Err(panic) => {
            counter!("syncline_panics_total", "part" => part).increment(1);
            tracing::error!(
                code = "panic",
                part,
                error = text(&*panic),
                "a fault of the host itself, please report it"
            );
            None
        }
    }
}

/// Runs a part of the host until it ends by itself, as it does at `stop`, which it is handed. After a panic it begins again.
pub(crate) async fn supervise<F: Future<Output = ()>>(
    part: &'static str,
    stop: CancellationToken,
    begin: impl Fn(CancellationToken) -> F,
) {
    let mut panics = 0;
    loop {
        let began = Instant::now();
        if survive(part, begin(stop.clone())).await.is_some() {
            return;
        }
        panics = if began.elapsed() < STEADY { panics + 1 } else { 1 };
        let pause = backoff(panics, PAUSE, LONGEST_PAUSE, rand::random());
        tracing::warn!(
            code = "part-begins-again",
            part,
            pause_seconds = pause.as_secs_f64(),
            "this part of the host begins again"
        );
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_panic_costs_the_piece_of_work() {
        assert_eq!(survive("test", async { 7 }).await, Some(7));
        assert_eq!(survive("test", async { panic!("{} of them", 7) }).await, None::<()>);
        assert_eq!(text(&"why"), "why");
        assert_eq!(text(&"why".to_owned()), "why");
        assert_eq!(text(&7), "it said nothing");
    }

    #[tokio::test]
    async fn a_part_that_panics_begins_again_until_it_ends_by_itself() {
        let begun = AtomicU32::new(0);
        let part = async |_| {
            if begun.fetch_add(1, Ordering::SeqCst) == 0 {
                panic!("once");
            }
        };
        let started = Instant::now();
        supervise("test", CancellationToken::new(), part).await;
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        assert!(started.elapsed() >= PAUSE / 10, "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_part_that_panics_while_the_host_stops_does_not_begin_again() {
        let begun = AtomicU32::new(0);
        let stop = CancellationToken::new();
        let part = async |stop: CancellationToken| {
            begun.fetch_add(1, Ordering::SeqCst);
            stop.cancel();
            panic!("once");
        };
        supervise("test", stop, part).await;
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }
}
