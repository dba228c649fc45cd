//! Pipedrive as a client meets it.

use super::*;

fn pipedrive(fakes: &FakeProviders) -> Client<'_> {
    Client { fakes, provider: Provider::Pipedrive, token: "token-a".to_owned(), host: None }
}

async fn started() -> FakeProviders {
    start(Options { providers: vec![Provider::Pipedrive], ..Options::default() }).await
}

/// Every row of a list of API v2, page after page.
async fn all(client: &Client<'_>, path: &str) -> Vec<Value> {
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{token}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["additional_data"]["next_cursor"].as_str() {
            Some(next) => token = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

fn numbers(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| row["id"].as_u64().unwrap().to_string()).collect()
}

#[tokio::test]
async fn the_two_lists_of_deals_together_are_all_that_live_and_those_deleted_lately() {
    let fakes = started().await;
    let client = pipedrive(&fakes);
    let gone = client.post("/_fake/delete", json!({ "object": "deals" })).await.json()["ids"][0].clone();
    let every = "limit=40&sort_by=update_time&status=open,won,lost,deleted";
    let both = async || {
        let mut rows = all(&client, &format!("/api/v2/deals?{every}")).await;
        let archived = all(&client, &format!("/api/v2/deals/archived?{every}")).await;
        assert!(!archived.is_empty() && archived.iter().all(|row| row["is_archived"] == true));
        assert!(rows.is_sorted_by_key(|row| row["update_time"].as_str().unwrap().to_owned()));
        rows.extend(archived);
        rows
    };
    let mut right = of(&fakes, "deals", |fate| *fate == Fate::Present);
    let rows = both().await;
    let deleted = rows.iter().find(|row| gone.as_str() == Some(&row["id"].to_string())).unwrap();
    assert_eq!((&deleted["status"], &deleted["is_deleted"]), (&json!("deleted"), &json!(true)));
    right.insert(gone.as_str().unwrap().to_owned());
    assert_eq!(numbers(&rows), right, "those deleted long ago are in neither");
    let unasked = all(&client, "/api/v2/deals?limit=500").await;
    assert!(unasked.iter().all(|row| row["is_deleted"] == false));
    for _ in 0..31 {
        fakes.advance(86_400_000);
    }
    right.remove(gone.as_str().unwrap());
    assert_eq!(numbers(&both().await), right, "thirty days later it is not shown any more");
}

#[tokio::test]
async fn bounds_are_whole_seconds_the_lower_one_inclusive_the_upper_one_not() {
    let fakes = started().await;
    let client = pipedrive(&fakes);
    let row = all(&client, "/api/v2/persons?limit=500&sort_by=update_time").await[150].clone();
    let at = row["update_time"].as_str().unwrap();
    let since = all(&client, &format!("/api/v2/persons?limit=500&updated_since={at}")).await;
    let until = all(&client, &format!("/api/v2/persons?limit=500&updated_until={at}")).await;
    assert!(since.contains(&row) && !until.contains(&row));
    assert_eq!(since.len() + until.len(), of(&fakes, "persons", |fate| *fate == Fate::Present).len());
    for bad in [
        "updated_since=2026-03-01T10:20:30.000Z",
        "updated_since=2026-03-01%2010:20:30",
        "updated_since=2026-03-02T00:00:00Z&updated_until=2026-03-01T00:00:00Z",
        "limit=501",
        "limit=0",
        "sort_by=name",
        "start=0",
        "status=open",
        "cursor=x",
    ] {
        assert_eq!(client.get(&format!("/api/v2/persons?{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(client.get("/api/v2/stages?updated_since=2026-03-01T10:20:30Z").await.status, 400);
}

#[tokio::test]
async fn a_token_is_good_for_the_parameters_it_came_with_and_the_end_is_told_in_three_ways() {
    let fakes = started().await;
    let client = pipedrive(&fakes);
    let page = client.get("/api/v2/activities?limit=20").await.json();
    let token = page["additional_data"]["next_cursor"].as_str().unwrap();
    assert_eq!(client.get(&format!("/api/v2/activities?limit=20&cursor={token}")).await.status, 200);
    assert_eq!(client.get(&format!("/api/v2/activities?limit=21&cursor={token}")).await.status, 400);
    assert_eq!(client.get(&format!("/api/v2/products?limit=20&cursor={token}")).await.status, 200, "it names a place");
    let mut endings = BTreeSet::new();
    for _ in 0..6 {
        let page = client.get("/api/v2/activities?limit=500").await.json();
        endings.insert(page.get("additional_data").map(Value::to_string));
    }
    assert_eq!(endings.len(), 3, "{endings:?}");
}

#[tokio::test]
async fn the_lists_of_the_old_api_go_by_row_number_and_shift() {
    let fakes = started().await;
    let client = pipedrive(&fakes);
    let page = async |start: usize| {
        client.get(&format!("/v1/notes?start={start}&limit=10&sort=update_time%20ASC")).await.json()
    };
    let first = page(0).await;
    assert_eq!(first["additional_data"]["pagination"]["next_start"], 10);
    assert_eq!(first["data"][0]["update_time"].as_str().unwrap().as_bytes()[10], b' ');
    let (before, id) = (page(10).await, first["data"][0]["id"].to_string());
    client.post("/_fake/update", json!({ "object": "notes", "id": id })).await;
    assert_eq!(page(10).await["data"][0], before["data"][1], "the rows behind it slide");
    let last = page(100_000).await;
    assert!(last["data"].is_null() && last["additional_data"]["pagination"]["more_items_in_collection"] == false);
}

#[tokio::test]
async fn limits_name_the_seconds_to_go_and_a_spent_day_says_so() {
    let fakes = started().await;
    fakes.turn(|knobs| {
        knobs.rates.insert(Provider::Pipedrive, 2);
    });
    let client = pipedrive(&fakes);
    for _ in 0..2 {
        assert_eq!(client.get("/v1/users/me").await.status, 200);
    }
    let refused = client.get("/v1/users/me").await;
    assert_eq!((refused.status, refused.headers.contains_key("retry-after")), (429, false));
    assert!(matches!(refused.headers["x-ratelimit-reset"].as_str(), "1" | "2" | "3"), "{:?}", refused.headers);
    fakes.advance(2_000);
    fakes.turn(|knobs| knobs.pipedrive_per_day = 3);
    assert_eq!(client.get("/v1/users/me").await.status, 200);
    fakes.advance(10_000);
    assert_eq!(client.get("/v1/users/me").await.headers["x-daily-ratelimit-token-remaining"], "0");
    fakes.advance(86_400_000);
    assert_eq!(client.get("/v1/users/me").await.status, 200);
}

#[tokio::test]
async fn whoever_leaves_stays_in_the_list_of_users_and_other_deletions_do_not_show() {
    let fakes = started().await;
    let client = pipedrive(&fakes);
    client.post("/_fake/delete", json!({ "object": "users" })).await;
    client.post("/_fake/delete", json!({ "object": "stages" })).await;
    let users = client.get("/v1/users").await.json();
    assert!(users["data"].as_array().unwrap().iter().any(|user| user["active_flag"] == false));
    assert_eq!(users["data"].as_array().unwrap().len(), of(&fakes, "users", |fate| *fate == Fate::Present).len());
    let stages = all(&client, "/api/v2/stages?limit=500").await;
    assert_eq!(numbers(&stages), of(&fakes, "stages", |fate| *fate == Fate::Present));
}

#[tokio::test]
async fn a_key_goes_into_a_header_and_an_app_logs_in_with_basic() {
    let fakes = started().await;
    let mut client = pipedrive(&fakes);
    client.token = "nobody".to_owned();
    let refused = client.get("/v1/users/me").await;
    assert_eq!((refused.status, refused.json()["success"].as_bool()), (401, Some(false)));
    assert_eq!(client.get("/v1/users/me?api_token=token-a").await.status, 200);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "refresh-a")];
    assert_eq!(client.form("/oauth/token", &form).await.status, 401, "without the client's own credentials");
}
