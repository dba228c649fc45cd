//! Requests and responses.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_sdk::testing::{FixedClock, MemoryLog, MockHttp, json, text};
use syncline_sdk::{Context, Error, HttpError, Interaction, Method, Request, Response};

/// The request that a builder sends.
fn sent(build: impl FnOnce(&Context<'_>) -> Result<Response, Error>) -> Request {
    let http = MockHttp::new(|_: &Request| text(204, ""));
    let (log, clock) = (MemoryLog::default(), FixedClock::default());
    build(&Context::new(&http, &log, &clock, "{}", "", &[])).unwrap();
    http.requests().remove(0)
}

#[test]
fn query_values_cannot_be_taken_for_syntax() {
    let request = sent(|ctx| {
        ctx.get("https://api.example.com/q?x=1").query("q", "a b&c=d+é#/~").query("n", 2.to_string()).send()
    });
    assert_eq!(request.url, "https://api.example.com/q?x=1&q=a%20b%26c%3Dd%2B%C3%A9%23%2F~&n=2");
    assert_eq!(request.query("q").as_deref(), Some("a b&c=d+é#/~"));
    assert_eq!(request.path(), "/q");
    assert_eq!((request.method, request.body), (Method::Get, None));
}

#[test]
fn bodies_carry_their_content_type() {
    let request = sent(|ctx| ctx.post("https://a.example").json(&[1, 2]).idempotent().send());
    assert_eq!(request.body.as_deref(), Some(b"[1,2]".as_slice()));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    assert!(request.idempotent);

    let request = sent(|ctx| ctx.put("https://a.example").form(&[("a b", "1&2"), ("c", "é")]).send());
    assert_eq!(request.body.as_deref(), Some(b"a+b=1%262&c=%C3%A9".as_slice()));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[test]
fn hints_for_the_host_become_attributes() {
    let request = sent(|ctx| ctx.delete("https://a.example").accept_status(&[404, 410]).timeout_ms(500).send());
    let expected = [("accept-status", "404,410"), ("timeout-ms", "500")];
    let attributes: Vec<(&str, &str)> = request.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(attributes, expected);
}

#[test]
fn a_value_that_cannot_be_json_is_an_error_and_not_a_request() {
    let http = MockHttp::new(|_: &Request| text(204, ""));
    let (log, clock) = (MemoryLog::default(), FixedClock::default());
    let ctx = Context::new(&http, &log, &clock, "{}", "", &[]);
    let value = std::collections::BTreeMap::from([(vec![1], 1)]);
    assert!(ctx.post("https://a.example").json(&value).send().is_err());
    assert_eq!(http.count(), 0);
}

#[test]
fn statuses_mean_what_the_host_acts_on() {
    let error = |response: Response| response.error_for_status().unwrap_err();
    assert!(text(204, "").error_for_status().is_ok());
    assert!(matches!(error(text(401, "no")), Error::Unauthorized(m) if m == "status 401: no"));
    assert!(matches!(error(text(403, "")), Error::Forbidden(_)));
    assert_eq!(error(text(429, "")), Error::RateLimited(None));
    assert_eq!(error(text(429, "").with_header("Retry-After", "7")), Error::RateLimited(Some(7)));
    assert_eq!(error(text(503, "").with_header("retry-after", "9")), Error::RateLimited(Some(9)));
    for status in [408, 423, 425, 500, 503, 599] {
        assert!(matches!(error(text(status, "")), Error::Unavailable(_)), "{status}");
    }
    for status in [301, 400, 404, 414] {
        assert!(matches!(error(text(status, "")), Error::Unexpected(_)), "{status}");
    }
}

#[test]
fn a_retry_after_date_is_measured_from_the_providers_own_clock() {
    let response = text(429, "")
        .with_header("date", "Sun, 01 Mar 2026 10:00:00 GMT")
        .with_header("retry-after", "Sun, 01 Mar 2026 10:01:00 GMT");
    assert_eq!(response.date_ms(), Some(1_772_359_200_000));
    assert_eq!(response.retry_after(), Some(60));
}

#[test]
fn a_body_that_is_not_understood_is_quoted_shortly_and_on_one_line() {
    let response = text(200, format!("<html>\n{}", "x".repeat(100_000)));
    let Err(Error::Unexpected(message)) = response.json::<Vec<u8>>() else { unreachable!() };
    assert!(message.contains("<html> xxx") && message.len() < 500, "{message}");
}

#[test]
fn records_pass_through_as_text_that_borrows_from_the_body() {
    #[derive(Deserialize)]
    struct Listing<'a> {
        #[serde(borrow)]
        results: Vec<&'a RawValue>,
        #[serde(borrow)]
        next: Cow<'a, str>,
    }
    let response = text(200, r#"{"results":[{ "n": 1.10, "n": 12345678901234567890.5 }],"next":"a"}"#);
    let listing: Listing<'_> = response.json().unwrap();
    assert!(matches!(listing.next, Cow::Borrowed("a")));
    let record = Interaction::present("1", listing.results[0]);
    assert_eq!(record.data, r#"{ "n": 1.10, "n": 12345678901234567890.5 }"#);
}

#[test]
fn what_went_wrong_on_the_way_becomes_what_the_host_acts_on() {
    let error = |error: HttpError| Error::from(error);
    assert_eq!(error(HttpError::RateLimited(Some(3))), Error::RateLimited(Some(3)));
    assert!(matches!(error(HttpError::Unauthorized("m".into())), Error::Unauthorized(_)));
    for passing in [HttpError::Timeout, HttpError::Truncated, HttpError::Unreachable, HttpError::BudgetSpent] {
        assert!(matches!(error(passing("m".into())), Error::Unavailable(_)));
    }
    assert!(error(HttpError::TooLarge("m".into())).is_too_large());
    assert!(!error(HttpError::Denied("m".into())).is_too_large());
    assert_eq!(error(HttpError::Other("c".into(), "m".into())), Error::other("c", "m"));
}

#[test]
fn a_configuration_that_does_not_fit_is_invalid() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Config {
        domain: String,
    }
    let (http, log) = (MockHttp::new(|_: &Request| json(200, "")), MemoryLog::default());
    let clock = FixedClock::new(5);
    let attributes = [("page-size".to_owned(), "50".to_owned())];
    let ctx = |config| Context::new(&http, &log, &clock, config, "oauth", &attributes);
    assert_eq!(ctx(r#"{"domain":"a"}"#).config(), Ok(Config { domain: "a".to_owned() }));
    assert!(matches!(ctx("").config::<Config>(), Err(Error::InvalidConfig(m)) if m.contains("domain")));
    let ctx = ctx("{}");
    assert_eq!((ctx.page_size(), ctx.auth(), ctx.now_ms()), (Some(50), "oauth", 5));
}
