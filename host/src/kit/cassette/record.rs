//! The recording side: collects what passes the gate until somebody takes it.

use std::sync::{Mutex, PoisonError};

use super::Exchange;
use crate::egress::{self, Tape};

/// Collects exchanges, up to a number of bytes.
#[derive(Debug)]
pub struct Recorder {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: Vec<Exchange>,
    bytes: usize,
    dropped: u64,
}

impl Recorder {
    /// A recorder that keeps bodies of so many bytes in all; what comes later is counted and not kept.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, kept: Mutex::default() }
    }

    /// Takes what has been recorded since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner).exchanges)
    }

    /// Exchanges that were not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).dropped
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Tape for Recorder {
    fn exchanged(&self, exchange: egress::Exchange) {
        let body = exchange.body.as_ref().map_or(0, bytes::Bytes::len);
        let bytes = body + exchange.answer.as_ref().map_or(0, |answer| answer.body.len());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.saturating_add(bytes) > self.most_bytes {
            kept.dropped += 1;
            return;
        }
        kept.bytes += bytes;
        kept.exchanges.push(exchange.into());
    }
}
