//! What the connector says about itself, and its check.

use serde_json::{Value, json};
use syncline_sdk::testing::{Harness, MockHttp, json as answer};
use syncline_sdk::{AuthKind, Connector, DeleteMode, Error, SyncMode};
use zendesk::Zendesk;

use crate::mini::Mini;

#[test]
fn the_manifest_names_the_accounts_own_host_and_three_ways_to_authenticate() {
    let manifest = Zendesk.describe();
    assert_eq!((manifest.name.as_str(), manifest.hosts), ("zendesk", vec!["{subdomain}.zendesk.com".to_owned()]));
    let names: Vec<&str> = manifest.auth.iter().map(|scheme| scheme.name.as_str()).collect();
    assert_eq!(names, ["api-token", "oauth", "oauth-token"]);
    assert_eq!((&manifest.auth[0].kind, &manifest.auth[2].kind), (&AuthKind::Basic, &AuthKind::Bearer));
    assert!(matches!(&manifest.auth[1].kind, AuthKind::OAuth2(oauth) if oauth.grants == ["refresh-token"]));
    let schema: Value = serde_json::from_str(&manifest.config_schema).unwrap();
    assert_eq!((&schema["additionalProperties"], &schema["required"]), (&json!(false), &json!(["subdomain"])));
}

#[test]
fn the_objects_say_how_they_are_read_and_how_deletes_show() {
    let mini = Mini::new("tickets");
    let harness = Harness::new(&Zendesk).config(&mini.config);
    let objects = Zendesk.discover(&harness.ctx()).unwrap();
    let of = |name: &str| {
        let object = objects.iter().find(|object| object.name == name).unwrap();
        (object.interaction_type.as_str(), object.mode, object.deletes)
    };
    assert_eq!(of("tickets"), ("ticket", SyncMode::Incremental, DeleteMode::Tombstones));
    assert_eq!(of("users"), ("user", SyncMode::Incremental, DeleteMode::Tombstones));
    assert_eq!(of("organizations"), ("account", SyncMode::Incremental, DeleteMode::Tombstones));
    assert_eq!(of("ticket_comments"), ("conversation", SyncMode::Incremental, DeleteMode::None));
    assert_eq!(of("groups"), ("custom", SyncMode::Full, DeleteMode::ByAbsence));
    assert_eq!(of("satisfaction_ratings"), ("custom", SyncMode::Full, DeleteMode::ByAbsence));
    for object in &objects {
        assert!(serde_json::from_str::<Value>(&object.schema).unwrap().is_object(), "{}", object.name);
    }
}

#[test]
fn the_check_asks_for_an_administrator() {
    let check = |status: u16, body: Value| {
        let http = MockHttp::new(move |request: &syncline_sdk::Request| {
            assert_eq!(request.url, "https://birch.zendesk.com/api/v2/users/me.json");
            answer(status, &body)
        });
        let config = json!({"subdomain": "birch"});
        Zendesk.check(&Harness::new(&Zendesk).config(config).http(http).ctx())
    };
    let user = |id: Value, role: &str| json!({"user": {"id": id, "role": role, "name": "Ana"}});
    assert_eq!(check(200, user(json!(7), "admin")), Ok(()));
    assert!(matches!(check(200, user(json!(7), "agent")), Err(Error::Forbidden(_))));
    assert!(matches!(check(200, user(Value::Null, "end-user")), Err(Error::Unauthorized(_))), "not logged in");
    assert!(matches!(check(401, json!({"error": "Couldn't authenticate you"})), Err(Error::Unauthorized(_))));
}

#[test]
fn settings_that_cannot_work_are_refused_before_any_request() {
    let bad = [
        json!({}),
        json!({"subdomain": ""}),
        json!({"subdomain": "evil.test/"}),
        json!({"subdomain": "birch.zendesk.com"}),
        json!({"subdomain": "birch", "start_date": "yesterday"}),
        json!({"subdomain": "birch", "overlap": 1}),
    ];
    for config in bad {
        let mut mini = Mini::new("tickets");
        mini.config = config.clone();
        assert!(matches!(mini.try_sync(), Err(Error::InvalidConfig(_))), "{config}");
        assert_eq!(mini.http.count(), 0);
    }
}

#[test]
fn an_unknown_object_is_an_error() {
    let mut mini = Mini::new("macros");
    assert!(matches!(mini.try_sync(), Err(Error::Other { code, .. }) if code == "unknown-object"));
}
