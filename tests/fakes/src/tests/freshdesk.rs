//! Freshdesk as a client meets it.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

/// Starts with many tickets of one stamp.
async fn freshdesk() -> FakeProviders {
    start(Options { providers: vec![Provider::Freshdesk], ties: 150, ..Options::default() }).await
}

struct Desk<'a>(Client<'a>, String);

impl Desk<'_> {
    async fn get(&self, path: &str) -> Answer {
        self.0.send_as(&self.1, "GET", &format!("/api/v2/{path}"), "application/json", "").await
    }

    async fn walk(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for page in 1.. {
            let answer = self.get(&format!("{path}&per_page=100&page={page}")).await;
            rows.extend(answer.json().as_array().unwrap().iter().cloned());
            let Some(link) = answer.headers.get("link") else {
                break;
            };
            assert!(link.contains(&format!("page={}>; rel=\"next\"", page + 1)), "{link}");
        }
        rows
    }
}

fn desk<'a>(fakes: &'a FakeProviders, key: &str) -> Desk<'a> {
    let client =
        Client { fakes, provider: Provider::Freshdesk, token: String::new(), host: Some("a.freshdesk.com".into()) };
    Desk(client, format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:X"))))
}

fn numbers(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| row["id"].as_u64().unwrap().to_string()).collect()
}

const TICKETS: &str = "tickets?updated_since=1970-01-01T00:00:00Z&order_by=updated_at&order_type=asc";

#[tokio::test]
async fn the_three_lists_of_tickets_together_are_the_truth() {
    let fakes = freshdesk().await;
    fakes.change(300);
    let desk = desk(&fakes, "token-a");
    let live = desk.walk(&format!("{TICKETS}&include=description")).await;
    let spam = desk.walk(&format!("{TICKETS}&filter=spam&include=description")).await;
    let deleted = desk.walk(&format!("{TICKETS}&filter=deleted")).await;
    assert!(!spam.is_empty() && spam.iter().all(|row| row["spam"] == true));
    assert!(live.iter().all(|row| row["spam"] == false && row.get("deleted").is_none()));
    assert!(deleted.iter().all(|row| row["deleted"] == true));
    assert_eq!(&numbers(&live) | &numbers(&spam), of(&fakes, "tickets", |fate| *fate == Fate::Present));
    assert_eq!(numbers(&deleted), of(&fakes, "tickets", |fate| *fate == Fate::Deleted));
    assert!(live.is_sorted_by_key(|row| row["updated_at"].as_str().unwrap().to_owned()));
    let truth = fakes.truth("a", "tickets").unwrap();
    for row in live.iter().chain(&spam) {
        let truth = &truth[&row["id"].to_string()];
        assert_eq!(row["updated_at"].as_str(), truth.stamp.as_deref());
        let mut row = row.as_object().unwrap().clone();
        assert!(row.remove("description").is_some(), "what was asked for besides");
        assert_eq!(row, truth.data);
    }
    fakes.stop().await;
}

#[tokio::test]
async fn tickets_of_the_last_month_are_all_that_shows_without_a_filter() {
    let fakes = freshdesk().await;
    let desk = desk(&fakes, "token-a");
    let (first, second) = (desk.get("tickets").await, desk.get("tickets").await);
    assert_eq!(first.json(), json!([]));
    assert_ne!(first.headers["x-request-id"], second.headers["x-request-id"]);
    desk.0.post("/_fake/create", json!({ "object": "tickets", "count": 3 })).await;
    let shown = desk.get("tickets").await.json().as_array().unwrap().len();
    let spam = desk.get("tickets?filter=spam").await.json().as_array().unwrap().len();
    assert_eq!(shown + spam, 3);
    fakes.advance(31 * 86_400_000);
    assert_eq!(desk.get("tickets").await.json(), json!([]));
}

