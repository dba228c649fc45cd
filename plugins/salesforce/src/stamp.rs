//! Times in the unit Salesforce keeps them in: whole seconds.
//!
//! Values come as `2026-03-01T10:20:30.000+0000` in JSON and as `2026-03-01T10:20:30.000Z` in CSV, and comparisons in a
//! query ignore the milliseconds; a position that kept them would promise an order that does not exist.

use syncline_sdk::time::{format_rfc3339_ms, parse_rfc3339_ms};

/// Seconds since 1970 of either spelling.
pub(crate) fn parse(text: &str) -> Option<u64> {
    parse_rfc3339_ms(text).map(|ms| ms / 1_000)
}

/// RFC 3339 in UTC, which is also how a query spells a time (bare, without quotes).
pub(crate) fn format(seconds: u64) -> String {
    format_rfc3339_ms(seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_offset_spellings_are_the_same_second() {
        assert_eq!(parse("2026-03-01T10:20:30.000+0000"), Some(1_772_360_430));
        assert_eq!(parse("2026-03-01T10:20:30.000Z"), parse("2026-03-01T10:20:30.000+0000"));
        assert_eq!(parse("2026-03-01T12:20:30.000+02:00"), parse("2026-03-01T10:20:30Z"));
    }

    #[test]
    fn milliseconds_do_not_make_another_position() {
        assert_eq!(parse("2026-03-01T10:20:30.999Z"), parse("2026-03-01T10:20:30.000Z"));
    }

    #[test]
    fn a_stamp_is_written_as_a_query_spells_it() {
        assert_eq!(format(1_772_360_430), "2026-03-01T10:20:30.000Z");
    }
}
