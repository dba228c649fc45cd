//! The connector against the fake Intercom of the end-to-end tests, over its socket: first reading, changes, lags,
//! faults, until what has landed is the fake's truth.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use syncline_fakes::faults::{Fault, Trouble};
use syncline_fakes::schema::Provider;
use syncline_fakes::truth::Fate;
use syncline_fakes::{FakeProviders, Options};
use syncline_sdk::{Error, Http, HttpError, Method, Request, Response};
use tokio::runtime::Runtime;

use crate::host::Host;

const MINUTE: u32 = 60_000;
const OBJECTS: [&str; 7] = ["contacts", "companies", "conversations", "tickets", "notes", "admins", "teams"];

/// A door to the fake. As a host does, it adds the credential and repeats a GET whose answer broke off.
struct Door(SocketAddr);

impl Http for Door {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        match self.exchange(request.clone()) {
            Err(HttpError::Truncated(_)) if request.method == Method::Get => self.exchange(request),
            answer => answer,
        }
    }
}

impl Door {
    fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        let (_, path) = request.url.split_once("api.intercom.io").unwrap();
        let method = if request.method == Method::Post { "POST" } else { "GET" };
        let body = request.body.unwrap_or_default();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: api.intercom.io\r\nConnection: close\r\n");
        head += &format!("Authorization: Bearer token-a\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in &request.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.0).unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        // A cut connection may end in a reset; what came before it counts.
        let _end = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> =
            lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
        let response = Response { status, headers, body, attributes: Vec::new() };
        let length: usize = response.header("content-length").unwrap().parse().unwrap();
        if response.body.len() < length {
            return Err(HttpError::Truncated("the connection ended".to_owned()));
        }
        Ok(response)
    }
}

/// A fake with its runtime, and an integration with all its objects.
struct Live {
    // Before the runtime: its servers end with it.
    fakes: FakeProviders,
    _runtime: Runtime,
    door: Door,
    hosts: Vec<Host>,
}

impl Live {
    fn new(records: u32, config: &Value) -> Self {
        Self::of(&OBJECTS, records, config)
    }

