//! Who goes next: exactly one piece of work of all hosts runs at a time, from one named place of `syncline::points` to
//! the next one, and the seed decides which.
//!
//! Work waits only where it holds nothing that others need: after a transaction, before and after what happens outside
//! the database. Inside a transaction, right before its commit, it never waits; it may only die there.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use syncline::points::Hook;

/// Work of a host.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Places before effects outside the database: nothing is held there.
pub const OUTSIDE: [&str; 5] =
    ["send/before", "fetch/before", "delete jobs/before", "delete bells/before", "request/before"];

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The work waits at this place.
    At(&'static str),
    /// It is over.
    Done,
}

/// What passes between the work that has its turn and whoever gave it.
#[derive(Default)]
struct Table {
    /// A world is at work: without one nobody waits.
    open: bool,
    /// Where the work waits, and what lets it go on.
    at: Option<(&'static str, Arc<AtomicBool>)>,
    /// The work is to die before its next commit.
    doomed: bool,
    /// The object that the work is about.
    object: Option<i64>,
    /// Records of the answer that it was given last.
    served: Option<usize>,
    waker: Option<Waker>,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

fn table<T>(look: impl FnOnce(&mut Table) -> T) -> T {
    let mut table: MutexGuard<'_, Option<Table>> = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    look(table.get_or_insert_default())
}

/// From now on work waits at its places, or no longer.
pub fn open(open: bool) {
    table(|table| *table = Table { open, ..Table::default() });
}

/// The object that the work that has its turn is about.
#[must_use]
pub fn object() -> Option<i64> {
    table(|table| table.object)
}

/// Notes how many records the work that has its turn was given.
pub fn serve(records: usize) {
    table(|table| table.served = Some(records));
}

/// The hook for `syncline::points`.
#[derive(Debug)]
pub struct Turnstile;

#[async_trait]
impl Hook for Turnstile {
    async fn pass(&self, place: &'static str) {
        let outside = !place.ends_with("/before") || OUTSIDE.contains(&place);
        let go = table(|table| {
            if !table.open || !(outside || table.doomed) {
                return None;
            }
            let go = Arc::new(AtomicBool::new(false));
            table.at = Some((place, Arc::clone(&go)));
            if let Some(waker) = &table.waker {
                waker.wake_by_ref();
            }
            Some(go)
        });
        if let Some(go) = go {
            poll_fn(|_| if go.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }
}

/// Work that waits for its turn.
pub struct Waiting {
    work: Work,
    go: Option<Arc<AtomicBool>>,
    /// The object that it is about, if it is about one.
    pub object: Option<i64>,
    /// Records of the answer that it was given last.
    pub served: usize,
}

impl Waiting {
    /// Work that has not begun.
    #[must_use]
    pub const fn new(work: Work, object: Option<i64>) -> Self {
        Self { work, go: None, object, served: 0 }
    }

    /// Gives it a turn: it runs until its next place, or its end. One that is doomed may end up right before a commit;
    /// it is to be dropped there.
    pub async fn turn(&mut self, doomed: bool) -> Turn {
        table(|table| {
            table.at = None;
            table.doomed = doomed;
            table.object = self.object;
        });
        if let Some(go) = self.go.take() {
            go.store(true, Ordering::SeqCst);
        }
        let turn = poll_fn(|context| {
            table(|table| table.waker = Some(context.waker().clone()));
            if self.work.as_mut().poll(context).is_ready() {
                return Poll::Ready(Turn::Done);
            }
            match table(|table| table.at.take()) {
                Some((place, go)) => {
                    self.go = Some(go);
                    Poll::Ready(Turn::At(place))
                }
                None => Poll::Pending,
            }
        })
        .await;
        if let Some(served) = table(|table| table.served.take()) {
            self.served = served;
        }
        turn
    }
}
