//! What refusals mean, and what the connector says about itself.

use intercom::Intercom;
use serde_json::{Value, json};
use syncline_sdk::testing::{Harness, MockHttp, json as answer, text};
use syncline_sdk::{AuthKind, Connector, Error, HttpError, Request, Response};

use crate::mini::Mini;
use crate::world::{START, refused as refusal};

/// What every kind of reading makes of an answer.
fn refused(response: &Response) -> Error {
    let objects = ["contacts", "companies", "conversations", "notes", "admins"];
    let errors = objects.map(|object| {
        let mini = Mini::new(object);
        mini.world().answers = vec![response.clone(); 2];
        let mut mini = mini;
        mini.try_sync().unwrap_err()
    });
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    errors[0].clone()
}

#[test]
fn a_limit_lasts_until_its_window_ends_by_intercoms_clock() {
    let limited = refusal(429, "rate_limit_exceeded", "Exceeded rate limit of 167 in 10_seconds");
    let reset = |at: u64| limited.clone().with_header("x-ratelimit-reset", at.to_string());
    assert_eq!(refused(&reset(START / 1_000 + 7)), Error::RateLimited(Some(7)));
    assert_eq!(refused(&reset(START / 1_000 - 7)), Error::RateLimited(Some(1)), "at least a second");
    assert_eq!(refused(&limited), Error::RateLimited(None));
    assert_eq!(refused(&reset(1).with_header("retry-after", "17")), Error::RateLimited(Some(17)));
}

#[test]
fn a_token_that_is_refused_asks_for_another() {
    let error = refused(&refusal(401, "unauthorized", "Access Token Invalid"));
    assert!(matches!(&error, Error::Unauthorized(m) if m.contains("Access Token Invalid")), "{error}");
    assert!(matches!(refused(&refusal(403, "token_revoked", "revoked")), Error::Unauthorized(_)));
    assert!(matches!(refused(&text(401, "")), Error::Unauthorized(_)));
}

#[test]
fn a_plan_or_a_permission_that_is_missing_stops_only_that_object() {
    assert!(matches!(
        refused(&refusal(403, "api_plan_restricted", "Active subscription needed.")),
        Error::Forbidden(_)
    ));
    assert!(matches!(refused(&refusal(403, "forbidden", "no")), Error::Forbidden(_)));
    assert!(matches!(refused(&text(402, "")), Error::Forbidden(_)));
}

#[test]
fn server_faults_pass() {
    for status in [408, 500, 502, 503, 504] {
        let error = refused(&text(status, "<html>"));
        assert!(matches!(error, Error::Unavailable(_)), "{status}: {error}");
    }
}

#[test]
fn what_intercom_does_not_understand_is_a_bug() {
    for status in [400, 404, 406, 415, 422] {
        assert!(
            matches!(refused(&refusal(status, "intercom_version_invalid", "no")), Error::Unexpected(_)),
            "{status}"
        );
    }
}

#[test]
fn an_answer_that_is_no_json_is_quoted_in_the_error() {
    let error = refused(&text(200, "<html>maintenance"));
    assert!(matches!(&error, Error::Unexpected(m) if m.contains("<html>maintenance")), "{error}");
    assert!(matches!(refused(&answer(200, &json!({"type": "error.list", "errors": []}))), Error::Unexpected(_)));
}

#[test]
fn a_next_page_without_a_place_is_no_end() {
    let mut mini = Mini::new("contacts");
    mini.world().answers = vec![answer(200, &json!({"data": [], "pages": {"next": {"per_page": 5}}}))];
    assert!(matches!(mini.try_sync(), Err(Error::Unexpected(_))));
}

#[test]
fn an_answer_without_a_date_is_refused_rather_than_guessed_at() {
    let harness =
        Harness::new(&Intercom).http(MockHttp::new(|_: &Request| answer(200, &json!({"data": [], "pages": null}))));
    assert!(matches!(harness.fetch("contacts", None), Err(Error::Unexpected(m)) if m.contains("Date")));
}

#[test]
fn a_lost_connection_is_unavailable() {
    let harness = Harness::new(&Intercom)
        .http(MockHttp::new(|_: &Request| HttpError::Truncated("the body ended early".to_owned())));
    for object in ["contacts", "companies", "tickets", "notes", "teams"] {
        assert!(matches!(harness.fetch(object, None), Err(Error::Unavailable(_))), "{object}");
    }
}

#[test]
fn the_check_compares_the_region() {
    let check = |config: Value, region: Value| {
        let http = MockHttp::new(move |request: &Request| {
            assert_eq!(request.path(), "/me");
            answer(200, &json!({"type": "admin", "app": {"region": region}}))
        });
        Intercom.check(&Harness::new(&Intercom).config(config).http(http).ctx())
    };
    assert_eq!(check(json!({}), json!("US")), Ok(()));
    assert_eq!(check(json!({"region": "eu"}), json!("EU")), Ok(()));
    assert_eq!(check(json!({}), json!(null)), Ok(()));
    assert!(matches!(check(json!({}), json!("EU")), Err(Error::InvalidConfig(m)) if m.contains("EU")));
}

#[test]
fn every_request_goes_to_the_regions_host_and_names_its_version() {
    let hosts = [("us", "api.intercom.io"), ("eu", "api.eu.intercom.io"), ("au", "api.au.intercom.io")];
    for (region, host) in hosts {
        let http = MockHttp::new(|_: &Request| text(500, ""));
        let harness = Harness::new(&Intercom).config(json!({"region": region})).http(http.clone());
        for object in ["contacts", "companies", "conversations", "notes", "admins"] {
            harness.fetch(object, None).unwrap_err();
        }
        for request in http.requests() {
            assert!(request.url.starts_with(&format!("https://{host}/")), "{}", request.url);
            assert_eq!(request.header("intercom-version"), Some("2.14"));
        }
    }
}

#[test]
fn an_unknown_setting_is_an_invalid_configuration() {
    let mut mini = Mini::new("contacts");
    mini.config = json!({"regoin": "eu"});
    assert!(matches!(mini.try_sync(), Err(Error::InvalidConfig(_))));
    assert_eq!(mini.http.count(), 0);
}

#[test]
fn the_manifest_names_three_hosts_and_one_way_to_authenticate() {
    let manifest = Intercom.describe();
    assert_eq!(manifest.hosts, ["api.intercom.io", "api.eu.intercom.io", "api.au.intercom.io"]);
    assert_eq!((manifest.auth.len(), &manifest.auth[0].kind), (1, &AuthKind::Bearer));
    let schema: Value = serde_json::from_str(&manifest.config_schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}
