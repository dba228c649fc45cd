//! Tenants, limits, faults, changes, and the control endpoints.

use super::*;

#[tokio::test]
async fn tenants_are_told_apart_by_token() {
    let tenants = vec![Tenant::named("a"), Tenant::named("b")];
    let fakes = start(Options { tenants, ..Options::default() }).await;
    let mut client = hubspot(&fakes);
    let path = "/crm/v3/objects/contacts?limit=5&properties=email,phone";
    let a = client.get(path).await.json()["results"].clone();
    client.token = "pat-na1-b".into();
    assert_ne!(a, client.get(path).await.json()["results"]);
    client.token = "pat-na1-c".into();
    let answer = client.get(path).await;
    assert_eq!((answer.status, answer.json()["category"].as_str()), (401, Some("INVALID_AUTHENTICATION")));
    assert_eq!(fakes.stats().tenants["b"].requests["hubspot.list"], 1);
}

#[tokio::test]
async fn a_client_that_ignores_a_429_is_found_out() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| (knobs.hubspot_per_10s, knobs.retry_after) = (1, Some(true)));
    let client = hubspot(&fakes);
    assert_eq!(client.get("/crm/v3/owners").await.status, 200);
    let limited = client.get("/crm/v3/owners").await;
    assert_eq!((limited.status, limited.headers["retry-after"].as_str()), (429, "10"));
    assert_eq!(limited.json()["policyName"], "TEN_SECONDLY_ROLLING");
    tokio::time::sleep(std::time::Duration::from_millis(80)).await;
    client.get("/crm/v3/owners").await;
    let total = fakes.stats().total();
    assert_eq!((total.limited, total.early), (2, 1));
}

#[tokio::test]
async fn an_echo_repeats_the_credential_in_headers_texts_and_errors_and_leaves_ids_alone() {
    let fakes = start(Options::default()).await;
    let path = "/crm/v3/objects/contacts?limit=5&properties=message,email";
    let client = hubspot(&fakes);
    let honest = client.get(path).await.json();
    fakes.turn(|knobs| knobs.echo = true);
    let answer = client.get(path).await;
    assert_eq!(answer.headers["x-echo"], "Bearer pat-na1-a");
    let record = &answer.json()["results"][0];
    assert_eq!(record["properties"]["message"], "Bearer pat-na1-a");
    assert_eq!(record["id"], honest["results"][0]["id"]);
    assert_eq!(record["properties"]["email"], honest["results"][0]["properties"]["email"]);
    fakes.inject(Fault::new(Trouble::Says { status: 400, text: "no such thing".to_owned() }, 1));
    let said = client.get(path).await.body;
    assert!(
        ["Bearer pat-na1-a ", "Bearer+pat-na1-a ", "cGF0LW5hMS1h "].iter().all(|text| said.contains(text)),
        "{said}"
    );

    let session = salesforce(&fakes).await;
    assert_eq!(fakes.issued(), [session.token.as_str()]);
    let refused = login(&session, "refresh-nobody").await;
    assert!(refused.status == 400 && refused.body.contains("refresh-nobody"), "{}", refused.body);
}

#[tokio::test]
async fn a_planted_text_is_in_one_record_of_every_object_and_in_the_truth() {
    let fakes = start(Options::default()).await;
    let planted = fakes.edit("a", Provider::HubSpot, |world, now| world.plant("mine, and \"nobody's\"", now)).unwrap();
    assert_eq!(planted, Provider::HubSpot.objects().len());
    let client = hubspot(&fakes);
    let rows = walk(&client, "/crm/v3/objects/contacts?limit=100&properties=message").await;
    let holding = rows.iter().filter(|row| row["properties"]["message"] == "mine, and \"nobody's\"").count();
    assert_eq!(holding, 1);
    let truth = serde_json::to_string(&fakes.truth("a", "contacts").unwrap()).unwrap();
    assert!(truth.contains("mine, and"), "the truth knows nothing of it");
}

