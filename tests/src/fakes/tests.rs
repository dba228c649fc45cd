//! The fakes through their sockets, as a client meets them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    FakeProviders, Options, Tenant,
    faults::{Fault, Trouble},
    schema::Provider,
    truth::Fate,
};

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    /// The body ended before its length.
    cut: bool,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

struct Client<'a> {
    fakes: &'a FakeProviders,
    provider: Provider,
    token: String,
    host: Option<String>,
}

impl Client<'_> {
    async fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let addr = match self.provider {
            Provider::HubSpot => self.fakes.hubspot_addr,
            Provider::Salesforce => self.fakes.salesforce_addr,
        };
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let host = self.host.clone().unwrap_or_else(|| addr.to_string());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A cut connection may end in a reset; what came before it counts.
        let _end = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: BTreeMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
            .collect();
        let length: usize = headers
            .get("content-length")
            .map_or(0, |text| text.parse().unwrap());
        Answer {
            status,
            headers,
            cut: body.len() < length,
            body: body.to_owned(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", "").await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", &body.to_string())
            .await
    }

    async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.send("POST", path, "application/x-www-form-urlencoded", &body)
            .await
    }

    async fn soql(&self, resource: &str, text: &str) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("q", text)
            .finish();
        self.get(&format!("/services/data/v63.0/{resource}?{query}"))
            .await
    }
}

async fn start(options: Options) -> FakeProviders {
    FakeProviders::start(options).await.unwrap()
}

fn hubspot(fakes: &FakeProviders) -> Client<'_> {
    let token = fakes.tenants()[0].hubspot_token.clone();
    Client {
        fakes,
        provider: Provider::HubSpot,
        token,
        host: None,
    }
}

/// A client with a session at Salesforce.
async fn salesforce(fakes: &FakeProviders) -> Client<'_> {
    let mut client = Client {
        fakes,
        provider: Provider::Salesforce,
        token: String::new(),
        host: None,
    };
    client.token = login(&client, &fakes.tenants()[0].refresh_token)
        .await
        .json()["access_token"]
        .as_str()
        .unwrap()
        .into();
    client
}

async fn login(client: &Client<'_>, refresh: &str) -> Answer {
    let tenant = &client.fakes.tenants()[0];
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", &tenant.client_id),
        ("client_secret", &tenant.client_secret),
        ("refresh_token", refresh),
    ];
    client.form("/services/oauth2/token", &pairs).await
}

async fn walk(client: &Client<'_>, path: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{after}")).await.json();
        rows.extend(page["results"].as_array().unwrap().iter().cloned());
        match page.pointer("/paging/next/after") {
            Some(token) => after = format!("&after={}", token.as_str().unwrap()),
            None => return rows,
        }
    }
}

fn ids(rows: &[Value], key: &str) -> BTreeSet<String> {
    rows.iter()
        .map(|row| row[key].as_str().unwrap().to_owned())
        .collect()
}

fn of(fakes: &FakeProviders, object: &str, wanted: fn(&Fate) -> bool) -> BTreeSet<String> {
    let truth = fakes.truth("a", object).unwrap();
    truth
        .into_iter()
        .filter(|(_, truth)| wanted(&truth.fate))
        .map(|(id, _)| id)
        .collect()
}

