//! What refusals mean.

use serde_json::{Value, json};
use syncline_sdk::testing::{json as answer, text};
use syncline_sdk::{Error, Response};

use crate::mini::Mini;

fn refused(response: Response) -> Error {
    let mut mini = Mini::new("tickets");
    mini.world().answers = vec![response];
    mini.try_sync().unwrap_err()
}

#[test]
fn a_429_waits_as_long_as_it_says_and_a_minute_otherwise() {
    let plain = || text(429, "Number of allowed API requests per minute exceeded");
    assert_eq!(refused(plain().with_header("retry-after", "37")), Error::RateLimited(Some(37)));
    assert_eq!(refused(plain().with_header("ratelimit-reset", "41")), Error::RateLimited(Some(41)));
    assert_eq!(refused(plain()), Error::RateLimited(Some(60)));
    let coded = json!({"error": "APIRateLimitExceeded", "description": "Number of allowed API requests"});
    assert_eq!(refused(answer(429, &coded)), Error::RateLimited(Some(60)));
}

#[test]
fn refused_credentials_are_unauthorized_however_they_are_put() {
    let basic = json!({"error": "Couldn't authenticate you"});
    let oauth = json!({"error": "invalid_token", "error_description": "The access token provided is expired."});
    for body in [basic, oauth] {
        let Error::Unauthorized(message) = refused(answer(401, &body)) else {
            panic!("401 is about credentials: {body}");
        };
        assert!(message.contains(body["error"].as_str().unwrap()), "{message}");
    }
}

#[test]
fn a_forbidden_object_is_told_from_text_and_from_an_object() {
    let scopes = json!({"error": "Forbidden", "description": "You are missing the following required scopes: read"});
    assert!(matches!(refused(answer(403, &scopes)), Error::Forbidden(m) if m.contains("Forbidden: You are missing")));
    let page = json!({"error": {"title": "Forbidden", "message": "You do not have access to this page."}});
    assert!(matches!(refused(answer(403, &page)), Error::Forbidden(m) if m.contains("Forbidden: You do not")));
    let plan = json!({"error": "RecordNotFound", "description": "Not found"});
    assert!(matches!(refused(answer(404, &plan)), Error::Forbidden(_)));
}

#[test]
fn an_unknown_subdomain_is_the_configurations_fault() {
    let body = json!({"error": {"title": "No help desk at birch.zendesk.com", "message": "There is no help desk."}});
    assert!(matches!(refused(answer(404, &body)), Error::InvalidConfig(m) if m.contains("No help desk")));
}

#[test]
fn conflicts_and_server_faults_pass() {
    for status in [408, 409, 500, 502, 503, 504, 522] {
        let error = refused(text(status, "<html><title>Oh no</title></html>"));
        assert!(matches!(error, Error::Unavailable(_)), "{status}: {error}");
    }
    assert_eq!(refused(text(503, "").with_header("retry-after", "90")), Error::RateLimited(Some(90)));
}

#[test]
fn a_validation_error_that_no_token_caused_is_a_bug() {
    let body = json!({"error": "InvalidValue", "description": "Invalid start_time"});
    assert!(matches!(refused(answer(422, &body)), Error::Unexpected(_)));
    assert!(matches!(refused(answer(400, &json!({"error": 7}))), Error::Unexpected(_)));
    assert!(matches!(refused(text(301, "")), Error::Unexpected(_)));
}

#[test]
fn an_answer_that_is_not_understood_is_never_an_empty_page() {
    let bodies = ["", "{}", "[]", "<html>maintenance", r#"{"tickets":[]}"#, r#"{"tickets":null,"end_of_stream":true}"#];
    for body in bodies {
        assert!(matches!(refused(text(200, body)), Error::Unexpected(_)), "{body}");
    }
    let row = r#"{"tickets":[{"id":null}],"end_of_stream":true,"after_cursor":"a"}"#;
    assert!(matches!(refused(text(200, row)), Error::Unexpected(_)));
    let nowhere = r#"{"tickets":[],"end_of_stream":false,"after_cursor":null}"#;
    assert!(matches!(refused(text(200, nowhere)), Error::Unexpected(_)));
}

#[test]
fn the_other_objects_do_not_take_garbage_for_the_end_either() {
    for object in ["users", "organizations", "ticket_comments", "groups", "satisfaction_ratings"] {
        for body in ["", "{}", "[]", "<html>maintenance", r#"{"tickets":[]}"#] {
            let mut mini = Mini::new(object);
            mini.world().answers = vec![text(200, body)];
            assert!(matches!(mini.try_sync(), Err(Error::Unexpected(_))), "{object}: {body}");
        }
    }
}

#[test]
fn nulls_in_everything_but_the_id_are_taken() {
    let row = |names: &[&str]| {
        let mut row = json!({"id": 1, "child_events": null, "ticket_id": 2});
        names.iter().for_each(|name| row[*name] = Value::Null);
        row
    };
    let names = ["status", "updated_at", "generated_timestamp", "active", "deleted_at", "deleted", "timestamp", "name"];
    for (object, key) in
        [("tickets", "tickets"), ("users", "users"), ("organizations", "organizations"), ("groups", "groups")]
    {
        let mini = Mini::new(object);
        let mut body = json!({"end_of_stream": true, "after_cursor": null, "meta": {"has_more": false}});
        body[key] = json!([row(&names)]);
        mini.world().answers = vec![answer(200, &body)];
        let connector = zendesk::Zendesk;
        let harness = syncline_sdk::testing::Harness::new(&connector).config(&mini.config).http(mini.http.clone());
        assert_eq!(harness.read_all(object, None).unwrap().interactions.len(), 1, "{object}");
    }
}

#[test]
fn a_cursor_of_another_layout_is_expired() {
    for object in ["tickets", "organizations", "groups"] {
        for text in ["", "garbage", r#"{"v":2,"phase":"time","start":1}"#, r#"{"v":1,"phase":"sideways","after":3}"#] {
            let mut mini = Mini::new(object);
            mini.cursor = Some(text.to_owned());
            assert_eq!(mini.try_sync().unwrap_err(), Error::CursorExpired(None), "{object}: {text}");
        }
    }
}
