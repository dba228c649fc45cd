//! A run's log as its connector wrote it.
//!
//! Bounded to 64 KiB and 1,000 lines of at most 4 KiB; what comes after is counted, not kept. Known credentials are
//! taken out before anything else happens to a line, so that no cut can leave half of one behind.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::text;

/// Takes known credentials out of a text.
pub type Redactor = Arc<dyn Fn(&str) -> String + Send + Sync>;

pub(super) const LINES: usize = 1_000;
pub(super) const BYTES: usize = 64 << 10;
/// Of a longer message only the beginning is looked at.
const RAW_BYTES: usize = 64 << 10;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
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

crate::domain::manifest::as_text!(LogLevel {
    Trace = "trace",
    Debug = "debug",
    Info = "info",
    Warn = "warn",
    Error = "error"
});

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds after the log was opened.
    pub at_ms: u64,
    /// How much it matters.
    pub level: LogLevel,
    /// Message and fields; one line, no control characters.
    pub text: String,
}

#[derive(Default)]
struct Kept {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u64,
}

/// The log of one run. Shared by the calls of the run.
pub struct GuestLog {
    redact: Redactor,
    opened: Instant,
    kept: Mutex<Kept>,
}

impl fmt::Debug for GuestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuestLog({} lines)", self.kept().lines.len())
    }
}

impl GuestLog {
    /// Opens a log that takes credentials out with `redact`.
    #[must_use]
    pub fn new(redact: Redactor) -> Self {
        Self { redact, opened: Instant::now(), kept: Mutex::default() }
    }

    /// Opens a log where no credential is known.
    #[must_use]
    pub fn without_secrets() -> Self {
        Self::new(Arc::new(str::to_owned))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes credentials and control characters out of a guest's text and bounds it.
    #[must_use]
    pub fn scrub(&self, raw: &str) -> String {
        text::clean(&(self.redact)(text::prefix(raw, RAW_BYTES)), text::MESSAGE_BYTES)
    }

    /// Writes one line; also to tracing, target `connector`.
    pub fn emit(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        {
            // Before the scrubbing: a flood must not cost more than the counting of it.
            let mut kept = self.kept();
            if kept.lines.len() >= LINES || kept.bytes >= BYTES {
                kept.dropped += 1;
                return;
            }
        }
        let mut raw = Cow::Borrowed(text::prefix(message, RAW_BYTES));
        for (key, value) in fields {
            if raw.len() >= RAW_BYTES {
                break;
            }
            let pair = [" ", text::prefix(key, RAW_BYTES), "=", text::prefix(value, RAW_BYTES)];
            raw.to_mut().push_str(&pair.concat());
        }
        let mut text = self.scrub(&raw);
        let mut kept = self.kept();
        let room = BYTES.saturating_sub(kept.bytes);
        text.truncate(text.floor_char_boundary(room));
        kept.bytes += text.len().max(1);
        match level {
            LogLevel::Trace => tracing::trace!(target: "connector", "{text}"),
            LogLevel::Debug => tracing::debug!(target: "connector", "{text}"),
            LogLevel::Info => tracing::info!(target: "connector", "{text}"),
            LogLevel::Warn => tracing::warn!(target: "connector", "{text}"),
            LogLevel::Error => tracing::error!(target: "connector", "{text}"),
        }
        let at_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        kept.lines.push(LogLine { at_ms, level, text });
    }

    /// Writes what a stream of the guest said, line by line.
    pub(crate) fn emit_stream(&self, level: LogLevel, name: &str, written: &str) {
        for line in written.lines().filter(|line| !line.trim().is_empty()) {
            self.emit(level, &format!("{name}: {line}"), &[]);
        }
    }

    /// The lines kept so far.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.kept().lines.clone()
    }

    /// How many lines came after the log was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.kept().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_at_a_thousand_and_counted() {
        let log = GuestLog::without_secrets();
        for _ in 0..5_000 {
            log.emit(LogLevel::Info, "x", &[]);
        }
        assert_eq!((log.lines().len(), log.dropped()), (1_000, 4_000));
    }

    #[test]
    fn a_flood_of_bytes_is_cut_at_64_kib() {
        let log = GuestLog::without_secrets();
        for _ in 0..100 {
            log.emit(LogLevel::Info, &"y".repeat(1 << 20), &[]);
        }
        let bytes: usize = log.lines().iter().map(|line| line.text.len()).sum();
        assert!(bytes <= BYTES && log.dropped() > 0, "{bytes}");
    }

    #[test]
    fn a_known_credential_is_gone_even_where_a_line_is_cut() {
        let log = GuestLog::new(Arc::new(|text: &str| text.replace("s3cret-token", "***")));
        let message = format!("{}s3cret-token tail", "z".repeat(text::MESSAGE_BYTES - 6));
        log.emit(LogLevel::Warn, &message, &[("auth".to_owned(), "s3cret-token".to_owned())]);
        log.emit(LogLevel::Warn, "got", &[("auth".to_owned(), "s3cret-token".to_owned())]);
        let lines = log.lines();
        assert!(lines.iter().all(|line| !line.text.contains("s3cr")), "{lines:?}");
        assert_eq!(lines[1].text, "got auth=***");
    }
}
