//! Paging, filters, deletions, caps and lag.

use super::*;

#[test]
fn a_token_leads_on_whatever_changes_meanwhile_and_is_forgotten_in_time() {
    let mut client = birch();
    let page = client.json("/v1/people?limit=50");
    let first = ids(page["people"].as_array().unwrap());
    let next = format!("/v1/people?limit=200&after={}", page["next"].as_str().unwrap());
    client.post("delete", json!({ "object": "people", "id": first[3] }));
    client.post("purge", json!({ "object": "people", "id": first[49] }));
    client.post("create", json!({ "object": "people" }));
    let rest = client.json(&next);
    assert_eq!(ids(rest["people"].as_array().unwrap()).len(), 71);
    assert_eq!(rest["people"][0]["id"], "p-00051");
    assert_eq!(rest["next"], Json::Null);
    assert_eq!(client.refused(&format!("{next}&updated_since=2026-01-01T00:00:00Z")).0, 400, "another filter");
    client.post("clock", json!({ "advance_ms": 3_600_001 }));
    assert_eq!(client.refused(&next).0, 410);
}

#[test]
fn parameters_that_are_not_described_are_refused_with_the_nearest() {
    let mut client = birch();
    let (status, body) = client.refused("/v1/people?updated_sinc=2026-01-01T00:00:00Z");
    assert!(status == 400 && body.contains("updated_since"), "{body}");
    assert_eq!(client.refused("/v1/people?limit=201").0, 400);
    assert_eq!(client.refused("/v1/people?limit=0").0, 400);
    assert_eq!(client.refused("/v1/people?updated_since=yesterday").0, 400);
    assert_eq!(client.refused("/v1/people?after=nonsense").0, 400);
}

#[test]
fn the_filter_takes_what_changed_at_or_after_a_time_and_before_another() {
    let mut client = Client::new(documented("larch")).with("x-api-token", "key");
    for _ in 0..3 {
        client.post("update", json!({ "object": "deals" }));
        client.post("clock", json!({ "advance_ms": 60_000 }));
    }
    let stamps: Vec<i64> = client.truth("deals").values().filter_map(|r| r["stamp_ms"].as_i64()).collect();
    let mut late: Vec<i64> = stamps.into_iter().filter(|ms| *ms >= NOW).collect();
    late.sort_unstable();
    let [a, _, c] = late[..] else { panic!("{late:?}") };
    let time = |ms: i64| super::super::spelling::Format::Rfc3339.json(ms).as_str().unwrap().to_owned();
    let count = |client: &mut Client, query: String| {
        client.json(&format!("/api/v2/deals?{query}"))["data"].as_array().unwrap().len()
    };
    assert_eq!(count(&mut client, format!("updated_since={}", time(a))), 3, "inclusive");
    assert_eq!(count(&mut client, format!("updated_since={}", time(a + 1_000))), 2);
    assert_eq!(count(&mut client, format!("updated_since={}&updated_until={}", time(a), time(c))), 2, "exclusive");
    assert_eq!(client.refused("/api/v2/deals?updated_since=2026-03-01T10:20:30.5Z").0, 400, "no fractions");
}

#[test]
fn pages_are_linked_and_shift_under_a_reader() {
    let mut client =
        Client::new(documented("alder")).with("authorization", "Basic a2V5Olg=").with("host", "alder.test");
    let answer = client.get("/api/v2/tickets?per_page=50&order_by=updated_at");
    let link = "<https://alder.test/api/v2/tickets?per_page=50&order_by=updated_at&page=2>; rel=\"next\"";
    assert_eq!(answer.headers["link"], link);
    let first: Json = serde_json::from_str(&answer.body).unwrap();
    client.post("update", json!({ "object": "tickets", "id": ids(first.as_array().unwrap())[0] }));
    let answer = client.get("/api/v2/tickets?per_page=50&page=2");
    let third = client.get("/api/v2/tickets?per_page=50&page=3");
    assert!(answer.headers.contains_key("link") && !third.headers.contains_key("link"));
    let mut seen = ids(first.as_array().unwrap());
    for page in [answer, third] {
        seen.extend(ids(serde_json::from_str::<Json>(&page.body).unwrap().as_array().unwrap()));
    }
    let live = client.truth("tickets").into_iter().filter(|(_, record)| record["state"] == "present");
    let missed: Vec<String> = live.map(|(id, _)| id).filter(|id| !seen.contains(id)).collect();
    assert_eq!(missed.len(), 1, "the row that moved onto the first page: {missed:?}");
}

