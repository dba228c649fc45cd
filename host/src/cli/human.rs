//! Numbers as people read them: how long ago, how soon, how much. Programs get the numbers.

use std::time::Duration;

use crate::config::units::show_duration;

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A span of time in its two largest units: `2h 5m`, `40s`.
#[must_use]
pub fn span(ms: i64) -> String {
    let mut rest = ms.unsigned_abs() / 1_000;
    let mut parts = Vec::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { format!("{}ms", ms.unsigned_abs()) } else { parts.join(" ") }
}

/// A time that has passed: `3m ago`.
#[must_use]
pub fn ago(at_ms: i64, now_ms: i64) -> String {
    let passed = now_ms.saturating_sub(at_ms);
    if passed < 1_000 { "just now".to_owned() } else { format!("{} ago", span(passed)) }
}

/// A time that has passed, or never came.
#[must_use]
pub fn ago_or_never(at_ms: Option<i64>, now_ms: i64) -> String {
    at_ms.map_or_else(|| "never".to_owned(), |at| ago(at, now_ms))
}

/// A time to come: `in 12m`; `now` once it has.
#[must_use]
pub fn until(at_ms: i64, now_ms: i64) -> String {
    let left = at_ms.saturating_sub(now_ms);
    if left <= 0 { "now".to_owned() } else { format!("in {}", span(left)) }
}

/// A configured interval: `180m`.
#[must_use]
pub fn interval(ms: i64) -> String {
    show_duration(Duration::from_millis(ms.unsigned_abs()))
}

/// An amount of bytes, rounded: `1.5 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// A count with its noun: `1 object`, `3 objects`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A text in one line of at most so many characters.
#[must_use]
pub fn brief(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units_at_most() {
        let told = [0, 999, 1_000, 61_000, 3_600_000, 7_500_000, 90_061_000].map(span);
        assert_eq!(told, ["0ms", "999ms", "1s", "1m 1s", "1h", "2h 5m", "1d 1h"]);
        assert_eq!((ago(0, 500), ago(0, 180_000)), ("just now".to_owned(), "3m ago".to_owned()));
        assert_eq!((until(720_000, 0), until(0, 5)), ("in 12m".to_owned(), "now".to_owned()));
        assert_eq!(ago_or_never(None, 1), "never");
    }

    #[test]
    fn a_brief_text_is_one_line_and_says_that_it_was_cut() {
        assert_eq!(brief("a\n  b", 5), "a b");
        assert_eq!(brief("äbcdef", 4), "äbc…");
    }
}