#[tokio::test]
async fn the_two_lists_of_hubspot_together_are_the_truth_without_the_merged() {
    let fakes = start(Options::default()).await;
    fakes.change(200);
    let client = hubspot(&fakes);
    let path = "/crm/v3/objects/contacts?limit=100&properties=email,nonsense,hs_merged_object_ids,lastmodifieddate";
    let live = walk(&client, path).await;
    let archived = walk(&client, &format!("{path}&archived=true")).await;
    assert_eq!(
        ids(&live, "id"),
        of(&fakes, "contacts", |fate| *fate == Fate::Present)
    );
    assert_eq!(
        ids(&archived, "id"),
        of(&fakes, "contacts", |fate| *fate == Fate::Deleted)
    );
    assert!(
        archived
            .iter()
            .all(|row| row["archived"] == true && row["archivedAt"].is_string())
    );
    // Unknown properties are left out, unasked ones too.
    let first = live[0]["properties"].as_object().unwrap();
    let names: Vec<_> = first.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "createdate",
            "email",
            "hs_merged_object_ids",
            "hs_object_id",
            "lastmodifieddate"
        ]
    );
    // The merged ones can be learned from the survivors alone.
    let losers = live
        .iter()
        .chain(&archived)
        .filter_map(|row| row["properties"]["hs_merged_object_ids"].as_str());
    let losers: BTreeSet<String> = losers
        .flat_map(|list| list.split(';'))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        losers,
        of(&fakes, "contacts", |fate| matches!(
            fate,
            Fate::Merged { .. }
        ))
    );
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
    let fakes = start(Options {
        ties: 50,
        ..Options::default()
    })
    .await;
    let client = hubspot(&fakes);
    let page = client
        .post("/crm/v3/objects/deals/search", json!({ "limit": 200 }))
        .await;
    assert_eq!(
        (page.status, page.json()["paging"]["next"]["after"].as_str()),
        (200, Some("200"))
    );
    assert!(!page.headers.contains_key("x-hubspot-ratelimit-max"));
    assert!(page.headers.contains_key("date"));
    let beyond = client
        .post(
            "/crm/v3/objects/deals/search",
            json!({ "limit": 100, "after": "9901" }),
        )
        .await;
    assert_eq!(
        (beyond.status, beyond.json()["category"].as_str()),
        (400, Some("VALIDATION_ERROR"))
    );
    assert!(
        client
            .get("/crm/v3/objects/deals")
            .await
            .headers
            .contains_key("x-hubspot-ratelimit-max")
    );
    assert_eq!(
        client.get("/crm/v3/objects/deals?limit=101").await.status,
        400
    );
    assert_eq!(client.get("/crm/v3/objects/invoices").await.status, 404);
}

#[tokio::test]
async fn fifteen_thousand_records_may_share_one_stamp() {
    let fakes = start(Options {
        records_per_object: 10,
        ..Options::default()
    })
    .await;
    let client = hubspot(&fakes);
    let made = client
        .post(
            "/_fake/create",
            json!({ "object": "contacts", "count": 15_000 }),
        )
        .await
        .json();
    assert_eq!(made["ids"].as_array().unwrap().len(), 15_000);
    let changed = client
        .post(
            "/_fake/mass-update",
            json!({ "object": "contacts", "count": 20_000 }),
        )
        .await
        .json();
    assert!(changed["changed"].as_u64().unwrap() >= 15_000);
    let row = client.get("/crm/v3/objects/contacts?limit=1").await.json()["results"][0].clone();
    let body = json!({ "filterGroups": [{ "filters": [
        { "propertyName": "lastmodifieddate", "operator": "EQ", "value": row["updatedAt"] }]}]});
    let found = client
        .post("/crm/v3/objects/contacts/search", body)
        .await
        .json();
    assert!(
        found["total"].as_u64().unwrap() >= 15_000,
        "{}",
        found["total"]
    );
}

#[tokio::test]
async fn hubspot_batch_read_reports_missing_ids_with_207() {
    let fakes = start(Options::default()).await;
    let client = hubspot(&fakes);
    let id = client.get("/crm/v3/objects/notes?limit=1").await.json()["results"][0]["id"].clone();
    let body = json!({ "properties": ["hs_note_body"], "inputs": [{ "id": id }, { "id": "1" }] });
    let answer = client.post("/crm/v3/objects/notes/batch/read", body).await;
    assert_eq!(
        (
            answer.status,
            answer.json()["results"].as_array().unwrap().len()
        ),
        (207, 1)
    );
}

#[tokio::test]
async fn owners_come_in_two_lists() {
    let fakes = start(Options::default()).await;
    fakes
        .edit("a", Provider::HubSpot, |world, now| {
            world.delete("owners", 2, now)
        })
        .unwrap();
    let client = hubspot(&fakes);
    let live = walk(&client, "/crm/v3/owners?limit=7").await;
    let archived = walk(&client, "/crm/v3/owners?limit=7&archived=true").await;
    assert_eq!(live.len() + archived.len(), 40);
    assert!(ids(&archived, "id").contains("41629776"));
    assert_eq!(client.get("/crm/v3/objects/owners").await.status, 404);
}

