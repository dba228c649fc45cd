//! A guest's stdout or stderr: the first and the last bytes are kept, what is between is swallowed.
//!
//! Swallowed rather than refused: a runtime whose `print` fails tends to abort, and the flood would hide the cause. The
//! last bytes are where a panic says why.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes kept of the beginning and of the end.
const HEAD: usize = 12 << 10;
const TAIL: usize = 4 << 10;

/// What a guest may write at once.
const CHUNK: usize = 64 << 10;

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    swallowed: bool,
}

/// A capped stream. Clones share the buffer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<Kept>>);

impl Pipe {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD.saturating_sub(kept.head.len())));
        kept.head.extend_from_slice(head);
        kept.tail.extend(rest);
        let excess = kept.tail.len().saturating_sub(TAIL);
        if excess > 0 {
            kept.tail.drain(..excess);
            kept.swallowed = true;
        }
    }

    /// What was written, as text; a line of its own says that something is missing.
    pub(crate) fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = if kept.swallowed { "\n[...]\n" } else { "" };
        let (older, newer) = kept.tail.as_slices();
        let bytes = [&kept.head, gap.as_bytes(), older, newer].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// Only WASI 0.3 asks for it, which no component gets.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

#[async_trait::async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_of_a_flood_are_kept() {
        let pipe = Pipe::default();
        pipe.keep(b"first ");
        for _ in 0..100 {
            pipe.keep(&[b'x'; 1_000]);
        }
        pipe.keep(b" last");
        let text = pipe.text();
        assert!(text.starts_with("first x") && text.ends_with("x last") && text.contains("\n[...]\n"));
        assert!(text.len() <= HEAD + TAIL + 7, "{}", text.len());
    }
}