#[test]
fn deleted_records_are_in_a_list_of_their_own() {
    let mut client = Client::new(documented("alder")).with("authorization", "Basic a2V5Olg=");
    client.post("delete", json!({ "object": "tickets", "id": "5" }));
    let live = client.json("/api/v2/tickets?per_page=100");
    let gone = client.json("/api/v2/tickets?filter=deleted&per_page=100");
    let (live, gone) = (live.as_array().unwrap(), gone.as_array().unwrap());
    assert!(!ids(live).contains(&"5".to_owned()) && ids(gone).contains(&"5".to_owned()));
    assert!(gone.iter().all(|row| row["deleted"] == true) && live.iter().all(|row| row.get("deleted").is_none()));
    assert_eq!(client.refused("/api/v2/tickets?filter=spam").0, 400);
}

#[test]
fn nothing_can_be_had_beyond_the_cap_except_by_key() {
    let mut client = Client::new(documented("larch")).with("x-api-token", "key");
    client.post("faults", json!({ "knobs": { "result_cap": 25, "rate": null } }));
    let page = client.json("/v1/notes?limit=20&start=20");
    assert_eq!(page["data"].as_array().unwrap().len(), 5);
    assert_eq!(page["additional_data"]["pagination"]["next_start"], 25);
    let (status, body) = client.refused("/v1/notes?limit=20&start=25");
    assert!(status == 400 && body.contains("no more results"), "{body}");
    let rows = client.walk("/api/v2/deals?limit=20", "/data", "/additional_data/next_cursor", "cursor");
    assert_eq!(rows.len(), 120, "a token has no cap unless the description says so");
    client.post("faults", json!({ "knobs": { "result_cap": null } }));
    assert_eq!(client.get("/v1/notes?limit=20&start=25").status, 200);
}

#[test]
fn a_lagging_list_shows_the_record_as_it_was_and_not_in_order() {
    let mut client = birch();
    client.post("faults", json!({ "knobs": { "index_lag_ms": 30_000 } }));
    let before = client.truth("people");
    client.post("create", json!({ "object": "people", "count": 30 }));
    client.post("mass-update", json!({ "object": "people", "count": 30 }));
    let status = client.control("GET", "status", &Json::Null);
    assert_eq!(status["settled"], false);
    let changed = |client: &mut Client| {
        let rows = client.walk("/v1/people?limit=200", "/people", "/next", "after");
        let new = rows.iter().filter(|row| !before.contains_key(row["id"].as_str().unwrap())).count();
        let other = |row: &&Json| {
            before.get(row["id"].as_str().unwrap()).is_some_and(|old| old["data"] != **row && row["deleted"] == false)
        };
        (new, rows.iter().filter(other).count())
    };
    client.post("clock", json!({ "advance_ms": 15_000 }));
    let (new, other) = changed(&mut client);
    assert!((1..30).contains(&new) && (1..30).contains(&other), "half of it: {new} {other}");
    client.post("clock", json!({ "advance_ms": 16_000 }));
    assert_eq!(changed(&mut client), (30, 30));
    assert_eq!(client.control("GET", "status", &Json::Null)["settled"], true);
}

#[test]
fn the_last_id_leads_on_and_absent_means_absent() {
    let mut client = Client::of(
        "[provider]\nname = \"elm\"\npage_size = { default = 4 }\n\
         [[object]]\nname = \"logs\"\npath = \"/logs\"\none = \"/logs/{id}\"\nrecords = 10\nenvelope = \"items\"\n\
         id = { field = \"id\", format = \"number\" }\nupdated = \"at\"\nsort = \"-id\"\n\
         paging = { style = \"keyset\", param = \"before\", more = \"has_more\", total = \"meta.total\" }\n\
         deletes = \"absence\"\n",
    );
    assert_eq!(ids(client.json("/logs")["items"].as_array().unwrap()), ["10", "9", "8", "7"]);
    client.post("delete", json!({ "object": "logs", "id": "6" }));
    let page = client.json("/logs?before=7");
    assert_eq!(ids(page["items"].as_array().unwrap()), ["5", "4", "3", "2"]);
    assert_eq!((&page["has_more"], &page["meta"]["total"]), (&json!(true), &json!(9)));
    assert_eq!(client.json("/logs?before=2")["has_more"], false);
    assert_eq!(client.refused("/logs/6").0, 404);
    assert_eq!(client.json("/logs/5")["id"], 5);
    assert_eq!(client.truth("logs")["6"]["state"], "deleted");
}

#[test]
fn tombstones_are_blank_and_stamped_with_the_deletion() {
    let mut client = birch();
    client.post("delete", json!({ "object": "people", "id": "p-00002" }));
    let row = client.json("/v1/people?limit=2")["people"][1].clone();
    assert_eq!(
        row,
        json!({ "id": "p-00002", "name": null, "email": null, "updated_at": row["updated_at"], "deleted": true })
    );
    assert_eq!(row["updated_at"], "2026-03-01T10:00:00.000Z");
}
