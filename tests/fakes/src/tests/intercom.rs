//! Intercom as a client meets it.

use super::*;
use crate::intercom::search::ZONE;

const DAY: i64 = 86_400;

async fn fakes(records: u32) -> FakeProviders {
    let options = Options { providers: vec![Provider::Intercom], records_per_object: records, ..Options::default() };
    start(options).await
}

fn client(fakes: &FakeProviders) -> Client<'_> {
    Client { fakes, provider: Provider::Intercom, token: "token-a".into(), host: None }
}

/// Everything a search finds, oldest first.
async fn all(client: &Client<'_>, object: &str, query: Value, rows: u64) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = search(client, object, &query, rows, &after).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        let key = if object == "contacts" { "data" } else { object };
        found.extend(page[key].as_array().unwrap().iter().cloned());
        match page.pointer("/pages/next/starting_after") {
            Some(place) => after = place.clone(),
            None => return found,
        }
    }
}

async fn search(client: &Client<'_>, object: &str, query: &Value, rows: u64, after: &Value) -> Answer {
    let body = json!({
        "query": query,
        "pagination": { "per_page": rows, "starting_after": after },
        "sort": { "field": "updated_at", "order": "ascending" },
    });
    client.post(&format!("/{object}/search"), body).await
}

fn updated(operator: &str, value: i64) -> Value {
    json!({ "field": "updated_at", "operator": operator, "value": value })
}

fn seconds(truth: &crate::truth::Truth) -> i64 {
    truth.stamp_ms.unwrap() / 1_000
}

#[tokio::test]
async fn the_list_and_the_search_show_the_living_and_nobody_else() {
    let fakes = fakes(300).await;
    fakes.change(200);
    let client = client(&fakes);
    let present = |object| of(&fakes, object, |fate| *fate == Fate::Present);
    assert!(of(&fakes, "contacts", |fate| matches!(fate, Fate::Merged { .. })).len() > 3);
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/contacts?per_page=70{after}")).await.json();
        listed.extend(page["data"].as_array().unwrap().iter().cloned());
        let Some(place) = page.pointer("/pages/next/starting_after") else {
            break;
        };
        let place = url::form_urlencoded::byte_serialize(place.as_str().unwrap().as_bytes()).collect::<String>();
        after = format!("&starting_after={place}");
    }
    assert_eq!(ids(&listed, "id"), present("contacts"));
    for object in ["contacts", "conversations", "tickets"] {
        let found = all(&client, object, updated(">", 0), 60).await;
        assert_eq!((ids(&found, "id"), found.len()), (present(object), present(object).len()));
        assert!(found.is_sorted_by_key(|row| row["updated_at"].as_i64()), "oldest first");
    }
    let gone = of(&fakes, "contacts", |fate| *fate != Fate::Present).pop_first().unwrap();
    assert_eq!(client.get(&format!("/contacts/{gone}")).await.status, 404);
}

