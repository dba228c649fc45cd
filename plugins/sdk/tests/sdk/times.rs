//! Time formats.

use syncline_sdk::time::{format_http_date, format_rfc3339_ms, parse_http_date, parse_rfc3339_ms, retry_after_seconds};

const TEN: u64 = 1_772_359_200_000;

#[test]
fn the_spellings_of_utc_are_one_time() {
    for text in [
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.000Z",
        "2026-03-01t10:00:00z",
        "2026-03-01 10:00:00+00:00",
        "2026-03-01T10:00:00.000+0000",
        "2026-03-01T10:00:00-00:00",
        "2026-03-01T12:30:00+02:30",
        "2026-03-01T02:00:00-0800",
        "2026-03-01T12:00:00+02",
    ] {
        assert_eq!(parse_rfc3339_ms(text), Some(TEN), "{text}");
    }
}

#[test]
fn fractions_are_cut_to_milliseconds() {
    for (text, ms) in [(".5Z", 500), (".12Z", 120), (".1239Z", 123), (".000999999Z", 0)] {
        assert_eq!(parse_rfc3339_ms(&format!("2026-03-01T10:00:00{text}")), Some(TEN + ms), "{text}");
    }
}

#[test]
fn what_is_no_time_is_none() {
    for text in [
        "",
        "2026",
        "2026-03-01",
        "2026-03-01T10:00:00",
        "2026-13-01T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T10:60:00Z",
        "2026-03-01T10:00:00.Z",
        "2026-03-01T10:00:00Zx",
        "2026-3-01T10:00:00Z0",
        "2026-03-01T10:00:00+2",
        "2026-03-01T10:00:00+25:00",
        "1969-12-31T23:59:59Z",
        "2026-03-01T10:00:00é",
        "+026-03-01T10:00:00Z",
        "２０26-03-01T10:00:00Z",
    ] {
        assert_eq!(parse_rfc3339_ms(text), None, "{text}");
    }
}

#[test]
fn every_day_of_four_centuries_reads_back_as_it_was_written() {
    let mut expected = (1970, 1, 1);
    for day in 0..146_097_u64 {
        let text = format_rfc3339_ms(day * 86_400_000 + 86_399_999);
        let (year, month, date) = expected;
        assert_eq!(text, format!("{year:04}-{month:02}-{date:02}T23:59:59.999Z"));
        assert_eq!(parse_rfc3339_ms(&text), Some(day * 86_400_000 + 86_399_999));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
        expected = match (month, date) {
            (12, 31) => (year + 1, 1, 1),
            (month, date) if date == days => (year, month + 1, 1),
            (month, date) => (year, month, date + 1),
        };
    }
}

#[test]
fn the_three_forms_of_an_http_date_are_read() {
    for text in ["Sun, 01 Mar 2026 10:00:00 GMT", "Sunday, 01-Mar-26 10:00:00 GMT", "Sun Mar  1 10:00:00 2026"] {
        assert_eq!(parse_http_date(text), Some(TEN), "{text}");
    }
    assert_eq!(format_http_date(TEN + 999), "Sun, 01 Mar 2026 10:00:00 GMT");
    assert_eq!(parse_http_date("yesterday"), None);
    assert!(format_http_date(u64::MAX).contains("9999"));
}

#[test]
fn retry_after_is_a_number_or_a_date() {
    assert_eq!(retry_after_seconds(" 120 ", TEN), Some(120));
    assert_eq!(retry_after_seconds("Sun, 01 Mar 2026 10:00:30 GMT", TEN + 500), Some(30));
    assert_eq!(retry_after_seconds("Sun, 01 Mar 2026 09:00:00 GMT", TEN), Some(0));
    assert_eq!(retry_after_seconds("-1", TEN), None);
    assert_eq!(retry_after_seconds("soon", TEN), None);
}