    fn of(objects: &[&'static str], records: u32, config: &Value) -> Self {
        let runtime = Runtime::new().unwrap();
        let providers = vec![Provider::Intercom];
        let options = Options { providers, records_per_object: records, seed: 7, ..Options::default() };
        let fakes = runtime.block_on(FakeProviders::start(options)).unwrap();
        let door = Door(fakes.addr(Provider::Intercom).unwrap());
        let hosts = objects.iter().map(|object| {
            let mut host = Host::new(object);
            host.config = config.clone();
            host
        });
        Self { fakes, _runtime: runtime, door, hosts: hosts.collect() }
    }

    /// Runs every object once; a run that fails is left for the next time.
    fn sync(&mut self) -> Vec<(&'static str, Error)> {
        let (fakes, door) = (&self.fakes, &self.door);
        let runs = self.hosts.iter_mut().map(|host| {
            let pass = |seconds: u64| fakes.advance(u32::try_from(seconds * 1_000).unwrap());
            (host.object, host.run(door, pass))
        });
        runs.filter_map(|(object, run)| Some((object, run.err()?))).collect()
    }

    /// Fails the test unless what has landed is what there is, record for record. Where deletes do not show, `gone`
    /// records may still be there.
    fn assert_truth(&self, gone: bool) {
        assert!(self.fakes.settled());
        for host in &self.hosts {
            let truth = self.fakes.truth("a", host.object).unwrap();
            let present = |id: &str| truth.get(id).is_some_and(|truth| truth.fate == Fate::Present);
            let whole: BTreeMap<&str, Value> = truth
                .iter()
                .filter(|(id, _)| present(id))
                .map(|(id, truth)| (id.as_str(), Value::Object(truth.data.clone())))
                .collect();
            for (id, data) in &whole {
                assert_eq!(host.landed.get(*id), Some(data), "{} {id}", host.object);
            }
            let surplus: Vec<_> = host.landed.keys().filter(|id| !present(id)).collect();
            let hidden = gone && ["contacts", "conversations", "tickets"].contains(&host.object);
            assert!(surplus.is_empty() || hidden, "{}: {surplus:?} are gone", host.object);
        }
    }
}

#[test]
fn a_first_reading_is_the_truth() {
    let mut live = Live::new(400, &json!({}));
    assert_eq!(live.sync(), []);
    live.assert_truth(false);
}

#[test]
fn changes_between_runs_all_arrive_although_the_index_lags() {
    // Notes are read contact by contact, in full, every time: other tests do that.
    let objects = ["contacts", "companies", "conversations", "tickets", "admins"];
    let mut live = Live::of(&objects, 300, &json!({}));
    live.fakes.turn(|knobs| knobs.index_lag_ms = i64::from(3 * MINUTE));
    assert_eq!(live.sync(), []);
    for round in 0..30_u32 {
        for _ in 0..4 {
            live.fakes.change(10);
            live.fakes.advance(round * 7_919 % MINUTE);
        }
        live.fakes.advance(round * 104_729 % (200 * MINUTE));
        assert_eq!(live.sync(), []);
    }
    live.fakes.advance(5 * MINUTE);
    assert_eq!(live.sync(), []);
    live.assert_truth(true);
}

#[test]
fn objects_that_are_read_as_a_whole_lose_what_is_gone() {
    let mut live = Live::new(300, &json!({"whole": ["contacts", "conversations", "tickets"]}));
    for _ in 0..6 {
        assert_eq!(live.sync(), []);
        live.fakes.change(100);
        live.fakes.advance(30 * MINUTE);
    }
    assert_eq!(live.sync(), []);
    live.assert_truth(false);
}

#[test]
fn a_mass_update_that_outgrows_a_page_arrives() {
    let objects = ["contacts", "conversations", "tickets"];
    let mut live = Live::of(&objects, 2_000, &json!({}));
    assert_eq!(live.sync(), []);
    live.fakes.advance(30 * MINUTE);
    for object in objects {
        let changed = live.fakes.edit("a", Provider::Intercom, |world, now| world.mass_update(object, 1_500, 0, now));
        assert_eq!(changed, Some(1_500));
    }
    live.fakes.advance(2 * MINUTE);
    assert_eq!(live.sync(), []);
    live.assert_truth(false);
}

#[test]
fn faults_delay_what_arrives_and_neither_lose_nor_delete_anything() {
    let mut live = Live::new(300, &json!({}));
    assert_eq!(live.sync(), []);
    let troubles = [
        Trouble::CutBody,
        Trouble::Empty,
        Trouble::Malformed,
        Trouble::Html,
        Trouble::Status { status: 429, retry_after: None, html: false },
        Trouble::Status { status: 500, retry_after: None, html: false },
        Trouble::Status { status: 401, retry_after: None, html: true },
    ];
    let mut failed = 0;
    for trouble in troubles {
        live.fakes.change(60);
        live.fakes.advance(11 * MINUTE);
        for skip in [2, 7, 30] {
            live.fakes.inject(Fault { skip, ..Fault::new(trouble.clone(), 1) });
        }
        let path = Some("/companies/scroll".to_owned());
        live.fakes.inject(Fault { skip: 1, path, ..Fault::new(trouble, 1) });
        live.fakes.kill_locators();
        failed += live.sync().len();
        live.fakes.clear_faults();
    }
    assert!(failed > 5, "the faults were felt: {failed}");
    live.fakes.advance(20 * MINUTE);
    assert_eq!(live.sync(), []);
    live.assert_truth(true);
}

#[test]
fn a_limit_is_waited_for_as_long_as_it_says() {
    let mut live = Live::new(300, &json!({}));
    live.fakes.turn(|knobs| knobs.rates = [(Provider::Intercom, 20)].into());
    for _ in 0..400 {
        let errors = live.sync();
        let Some((_, error)) = errors.first() else {
            break;
        };
        let Error::RateLimited(Some(seconds @ 1..=11)) = error else {
            panic!("{error}");
        };
        live.fakes.advance(u32::try_from(seconds * 1_000).unwrap());
    }
    live.assert_truth(false);
    assert_eq!(live.fakes.stats().total().early, 0);
}
