//! Salesforce as a client meets it.

use super::*;

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
        let mut stream = TcpStream::connect(fakes.addr(Provider::Salesforce).unwrap()).await.unwrap();
        stream.write_all(query.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        rows.extend(page["records"].as_array().unwrap().iter().cloned());
        assert_eq!(page["totalSize"], truth.len());
        fakes.edit("a", Provider::Salesforce, |world, now| world.create("Account", now)).unwrap();
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
    assert_eq!(client.get(&url).await.status, 200, "a locator can be read again");
    fakes.kill_locators();
    let dead = client.get(&url).await;
    assert_eq!((dead.status, dead.json()[0]["errorCode"].as_str()), (400, Some("INVALID_QUERY_LOCATOR")));
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
        assert_eq!((answer.status, answer.json()[0]["errorCode"].as_str()), (400, Some(code)));
        assert!(answer.headers["sforce-limit-info"].starts_with("api-usage="));
    }
    let count = client.soql("query", "SELECT COUNT() FROM Contact").await.json();
    assert_eq!(count["totalSize"], of(&fakes, "Contact", |fate| *fate == Fate::Present).len());
    fakes.turn(|knobs| knobs.salesforce_per_day = 3);
    let answer = client.soql("query", "SELECT Id FROM User LIMIT 1").await;
    assert_eq!((answer.status, answer.json()[0]["errorCode"].as_str()), (403, Some("REQUEST_LIMIT_EXCEEDED")));
    client.token = "nobody".into();
    let answer = client.soql("query", "SELECT Id FROM User LIMIT 1").await;
    assert_eq!((answer.status, answer.json()[0]["errorCode"].as_str()), (401, Some("INVALID_SESSION_ID")));
}

#[tokio::test]
async fn a_session_is_bound_to_its_org_and_ends() {
    let tenants = vec![Tenant::named("a"), Tenant::named("b")];
    let fakes = start(Options { tenants, rotate_refresh_tokens: true, ..Options::default() }).await;
    let mut client = Client { fakes: &fakes, provider: Provider::Salesforce, token: String::new(), host: None };
    client.host = Some("a.my.salesforce.com".into());
    let grant = login(&client, "refresh-a").await.json();
    assert_eq!(grant["instance_url"], "https://a.my.salesforce.com");
    assert!(grant["refresh_token"].is_string(), "the rotated token is in the answer");
    assert_eq!(login(&client, "refresh-a").await.status, 400, "the old one is used up");
    client.token = grant["access_token"].as_str().unwrap().into();
    assert_eq!(client.get("/services/data/v63.0/limits").await.status, 200);
    client.host = Some("b.my.salesforce.com".into());
    assert_eq!(client.get("/services/data/v63.0/limits").await.status, 401);
    client.host = Some("a.my.salesforce.com".into());
    fakes.expire_tokens();
    assert_eq!(client.get("/services/data/v63.0/limits").await.status, 401);
    let pairs = [("grant_type", "client_credentials"), ("client_id", "client-a"), ("client_secret", "secret-a")];
    assert_eq!(client.form("/services/oauth2/token", &pairs).await.status, 200);
    client.host = Some("login.salesforce.com".into());
    assert_eq!(client.form("/services/oauth2/token", &pairs).await.status, 400);
}

