//! Nothing but public addresses is dialled, whatever way they are spelled, resolved or configured.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::stub::{Asked, Reply, Stub, reply};
use super::*;
use crate::egress::dial::Dialer;

/// A resolver that gives one answer after the other.
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[async_trait::async_trait]
impl Lookup for Script {
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        self.0.lock().unwrap().pop_front().ok_or_else(|| std::io::Error::other(format!("{name} asked for too often")))
    }
}

/// A connector that declares a host of that name on the stub's port, http allowed.
fn world(host: &str, stub: &Stub) -> World {
    let mut world = World::bearer();
    world.egress.allow_http = true;
    world.manifest.hosts = vec![format!("{host}:{}", stub.port())];
    world
}

async fn ask(world: &World, lookup: Arc<dyn Lookup>, url: &str) -> Result<Response, HttpError> {
    world.try_session(&world.looking_up(lookup)).await.unwrap().send(get(url)).await
}

#[tokio::test]
async fn an_inner_address_in_a_url_opens_no_socket_even_if_the_connector_declares_it() {
    let stub = Stub::start(|_| reply(200, &[], "inside")).await;
    let port = stub.port();
    for (declared, spelled) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "2130706433"),
        ("127.0.0.1", "0x7f.1"),
        ("127.0.0.1", "127.0.0.1."),
        ("0.0.0.0", "0"),
        ("[::1]", "[::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]"),
        ("169.254.169.254", "169.254.169.254"),
    ] {
        let lookup = Script::new(&[]);
        let error = ask(&world(declared, &stub), lookup, &format!("http://{spelled}:{port}/")).await.unwrap_err();
        assert!(matches!(&error, HttpError::Denied(text) if text.contains("allow_hosts = [")), "{spelled}: {error:?}");
    }
    assert_eq!(stub.connections(), 0);
}

