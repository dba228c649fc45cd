//! The connector's log.

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details for the author.
    Trace,
    /// Details for the operator.
    Debug,
    /// Worth knowing.
    Info,
    /// Something was odd and was dealt with.
    Warn,
    /// Something failed.
    Error,
}

/// Where log lines go: the host, or [`testing::MemoryLog`](crate::testing::MemoryLog).
pub trait Log {
    /// Writes one line. Never put a secret or a person's data in it.
    fn emit(&self, level: Level, message: &str);
}

impl<T: Log + ?Sized> Log for &T {
    fn emit(&self, level: Level, message: &str) {
        (**self).emit(level, message);
    }
}
