//! A host that keeps failing is left alone: no socket is opened to it until it is time to look again.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use futures::future::join_all;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::leaks::Log;
use super::stub::{Reply, Stub, reply};
use super::*;
use crate::egress::breakers;

const URL: &str = "https://api.acme.test/";
const LEFT_ALONE: &str = "api.acme.test keeps failing and is left alone since ";

/// A provider that answers everything with a status, which a test sets.
struct Provider {
    status: Arc<AtomicU16>,
    stub: Stub,
}

impl Provider {
    async fn new(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let answers = Arc::clone(&status);
        // Late enough for others to ask meanwhile.
        let late = move |_: &_| {
            let mut late = reply(answers.load(Ordering::SeqCst), &[], "");
            late[0].0 = Duration::from_millis(20);
            late
        };
        Self { status, stub: Stub::start(late).await }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// One try for each request, so that a test counts them itself.
    fn world(&self) -> World {
        World::bearer().route("api.acme.test", &self.stub).limits(|limits| limits.tries = 1)
    }
}

fn is_left_alone(answer: &Result<Response, HttpError>) -> bool {
    matches!(answer, Err(HttpError::Unreachable(text)) if text.starts_with(LEFT_ALONE))
}

async fn statuses<const N: usize>(session: &Session) -> [Option<u16>; N] {
    let mut statuses = [None; N];
    for status in &mut statuses {
        *status = session.send(get(URL)).await.ok().map(|answer| answer.status);
    }
    statuses
}

#[tokio::test]
async fn after_five_failures_in_a_row_nothing_is_sent_and_the_error_says_until_when() {
    let provider = Provider::new(500).await;
    let world = provider.world();
    let gate = world.gate();
    let session = world.try_session(&gate).await.unwrap();
    assert_eq!(statuses(&session).await, [Some(500); 5]);
    let sockets = provider.stub.connections();
    provider.answers(200);
    // Another run of the integration is told the same.
    for session in [&session, &world.try_session(&gate).await.unwrap()] {
        let answer = session.send(get(URL)).await;
        assert!(is_left_alone(&answer), "{answer:?}");
        let Err(HttpError::Unreachable(text)) = answer else { panic!("answered") };
        let times: Vec<_> = text.split(' ').filter_map(|word| word.trim_end_matches(':').parse().ok()).collect();
        let [since, until]: [chrono::DateTime<chrono::Utc>; 2] = times.try_into().unwrap();
        assert!((29..=31).contains(&(until - since).num_seconds()), "{text}");
    }
    assert_eq!(provider.stub.connections(), sockets);
    assert_eq!(session.stats().requests, 5, "what was not sent is no request");
}

#[tokio::test]
async fn a_success_in_between_begins_the_row_anew() {
    let provider = Provider::new(500).await;
    let session = provider.world().session().await;
    for _ in 0..2 {
        assert_eq!(statuses(&session).await, [Some(500); 4]);
        provider.answers(200);
        assert_eq!(statuses(&session).await, [Some(200); 3]);
        provider.answers(500);
    }
    assert_eq!(statuses(&session).await, [Some(500), Some(500), Some(500), Some(500), Some(500), None]);
}

#[tokio::test]
async fn half_of_twenty_requests_in_a_minute_are_too_many_failures() {
    let stub = Stub::start(|asked| reply(if asked.nth % 2 == 0 { 200 } else { 502 }, &[], "")).await;
    let session = World::bearer().route("api.acme.test", &stub).limits(|limits| limits.tries = 1).session().await;
    let answers = statuses::<25>(&session).await;
    assert_eq!(answers.iter().position(Option::is_none), Some(20), "{answers:?}");
    assert_eq!(stub.asked().len(), 20);
}

#[tokio::test]
async fn repetitions_count_and_the_last_answer_is_what_the_connector_sees() {
    let provider = Provider::new(503).await;
    let session = provider.world().limits(|limits| limits.tries = 3).session().await;
    assert_eq!(statuses(&session).await, [Some(503), Some(503), None]);
    assert_eq!(provider.stub.asked().len(), 5);
}

#[tokio::test]
async fn timeouts_and_broken_connections_are_failures() {
    let whole = |head: &str| vec![(Duration::ZERO, head.as_bytes().to_vec())];
    let silent: Reply = vec![(Duration::from_secs(60), Vec::new())];
    let gap: Reply = [whole("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"), silent.clone()].concat();
    for (case, answer) in [
        ("no answer", Vec::new()),
        ("cut off", whole("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")),
        ("no head in time", silent.clone()),
        ("a gap", gap),
    ] {
        let stub = Stub::start(move |_| answer.clone()).await;
        let world = World::bearer().route("api.acme.test", &stub).limits(|limits| {
            (limits.tries, limits.first_byte) = (1, Duration::from_millis(50));
            limits.read_gap = Duration::from_millis(50);
        });
        let session = world.session().await;
        assert_eq!(statuses(&session).await, [None; 5]);
        assert_eq!(stub.asked().len(), 5, "{case}");
        assert!(is_left_alone(&session.send(get(URL)).await), "{case}");
    }

    let stub = Stub::start(move |_| silent.clone()).await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    for _ in 0..5 {
        let hurried = session.send(Request { timeout_ms: Some(50), ..get(URL) }).await;
        assert!(matches!(hurried, Err(HttpError::Timeout(_))), "{hurried:?}");
    }
    assert!(is_left_alone(&session.send(get(URL)).await), "the connector's own time limit");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut world = World::bearer().limits(|limits| limits.tries = 1);
    world.egress.routes.push(("api.acme.test".parse().unwrap(), format!("http://{closed}").parse().unwrap()));
    let session = world.session().await;
    assert_eq!(statuses(&session).await, [None; 5]);
    assert!(is_left_alone(&session.send(get(URL)).await), "no connection");
}

#[tokio::test]
async fn what_is_refused_denied_accepted_or_given_up_is_no_failure() {
    for (status, accepted, headers) in [
        (400, vec![], vec![]),
        (401, vec![], vec![]),
        (403, vec![], vec![]),
        (404, vec![], vec![]),
        (409, vec![], vec![]),
        (429, vec![], vec![]),
        (503, vec![503], vec![]),
        (503, vec![], vec![("retry-after", "0")]),
    ] {
        let stub = Stub::start(move |_| reply(status, &headers, "")).await;
        let session = World::bearer().route("api.acme.test", &stub).limits(|limits| limits.tries = 1).session().await;
        let request = Request { accept_status: accepted, ..get(URL) };
        for _ in 0..25 {
            assert_eq!(session.send(request.clone()).await.unwrap().status, status);
        }
    }

    // A host inside, which the policy refuses after its name is known.
    let mut world = World::bearer();
    world.egress.allow_http = true;
    world.manifest.hosts = vec!["127.0.0.1:9".to_owned()];
    let session = world.session().await;
    for _ in 0..25 {
        let denied = session.send(get("http://127.0.0.1:9/")).await;
        assert!(matches!(denied, Err(HttpError::Denied(_))), "{denied:?}");
    }

    let stub = Stub::start(|asked| match asked.nth {
        0..25 => vec![(Duration::from_secs(60), Vec::new())],
        _ => reply(200, &[], ""),
    })
    .await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    for asked in 1..=25 {
        let given_up = async {
            while stub.asked().len() < asked {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            answer = session.send(get(URL)) => panic!("{answer:?}"),
            () = given_up => {}
        }
    }
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_is_let_through_and_its_success_lets_all_pass() {
    let provider = Provider::new(500).await;
    let session = provider.world().session().await;
    assert_eq!(statuses(&session).await, [Some(500); 5]);
    provider.answers(200);
    breakers::pass(Duration::from_secs(29));
    assert!(is_left_alone(&session.send(get(URL)).await));
    breakers::pass(Duration::from_secs(1));

    let answers = join_all((0..50).map(|_| session.send(get(URL)))).await;
    let (alone, answered): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| is_left_alone(answer));
    assert_eq!((alone.len(), answered.len()), (49, 1));
    assert_eq!(provider.stub.connections(), 6);

    let answers = join_all((0..50).map(|_| session.send(get(URL)))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn a_probe_that_fails_is_sent_once_and_the_next_one_waits_for_twice_as_long_up_to_ten_minutes() {
    let provider = Provider::new(500).await;
    // The host's own repetitions would make more than one of a probe.
    let session = provider.world().limits(|limits| limits.tries = 3).session().await;
    assert_eq!(statuses(&session).await, [Some(500), Some(500), None]);
    for wait in [30, 60, 120, 240, 480, 600, 600] {
        breakers::pass(Duration::from_secs(wait - 1));
        assert!(is_left_alone(&session.send(get(URL)).await), "before {wait} s");
        breakers::pass(Duration::from_secs(1));
        let before = provider.stub.asked().len();
        assert_eq!(statuses(&session).await, [Some(500), None, None], "after {wait} s");
        assert_eq!(provider.stub.asked().len(), before + 1);
    }
    provider.answers(404);
    breakers::pass(Duration::from_secs(600));
    assert_eq!(statuses(&session).await, [Some(404), Some(404)], "a host that refuses is there");
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_makes_room_for_another() {
    let provider = Provider::new(500).await;
    let session = provider.world().session().await;
    assert_eq!(statuses(&session).await, [Some(500); 5]);
    provider.answers(200);
    breakers::pass(Duration::from_secs(30));
    let given_up = tokio::time::timeout(Duration::from_millis(5), session.send(get(URL))).await;
    assert!(given_up.is_err(), "{given_up:?}");
    assert_eq!(statuses(&session).await, [Some(200); 2]);
}

#[tokio::test]
async fn another_host_and_another_integration_are_asked_as_before() {
    let (broken, whole) = (Provider::new(500).await, Provider::new(200).await);
    let mut world = broken.world().route("files.acme.test", &whole.stub);
    world.manifest.hosts.push("files.acme.test".to_owned());
    let gate = world.gate();
    let session = world.try_session(&gate).await.unwrap();
    assert_eq!(statuses(&session).await, [Some(500), Some(500), Some(500), Some(500), Some(500), None]);
    assert_eq!(session.send(get("https://files.acme.test/")).await.unwrap().status, 200);

    let other = IntegrationId(INTEGRATION.0 + 1);
    world.credentials.set(other, &[("token", CANARY)]);
    let spec = SessionSpec { integration: other, ..world.spec() };
    assert_eq!(gate.session(spec).await.unwrap().send(get(URL)).await.unwrap().status, 500);
    assert!(is_left_alone(&session.send(get(URL)).await));
}

#[tokio::test]
async fn a_redirect_does_not_lead_to_a_host_that_is_left_alone() {
    let broken = Provider::new(500).await;
    let first = Stub::start(|_| reply(302, &[("location", "https://api.acme.test/")], "")).await;
    let mut world = broken.world().route("www.acme.test", &first);
    world.manifest.hosts.push("www.acme.test".to_owned());
    let session = world.session().await;
    assert_eq!(statuses(&session).await, [Some(500); 5]);
    assert!(is_left_alone(&session.send(get("https://www.acme.test/")).await));
    assert_eq!((first.asked().len(), broken.stub.asked().len()), (1, 5));
}

#[tokio::test]
async fn a_token_endpoint_is_left_alone_as_well() {
    let (api, login) = (Provider::new(200).await, Provider::new(500).await);
    let world = World::oauth(&[("refresh-token", "refresh-0")])
        .route("api.acme.test", &api.stub)
        .route("login.acme.test", &login.stub);
    let session = world.session().await;
    for _ in 0..5 {
        assert!(session.send(get(URL)).await.is_err());
    }
    let answer = session.send(get(URL)).await;
    assert!(
        matches!(&answer, Err(HttpError::Unreachable(text)) if text.starts_with("login.acme.test keeps failing")),
        "{answer:?}"
    );
    assert_eq!((api.stub.asked().len(), login.stub.asked().len()), (0, 5));
}

#[tokio::test]
async fn at_zero_failures_no_host_is_ever_left_alone() {
    let provider = Provider::new(500).await;
    let session = provider.world().limits(|limits| limits.breaker_failures = 0).session().await;
    assert_eq!(statuses(&session).await, [Some(500); 30]);
}

#[tokio::test]
async fn a_host_left_alone_answers_at_once_although_every_place_is_taken() {
    let stub = Stub::start(|asked| match asked.path() {
        "/slow" => vec![(Duration::from_secs(60), Vec::new())],
        _ => reply(500, &[], ""),
    })
    .await;
    let mut world = World::bearer().route("api.acme.test", &stub).limits(|limits| limits.tries = 1);
    world.manifest.rate = Some(RateHint { requests: 100_000, per_seconds: 1, concurrency: 2 });
    let session = world.session().await;
    let slow = session.clone();
    tokio::spawn(async move { slow.send(get("https://api.acme.test/slow")).await });
    while stub.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(statuses(&session).await, [Some(500); 5]);
    let second = session.clone();
    breakers::pass(Duration::from_secs(30));
    tokio::spawn(async move { second.send(get("https://api.acme.test/slow")).await });
    while stub.asked().len() < 7 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let start = Instant::now();
    let answer = session.send(get(URL)).await;
    assert!(is_left_alone(&answer), "{answer:?}");
    assert!(matches!(answer, Err(HttpError::Unreachable(text)) if text.contains("until a request that is under way")));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_opening_is_counted_and_logged_with_its_code() {
    let (recorder, log) = (PrometheusBuilder::new().build_recorder(), Log::default());
    let _counting = metrics::set_default_local_recorder(&recorder);
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    // As in the test of leaks: with two subscribers, all are asked for each event.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());

    let provider = Provider::new(500).await;
    let session = provider.world().session().await;
    assert_eq!(statuses(&session).await, [Some(500), Some(500), Some(500), Some(500), Some(500), None, None]);
    breakers::pass(Duration::from_secs(30));
    assert_eq!(statuses(&session).await, [Some(500), None]);
    breakers::pass(Duration::from_secs(60));
    provider.answers(200);
    assert_eq!(statuses(&session).await, [Some(200)]);

    let counted = recorder.handle().render();
    assert!(counted.contains("syncline_breaker_opened_total{connector=\"acme\"} 2"), "{counted}");
    let lines = log.text();
    let coded = |code: &str| lines.lines().filter(|line| line.contains(code)).collect::<Vec<_>>();
    let (opened, closed) = (coded("code=\"breaker-opened\""), coded("code=\"breaker-closed\""));
    assert_eq!((opened.len(), closed.len()), (2, 1), "{lines}");
    for (line, wait) in opened.iter().zip(["wait_ms=30000", "wait_ms=60000"]) {
        assert!(line.contains("WARN") && line.contains("http.host=api.acme.test") && line.contains(wait), "{line}");
    }
}
