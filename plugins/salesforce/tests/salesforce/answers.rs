//! What the connector says about itself, and what it makes of answers that are errors.

use salesforce::Salesforce;
use serde_json::json;
use syncline_sdk::testing::{Harness, text};
use syncline_sdk::{AuthKind, Connector, DeleteMode, Error, HttpError};

use crate::account::Copy;
use crate::org::{START, Shared};
use crate::serve::error;

fn run_against(answer: syncline_sdk::Response) -> Error {
    let org = Shared::new();
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    let before = copy.cursor.clone();
    org.with(|org| org.interpose(move |_| Some(answer.clone())));
    let failure = copy.run().expect_err("an error");
    assert_eq!(copy.cursor, before, "the position stays");
    failure
}

#[test]
fn errors_of_a_run_are_what_the_host_can_act_on() {
    let session = error(401, "INVALID_SESSION_ID", "Session expired or invalid");
    assert!(matches!(run_against(session), Error::Unauthorized(_)));
    let quota = error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    assert_eq!(run_against(quota), Error::RateLimited(Some(900)));
    let concurrency = error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.");
    assert_eq!(run_against(concurrency), Error::RateLimited(Some(10)));
    assert!(matches!(run_against(error(403, "API_DISABLED_FOR_ORG", "off")), Error::Forbidden(_)));
    assert!(matches!(run_against(text(503, "")), Error::Unavailable(_)));
    assert!(matches!(run_against(text(200, "<html>maintenance</html>")), Error::Unavailable(_)));
}

#[test]
fn an_object_that_is_no_longer_visible_stops_alone() {
    let org = Shared::new();
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    org.with(|org| org.object = "Contact".to_owned());
    assert!(matches!(copy.run(), Err(Error::Forbidden(_))));
}

#[test]
fn an_object_that_is_not_configured_is_not_read() {
    let org = Shared::new();
    let copy = Copy::new(&org, 10);
    assert!(matches!(copy.harness.fetch("Invoice__c", None), Err(Error::Forbidden(_))));
    assert_eq!(copy.http.count(), 0);
}

#[test]
fn a_cursor_of_nobodys_starts_over() {
    let copy = Copy::new(&Shared::new(), 10);
    assert_eq!(copy.harness.fetch("Account", Some("rubbish")), Err(Error::CursorExpired(None)));
}

#[test]
fn discovery_lists_what_the_user_may_see_and_says_what_is_left_out() {
    let org = Shared::new();
    org.with(|org| org.object = "Invoice__c".to_owned());
    let copy = Copy::with_config(&org, 10, json!({"custom_objects": ["Invoice__c", "Typo__c"]}));
    let objects = Salesforce.discover(&copy.harness.ctx()).unwrap();
    let names: Vec<_> = objects.iter().map(|object| (object.name.as_str(), object.interaction_type.as_str())).collect();
    assert_eq!(names, [("Invoice__c", "custom")]);
    assert_eq!(objects[0].deletes, DeleteMode::Tombstones);
    let schema: serde_json::Value = serde_json::from_str(&objects[0].schema).unwrap();
    assert_eq!(schema["properties"]["AnnualRevenue"], json!({"type": ["number", "null"]}));
    assert!(schema["properties"]["BillingAddress"].is_null(), "compound fields are not read");
    assert!(copy.harness.log().contains("Typo__c is left out"));
}

#[test]
fn a_custom_object_syncs_like_a_standard_one() {
    let org = Shared::new();
    org.with(|org| {
        org.object = "Invoice__c".to_owned();
        org.create_many(25, START - 500);
    });
    let mut copy = Copy::with_config(&org, 10, json!({"custom_objects": ["Invoice__c"]}));
    copy.settle();
    copy.assert_true();
}

#[test]
fn a_name_that_would_reach_into_the_query_is_refused() {
    let org = Shared::new();
    let copy = Copy::with_config(&org, 10, json!({"custom_objects": ["X WHERE Id != ''"]}));
    assert!(matches!(Salesforce.discover(&copy.harness.ctx()), Err(Error::InvalidConfig(_))));
    assert_eq!(copy.http.count(), 0);
}

#[test]
fn a_check_is_one_request_and_tells_a_wrong_version_from_wrong_credentials() {
    let org = Shared::new();
    org.with(|org| org.object = "User".to_owned());
    let copy = Copy::new(&org, 10);
    assert_eq!(Salesforce.check(&copy.harness.ctx()), Ok(()));
    assert_eq!(copy.http.count(), 1);
    org.with(|org| org.interpose(|_| Some(error(404, "NOT_FOUND", "no such version"))));
    assert!(matches!(Salesforce.check(&copy.harness.ctx()), Err(Error::InvalidConfig(_))));
    org.with(|org| org.interpose(|_| Some(error(401, "INVALID_SESSION_ID", "expired"))));
    assert!(matches!(Salesforce.check(&copy.harness.ctx()), Err(Error::Unauthorized(_))));
}

#[test]
fn an_unreachable_org_is_unavailable() {
    let harness = Harness::new(&Salesforce)
        .config(json!({"domain": "northwind.my.salesforce.com"}))
        .http(syncline_sdk::testing::MockHttp::new(|_| HttpError::Unreachable("dns".to_owned())));
    assert!(matches!(harness.fetch("Account", None), Err(Error::Unavailable(_))));
}

#[test]
fn the_manifest_declares_the_orgs_host_and_nothing_else() {
    let manifest = Salesforce.describe();
    assert_eq!((manifest.name.as_str(), manifest.hosts.as_slice()), ("salesforce", ["{domain}".to_owned()].as_slice()));
    let schema: serde_json::Value = serde_json::from_str(&manifest.config_schema).unwrap();
    assert_eq!(
        schema["properties"]["domain"]["pattern"],
        r"^[a-z0-9-]+(--[a-z0-9-]+)?(\.sandbox)?\.my\.salesforce\.com$"
    );
    let AuthKind::OAuth2(oauth) = &manifest.auth[0].kind else { panic!("not OAuth") };
    assert_eq!(oauth.token_url, "https://{domain}/services/oauth2/token");
    assert_eq!(oauth.grants, ["refresh-token", "client-credentials"]);
}