#[tokio::test]
async fn tenants_are_told_apart_by_token() {
    let tenants = vec![Tenant::named("a"), Tenant::named("b")];
    let fakes = start(Options {
        tenants,
        ..Options::default()
    })
    .await;
    let mut client = hubspot(&fakes);
    let path = "/crm/v3/objects/contacts?limit=5&properties=email,phone";
    let a = client.get(path).await.json()["results"].clone();
    client.token = "pat-na1-b".into();
    assert_ne!(a, client.get(path).await.json()["results"]);
    client.token = "pat-na1-c".into();
    let answer = client.get(path).await;
    assert_eq!(
        (answer.status, answer.json()["category"].as_str()),
        (401, Some("INVALID_AUTHENTICATION"))
    );
    assert_eq!(fakes.stats().tenants["b"].requests["hubspot.list"], 1);
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
    assert_eq!(
        (answer.status, answer.json()["category"].as_str()),
        (401, Some("EXPIRED_AUTHENTICATION"))
    );
    let bad = client
        .form(
            "/oauth/v1/token",
            &[("grant_type", "refresh_token"), ("refresh_token", "x")],
        )
        .await;
    assert_eq!(
        (bad.status, bad.json()["status"].as_str()),
        (400, Some("BAD_REFRESH_TOKEN"))
    );
}

#[tokio::test]
async fn a_client_that_ignores_a_429_is_found_out() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| (knobs.hubspot_per_10s, knobs.retry_after) = (1, Some(true)));
    let client = hubspot(&fakes);
    assert_eq!(client.get("/crm/v3/owners").await.status, 200);
    let limited = client.get("/crm/v3/owners").await;
    assert_eq!(
        (limited.status, limited.headers["retry-after"].as_str()),
        (429, "10")
    );
    assert_eq!(limited.json()["policyName"], "TEN_SECONDLY_ROLLING");
    tokio::time::sleep(std::time::Duration::from_millis(80)).await;
    client.get("/crm/v3/owners").await;
    let total = fakes.stats().total();
    assert_eq!((total.limited, total.early), (2, 1));
}