#[tokio::test]
async fn a_name_with_one_inner_address_among_public_ones_is_refused() {
    let stub = Stub::start(|_| reply(200, &[], "inside")).await;
    for answer in [&["127.0.0.1"][..], &["8.8.8.8", "127.0.0.1"], &["::ffff:127.0.0.1"], &["2606:4700::1", "fd00::1"]] {
        let world = world("rebind.acme.test", &stub);
        let url = format!("http://rebind.acme.test:{}/", stub.port());
        let error = ask(&world, Script::new(&[answer]), &url).await.unwrap_err();
        let HttpError::Denied(text) = error else { panic!("{answer:?}: {error:?}") };
        assert!(text.contains("allow_hosts = [\"rebind.acme.test\"]"), "{text}");
        assert!(!text.contains("127.0.0.1"), "the connector learns no inner address: {text}");
    }
    assert_eq!(stub.connections(), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_dialled() {
    let stub = Stub::start(|_| reply(200, &[], "inside")).await;
    let mut world = world("inner.acme.test", &stub);
    world.egress.allow_hosts = vec!["inner.acme.test".parse().unwrap()];
    // A second look would get another answer; there must be none.
    let lookup = Script::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let url = format!("http://inner.acme.test:{}/", stub.port());
    assert_eq!(&ask(&world, lookup.clone(), &url).await.unwrap().body[..], b"inside");
    assert_eq!(lookup.left(), 1);
}

#[tokio::test]
async fn the_operator_allows_an_inner_host_by_name_and_no_other() {
    let stub = Stub::start(|_| reply(200, &[], "inside")).await;
    let mut world = world("127.0.0.1", &stub);
    world.egress.allow_hosts = vec!["127.0.0.1".parse().unwrap()];
    let url = format!("http://127.0.0.1:{}/", stub.port());
    assert_eq!(ask(&world, Script::new(&[]), &url).await.unwrap().status, 200);

    world.manifest.hosts.push(format!("other.acme.test:{}", stub.port()));
    let url = format!("http://other.acme.test:{}/", stub.port());
    let error = ask(&world, Script::new(&[&["127.0.0.1"]]), &url).await.unwrap_err();
    assert!(matches!(error, HttpError::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn undeclared_hosts_are_refused_before_any_name_is_looked_up() {
    let stub = Stub::start(|_| reply(200, &[], "")).await;
    let lookup = Script::new(&[&["127.0.0.1"]]);
    let world = world("api.acme.test", &stub);
    let error = ask(&world, lookup.clone(), &format!("http://evil.test:{}/", stub.port())).await.unwrap_err();
    assert!(matches!(&error, HttpError::Denied(text) if text.contains("hosts = [\"evil.test:")), "{error:?}");
    assert_eq!((lookup.left(), stub.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_without_address_is_unreachable() {
    let stub = Stub::start(|_| reply(200, &[], "")).await;
    let world = world("gone.acme.test", &stub).limits(|limits| limits.tries = 2);
    let url = format!("http://gone.acme.test:{}/?q=private", stub.port());
    let error = ask(&world, Script::new(&[&[], &[]]), &url).await.unwrap_err();
    assert!(
        matches!(&error, HttpError::Unreachable(text) if text.contains("gone.acme.test") && !text.contains("private")),
        "{error:?}"
    );
}

/// What the tests of rebinding call public; everything else of this machine, 127.0.0.1 first of all, is not.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// One address of these after the other, over and over.
struct Turning(Vec<Vec<IpAddr>>, AtomicUsize);

impl Turning {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(answers.iter().map(parse).collect(), AtomicUsize::new(0)))
    }
}

#[async_trait::async_trait]
impl Lookup for Turning {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0[self.1.fetch_add(1, Ordering::SeqCst) % self.0.len()].clone())
    }
}

/// The real gate, but for what it takes for public.
fn gate(world: &World, lookup: Arc<dyn Lookup>) -> Gate {
    let dialer = Dialer::judging(&world.egress, lookup, |address| (address != OUTSIDE).then_some("not outside"));
    Gate::over(world.egress.clone(), world.credentials.clone(), world.pauses.clone(), Arc::new(dialer.unwrap()))
}

/// Somebody inside and somebody outside, on one port.
async fn both_sides(outside: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Stub, Stub) {
    let inside = Stub::start(|_| reply(200, &[], "inside")).await;
    let outside = Stub::start_at((OUTSIDE, inside.port()), outside).await;
    (inside, outside)
}

#[tokio::test]
async fn a_name_that_leads_outside_and_inside_in_turns_is_dialled_outside_only() {
    let (inside, outside) = both_sides(|_| reply(200, &[], "outside")).await;
    let world = world("rebind.acme.test", &inside).limits(|limits| limits.tries = 1);
    let url = format!("http://rebind.acme.test:{}/", inside.port());
    // An inner address alone, beside the outer one on either side of it, and in the clothes of IPv6.
    let turns: [&[&str]; 8] = [
        &["127.0.0.2"],
        &["127.0.0.1"],
        &["127.0.0.2"],
        &["127.0.0.2", "127.0.0.1"],
        &["127.0.0.2"],
        &["127.0.0.1", "127.0.0.2"],
        &["127.0.0.2"],
        &["::ffff:127.0.0.1"],
    ];
    let session = world.try_session(&gate(&world, Turning::new(&turns))).await.unwrap();
    for round in 0..5 * turns.len() {
        match session.send(get(&url)).await {
            Ok(answer) => assert!(round % 2 == 0 && &answer.body[..] == b"outside", "{round}: {answer:?}"),
            Err(HttpError::Denied(text)) => assert!(round % 2 == 1 && !text.contains("127.0"), "{round}: {text}"),
            Err(other) => panic!("{round}: {other:?}"),
        }
    }
    assert_eq!((outside.connections(), inside.connections()), (20, 0));

    // The same with all of them at once: whose answer of DNS a request gets is up to chance.
    let asked = futures::future::join_all((0..200).map(|_| session.send(get(&url)))).await;
    let answered = asked.iter().filter(|answer| answer.is_ok()).count();
    assert!(asked.iter().all(|answer| matches!(answer, Ok(_) | Err(HttpError::Denied(_)))), "{asked:?}");
    assert_eq!((answered, outside.connections(), inside.connections()), (100, 120, 0));
}

#[tokio::test]
async fn neither_a_repeat_nor_a_redirect_nor_a_renewal_follows_a_name_inside() {
    // The first answer breaks off, so that the gate asks again; the second sends elsewhere on the same name.
    let (inside, outside) = both_sides(|asked| match asked.path() {
        "/cut" => vec![(Duration::ZERO, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_vec())],
        _ => reply(302, &[("location", "/elsewhere")], ""),
    })
    .await;
    let url = |path: &str| format!("http://rebind.acme.test:{}{path}", inside.port());
    let turning = || Turning::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let world = world("rebind.acme.test", &inside);
    for (asked, path) in ["/cut", "/away"].into_iter().enumerate() {
        let session = world.try_session(&gate(&world, turning())).await.unwrap();
        let error = session.send(get(&url(path))).await.unwrap_err();
        assert!(matches!(&error, HttpError::Denied(text) if text.contains("not public")), "{path}: {error:?}");
        assert_eq!((outside.connections(), inside.connections()), (asked + 1, 0), "{path}");
    }

    // A token endpoint that has turned inner is shown no refresh token.
    let mut world = World::oauth(&[("refresh-token", CANARY)]);
    world.egress.allow_http = true;
    let AuthKind::OAuth2(oauth) = &mut world.manifest.auth[0].kind else { panic!("no OAuth") };
    oauth.token_url = url("/token");
    let session = world.try_session(&gate(&world, Turning::new(&[&["127.0.0.1"]]))).await.unwrap();
    let error = session.send(get("https://api.acme.test/")).await.unwrap_err();
    assert!(!format!("{error:?}").contains("inside"), "{error:?}");
    assert_eq!((outside.connections(), inside.connections()), (2, 0), "{error:?}");
}

/// Run by the test below in a process of its own, with a proxy in its environment.
#[tokio::test]
#[ignore = "needs the environment that the next test gives it"]
async fn with_proxy_variables() {
    let stub = Stub::start(|_| reply(200, &[], "direct")).await;
    let mut world = world("inner.acme.test", &stub);
    world.egress.allow_hosts = vec!["inner.acme.test".parse().unwrap()];
    let lookup = Script::new(&[&[&Ipv4Addr::LOCALHOST.to_string()]]);
    let url = format!("http://inner.acme.test:{}/", stub.port());
    assert_eq!(&ask(&world, lookup, &url).await.unwrap().body[..], b"direct");
}

#[tokio::test]
async fn proxy_variables_are_ignored() {
    let proxy = Stub::start(|_| reply(200, &[], "proxied")).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "egress::tests::addresses::with_proxy_variables"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, proxy.origin().as_str());
    }
    let output = child.env_remove("no_proxy").env_remove("NO_PROXY").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert_eq!(proxy.connections(), 0);
}
