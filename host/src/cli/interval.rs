//! Intervals as commands take them.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::human;
use super::output::Output;
use crate::config::units::{parse_duration, show_duration};

/// Reads an interval: a duration of at least a second.
///
/// # Errors
/// A text that says what is expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        interval if interval >= Duration::from_secs(1) => Ok(interval),
        _ => Err("an interval is at least 1s".to_owned()),
    }
}

/// An interval, or none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntervalArg(pub Option<Duration>);

impl FromStr for IntervalArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "default" {
            return Ok(Self(None));
        }
        parse(text).map(|interval| Self(Some(interval))).map_err(|expected| format!("{expected}, or `default`"))
    }
}

#[derive(Serialize)]
struct Changed<'a> {
    address: &'a str,
    /// None where the layer has no interval of its own any more.
    interval_ms: Option<u64>,
    objects_changed: u64,
}

/// Reports that a layer's interval was set.
///
/// # Errors
/// Of writing.
pub fn report(output: &mut Output, address: &str, interval: IntervalArg, changed: u64) -> io::Result<()> {
    let interval_ms = interval.0.map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
    let every = interval.0.map_or_else(
        || "no interval of its own".to_owned(),
        |interval| format!("an interval of {}", show_duration(interval)),
    );
    let objects = human::count(usize::try_from(changed).unwrap_or(usize::MAX), "object");
    let sentence = format!("{address} has {every}; the interval of {objects} changed");
    output.done(&Changed { address, interval_ms, objects_changed: changed }, &sentence)
}

/// An interval for people.
#[must_use]
pub fn show(interval: Duration) -> String {
    show_duration(interval)
}
