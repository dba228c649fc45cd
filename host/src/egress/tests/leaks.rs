//! A credential is found in nothing that a connector, an operator or a log gets to see.

use std::io;
use std::sync::Mutex;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::stub::{Stub, reply};
use super::*;

/// A log in memory.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The canary in every spelling that one of the cases produces.
fn holds_canary(text: &str) -> bool {
    let percent: String = url::form_urlencoded::byte_serialize(CANARY.as_bytes()).collect();
    let basic = BASE64_STANDARD.encode(format!("ann:{CANARY}"));
    [CANARY, &percent, &basic, "cAnArY"].iter().any(|form| text.contains(form))
}

// One thread, so that the log of every task of this test, and of no other, is caught.
#[tokio::test(flavor = "current_thread")]
async fn no_canary_in_any_error_log_header_or_body() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // While a process has just one subscriber, an event that another thread meets first asks that thread's own, which is
    // none, and stays off for ours as well. With two, all are asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());

    // An echo: everything that was sent comes back in body, headers and location.
    let stub = Stub::start(|asked| {
        let line = asked.head.replace("\r\n", " ");
        match asked.path() {
            path if path.starts_with("/cut") => {
                vec![(Duration::ZERO, format!("HTTP/1.1 200 {line}\r\ncontent-length: 9\r\n\r\nx").into_bytes())]
            }
            path if path.starts_with("/bad") => {
                vec![(Duration::ZERO, format!("{line} is no answer\r\n\r\n").into_bytes())]
            }
            path if path.starts_with("/away") => reply(302, &[("location", &format!("https://away.test{path}"))], ""),
            path if path.starts_with("/slow") => vec![(Duration::from_millis(500), Vec::new())],
            _ => reply(500, &[("x-echo", &line), ("set-cookie", &line)], &asked.head),
        }
    })
    .await;
    let mut seen = String::new();
    for kind in
        [AuthKind::Bearer, AuthKind::Basic, AuthKind::Header("x-key".to_owned()), AuthKind::Query("key".to_owned())]
    {
        let fields = [("token", CANARY), ("key", CANARY), ("username", "ann"), ("password", CANARY)];
        let world = World::new(kind, &fields).route("api.acme.test", &stub).limits(|limits| limits.tries = 1);
        let world = world.limits(|limits| {
            (limits.first_byte, limits.breaker_failures) = (Duration::from_millis(100), 0);
        });
        let session = world.session().await;
        for path in ["/echo", "/cut", "/bad", "/away", "/slow"] {
            for request in
                [get(&format!("https://api.acme.test{path}?q=1")), post(&format!("https://api.acme.test{path}"), "{}")]
            {
                match session.send(request).await {
                    Ok(response) => {
                        seen.push_str(&String::from_utf8_lossy(&response.body));
                        seen.push_str(&format!("{:?}\n", response.headers));
                    }
                    Err(error) => seen.push_str(&format!("{error} {error:?}\n")),
                }
            }
        }
        seen.push_str(&session.redact(&format!("somebody printed {CANARY}\n")));
    }
    drop(guard);
    let log = log.text();
    assert!(stub.asked().iter().any(|asked| holds_canary(&asked.head)), "the canary was sent");
    assert!(log.contains("request denied") && log.contains("http.status=500"), "the log was caught: {log}");
    assert!(!log.contains("q=1"), "no query in the log");
    assert!(seen.contains("[redacted]") && seen.contains("GET /echo?q=1"), "the echo was seen: {seen}");
    for (what, text) in [("answers", &seen), ("log", &log)] {
        if let Some(line) = text.lines().find(|line| holds_canary(line)) {
            panic!("{what}: {line}");
        }
    }
}

#[tokio::test]
async fn a_credential_that_a_provider_puts_into_an_error_is_masked() {
    let token = "lower-case-canary-0123";
    let stub = Stub::start(move |_| reply(200, &[("content-encoding", token)], "x")).await;
    let world = World::new(AuthKind::Bearer, &[("token", token)]).route("api.acme.test", &stub);
    let error = world.session().await.send(get("https://api.acme.test/")).await.unwrap_err();
    assert!(error.to_string().contains("[redacted]") && !error.to_string().contains(token), "{error}");
}

#[tokio::test]
async fn a_body_without_the_credential_arrives_unchanged() {
    let body: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let sent = body.clone();
    let stub = Stub::start(move |_| reply(200, &[], &sent)).await;
    let answer =
        World::bearer().route("api.acme.test", &stub).session().await.send(get("https://api.acme.test/")).await;
    assert_eq!(answer.unwrap().body, body);
}