#[tokio::test]
async fn query_all_is_the_truth_and_a_locator_survives_changes_but_not_a_kill() {
    let fakes = start(Options::default()).await;
    fakes.change(300);
    let client = salesforce(&fakes).await;
    let truth = fakes.truth("a", "Account").unwrap();
    let text = "SELECT Id, Name, IsDeleted, MasterRecordId, SystemModstamp FROM Account";
    let mut url = format!("/services/data/v63.0/queryAll?q={}", text.replace(' ', "+"));
    let mut rows = Vec::new();
    loop {
        let query = format!(
            "GET {url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nSforce-Query-Options: batchSize=200\r\nConnection: close\r\n\r\n",
            client.token
        );
        let mut stream = TcpStream::connect(fakes.salesforce_addr).await.unwrap();
        stream.write_all(query.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        rows.extend(page["records"].as_array().unwrap().iter().cloned());
        assert_eq!(page["totalSize"], truth.len());
        fakes
            .edit("a", Provider::Salesforce, |world, now| {
                world.create("Account", now)
            })
            .unwrap();
        match page["nextRecordsUrl"].as_str() {
            Some(next) => next.clone_into(&mut url),
            None => break,
        }
    }
    assert_eq!(rows.len(), truth.len());
    for row in &rows {
        let truth = &truth[row["Id"].as_str().unwrap()];
        assert_eq!(row["SystemModstamp"].as_str(), truth.stamp.as_deref());
        for name in ["Name", "IsDeleted", "MasterRecordId"] {
            assert_eq!(row[name], truth.data[name]);
        }
        match &truth.fate {
            Fate::Present => assert_eq!(row["IsDeleted"], false),
            Fate::Deleted => assert!(row["IsDeleted"] == true && row["MasterRecordId"].is_null()),
            Fate::Merged { into } => {
                assert_eq!(row["MasterRecordId"].as_str(), Some(into.as_str()))
            }
        }
    }
    assert!(url.contains("/query/0r8"), "{url}");
    assert_eq!(
        client.get(&url).await.status,
        200,
        "a locator can be read again"
    );
    fakes.kill_locators();
    let dead = client.get(&url).await;
    assert_eq!(
        (dead.status, dead.json()[0]["errorCode"].as_str()),
        (400, Some("INVALID_QUERY_LOCATOR"))
    );
}

#[tokio::test]
async fn salesforce_errors_are_arrays_and_every_answer_names_the_usage() {
    let fakes = start(Options::default()).await;
    let mut client = salesforce(&fakes).await;
    for (text, code) in [
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
    ] {
        let answer = client.soql("query", text).await;
        assert_eq!(
            (answer.status, answer.json()[0]["errorCode"].as_str()),
            (400, Some(code))
        );
        assert!(answer.headers["sforce-limit-info"].starts_with("api-usage="));
    }
    let count = client
        .soql("query", "SELECT COUNT() FROM Contact")
        .await
        .json();
    assert_eq!(
        count["totalSize"],
        of(&fakes, "Contact", |fate| *fate == Fate::Present).len()
    );
    fakes.turn(|knobs| knobs.salesforce_per_day = 3);
    let answer = client.soql("query", "SELECT Id FROM User LIMIT 1").await;
    assert_eq!(
        (answer.status, answer.json()[0]["errorCode"].as_str()),
        (403, Some("REQUEST_LIMIT_EXCEEDED"))
    );
    client.token = "nobody".into();
    let answer = client.soql("query", "SELECT Id FROM User LIMIT 1").await;
    assert_eq!(
        (answer.status, answer.json()[0]["errorCode"].as_str()),
        (401, Some("INVALID_SESSION_ID"))
    );
}

#[tokio::test]
async fn a_session_is_bound_to_its_org_and_ends() {
    let tenants = vec![Tenant::named("a"), Tenant::named("b")];
    let fakes = start(Options {
        tenants,
        rotate_refresh_tokens: true,
        ..Options::default()
    })
    .await;
    let mut client = Client {
        fakes: &fakes,
        provider: Provider::Salesforce,
        token: String::new(),
        host: None,
    };
    client.host = Some("a.my.salesforce.com".into());
    let grant = login(&client, "refresh-a").await.json();
    assert_eq!(grant["instance_url"], "https://a.my.salesforce.com");
    assert!(
        grant["refresh_token"].is_string(),
        "the rotated token is in the answer"
    );
    assert_eq!(
        login(&client, "refresh-a").await.status,
        400,
        "the old one is used up"
    );
    client.token = grant["access_token"].as_str().unwrap().into();
    assert_eq!(client.get("/services/data/v63.0/limits").await.status, 200);
    client.host = Some("b.my.salesforce.com".into());
    assert_eq!(client.get("/services/data/v63.0/limits").await.status, 401);
    client.host = Some("a.my.salesforce.com".into());
    fakes.expire_tokens();
    assert_eq!(client.get("/services/data/v63.0/limits").await.status, 401);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "client-a"),
        ("client_secret", "secret-a"),
    ];
    assert_eq!(
        client.form("/services/oauth2/token", &pairs).await.status,
        200
    );
    client.host = Some("login.salesforce.com".into());
    assert_eq!(
        client.form("/services/oauth2/token", &pairs).await.status,
        400
    );
}