#[tokio::test]
async fn injected_troubles_look_like_the_real_ones() {
    let fakes = start(Options::default()).await;
    let client = hubspot(&fakes);
    let troubles = json!({ "inject": [
        { "kind": "status", "status": 503, "html": true }, { "kind": "status", "status": 429, "retry_after": 7 },
        { "kind": "status", "status": 429 }, { "kind": "moving", "retry_after": 60 }, { "kind": "cut_body" },
        { "kind": "empty" }, { "kind": "malformed" }, { "kind": "html" }, { "kind": "timeout", "ms": 50 }
    ]});
    assert_eq!(client.post("/_fake/faults", troubles).await.status, 200);
    let path = "/crm/v3/objects/contacts?limit=100";
    let answer = client.get(path).await;
    assert!(answer.status == 503 && answer.body.starts_with("<!DOCTYPE html>"));
    let answer = client.get(path).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "7"));
    let answer = client.get(path).await;
    assert!(answer.status == 429 && !answer.headers.contains_key("retry-after"));
    assert_eq!(client.get(path).await.status, 477);
    let answer = client.get(path).await;
    assert!(answer.status == 200 && answer.cut && !answer.body.is_empty());
    let answer = client.get(path).await;
    assert!(answer.status == 200 && answer.body.is_empty());
    let answer = client.get(path).await;
    assert!(answer.status == 200 && !answer.cut && serde_json::from_str::<Value>(&answer.body).is_err());
    let answer = client.get(path).await;
    assert!(answer.status == 200 && answer.body.starts_with("<!DOCTYPE"));
    assert_eq!(client.get(path).await.status, 504);
    assert_eq!(client.get(path).await.status, 200, "then all is well again");
    let client = salesforce(&fakes).await;
    fakes.inject(Fault::new(Trouble::QueryTimeout, 1));
    let answer = client.soql("query", "SELECT Id FROM Account").await;
    assert_eq!((answer.status, answer.json()[0]["errorCode"].as_str()), (400, Some("QUERY_TIMEOUT")));
}

#[tokio::test]
async fn the_data_changes_by_itself_until_it_is_paused() {
    let fakes = start(Options { change_every_ms: Some(5), records_per_object: 50, ..Options::default() }).await;
    let all = || ["contacts", "notes", "Account", "Task"].map(|object| fakes.truth("a", object).unwrap());
    let before = all();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    fakes.pause();
    let paused = all();
    assert_ne!(before, paused);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(paused, all());
    fakes.resume();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_ne!(paused, all());
}

#[tokio::test]
async fn the_truth_is_served_and_wrong_requests_to_the_control_are_told() {
    let fakes = start(Options { count_ids: true, ..Options::default() }).await;
    let client = hubspot(&fakes);
    client.get("/crm/v3/objects/deals?limit=10").await;
    let merged = client.post("/_fake/merge", json!({ "object": "deals" })).await.json();
    let truth = client.get("/_fake/truth?tenant=a&object=deals").await.json();
    let loser = &truth["records"][merged["loser"].as_str().unwrap()];
    assert_eq!(loser["state"], "merged");
    assert_eq!(loser["into"], merged["winner"]);
    let stats = client.get("/_fake/stats").await.json();
    assert_eq!(stats["total"]["records"]["deals"], 10);
    assert_eq!(stats["tenants"]["a"]["served"]["deals"].as_object().unwrap().len(), 10);
    assert_eq!(client.post("/_fake/faults", json!({ "knobs": { "latency": 1 } })).await.status, 400);
    assert_eq!(client.post("/_fake/archive", json!({ "object": "nonsense" })).await.status, 400);
    assert_eq!(client.get("/_fake/nonsense").await.status, 400);
}

#[tokio::test]
async fn warmed_pages_of_the_raw_mode_are_the_pages_of_the_plain_one() {
    let fakes = start(Options { raw: true, records_per_object: 2_000, ..Options::default() }).await;
    let client = hubspot(&fakes);
    let path = "/crm/v3/objects/contacts?limit=100&properties=email,firstname,message";
    let cold = walk(&client, path).await;
    assert_eq!(client.post("/_fake/warm", json!({ "path": path })).await.json()["pages"], 20);
    assert_eq!(cold, walk(&client, path).await);
    assert_eq!(cold.len(), 2_000);
    assert_eq!(fakes.stats().total().records["contacts"], 2_000, "counted from the cache too");
}
