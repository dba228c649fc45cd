//! One table of cases, two doors: whatever a guest asks through `wasi:http` ends as it does through the contract's own
//! HTTP, because the same gate stands behind both. Real guest, real gate, real sockets.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use serde_json::Value as Json;

use super::super::{CallContext, CallLimits, CallReport, GuestLog, LogLevel};
use super::{context, shared};
use crate::domain::http::{Http, HttpError, Request, Response};
use crate::domain::{CallError, Cursor, FaultKind, ProviderError};
use crate::egress::tests::stub::{Asked, Reply, Stub, reply};
use crate::egress::tests::{CANARY, INTEGRATION, World};
use crate::egress::{Gate, Lookup, RequestBudget, SessionSpec};

/// The object that asks through the contract's door, and the one that asks through `wasi:http`.
const DOORS: [&str; 2] = ["egress", "egress-wasi"];

/// How a request ends: the words of each door.
#[derive(Debug, Clone, Copy)]
struct Ends(&'static str, &'static str);

const DENIED: Ends = Ends("HttpError::Denied", "ErrorCode::HttpRequestDenied");
/// Refused before the gate hears of it, by the rules of `wasi:http`.
const FORBIDDEN: Ends = Ends("HttpError::Denied", "HeaderError::Forbidden");
const NO_URI: Ends = Ends("HttpError::Denied", "ErrorCode::HttpRequestUriInvalid");
const UNREACHABLE: Ends = Ends("HttpError::Unreachable", "ErrorCode::DestinationUnavailable");
const TIMEOUT: Ends = Ends("HttpError::Timeout", "ErrorCode::HttpResponseTimeout");
const TRUNCATED: Ends = Ends("HttpError::Truncated", "ErrorCode::HttpResponseIncomplete");
const TOO_LARGE: Ends = Ends("HttpError::TooLarge", "ErrorCode::HttpResponseBodySize");
const RATE_LIMITED: Ends = Ends("HttpError::RateLimited(Some(7200))", "429 retry-after: 7200");

/// What is asked, how it ends, and what the reason says. `PORT` is where a trap listens on the loopback interface.
const REFUSED: &[(&str, Ends, &str)] = &[
    ("https://undeclared.example.com/", DENIED, "is not declared by connector"),
    ("https://api.example.com.evil.example/", DENIED, "is not declared by connector"),
    ("https://127.0.0.1:PORT/", DENIED, "is not declared by connector"),
    ("https://2130706433:PORT/", DENIED, "\"127.0.0.1:"),
    ("https://0x7f000001:PORT/", DENIED, "\"127.0.0.1:"),
    ("https://0177.0.0.1:PORT/", DENIED, "\"127.0.0.1:"),
    ("https://127.1:PORT/", DENIED, "\"127.0.0.1:"),
    ("https://[::ffff:127.0.0.1]:PORT/", DENIED, "is not declared by connector"),
    ("https://[::1]:PORT/", DENIED, "is not declared by connector"),
    ("https://localhost:PORT/", DENIED, "is not declared by connector"),
    ("https://169.254.169.254/latest/meta-data/", DENIED, "is not declared by connector"),
    ("https://inside.example.com:PORT/", DENIED, "an address that is not public (loopback)"),
    ("http://inside.example.com:PORT/", DENIED, "must be asked over https"),
    ("ftp://api.example.com/", DENIED, "must begin with https://"),
    ("https://user:word@api.example.com/", DENIED, "user information"),
    ("https:///path", NO_URI, ""),
    ("TRACE https://api.example.com/", DENIED, "method \"TRACE\""),
    ("PURGE https://api.example.com/", DENIED, "method \"PURGE\""),
    ("https://api.example.com/\nauthorization: Bearer mine", DENIED, "\"authorization\" is written by the host"),
    ("https://api.example.com/\nAuthorization: Basic bWluZQ==", DENIED, "\"authorization\" is written by the host"),
    ("https://api.example.com/\ncookie: sid=1", DENIED, "\"cookie\" is written by the host"),
    ("https://api.example.com/\nx-forwarded-for: 127.0.0.1", DENIED, "\"x-forwarded-for\" is written by the host"),
    ("https://api.example.com/\nx-amz-security-token: mine", DENIED, "is written by the host"),
    ("https://api.example.com/\nproxy-authorization: Basic bWluZQ==", FORBIDDEN, "is written by the host"),
    ("https://api.example.com/\nhost: evil.example", FORBIDDEN, "is written by the host"),
    ("https://api.example.com/\ntransfer-encoding: chunked", FORBIDDEN, "is written by the host"),
    ("https://api.example.com/\nconnection: upgrade", FORBIDDEN, "is written by the host"),
    ("POST https://api.example.com/echo\n!body 1048577", DENIED, "the body has 1048577 bytes"),
    ("GET https://api.example.com/echo\n!body 3", DENIED, "a GET request has no body"),
    ("https://api.example.com/out", DENIED, "after a redirect of api.example.com"),
    ("https://api.example.com/in", DENIED, "after a redirect of api.example.com"),
    ("https://api.example.com/round", DENIED, "redirects more than"),
    ("https://api.example.com/big", TOO_LARGE, "smaller page"),
    ("https://api.example.com/bomb", TOO_LARGE, "-fold"),
    ("https://api.example.com/cut", TRUNCATED, ""),
    ("https://api.example.com/slow", TIMEOUT, "gave no whole answer within 1.5s"),
    ("https://down.example.com/", UNREACHABLE, "down.example.com"),
    ("https://api.example.com/later", RATE_LIMITED, ""),
];