#[tokio::test]
async fn dates_of_contacts_are_compared_by_day_in_the_workspaces_zone() {
    let fakes = fakes(300).await;
    let client = client(&fakes);
    let truth = fakes.truth("a", "contacts").unwrap();
    let middle = seconds(truth.values().filter(|truth| truth.fate == Fate::Present).nth(100).unwrap());
    let day = |second: i64| (second + ZONE).div_euclid(DAY);
    for (operator, fits) in [(">", i64::gt as fn(&i64, &i64) -> bool), ("<", i64::lt), ("=", i64::eq)] {
        let found = ids(&all(&client, "contacts", updated(operator, middle), 150).await, "id");
        let live = truth.iter().filter(|(_, truth)| truth.fate == Fate::Present);
        let expected: BTreeSet<String> =
            live.filter(|(_, t)| fits(&day(seconds(t)), &day(middle))).map(|(id, _)| id.clone()).collect();
        assert_eq!(found, expected, "{operator}");
    }
    for operator in [">=", "<=", "!=", "IN"] {
        let refused = search(&client, "contacts", &updated(operator, middle), 10, &Value::Null).await;
        assert_eq!((refused.status, refused.json()["errors"][0]["code"].as_str()), (400, Some("parameter_invalid")));
    }
    let strict = all(&client, "tickets", updated(">", middle), 150).await;
    assert!(strict.iter().all(|row| row["updated_at"].as_i64().unwrap() > middle), "by second elsewhere");
    assert_eq!(search(&client, "tickets", &updated(">=", middle), 10, &Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_place_is_good_for_its_own_query_until_it_is_forgotten_and_passes_equal_stamps() {
    let fakes = fakes(10).await;
    let client = client(&fakes);
    client.post("/_fake/create", json!({ "object": "tickets", "count": 500 })).await;
    client.post("/_fake/mass-update", json!({ "object": "tickets", "count": 600 })).await;
    let found = all(&client, "tickets", updated(">", 0), 7).await;
    assert_eq!(found.len(), ids(&found, "id").len());
    assert!(found.len() >= 500);
    let place = search(&client, "tickets", &updated(">", 0), 7, &Value::Null).await.json();
    let place = &place["pages"]["next"]["starting_after"];
    assert_eq!(search(&client, "tickets", &updated(">", 0), 150, place).await.status, 200, "of any size");
    assert_eq!(search(&client, "tickets", &updated(">", 1), 7, place).await.status, 400, "another query");
    fakes.kill_locators();
    assert_eq!(search(&client, "tickets", &updated(">", 0), 7, place).await.status, 400);
    assert_eq!(search(&client, "tickets", &updated(">", 0), 151, &Value::Null).await.status, 400);
}

#[tokio::test]
async fn a_record_that_changes_while_it_is_paged_is_met_again_at_the_end() {
    let fakes = fakes(100).await;
    let client = client(&fakes);
    let first = search(&client, "conversations", &updated(">", 0), 50, &Value::Null).await.json();
    let (early, place) = (&first["conversations"][3]["id"], &first["pages"]["next"]["starting_after"]);
    client.post("/_fake/update", json!({ "object": "conversations", "id": early })).await;
    let rest = search(&client, "conversations", &updated(">", 0), 150, place).await.json();
    assert_eq!(rest["conversations"].as_array().unwrap().last().unwrap()["id"], *early);
}

#[tokio::test]
async fn a_new_contact_is_listed_before_it_is_found() {
    let fakes = fakes(10).await;
    let client = client(&fakes);
    fakes.turn(|knobs| knobs.index_lag_ms = 180_000);
    let made = client.post("/_fake/create", json!({ "object": "contacts", "count": 20 })).await.json();
    let listed = client.get("/contacts?per_page=20").await.json();
    assert_eq!(ids(listed["data"].as_array().unwrap(), "id").len(), made["ids"].as_array().unwrap().len());
    let before = all(&client, "contacts", updated(">", 0), 150).await.len();
    fakes.advance(180_000);
    assert!(all(&client, "contacts", updated(">", 0), 150).await.len() > before);
}

#[tokio::test]
async fn a_workspace_has_one_scroll_which_moves_with_every_request_and_dies_after_a_minute() {
    let fakes = fakes(350).await;
    let client = client(&fakes);
    let first = client.get("/companies/scroll").await.json();
    let path = format!("/companies/scroll?scroll_param={}", first["scroll_param"].as_str().unwrap());
    let exists = client.get("/companies/scroll").await;
    assert_eq!((exists.status, exists.json()["errors"][0]["code"].as_str()), (400, Some("scroll_exists")));
    client.post("/_fake/create", json!({ "object": "companies", "count": 50 })).await;
    let mut seen = ids(first["data"].as_array().unwrap(), "id");
    let there = of(&fakes, "companies", |fate| *fate == Fate::Present).len() - 50;
    // An answer that is lost on the way is not given again.
    fakes.inject(Fault::new(Trouble::CutBody, 1));
    assert!(client.get(&path).await.cut);
    loop {
        let page = client.get(&path).await.json();
        let rows = page["data"].as_array().unwrap();
        assert!(page["total_count"].is_null());
        if rows.is_empty() {
            break;
        }
        seen.extend(ids(rows, "id"));
    }
    assert_eq!(seen.len(), there - 100);
    let counted = client.get("/companies?per_page=1").await.json();
    assert_eq!(counted["total_count"], there + 50);
    assert_eq!(client.get(&path).await.status, 404, "it ended");

    let second = client.get("/companies/scroll").await.json();
    fakes.advance(61_000);
    let path = format!("/companies/scroll?scroll_param={}", second["scroll_param"].as_str().unwrap());
    assert_eq!(client.get(&path).await.json()["errors"][0]["code"], "not_found");
    assert_eq!(client.get("/companies/scroll").await.status, 200);
}

#[tokio::test]
async fn nested_lists_end_at_ten_and_go_on_elsewhere() {
    let fakes = fakes(300).await;
    let client = client(&fakes);
    let found = all(&client, "contacts", updated(">", 0), 150).await;
    for list in ["tags", "companies"] {
        let long = found.iter().find(|row| row[list]["has_more"] == true).unwrap();
        assert_eq!(long[list]["data"].as_array().unwrap().len(), 10);
        let total = long[list]["total_count"].as_u64().unwrap() as usize;
        let url = long[list]["url"].as_str().unwrap();
        let page = client.get(&format!("{url}?per_page=60")).await.json();
        let key = if list == "tags" { "data" } else { "companies" };
        assert_eq!(page[key].as_array().unwrap().len(), if list == "tags" { total } else { total.min(60) });
        let truth = &fakes.truth("a", "contacts").unwrap()[long["id"].as_str().unwrap()];
        assert_eq!(truth.data[list]["data"].as_array().unwrap().len(), total, "the truth is whole");
    }
}

#[tokio::test]
async fn notes_go_with_their_contact_and_to_the_survivor_of_a_merge() {
    let fakes = fakes(200).await;
    let client = client(&fakes);
    let all = async || {
        let mut notes = Vec::new();
        for id in of(&fakes, "contacts", |fate| *fate == Fate::Present) {
            for page in 1.. {
                let page = client.get(&format!("/contacts/{id}/notes?page={page}")).await.json();
                notes.extend(page["data"].as_array().unwrap().iter().cloned());
                if page["pages"]["next"].is_null() {
                    break;
                }
            }
        }
        ids(&notes, "id")
    };
    let present = || of(&fakes, "notes", |fate| *fate == Fate::Present);
    let before = all().await;
    assert_eq!(before, present());
    for _ in 0..60 {
        client.post("/_fake/delete", json!({ "object": "contacts" })).await;
    }
    for _ in 0..60 {
        client.post("/_fake/merge", json!({ "object": "contacts" })).await;
    }
    let after = all().await;
    assert_eq!(after, present());
    assert!(after.len() < before.len());
}

#[tokio::test]
async fn a_limit_names_its_end_in_a_header_and_nowhere_else() {
    let fakes = fakes(10).await;
    let client = client(&fakes);
    fakes.turn(|knobs| knobs.rates = [(Provider::Intercom, 2)].into());
    assert_eq!(client.get("/admins").await.headers["x-ratelimit-remaining"], "1");
    client.get("/teams").await;
    let limited = client.get("/admins").await;
    assert_eq!((limited.status, limited.json()["errors"][0]["code"].as_str()), (429, Some("rate_limit_exceeded")));
    assert!(!limited.headers.contains_key("retry-after"));
    let reset: i64 = limited.headers["x-ratelimit-reset"].parse().unwrap();
    let now = fakes.now_ms() / 1_000;
    assert!((now + 1..=now + 11).contains(&reset), "{reset} at {now}");
    fakes.advance(10_000);
    assert_eq!(client.get("/admins").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_intercoms_words() {
    let fakes = fakes(10).await;
    let mut client = client(&fakes);
    assert_eq!(client.get("/me").await.json()["app"]["region"], "US");
    assert_eq!(client.get("/nothing").await.json()["type"], "error.list");
    assert_eq!(client.post("/contacts/search", json!({})).await.status, 400);
    assert_eq!(client.get("/conversations/515").await.json()["conversation_parts"]["total_count"], 1);
    fakes.inject(Fault::new(Trouble::Status { status: 500, retry_after: None, html: false }, 1));
    assert!(client.get("/companies/scroll").await.body.contains("Please restart the scroll operation."));
    client.token = "token-b".into();
    let refused = client.get("/admins").await;
    assert_eq!((refused.status, refused.json()["errors"][0]["code"].as_str()), (401, Some("unauthorized")));
}