#[tokio::test]
async fn no_ticket_page_beyond_the_three_hundredth() {
    let fakes = freshdesk().await;
    let desk = desk(&fakes, "token-a");
    assert_eq!(desk.get(&format!("{TICKETS}&page=300")).await.status, 200);
    let beyond = desk.get(&format!("{TICKETS}&page=301")).await;
    assert_eq!((beyond.status, beyond.json()["errors"][0]["field"].as_str()), (400, Some("page")));
    assert_eq!(desk.get("companies?page=301").await.status, 200);
    assert_eq!(desk.get("companies?per_page=101").await.status, 400);
    assert_eq!(desk.get("tickets?order_by=nothing").await.status, 200, "an empty list is not sorted");
    assert_eq!(desk.get(&format!("{TICKETS}&order_by=nothing")).await.status, 400);
}

#[tokio::test]
async fn contacts_know_their_filter_with_an_underscore_only() {
    let fakes = freshdesk().await;
    let desk = desk(&fakes, "token-a");
    let all = desk.walk("contacts?updated_since=2100-01-01T00:00:00Z").await;
    let deleted = desk.walk("contacts?state=deleted").await;
    assert_eq!(numbers(&all), of(&fakes, "contacts", |fate| *fate == Fate::Present));
    assert_eq!(numbers(&deleted), of(&fakes, "contacts", |fate| *fate == Fate::Deleted));
    assert_eq!(desk.get("contacts?_updated_since=2100-01-01T00:00:00Z").await.json(), json!([]));
    assert!(!all.is_sorted_by_key(|row| row["id"].as_u64().unwrap()), "in order of name, not of id");
}

#[tokio::test]
async fn companies_and_agents_go_without_a_trace() {
    let fakes = freshdesk().await;
    let desk = desk(&fakes, "token-a");
    for object in ["companies", "agents"] {
        let before = desk.walk(&format!("{object}?a=b")).await;
        assert_eq!(numbers(&before), of(&fakes, object, |fate| *fate == Fate::Present));
        let gone = desk.0.post("/_fake/delete", json!({ "object": object })).await.json()["ids"][0].clone();
        let after = numbers(&desk.walk(&format!("{object}?a=b")).await);
        assert!(!after.contains(gone.as_str().unwrap()) && after.len() == before.len() - 1);
    }
}

#[tokio::test]
async fn the_key_is_the_user_and_belongs_to_one_domain() {
    let fakes = freshdesk().await;
    assert_eq!(desk(&fakes, "token-a").get("agents/me").await.status, 200);
    let stranger = desk(&fakes, "token-b").get("agents/me").await;
    assert_eq!((stranger.status, stranger.json()["code"].as_str()), (401, Some("invalid_credentials")));
    let mut elsewhere = desk(&fakes, "token-a");
    elsewhere.0.host = Some("b.freshdesk.com".into());
    let answer = elsewhere.get("agents/me").await;
    assert!(answer.status == 404 && answer.body.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn parts_of_tickets_cost_credits_and_the_limit_is_by_the_minute() {
    let fakes = freshdesk().await;
    fakes.turn(|knobs| {
        knobs.rates.insert(Provider::Freshdesk, 7);
        knobs.retry_after = Some(true);
    });
    let desk = desk(&fakes, "token-a");
    let answer = desk.get(&format!("{TICKETS}&include=description,stats")).await;
    assert_eq!(answer.headers["x-ratelimit-used-currentrequest"], "5");
    assert_eq!(answer.headers["x-ratelimit-remaining"], "2");
    assert_eq!(desk.get("agents").await.status, 200);
    assert_eq!(desk.get("agents").await.status, 200);
    let refused = desk.get("agents").await;
    assert_eq!(refused.status, 429);
    assert!((1..=60).contains(&refused.headers["retry-after"].parse::<u32>().unwrap()));
    fakes.advance(60_000);
    assert_eq!(desk.get("agents").await.status, 200);
    assert_eq!(desk.get("tickets?include=conversations").await.status, 400);
}