#[tokio::test]
async fn a_bulk_job_takes_time_then_gives_unsorted_sets_with_a_header_each() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| (knobs.bulk_rows, knobs.bulk_delay_ms) = (120, 300));
    let client = salesforce(&fakes).await;
    let jobs = "/services/data/v63.0/jobs/query";
    let body =
        json!({ "operation": "queryAll", "query": "SELECT Id, SystemModstamp FROM Invoice__c" });
    let job = client.post(jobs, body.clone()).await.json();
    assert_eq!(job["state"], "UploadComplete");
    let path = format!("{jobs}/{}", job["id"].as_str().unwrap());
    assert_eq!(
        client.get(&format!("{path}/results")).await.status,
        400,
        "no results yet"
    );
    while client.get(&path).await.json()["state"] != "JobComplete" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (mut seen, mut locator, mut sets) = (Vec::new(), String::new(), 0);
    loop {
        let set = client
            .get(&format!("{path}/results?maxRecords=50000{locator}"))
            .await;
        let mut lines = set.body.lines();
        assert_eq!(lines.next(), Some("\"Id\",\"SystemModstamp\""));
        seen.extend(lines.map(|line| line.split('"').nth(1).unwrap().to_owned()));
        sets += 1;
        match set.headers["sforce-locator"].as_str() {
            "null" => break,
            next => locator = format!("&locator={next}"),
        }
    }
    assert_eq!((sets, seen.len()), (3, 300));
    assert!(!seen.is_sorted());
    assert_eq!(
        seen.into_iter().collect::<BTreeSet<_>>(),
        of(&fakes, "Invoice__c", |_| true)
    );
    assert_eq!(client.get(&path.replace("v63", "v62")).await.status, 409);
    assert_eq!(client.send("DELETE", &path, "", "").await.status, 204);
    assert_eq!(client.get(&path).await.status, 404);
    fakes.turn(|knobs| (knobs.fail_bulk_jobs, knobs.bulk_delay_ms) = (1, 0));
    let job = client.post(jobs, body).await.json();
    let failed = client
        .get(&format!("{jobs}/{}", job["id"].as_str().unwrap()))
        .await
        .json();
    assert_eq!(failed["state"], "Failed");
    assert!(failed["errorMessage"].is_string());
}

