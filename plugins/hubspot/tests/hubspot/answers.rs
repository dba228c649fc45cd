//! What refusals mean, and what the connector says about itself.

use hubspot::HubSpot;
use serde_json::{Value, json};
use syncline_sdk::testing::{Harness, MockHttp, json as answer, text};
use syncline_sdk::{AuthKind, Connector, Error, Response};

use crate::mini::Mini;

fn refused(response: Response) -> Error {
    let mut mini = Mini::new();
    mini.world().answers = vec![response];
    mini.try_sync().unwrap_err()
}

fn limited(policy: &str) -> Response {
    let body = json!({
        "status": "error", "message": "You have reached your limit.", "errorType": "RATE_LIMIT",
        "correlationId": "c033cdaa", "policyName": policy,
    });
    answer(429, &body)
}

#[test]
fn a_429_without_retry_after_waits_as_long_as_its_policy() {
    assert_eq!(refused(limited("SECONDLY")), Error::RateLimited(Some(1)));
    assert_eq!(refused(limited("TEN_SECONDLY_ROLLING")), Error::RateLimited(Some(10)));
    assert_eq!(refused(limited("DAILY")), Error::RateLimited(Some(3_600)));
    assert_eq!(refused(limited("SOMETHING_NEW")), Error::RateLimited(None));
    assert_eq!(refused(text(429, "<html>")), Error::RateLimited(None));
}

#[test]
fn retry_after_is_preferred_to_the_policy() {
    let response = limited("DAILY").with_header("retry-after", "17");
    assert_eq!(refused(response), Error::RateLimited(Some(17)));
}

#[test]
fn an_account_that_moves_between_data_centres_waits_as_long_as_it_says() {
    let response = text(477, "").with_header("retry-after", "86400");
    assert_eq!(refused(response), Error::RateLimited(Some(86_400)));
    assert_eq!(refused(text(477, "")), Error::RateLimited(None));
}

#[test]
fn a_malformed_token_is_a_matter_of_credentials_although_its_status_is_530() {
    assert!(matches!(refused(text(530, "error code: 1016")), Error::Unauthorized(_)));
    let expired = json!({"category": "EXPIRED_AUTHENTICATION", "message": "The OAuth token expired."});
    let Error::Unauthorized(message) = refused(answer(401, &expired)) else {
        panic!("401 is about credentials");
    };
    assert!(message.contains("EXPIRED_AUTHENTICATION"), "{message}");
}

#[test]
fn a_missing_scope_and_a_missing_object_stop_only_that_object() {
    let scopes = json!({"category": "MISSING_SCOPES", "message": "requires one of [crm.objects.companies.read]"});
    assert!(matches!(refused(answer(403, &scopes)), Error::Forbidden(m) if m.contains("MISSING_SCOPES")));
    assert!(matches!(refused(answer(404, &json!({}))), Error::Forbidden(_)));
}

#[test]
fn locks_and_server_faults_pass() {
    for status in [408, 423, 500, 502, 503, 504, 521, 522, 523, 524] {
        let error = refused(text(status, "<html><title>Oh no</title></html>"));
        assert!(matches!(error, Error::Unavailable(_)), "{status}: {error}");
    }
}

#[test]
fn a_validation_error_that_no_token_caused_is_a_bug() {
    let body = json!({"category": "VALIDATION_ERROR", "message": "no such filter"});
    assert!(matches!(refused(answer(400, &body)), Error::Unexpected(_)));
    assert!(matches!(refused(text(414, "")), Error::Unexpected(_)));
}

#[test]
fn an_answer_that_is_no_json_is_quoted_in_the_error() {
    let Error::Unexpected(message) = refused(text(200, "<html>maintenance")) else {
        panic!("not understood");
    };
    assert!(message.contains("<html>maintenance"), "{message}");
}

#[test]
fn an_answer_without_a_date_is_refused_rather_than_guessed_at() {
    let connector = HubSpot;
    let http = MockHttp::new(|_: &_| answer(200, &json!({"results": []})));
    let harness = Harness::new(&connector).http(http);
    assert!(matches!(harness.fetch("companies", None), Err(Error::Unexpected(m)) if m.contains("Date")));
}

#[test]
fn a_search_that_is_not_in_order_is_refused() {
    let mut mini = Mini::new();
    mini.cursor = Some(r#"{"v":1,"phase":"incr","lo":0,"last_id":0,"walked":99999999999999}"#.to_owned());
    let row = |id: &str| json!({"id": id, "properties": {}});
    mini.world().answers = vec![answer(200, &json!({"total": 2, "results": [row("10"), row("9")]}))];
    assert!(matches!(mini.try_sync(), Err(Error::Unexpected(_))));
}

#[test]
fn the_check_passes_where_only_the_scope_for_contacts_is_missing() {
    let connector = HubSpot;
    let check = |status: u16| {
        let http = MockHttp::new(move |_: &_| answer(status, &json!({"results": [], "message": "m"})));
        connector.check(&Harness::new(&connector).http(http).ctx())
    };
    assert_eq!(check(200), Ok(()));
    assert_eq!(check(403), Ok(()));
    assert!(matches!(check(401), Err(Error::Unauthorized(_))));
}

#[test]
fn an_unknown_setting_is_an_invalid_configuration() {
    let mut mini = Mini::new();
    mini.config = json!({"overlap": 1});
    assert!(matches!(mini.try_sync(), Err(Error::InvalidConfig(_))));
    assert_eq!(mini.http.count(), 0);
}

#[test]
fn the_manifest_names_one_host_and_two_ways_to_authenticate() {
    let manifest = HubSpot.describe();
    assert_eq!((manifest.name.as_str(), manifest.hosts), ("hubspot", vec!["api.hubapi.com".to_owned()]));
    assert_eq!((manifest.auth[0].name.as_str(), &manifest.auth[0].kind), ("private-app", &AuthKind::Bearer));
    assert!(matches!(&manifest.auth[1].kind, AuthKind::OAuth2(oauth) if oauth.grants == ["refresh-token"]));
    let schema: Value = serde_json::from_str(&manifest.config_schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}