#[tokio::test]
async fn a_bulk_job_takes_time_then_gives_unsorted_sets_with_a_header_each() {
    let fakes = start(Options::default()).await;
    fakes.turn(|knobs| (knobs.bulk_rows, knobs.bulk_delay_ms) = (120, 300));
    let client = salesforce(&fakes).await;
    let jobs = "/services/data/v63.0/jobs/query";
    let body = json!({ "operation": "queryAll", "query": "SELECT Id, SystemModstamp FROM Invoice__c" });
    let job = client.post(jobs, body.clone()).await.json();
    assert_eq!(job["state"], "UploadComplete");
    let path = format!("{jobs}/{}", job["id"].as_str().unwrap());
    assert_eq!(client.get(&format!("{path}/results")).await.status, 400, "no results yet");
    while client.get(&path).await.json()["state"] != "JobComplete" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (mut seen, mut locator, mut sets) = (Vec::new(), String::new(), 0);
    loop {
        let set = client.get(&format!("{path}/results?maxRecords=50000{locator}")).await;
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
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), of(&fakes, "Invoice__c", |_| true));
    assert_eq!(client.get(&path.replace("v63", "v62")).await.status, 409);
    assert_eq!(client.send("DELETE", &path, "", "").await.status, 204);
    assert_eq!(client.get(&path).await.status, 404);
    fakes.turn(|knobs| (knobs.fail_bulk_jobs, knobs.bulk_delay_ms) = (1, 0));
    let job = client.post(jobs, body).await.json();
    let failed = client.get(&format!("{jobs}/{}", job["id"].as_str().unwrap())).await.json();
    assert_eq!(failed["state"], "Failed");
    assert!(failed["errorMessage"].is_string());
}

#[tokio::test]
async fn a_late_commit_appears_behind_rows_that_were_served_and_holds_the_covered_date_back() {
    let fakes = start(Options::default()).await;
    let client = salesforce(&fakes).await;
    let late = client.post("/_fake/late", json!({ "object": "Account", "after_ms": 400 })).await.json();
    let id = late["ids"][0].as_str().unwrap().to_owned();
    let query = format!("SELECT Id FROM Account WHERE Id = '{id}'");
    assert_eq!(client.soql("queryAll", &query).await.json()["totalSize"], 0);
    assert!(!fakes.truth("a", "Account").unwrap().contains_key(&id));
    assert!(!fakes.settled());
    tokio::time::sleep(std::time::Duration::from_millis(420)).await;
    assert_eq!(client.soql("queryAll", &query).await.json()["totalSize"], 1);
    assert!(fakes.settled());
    // A transaction that began five minutes ago and is still open.
    let begin = |world: &mut World, now: i64| world.create_late("Note", now - 300_000, 400_000);
    fakes.edit("a", Provider::Salesforce, begin).unwrap();
    let now = fakes.now_ms();
    let time = |ms: i64| content::millis(ms).replace(':', "%3A");
    let window = format!("start={}&end={}", time(now - 86_400_000), time(now + 60_000));
    let mut covered = Vec::new();
    for object in ["Note", "Account"] {
        let path = format!("/services/data/v63.0/sobjects/{object}/updated?{window}");
        covered.push(client.get(&path).await.json()["latestDateCovered"].as_str().unwrap().to_owned());
    }
    assert!(covered[0] <= content::salesforce_time(now - 300_000), "{covered:?}");
    assert!(covered[1] > content::salesforce_time(now - 120_000), "{covered:?}");
}

#[tokio::test]
async fn deleted_and_updated_ids_come_by_window() {
    let fakes = start(Options::default()).await;
    let client = salesforce(&fakes).await;
    let gone = client.post("/_fake/delete", json!({ "object": "Task" })).await.json()["ids"][0].clone();
    let changed = client.post("/_fake/update", json!({ "object": "Task" })).await.json()["ids"][0].clone();
    let day = |days: i64| content::millis(fakes.now_ms() + days * 86_400_000).replace(':', "%3A");
    let window = format!("start={}&end={}", day(-2), day(1));
    let path = "/services/data/v63.0/sobjects/Task";
    assert_eq!(client.get(&format!("{path}/deleted?{window}")).await.json()["deletedRecords"][0]["id"], gone);
    assert_eq!(client.get(&format!("{path}/updated?{window}")).await.json()["ids"], json!([changed]));
    assert_eq!(client.get(&format!("{path}/deleted?start={}&end={}", day(-20), day(0))).await.status, 400);
    let fields = client.get(&format!("{path}/describe")).await.json()["fields"].clone();
    assert!(fields.as_array().unwrap().iter().any(|field| field["name"] == "SystemModstamp"));
}
