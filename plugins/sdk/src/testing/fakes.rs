//! A clock and a log for tests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::{Clock, Level, Log};

/// A clock that stands still until told otherwise. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct FixedClock(Rc<Cell<u64>>);

impl FixedClock {
    /// A clock that shows this time, in milliseconds since 1970.
    pub fn new(now_ms: u64) -> Self {
        Self(Rc::new(Cell::new(now_ms)))
    }

    /// Sets the time.
    pub fn set(&self, now_ms: u64) {
        self.0.set(now_ms);
    }

    /// Moves the time on.
    pub fn advance_ms(&self, ms: u64) {
        self.0.set(self.0.get().saturating_add(ms));
    }
}

impl Clock for FixedClock {
    fn now_ms(&self) -> u64 {
        self.0.get()
    }
}

/// A log that remembers its lines. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Rc<RefCell<Vec<(Level, String)>>>);

impl MemoryLog {
    /// What was written so far.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.0.borrow().clone()
    }

    /// Whether any line contains this text.
    pub fn contains(&self, text: &str) -> bool {
        self.0.borrow().iter().any(|(_, line)| line.contains(text))
    }
}

impl Log for MemoryLog {
    fn emit(&self, level: Level, message: &str) {
        self.0.borrow_mut().push((level, message.to_owned()));
    }
}