/// What is asked honestly, and the status it brings.
const ANSWERED: &[(&str, u16)] = &[
    ("https://api.example.com/ok?q=a%20b&q=c", 200),
    ("https://api.example.com/ok\nx-tenant: a\nx-tenant: b\naccept-encoding: zstd\nuser-agent: me", 200),
    ("https://api.example.com/echo", 200),
    ("HEAD https://api.example.com/ok", 200),
    ("POST https://api.example.com/ok\ncontent-type: text/plain\n!body 100000", 200),
    ("PUT https://api.example.com/ok\n!body 1048576", 200),
    ("DELETE https://api.example.com/ok", 200),
    ("https://api.example.com/gzip", 200),
    ("https://api.example.com/empty", 204),
    ("https://api.example.com/missing", 404),
    ("https://api.example.com/moved", 200),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A provider that shows the credential wherever it can, and is unkind by path.
fn provider(asked: &Asked, trap: u16) -> Reply {
    let token = asked.header("authorization").unwrap_or_default().to_owned();
    let inside = format!("https://127.0.0.1:{trap}/");
    match asked.path() {
        "/echo" => reply(200, &[("x-echo", &token), ("set-cookie", &token)], format!("you sent {token}")),
        "/gzip" => reply(200, &[("content-encoding", "gzip")], gzip(format!("packed {token}").as_bytes())),
        "/empty" => reply(204, &[], ""),
        "/missing" => reply(404, &[("www-authenticate", &token)], "nothing here"),
        "/moved" => reply(302, &[("location", "/ok")], ""),
        "/out" => reply(302, &[("location", "https://undeclared.example.com/")], &token),
        "/in" => reply(302, &[("location", &inside)], &token),
        "/round" => reply(302, &[("location", "/round")], ""),
        "/big" => reply(200, &[], vec![b' '; (16 << 20) + 1]),
        "/bomb" => reply(200, &[("content-encoding", "gzip")], gzip(&vec![0; 15 << 20])),
        "/cut" => vec![(Duration::ZERO, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec())],
        "/slow" => vec![(Duration::from_secs(3), Vec::new())],
        "/later" => reply(429, &[("retry-after", "7200")], &token),
        _ => reply(200, &[("date", "today"), ("etag", "\"1\"")], r#"{"people": []}"#),
    }
}

/// Every name is this machine.
struct Inside;

#[async_trait::async_trait]
impl Lookup for Inside {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![[127, 0, 0, 1].into()])
    }
}

