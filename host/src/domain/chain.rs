//! An error with everything that caused it, on one line.

use std::error::Error;
use std::fmt::Write as _;

/// The error's message and those of its causes, joined by colons.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
