//! HubSpot as a client meets it.

use super::*;

#[tokio::test]
async fn the_two_lists_of_hubspot_together_are_the_truth_without_the_merged() {
    let fakes = start(Options::default()).await;
    fakes.change(200);
    let client = hubspot(&fakes);
    let path = "/crm/v3/objects/contacts?limit=100&properties=email,nonsense,hs_merged_object_ids,lastmodifieddate";
    let live = walk(&client, path).await;
    let archived = walk(&client, &format!("{path}&archived=true")).await;
    assert_eq!(ids(&live, "id"), of(&fakes, "contacts", |fate| *fate == Fate::Present));
    assert_eq!(ids(&archived, "id"), of(&fakes, "contacts", |fate| *fate == Fate::Deleted));
    assert!(archived.iter().all(|row| row["archived"] == true && row["archivedAt"].is_string()));
    // Unknown properties are left out, unasked ones too.
    let first = live[0]["properties"].as_object().unwrap();
    let names: Vec<_> = first.keys().map(String::as_str).collect();
    assert_eq!(names, ["createdate", "email", "hs_merged_object_ids", "hs_object_id", "lastmodifieddate"]);
    // The merged ones can be learned from the survivors alone.
    let losers = live.iter().chain(&archived).filter_map(|row| row["properties"]["hs_merged_object_ids"].as_str());
    let losers: BTreeSet<String> = losers.flat_map(|list| list.split(';')).map(str::to_owned).collect();
    assert_eq!(losers, of(&fakes, "contacts", |fate| matches!(fate, Fate::Merged { .. })));
    // Stamps and data are what the truth says.
    let truth = fakes.truth("a", "contacts").unwrap();
    for row in live.iter().chain(&archived) {
        let truth = &truth[row["id"].as_str().unwrap()];
        assert_eq!(row["updatedAt"].as_str(), truth.stamp.as_deref());
        assert_eq!(row["properties"]["email"], truth.data["email"]);
    }
    fakes.stop().await;
}

#[tokio::test]
async fn hubspot_search_caps_and_has_no_rate_headers() {
    let fakes = start(Options { ties: 50, ..Options::default() }).await;
    let client = hubspot(&fakes);
    let page = client.post("/crm/v3/objects/deals/search", json!({ "limit": 200 })).await;
    assert_eq!((page.status, page.json()["paging"]["next"]["after"].as_str()), (200, Some("200")));
    assert!(!page.headers.contains_key("x-hubspot-ratelimit-max"));
    assert!(page.headers.contains_key("date"));
    let beyond = client.post("/crm/v3/objects/deals/search", json!({ "limit": 100, "after": "9901" })).await;
    assert_eq!((beyond.status, beyond.json()["category"].as_str()), (400, Some("VALIDATION_ERROR")));
    assert!(client.get("/crm/v3/objects/deals").await.headers.contains_key("x-hubspot-ratelimit-max"));
    assert_eq!(client.get("/crm/v3/objects/deals?limit=101").await.status, 400);
    assert_eq!(client.get("/crm/v3/objects/invoices").await.status, 404);
}

#[tokio::test]
async fn fifteen_thousand_records_may_share_one_stamp() {
    let fakes = start(Options { records_per_object: 10, ..Options::default() }).await;
    let client = hubspot(&fakes);
    let made = client.post("/_fake/create", json!({ "object": "contacts", "count": 15_000 })).await.json();
    assert_eq!(made["ids"].as_array().unwrap().len(), 15_000);
    let changed = client.post("/_fake/mass-update", json!({ "object": "contacts", "count": 20_000 })).await.json();
    assert!(changed["changed"].as_u64().unwrap() >= 15_000);
    let row = client.get("/crm/v3/objects/contacts?limit=1").await.json()["results"][0].clone();
    let body = json!({ "filterGroups": [{ "filters": [
        { "propertyName": "lastmodifieddate", "operator": "EQ", "value": row["updatedAt"] }]}]});
    let found = client.post("/crm/v3/objects/contacts/search", body).await.json();
    assert!(found["total"].as_u64().unwrap() >= 15_000, "{}", found["total"]);
}

#[tokio::test]
async fn hubspot_batch_read_reports_missing_ids_with_207() {
    let fakes = start(Options::default()).await;
    let client = hubspot(&fakes);
    let id = client.get("/crm/v3/objects/notes?limit=1").await.json()["results"][0]["id"].clone();
    let body = json!({ "properties": ["hs_note_body"], "inputs": [{ "id": id }, { "id": "1" }] });
    let answer = client.post("/crm/v3/objects/notes/batch/read", body).await;
    assert_eq!((answer.status, answer.json()["results"].as_array().unwrap().len()), (207, 1));
}

#[tokio::test]
async fn owners_come_in_two_lists() {
    let fakes = start(Options::default()).await;
    fakes.edit("a", Provider::HubSpot, |world, now| world.delete("owners", 2, now)).unwrap();
    let client = hubspot(&fakes);
    let live = walk(&client, "/crm/v3/owners?limit=7").await;
    let archived = walk(&client, "/crm/v3/owners?limit=7&archived=true").await;
    assert_eq!(live.len() + archived.len(), 40);
    assert!(ids(&archived, "id").contains("41629776"));
    assert_eq!(client.get("/crm/v3/objects/owners").await.status, 404);
}

#[tokio::test]
async fn a_hubspot_access_token_is_issued_and_expires() {
    let fakes = start(Options::default()).await;
    let mut client = hubspot(&fakes);
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", "client-a"),
        ("client_secret", "secret-a"),
        ("refresh_token", "refresh-a"),
    ];
    let grant = client.form("/oauth/v1/token", &pairs).await.json();
    assert_eq!(grant["expires_in"], 7_200);
    client.token = grant["access_token"].as_str().unwrap().into();
    assert_eq!(client.get("/crm/v3/owners").await.status, 200);
    fakes.expire_tokens();
    let answer = client.get("/crm/v3/owners").await;
    assert_eq!((answer.status, answer.json()["category"].as_str()), (401, Some("EXPIRED_AUTHENTICATION")));
    let bad = client.form("/oauth/v1/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    assert_eq!((bad.status, bad.json()["status"].as_str()), (400, Some("BAD_REFRESH_TOKEN")));
}