/// A gate with the provider behind it, and a socket on this machine that nobody may reach.
struct Site {
    world: World,
    gate: Gate,
    provider: Stub,
    trap: TcpListener,
}

impl Site {
    async fn open() -> Self {
        let trap = TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let port = trap.local_addr().unwrap().port();
        let provider = Stub::start(move |asked| provider(asked, port)).await;
        let mut world = World::bearer().route("api.example.com", &provider);
        world.egress.routes.push(("down.example.com".parse().unwrap(), "http://127.0.0.1:9".parse().unwrap()));
        world.manifest.hosts =
            vec!["api.example.com".to_owned(), "down.example.com".to_owned(), format!("inside.example.com:{port}")];
        let gate = Gate::with_lookup(
            world.egress.clone(),
            world.credentials.clone(),
            Arc::new(crate::egress::MemoryPauses::default()),
            Arc::new(Inside),
        );
        Self { world, gate: gate.unwrap(), provider, trap }
    }

    /// A call's context on a session of its own; `integration` tells lanes apart, whose pauses must not meet.
    async fn context(&self, integration: i64, budget: RequestBudget) -> CallContext {
        let integration = crate::domain::IntegrationId(INTEGRATION.0 + integration);
        self.world.credentials.set(integration, &[("token", CANARY)]);
        let spec = SessionSpec { integration, budget, ..self.world.spec() };
        let (cx, _) = context(CallLimits::default());
        CallContext { http: self.gate.session(spec).await.unwrap(), ..cx }
    }

    fn spelled(&self, ask: &str) -> Option<Cursor> {
        Some(Cursor(ask.replace("PORT", &self.trap.local_addr().unwrap().port().to_string())))
    }
}

/// Everything that a guest saw and said, and the status if there was one.
struct Seen {
    status: Option<u16>,
    /// Its record or its error.
    told: String,
    log: String,
    report: CallReport,
}

