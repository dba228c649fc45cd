//! Time that is advanced on request, lags and skew that are set while the fakes run.

use super::*;

const HOUR_MS: u32 = 3_600_000;

async fn date(client: &Client<'_>) -> i64 {
    let answer = client.get("/crm/v3/owners").await;
    chrono::DateTime::parse_from_rfc2822(&answer.headers["date"]).unwrap().timestamp_millis()
}

#[tokio::test]
async fn advanced_time_shows_in_the_date_header_and_in_stamps() {
    let fakes = start(Options::default()).await;
    let client = hubspot(&fakes);
    let (real, before) = (chrono::Utc::now().timestamp_millis(), date(&client).await);
    assert!((before - real).abs() < 5_000, "real time until it is advanced");
    let told = client.post("/_fake/clock", json!({ "advance_ms": HOUR_MS })).await.json();
    assert!(told["now_ms"].as_i64().unwrap() >= real + i64::from(HOUR_MS));
    assert!(date(&client).await >= before + i64::from(HOUR_MS));
    let status = client.get("/_fake/status").await.json();
    assert!(status["now_ms"].as_i64().unwrap() >= real + i64::from(HOUR_MS));
    let id = client.post("/_fake/update", json!({ "object": "deals" })).await.json()["ids"][0].clone();
    let truth = &fakes.truth("a", "deals").unwrap()[id.as_str().unwrap()];
    assert!(truth.stamp_ms.unwrap() >= real + i64::from(HOUR_MS));
    assert_eq!(client.post("/_fake/clock", json!({ "advance_ms": -1 })).await.status, 400, "time does not go back");
    assert_eq!(client.post("/_fake/clock", json!({ "advance": 1 })).await.status, 400);
}

#[tokio::test]
async fn tokens_and_limits_end_when_time_is_advanced() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| (knobs.hubspot_per_10s, knobs.token_ms) = (1, 60_000));
    let client = hubspot(&fakes);
    assert_eq!(client.get("/crm/v3/owners").await.status, 200);
    assert_eq!(client.get("/crm/v3/owners").await.status, 429);
    let sales = salesforce(&fakes).await;
    assert_eq!(sales.soql("query", "SELECT Id FROM User").await.status, 200);
    fakes.advance(61_000);
    assert_eq!(client.get("/crm/v3/owners").await.status, 200);
    assert_eq!(sales.soql("query", "SELECT Id FROM User").await.status, 401);
}

#[tokio::test]
async fn index_lag_set_at_run_time_hides_writes_until_time_has_passed() {
    let fakes = start(Options::default()).await;
    let client = hubspot(&fakes);
    let knobs = json!({ "knobs": { "index_lag_ms": HOUR_MS } });
    assert_eq!(client.post("/_fake/faults", knobs).await.status, 200);
    client.post("/_fake/create", json!({ "object": "deals", "count": 20 })).await;
    let total = async || {
        let body = json!({ "filterGroups": [], "limit": 1 });
        client.post("/crm/v3/objects/deals/search", body).await.json()["total"].as_u64().unwrap()
    };
    let hidden = total().await;
    assert!(!fakes.settled());
    fakes.advance(HOUR_MS);
    assert!(fakes.settled());
    assert!(total().await > hidden + 10, "most of the twenty were hidden");
}

#[tokio::test]
async fn late_commits_set_at_run_time_hide_some_changes_until_time_has_passed() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| knobs.late_commit_ms = i64::from(HOUR_MS));
    let made = fakes
        .edit("a", Provider::Salesforce, |world, now| (0..80).filter_map(|_| world.create("Account", now)).count());
    let before = fakes.truth("a", "Account").unwrap().len();
    assert!(!fakes.settled());
    fakes.advance(HOUR_MS);
    let late = fakes.truth("a", "Account").unwrap().len() - before;
    assert!(fakes.settled() && (1..made.unwrap()).contains(&late), "{late}");
}

#[tokio::test]
async fn a_skewed_clock_shows_in_the_date_header_only() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| knobs.clock_skew_ms = -7_200_000);
    let client = hubspot(&fakes);
    let now = fakes.now_ms();
    assert!((date(&client).await - now + 7_200_000).abs() < 5_000);
    let id = client.post("/_fake/update", json!({ "object": "deals" })).await.json()["ids"][0].clone();
    assert!(fakes.truth("a", "deals").unwrap()[id.as_str().unwrap()].stamp_ms.unwrap() >= now);
}

#[tokio::test]
async fn only_the_providers_asked_for_run() {
    let fakes = start(Options { providers: vec![Provider::Salesforce], ..Options::default() }).await;
    assert!(fakes.addr(Provider::HubSpot).is_none() && fakes.addr(Provider::Salesforce).is_some());
    assert!(fakes.truth("a", "contacts").is_none() && fakes.truth("a", "Contact").is_some());
    assert_eq!(fakes.one().len(), 1);
}