#[tokio::test]
async fn a_late_commit_appears_behind_rows_that_were_served_and_holds_the_covered_date_back() {
    let fakes = start(Options::default()).await;
    let client = salesforce(&fakes).await;
    let late = client
        .post(
            "/_fake/late",
            json!({ "object": "Account", "after_ms": 400 }),
        )
        .await
        .json();
    let id = late["ids"][0].as_str().unwrap().to_owned();
    let query = format!("SELECT Id FROM Account WHERE Id = '{id}'");
    assert_eq!(client.soql("queryAll", &query).await.json()["totalSize"], 0);
    assert!(!fakes.truth("a", "Account").unwrap().contains_key(&id));
    assert!(!fakes.settled());
    tokio::time::sleep(std::time::Duration::from_millis(420)).await;
    assert_eq!(client.soql("queryAll", &query).await.json()["totalSize"], 1);
    assert!(fakes.settled());
    // A transaction that began five minutes ago and is still open.
    let begin = |world: &mut super::dataset::World, now: i64| {
        world.create_late("Note", now - 300_000, 400_000)
    };
    fakes.edit("a", Provider::Salesforce, begin).unwrap();
    let now = super::now_ms();
    let time = |ms: i64| super::content::millis(ms).replace(':', "%3A");
    let window = format!(
        "start={}&end={}",
        time(now - 86_400_000),
        time(now + 60_000)
    );
    let mut covered = Vec::new();
    for object in ["Note", "Account"] {
        let path = format!("/services/data/v63.0/sobjects/{object}/updated?{window}");
        covered.push(
            client.get(&path).await.json()["latestDateCovered"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert!(
        covered[0] <= super::content::salesforce_time(now - 300_000),
        "{covered:?}"
    );
    assert!(
        covered[1] > super::content::salesforce_time(now - 120_000),
        "{covered:?}"
    );
}

#[tokio::test]
async fn deleted_and_updated_ids_come_by_window() {
    let fakes = start(Options::default()).await;
    let client = salesforce(&fakes).await;
    let gone = client
        .post("/_fake/delete", json!({ "object": "Task" }))
        .await
        .json()["ids"][0]
        .clone();
    let changed = client
        .post("/_fake/update", json!({ "object": "Task" }))
        .await
        .json()["ids"][0]
        .clone();
    let day =
        |days: i64| super::content::millis(super::now_ms() + days * 86_400_000).replace(':', "%3A");
    let window = format!("start={}&end={}", day(-2), day(1));
    let path = "/services/data/v63.0/sobjects/Task";
    assert_eq!(
        client.get(&format!("{path}/deleted?{window}")).await.json()["deletedRecords"][0]["id"],
        gone
    );
    assert_eq!(
        client.get(&format!("{path}/updated?{window}")).await.json()["ids"],
        json!([changed])
    );
    assert_eq!(
        client
            .get(&format!("{path}/deleted?start={}&end={}", day(-20), day(0)))
            .await
            .status,
        400
    );
    let fields = client.get(&format!("{path}/describe")).await.json()["fields"].clone();
    assert!(
        fields
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["name"] == "SystemModstamp")
    );
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
    assert_eq!(
        (answer.status, answer.headers["retry-after"].as_str()),
        (429, "7")
    );
    let answer = client.get(path).await;
    assert!(answer.status == 429 && !answer.headers.contains_key("retry-after"));
    assert_eq!(client.get(path).await.status, 477);
    let answer = client.get(path).await;
    assert!(answer.status == 200 && answer.cut && !answer.body.is_empty());
    let answer = client.get(path).await;
    assert!(answer.status == 200 && answer.body.is_empty());
    let answer = client.get(path).await;
    assert!(
        answer.status == 200 && !answer.cut && serde_json::from_str::<Value>(&answer.body).is_err()
    );
    let answer = client.get(path).await;
    assert!(answer.status == 200 && answer.body.starts_with("<!DOCTYPE"));
    assert_eq!(client.get(path).await.status, 504);
    assert_eq!(client.get(path).await.status, 200, "then all is well again");
    let client = salesforce(&fakes).await;
    fakes.inject(Fault::new(Trouble::QueryTimeout, 1));
    let answer = client.soql("query", "SELECT Id FROM Account").await;
    assert_eq!(
        (answer.status, answer.json()[0]["errorCode"].as_str()),
        (400, Some("QUERY_TIMEOUT"))
    );
}

#[tokio::test]
async fn the_data_changes_by_itself_until_it_is_paused() {
    let fakes = start(Options {
        change_every_ms: Some(5),
        records_per_object: 50,
        ..Options::default()
    })
    .await;
    let all =
        || ["contacts", "notes", "Account", "Task"].map(|object| fakes.truth("a", object).unwrap());
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
    let fakes = start(Options {
        count_ids: true,
        ..Options::default()
    })
    .await;
    let client = hubspot(&fakes);
    client.get("/crm/v3/objects/deals?limit=10").await;
    let merged = client
        .post("/_fake/merge", json!({ "object": "deals" }))
        .await
        .json();
    let truth = client
        .get("/_fake/truth?tenant=a&object=deals")
        .await
        .json();
    let loser = &truth["records"][merged["loser"].as_str().unwrap()];
    assert_eq!(loser["state"], "merged");
    assert_eq!(loser["into"], merged["winner"]);
    let stats = client.get("/_fake/stats").await.json();
    assert_eq!(stats["total"]["records"]["deals"], 10);
    assert_eq!(
        stats["tenants"]["a"]["served"]["deals"]
            .as_object()
            .unwrap()
            .len(),
        10
    );
    assert_eq!(
        client
            .post("/_fake/faults", json!({ "knobs": { "latency": 1 } }))
            .await
            .status,
        400
    );
    assert_eq!(
        client
            .post("/_fake/archive", json!({ "object": "nonsense" }))
            .await
            .status,
        400
    );
    assert_eq!(client.get("/_fake/nonsense").await.status, 400);
}

#[tokio::test]
async fn warmed_pages_of_the_raw_mode_are_the_pages_of_the_plain_one() {
    let fakes = start(Options {
        raw: true,
        records_per_object: 2_000,
        ..Options::default()
    })
    .await;
    let client = hubspot(&fakes);
    let path = "/crm/v3/objects/contacts?limit=100&properties=email,firstname,message";
    let cold = walk(&client, path).await;
    assert_eq!(
        client
            .post("/_fake/warm", json!({ "path": path }))
            .await
            .json()["pages"],
        20
    );
    assert_eq!(cold, walk(&client, path).await);
    assert_eq!(cold.len(), 2_000);
    assert_eq!(
        fakes.stats().total().records["contacts"],
        2_000,
        "counted from the cache too"
    );
}