async fn ask(cx: &CallContext, object: &str, cursor: Option<Cursor>) -> Seen {
    let (answer, report) = shared().await.fetch(cx, object, cursor.as_ref()).await;
    let log = cx.log.lines().iter().map(|line| format!("{}\n", line.text)).collect();
    match answer {
        Ok(page) => {
            let record = &page.interactions[0];
            Seen { status: record.id.parse().ok(), told: record.data.clone(), log, report }
        }
        Err(CallError::Provider(ProviderError::Unavailable(told))) => Seen { status: None, told, log, report },
        Err(other) => panic!("{object}: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_door_refuses_the_other_refuses_for_the_same_reason() {
    let site = Site::open().await;
    for (case, (text, Ends(contract, wasi), why)) in REFUSED.iter().enumerate() {
        for (door, words) in DOORS.into_iter().zip([contract, wasi]) {
            let cx = site.context(case as i64 * 2 + i64::from(door != DOORS[0]), RequestBudget::default()).await;
            let seen = ask(&cx, door, site.spelled(text)).await;
            let what = format!("{door} {text:?}: {:?} {} / {}", seen.status, seen.told, seen.log);
            let ended = match seen.status {
                // The way in which a client of HTTP is told to come back later.
                Some(status) => seen.told.contains("\"retry-after: 7200\"") && words.starts_with(&status.to_string()),
                None => seen.told.contains(words),
            };
            assert!(ended, "{what}");
            // The contract's error says why; the codes of `wasi:http` cannot, so the log does.
            let reason = if door == DOORS[0] { seen.told.replace("\\\"", "\"") } else { seen.log.clone() };
            let reached_the_gate = !words.starts_with("HeaderError") && *words != NO_URI.1;
            assert!(!reached_the_gate || reason.contains(why), "{what}");
            assert!(!format!("{} {}", seen.told, seen.log).contains(CANARY), "{what}");
            assert_eq!(seen.report.requests, u32::from(reached_the_gate), "{what}");
        }
    }
    assert!(site.trap.accept().is_err(), "somebody connected to this machine");
    for asked in site.provider.asked() {
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {CANARY}").as_str()), "{}", asked.head);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_request_is_the_same_on_the_wire_and_its_answer_the_same_to_the_guest() {
    let site = Site::open().await;
    for (text, status) in ANSWERED {
        let mut seen = Vec::new();
        for door in DOORS {
            let before = site.provider.asked().len();
            let cx = site.context(0, RequestBudget::default()).await;
            let answer = ask(&cx, door, site.spelled(text)).await;
            let what = format!("{door} {text:?}: {:?} {} / {}", answer.status, answer.told, answer.log);
            assert_eq!(answer.status, Some(*status), "{what}");
            assert_eq!(answer.report.requests, 1, "{what}");
            assert!(!format!("{} {}", answer.told, answer.log).contains(CANARY), "{what}");
            let told: Json = serde_json::from_str(&answer.told).unwrap();
            let headers: BTreeSet<String> =
                told["headers"].as_array().unwrap().iter().map(|header| header.as_str().unwrap().to_owned()).collect();
            for gone in ["content-length", "content-encoding", "connection", "set-cookie", "www-authenticate"] {
                assert!(!headers.iter().any(|header| header.starts_with(gone)), "{what}");
            }
            let wire: Vec<(BTreeSet<String>, String)> = site.provider.asked()[before..]
                .iter()
                .map(|asked| (asked.head.lines().map(str::to_owned).collect(), asked.body.clone()))
                .collect();
            seen.push((told["body"].clone(), told["bytes"].clone(), headers, wire));
        }
        assert_eq!(seen[0], seen[1], "{text:?}");
    }
    let cx = site.context(0, RequestBudget::default()).await;
    let packed = ask(&cx, "egress-wasi", site.spelled("https://api.example.com/gzip")).await;
    assert!(packed.told.contains("packed Bearer [redacted]"), "{}", packed.told);
}

#[tokio::test]
async fn both_doors_spend_the_same_budget() {
    let site = Site::open().await;
    let budget = RequestBudget { per_page: 5, ..RequestBudget::default() };
    for (door, words) in [("egress-many", "HttpError::BudgetSpent"), ("egress-many-wasi", "ConnectionLimitReached")] {
        let seen = ask(&site.context(0, budget).await, door, site.spelled("https://api.example.com/ok")).await;
        assert!(seen.told.starts_with("after 5: ") && seen.told.contains(words), "{}", seen.told);
        assert_eq!(seen.report.requests, 6, "the refused one is counted too");
    }
    assert_eq!(site.provider.asked().len(), 10);
}

/// Answers every request with the same, or never.
struct Canned(Option<Result<Response, HttpError>>, Arc<()>);

#[async_trait::async_trait]
impl Http for Canned {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        // One reference for every request in flight.
        let _in_flight = Arc::clone(&self.1);
        match &self.0 {
            Some(answer) => answer.clone(),
            None => std::future::pending().await,
        }
    }
}

fn canned(answer: Option<Result<Response, HttpError>>, wall: Duration) -> (CallContext, Arc<()>) {
    let (cx, _) = context(CallLimits { wall, ..CallLimits::default() });
    let in_flight = Arc::new(());
    (CallContext { http: Arc::new(Canned(answer, Arc::clone(&in_flight))), ..cx }, in_flight)
}

async fn nothing_in_flight(in_flight: &Arc<()>) {
    // The context's own, and ours.
    for _ in 0..200 {
        if Arc::strong_count(in_flight) == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the request outlives its call");
}

#[tokio::test]
async fn a_guest_that_waits_for_ever_is_ended_and_its_request_with_it() {
    let url = Cursor("https://api.example.com/".to_owned());
    for door in DOORS {
        let (cx, in_flight) = canned(None, Duration::from_millis(500));
        let (answer, report) = shared().await.fetch(&cx, door, Some(&url)).await;
        assert!(matches!(answer, Err(CallError::Fault(FaultKind::Wall, _))), "{door}: {answer:?}");
        assert_eq!(report.requests, 1);
        nothing_in_flight(&in_flight).await;

        let (cx, in_flight) = canned(None, Duration::from_secs(60));
        let call = shared().await.fetch(&cx, door, Some(&url));
        assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
        nothing_in_flight(&in_flight).await;
    }
}

#[tokio::test]
async fn a_body_that_never_ends_or_is_not_as_long_as_it_says_is_no_request() {
    let (cx, http) = context(CallLimits { wall: Duration::from_millis(500), ..CallLimits::default() });
    let (answer, _) = shared().await.fetch(&cx, "unfinished-wasi", None).await;
    assert!(matches!(answer, Err(CallError::Fault(FaultKind::Wall, _))), "{answer:?}");
    let seen = ask(&cx, "wrong-length-wasi", None).await;
    assert!(seen.told.contains("HttpRequestBodySize(Some(5)))"), "{}", seen.told);
    assert!(seen.told.ends_with("Err(ErrorCode::HttpProtocolError)"), "{}", seen.told);
    assert!(http.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_the_host_holds_for_a_guest_is_bounded() {
    let url = Cursor("https://api.example.com/".to_owned());
    let large = Response { status: 200, headers: Vec::new(), body: vec![b'x'; 12 << 20].into() };
    let (cx, _) = canned(Some(Ok(large)), Duration::from_secs(20));
    // Of eight answers of 12 MiB, five fit into the 64 MiB that a call may have.
    let (answer, _) = shared().await.fetch(&cx, "hoard-wasi", Some(&url)).await;
    let id = answer.unwrap().interactions[0].id.clone();
    assert!(id.starts_with("5 ") && id.contains("HttpResponseBodySize"), "{id}");
    let line = cx.log.lines().remove(0);
    assert_eq!(line.level, LogLevel::Warn);
    assert!(line.text.contains("read or drop the responses"), "{}", line.text);
    // They are freed as they are read: one after the other there is room for more than fits in at once.
    let small = Response { status: 200, headers: Vec::new(), body: vec![b'x'; 128 << 10].into() };
    let (cx, _) = canned(Some(Ok(small)), Duration::from_secs(20));
    let (answer, report) = shared().await.fetch(&cx, "egress-many-wasi", Some(&url)).await;
    let Err(CallError::Provider(ProviderError::Unavailable(told))) = answer else { panic!("{answer:?}") };
    assert_eq!((told.as_str(), report.requests), ("after 600: never", 600));

    let (cx, _) = context(CallLimits::default());
    let (answer, _) = shared().await.fetch(&cx, "many-headers-wasi", None).await;
    let Err(CallError::Fault(FaultKind::Contract, text)) = answer else { panic!("{answer:?}") };
    assert!(text.contains("total size of fields exceeds limit"), "{text}");
}

#[tokio::test]
async fn an_error_without_a_code_of_its_own_comes_as_the_response_that_clients_know() {
    let url = Cursor("https://api.example.com/".to_owned());
    for (error, status, header) in [
        (HttpError::RateLimited(Some(90)), 429, "\"retry-after: 90\""),
        (HttpError::RateLimited(None), 429, "\"content-type: text/plain; charset=utf-8\""),
        (HttpError::Unauthorized("the token is gone".to_owned()), 401, "unauthorized: the token is gone"),
    ] {
        let (mut cx, _) = canned(Some(Err(error)), Duration::from_secs(20));
        cx.log = Arc::new(GuestLog::without_secrets());
        let seen = ask(&cx, "egress-wasi", Some(url.clone())).await;
        assert_eq!(seen.status, Some(status), "{}", seen.told);
        assert!(seen.told.contains(header), "{}", seen.told);
        assert!(seen.log.starts_with("wasi:http: "), "{}", seen.log);
    }
}
