//! Described providers as their clients meet them.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::answer;
use super::control;
use super::reply::{Answer, Ask};
use super::state::State;
use super::{Description, parse};

mod file;
mod http;
mod lists;

/// 2026-03-01T10:00:00Z.
const NOW: i64 = 1_772_359_200_000;

/// The example of `docs/reference/provider-toml.md` whose `name` this is: the page is tried out here.
fn documented(name: &str) -> Description {
    let page = include_str!("../../../../docs/reference/provider-toml.md");
    let wanted = format!("name = \"{name}\"");
    let mut examples = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let text = examples.find(|text| text.contains("[provider]") && text.contains(&wanted)).unwrap();
    parse(Path::new("provider.toml"), text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A provider without sockets, and a client before it.
struct Client {
    state: State,
    now: i64,
    headers: ::http::HeaderMap,
}

impl Client {
    fn new(description: Description) -> Self {
        Self { state: State::new(description, 1), now: NOW, headers: ::http::HeaderMap::new() }
    }

    fn of(text: &str) -> Self {
        Self::new(parse(Path::new("provider.toml"), text).unwrap_or_else(|errors| panic!("{errors}")))
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    fn ask(&self, method: &str, target: &str, body: &Json) -> Ask {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ask {
            method: method.to_owned(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: self.headers.clone(),
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        }
    }

    fn get(&mut self, target: &str) -> Answer {
        let ask = self.ask("GET", target, &Json::Null);
        answer::serve(&mut self.state, &ask, self.now).answer
    }

    fn json(&mut self, target: &str) -> Json {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn refused(&mut self, target: &str) -> (u16, String) {
        let answer = self.get(target);
        (answer.status, answer.body)
    }

    fn control(&mut self, method: &str, what: &str, body: &Json) -> Json {
        let ask = self.ask(method, &format!("/_fake/{what}"), body);
        let answer = control::serve(&mut self.state, &ask, self.now);
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn post(&mut self, what: &str, body: Json) -> Json {
        self.control("POST", what, &body)
    }

    fn truth(&mut self, object: &str) -> Map<String, Json> {
        let truth = self.control("GET", &format!("truth?object={object}"), &Json::Null);
        truth["records"].as_object().unwrap().clone()
    }

    /// Follows `next` to the end. Answers with the records in order.
    fn walk(&mut self, first: &str, envelope: &str, next: &str, param: &str) -> Vec<Json> {
        let (mut target, mut rows) = (first.to_owned(), Vec::new());
        for _ in 0..1_000 {
            let page = self.json(&target);
            rows.extend(page.pointer(envelope).unwrap().as_array().unwrap().iter().cloned());
            match page.pointer(next) {
                None | Some(Json::Null) => return rows,
                Some(next) => {
                    let next = next.as_str().map_or_else(|| next.to_string(), str::to_owned);
                    target = format!("{first}&{param}={next}");
                }
            }
        }
        panic!("no end");
    }
}

fn birch() -> Client {
    Client::new(documented("birch")).with("authorization", "Bearer birch-token")
}

fn ids(rows: &[Json]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().map_or_else(|| row["id"].to_string(), str::to_owned)).collect()
}

#[test]
fn one_seed_gives_one_content() {
    let all = |seed| {
        let mut client = birch();
        client.state = State::new(documented("birch"), seed);
        (client.truth("people"), client.post("change", json!({ "n": 40 })), client.truth("people"))
    };
    assert_eq!(all(3), all(3));
    assert_ne!(all(3), all(4));
}

#[test]
fn a_wrong_credential_gets_the_described_error() {
    let mut client = birch();
    client.headers.clear();
    let (status, body) = client.refused("/v1/people");
    let message = "the credential is missing or wrong";
    assert_eq!(status, 401);
    assert_eq!(
        serde_json::from_str::<Json>(&body).unwrap(),
        json!({ "error": { "code": "unauthorized", "message": message } })
    );
    let mut client = Client::new(documented("larch"));
    let body: Json = serde_json::from_str(&client.refused("/api/v2/deals").1).unwrap();
    assert_eq!(body, json!({ "success": false, "error": message, "errorCode": 401 }));
    client = client.with("x-api-token", "key");
    assert_eq!(client.get("/api/v2/deals").status, 200);
    let mut client = Client::new(documented("alder")).with("authorization", "Basic a2V5Olg=");
    assert_eq!(client.get("/api/v2/tickets").status, 200);
}

#[test]
fn fixed_answers_and_other_paths() {
    let mut client = birch();
    assert_eq!(client.json("/v1/me"), json!({ "account": "acme" }));
    assert_eq!(client.refused("/v1/nothing").0, 404);
    let ask = client.ask("POST", "/v1/people", &Json::Null);
    assert_eq!(answer::serve(&mut client.state, &ask, NOW).answer.status, 405);
}

#[test]
fn more_requests_than_the_rate_are_told_when_to_come_back() {
    let mut client = Client::new(documented("larch")).with("x-api-token", "key");
    for _ in 0..20 {
        assert_eq!(client.get("/v1/notes").status, 200);
    }
    let answer = client.get("/v1/notes");
    assert_eq!((answer.status, answer.headers["x-ratelimit-reset"].as_str()), (429, "2"));
    client.post("clock", json!({ "advance_ms": 2_000 }));
    assert_eq!(client.get("/v1/notes").status, 200);
    client.post("faults", json!({ "knobs": { "rate": null } }));
    for _ in 0..50 {
        assert_eq!(client.get("/v1/notes").status, 200);
    }
}

#[test]
fn every_change_has_a_stamp_of_its_own_but_a_mass_update_has_one() {
    let mut client = birch();
    let made = client.post("create", json!({ "object": "people", "count": 500 }));
    let truth = client.truth("people");
    let made: Vec<&str> = made["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let mut stamps: Vec<i64> = made.iter().map(|id| truth[*id]["stamp_ms"].as_i64().unwrap()).collect();
    stamps.dedup();
    assert_eq!(stamps.len(), 500);
    assert!(stamps.is_sorted());
    let status = client.control("GET", "status", &Json::Null);
    assert!(status["now_ms"].as_i64().unwrap() >= stamps[499], "no stamp is ahead of the clock");
    assert_eq!(client.post("mass-update", json!({ "object": "people", "count": 70 }))["changed"], 70);
    let truth = client.truth("people");
    let newest = truth.values().map(|record| record["stamp_ms"].as_i64().unwrap()).max().unwrap();
    assert_eq!(truth.values().filter(|record| record["stamp_ms"] == newest).count(), 70);
}

#[test]
fn lists_and_truth_agree_whatever_changes() {
    for (name, object, first) in
        [("birch", "people", "/v1/people?limit=7"), ("larch", "deals", "/api/v2/deals?limit=7")]
    {
        let mut client =
            Client::new(documented(name)).with("authorization", "Bearer birch-token").with("x-api-token", "key");
        client.post("faults", json!({ "knobs": { "rate": null } }));
        client.post("change", json!({ "n": 300 }));
        let (envelope, next, param) = match name {
            "birch" => ("/people", "/next", "after"),
            _ => ("/data", "/additional_data/next_cursor", "cursor"),
        };
        let rows = client.walk(first, envelope, next, param);
        let truth = client.truth(object);
        assert_eq!(rows.len(), truth.len());
        for row in &rows {
            let truth = &truth[&ids(std::slice::from_ref(row))[0]];
            let gone = row["deleted"] == true || row["is_deleted"] == true;
            assert_eq!(truth["state"], if gone { "deleted" } else { "present" });
            if !gone {
                assert_eq!(&truth["data"], row);
            }
        }
        assert!(truth.values().any(|record| record["state"] == "deleted"));
    }
}

#[test]
fn updates_without_an_id_take_other_records_each_time() {
    let mut client = birch();
    let updated: std::collections::BTreeSet<String> = (0..20)
        .map(|_| client.post("update", json!({ "object": "people" }))["ids"][0].as_str().unwrap().to_owned())
        .collect();
    assert!(updated.len() > 10, "{updated:?}");
}

#[test]
fn what_the_control_protocol_does_not_know_is_refused() {
    let mut client = birch();
    let mut refused = |what: &str, body: Json| {
        let ask = client.ask("POST", &format!("/_fake/{what}"), &body);
        let answer = control::serve(&mut client.state, &ask, NOW);
        assert_eq!(answer.status, 400, "{what}");
        answer.body
    };
    refused("faults", json!({ "knobs": { "index_lag": 5 } }));
    refused("clock", json!({ "advance_ms": -5 }));
    refused("merge", json!({ "object": "people" }));
    refused("update", json!({ "object": "people", "id": "p-99999" }));
    refused("update", json!({ "object": "persons" }));
    refused("nonsense", json!({ "object": "people" }));
    assert!(refused("change", json!({ "tenant": "globex" })).contains("acme"));
}
