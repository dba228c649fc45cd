//! Zendesk as a client meets it.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

const MINUTE_MS: u32 = 60_000;

async fn zendesk() -> FakeProviders {
    start(Options { providers: vec![Provider::Zendesk], ..Options::default() }).await
}

fn client(fakes: &FakeProviders) -> Client<'_> {
    Client { fakes, provider: Provider::Zendesk, token: "token-a".to_owned(), host: None }
}

fn numbers(page: &Value, key: &str) -> Vec<u64> {
    page[key].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

/// All pages of an export by cursor.
async fn export(client: &Client<'_>, object: &str, from: &str) -> (Vec<Value>, String) {
    let (mut rows, mut at) = (Vec::new(), from.to_owned());
    loop {
        let page = client.get(&format!("/api/v2/incremental/{object}/cursor.json?per_page=70&{at}")).await.json();
        rows.extend(page[object].as_array().unwrap().iter().cloned());
        at = format!("cursor={}", page["after_cursor"].as_str().unwrap());
        if page["end_of_stream"] == true {
            return (rows, at);
        }
    }
}

#[tokio::test]
async fn an_export_by_cursor_is_the_truth_and_its_cursor_stays_good() {
    let fakes = zendesk().await;
    fakes.change(100);
    fakes.advance(MINUTE_MS + 1_000);
    let client = client(&fakes);
    let (rows, at) = export(&client, "tickets", "start_time=0").await;
    let shown: BTreeMap<String, &Value> = rows.iter().map(|row| (row["id"].to_string(), row)).collect();
    let truth = fakes.truth("a", "tickets").unwrap();
    assert_eq!(shown.len(), truth.len());
    for (id, truth) in &truth {
        assert_eq!(shown[id]["status"] == "deleted", truth.fate == Fate::Deleted);
        assert_eq!(shown[id], &Value::Object(truth.data.clone()));
    }
    assert!(rows.is_sorted_by_key(|row| row["generated_timestamp"].as_u64()));

    let (none, at) = export(&client, "tickets", &at).await;
    assert!(none.is_empty());
    client.post("/_fake/update", json!({ "object": "tickets", "id": rows[5]["id"].to_string() })).await;
    fakes.advance(MINUTE_MS + 1_000);
    let (news, _) = export(&client, "tickets", &at).await;
    assert_eq!(news.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [&rows[5]["id"]]);
}

#[tokio::test]
async fn the_last_minute_is_held_back_and_cannot_be_asked_for() {
    let fakes = zendesk().await;
    let client = client(&fakes);
    let (_, at) = export(&client, "users", "start_time=0").await;
    assert!(fakes.settled());
    client.post("/_fake/update", json!({ "object": "users" })).await;
    assert!(!fakes.settled());
    assert!(export(&client, "users", &at).await.0.is_empty());
    let recent = fakes.now_ms() / 1000 - 30;
    let path = format!("/api/v2/incremental/organizations.json?start_time={recent}");
    let refused = client.get(&path).await;
    assert_eq!(refused.status, 422);
    assert!(refused.json()["description"].as_str().unwrap().starts_with("Too recent start_time"));
    fakes.advance(MINUTE_MS + 1_000);
    assert!(fakes.settled());
    assert_eq!(export(&client, "users", &at).await.0.len(), 1);
    assert_eq!(client.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_mass_update_moves_the_exports_stamp_of_a_ticket_and_not_its_updated_at() {
    let fakes = zendesk().await;
    let client = client(&fakes);
    let (before, at) = export(&client, "tickets", "start_time=0").await;
    client.post("/_fake/mass-update", json!({ "object": "tickets", "count": 20 })).await;
    fakes.advance(MINUTE_MS + 1_000);
    let (after, _) = export(&client, "tickets", &at).await;
    assert_eq!(after.len(), 20);
    for row in &after {
        let old = before.iter().find(|old| old["id"] == row["id"]).unwrap();
        assert_eq!(row["updated_at"], old["updated_at"]);
        assert!(row["generated_timestamp"].as_u64() > old["generated_timestamp"].as_u64());
    }
}

#[tokio::test]
async fn an_export_by_time_shows_its_first_second_again_and_gets_stuck_in_a_crowded_one() {
    let fakes = zendesk().await;
    let client = client(&fakes);
    client.post("/_fake/create", json!({ "object": "organizations", "count": 1_500 })).await;
    fakes.advance(MINUTE_MS + 1_000);
    let (mut start, mut seen) = (0, BTreeSet::new());
    let stuck = loop {
        let page = client.get(&format!("/api/v2/incremental/organizations.json?start_time={start}")).await.json();
        let ids = numbers(&page, "organizations");
        assert!(start == 0 || ids.iter().any(|id| seen.contains(id)), "rows of the first second come again");
        seen.extend(ids);
        assert_eq!(page["end_of_stream"], false);
        let end = page["end_time"].as_i64().unwrap();
        if end == start {
            break page;
        }
        start = end;
    };
    assert_eq!(stuck["count"], 1_000);
    assert!(stuck["next_page"].as_str().unwrap().ends_with(&format!("start_time={start}")));
    assert!(seen.len() < fakes.truth("a", "organizations").unwrap().len());
}

#[tokio::test]
async fn comments_are_told_with_events_only_if_asked_for_and_stamp_their_ticket() {
    let fakes = zendesk().await;
    let client = client(&fakes);
    let id = client.post("/_fake/create", json!({ "object": "ticket_comments" })).await.json()["ids"][0].clone();
    fakes.advance(MINUTE_MS + 1_000);
    let truth = &fakes.truth("a", "ticket_comments").unwrap()[id.as_str().unwrap()];
    let from = truth.stamp_ms.unwrap() / 1000;
    let path = format!("/api/v2/incremental/ticket_events.json?start_time={from}");
    let plain = client.get(&path).await.json();
    assert_eq!(plain["ticket_events"][0]["child_events"].as_array().unwrap().len(), 1);
    let full = client.get(&format!("{path}&include=comment_events")).await.json();
    let event = &full["ticket_events"][0];
    assert_eq!(event["child_events"][1]["body"], truth.data["body"]);
    assert_eq!(event["ticket_id"], truth.data["ticket_id"]);
    let ticket = &fakes.truth("a", "tickets").unwrap()[&event["ticket_id"].to_string()];
    assert_eq!(ticket.stamp, truth.stamp);

    let list = format!("/api/v2/tickets/{}/comments.json?page[size]=100", event["ticket_id"]);
    let comments = client.get(&list).await.json();
    assert!(numbers(&comments, "comments").contains(&truth.data["id"].as_u64().unwrap()));
    assert!(comments["comments"][0].get("ticket_id").is_none());
    client.post("/_fake/delete", json!({ "object": "tickets", "id": event["ticket_id"].to_string() })).await;
    assert_eq!(client.get(&list).await.status, 404);
    let refused = client.post("/_fake/update", json!({ "object": "ticket_comments" })).await;
    assert_eq!(refused.status, 400, "a comment never changes");
}

#[tokio::test]
async fn lists_leave_the_deleted_out_and_go_on_by_token() {
    let fakes = zendesk().await;
    let client = client(&fakes);
    for object in ["groups", "satisfaction_ratings"] {
        let (mut found, mut after) = (BTreeSet::new(), String::new());
        loop {
            let page = client.get(&format!("/api/v2/{object}.json?page[size]=7{after}")).await.json();
            found.extend(numbers(&page, object).iter().map(u64::to_string));
            if page["meta"]["has_more"] == false {
                break;
            }
            after = format!("&page[after]={}", page["meta"]["after_cursor"].as_str().unwrap());
        }
        assert_eq!(found, of(&fakes, object, |fate| *fate == Fate::Present));
        assert!(!of(&fakes, object, |fate| *fate == Fate::Deleted).is_empty(), "{object}");
    }
    assert_eq!(client.get("/api/v2/groups.json?page[size]=101").await.status, 400);
    assert_eq!(client.get("/api/v2/groups.json?page[after]=nonsense").await.status, 400);
    assert_eq!(client.get("/api/v2/incremental/tickets/cursor.json?cursor=nonsense").await.status, 400);
}

#[tokio::test]
async fn exports_have_a_limit_of_their_own() {
    let fakes = zendesk().await;
    fakes.turn(|knobs| knobs.rates = [(Provider::Zendesk, 10)].into());
    let client = client(&fakes);
    let path = "/api/v2/incremental/tickets/cursor.json?start_time=0&per_page=1";
    for _ in 0..10 {
        assert_eq!(client.get(path).await.status, 200);
    }
    let (text, coded) = (client.get(path).await, client.get(path).await);
    assert_eq!((text.status, text.body.as_str()), (429, "Number of allowed API requests per minute exceeded"));
    assert!((1..=60).contains(&text.headers["retry-after"].parse::<u64>().unwrap()));
    assert_eq!((coded.status, coded.json()["error"].as_str()), (429, Some("APIRateLimitExceeded")));
    assert!(!client.get(path).await.headers.contains_key("retry-after"), "every third does not say how long");
    assert_eq!(client.get("/api/v2/groups.json").await.status, 200);
    fakes.advance(MINUTE_MS);
    assert_eq!(client.get(path).await.status, 200);
}

#[tokio::test]
async fn credentials_are_a_token_behind_the_users_name_or_a_bearer_token() {
    let fakes =
        start(Options { providers: vec![Provider::Zendesk], rotate_refresh_tokens: true, ..Options::default() }).await;
    let mut client = client(&fakes);
    let me = |answer: Answer| answer.json()["user"]["role"].as_str().map(str::to_owned);
    assert_eq!(me(client.get("/api/v2/users/me.json").await).as_deref(), Some("admin"));
    client.host = Some("b.zendesk.com".to_owned());
    let unknown = client.get("/api/v2/users/me.json").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["title"], "No help desk at b.zendesk.com");
    client.host = Some("a.zendesk.com".to_owned());

    let ask = |refresh: &str| {
        json!({
            "grant_type": "refresh_token", "client_id": "client-a", "client_secret": "secret-a",
            "refresh_token": refresh,
        })
    };
    let grant = client.post("/oauth/tokens", ask("refresh-a")).await.json();
    assert_eq!(client.post("/oauth/tokens", ask("refresh-a")).await.status, 400, "it works once");
    client.token = grant["access_token"].as_str().unwrap().to_owned();
    assert_eq!(client.get("/api/v2/groups.json").await.status, 200);
    fakes.expire_tokens();
    let expired = client.get("/api/v2/groups.json").await;
    assert_eq!((expired.status, expired.json()["error"].as_str()), (401, Some("invalid_token")));
}

#[tokio::test]
async fn a_credential_belongs_to_one_help_desk() {
    let tenants = ["a", "b"].map(Tenant::named).into();
    let fakes = start(Options { providers: vec![Provider::Zendesk], tenants, ..Options::default() }).await;
    let mut client = client(&fakes);
    let key = |token: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("who@firm.test/token:{token}")));
    for (host, status) in [("a", 200), ("b", 401)] {
        client.host = Some(format!("{host}.zendesk.com"));
        let answer = client.get("/api/v2/groups.json").await;
        assert_eq!(answer.status, status, "a's bearer token at {host}");
        let answer = client.send_as(&key("token-a"), "GET", "/api/v2/groups.json", "application/json", "").await;
        assert_eq!(answer.status, status, "a's token behind a name at {host}");
    }
    let own = client.send_as(&key("token-b"), "GET", "/api/v2/groups.json", "application/json", "").await;
    assert_eq!(own.status, 200);
    client.host = None;
    assert_eq!(client.get("/api/v2/groups.json").await.status, 200, "an address of no desk asks for none");
}
