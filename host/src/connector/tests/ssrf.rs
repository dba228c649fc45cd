//! Every line of the corpus, asked by a real component through both doors, with the connections counted where they are
//! opened and a socket on this machine that would see what the count does not.

use std::net::TcpListener;
use std::sync::Arc;

use super::super::{CallContext, CallLimits};
use super::{context, shared};
use crate::domain::{CallError, Cursor, IntegrationId, Manifest, ProviderError};
use crate::egress::opened;
use crate::egress::tests::ssrf::{Answers, Case, corpus, inside};
use crate::egress::tests::stub::{Asked, Reply, Stub, reply};
use crate::egress::tests::{CANARY, INTEGRATION, World};
use crate::egress::{EgressConfig, Gate, Lookup, MemoryPauses, SessionSpec};

const DOORS: [&str; 2] = ["egress", "egress-wasi"];

struct Site {
    world: World,
    trap: [TcpListener; 2],
    next: i64,
}

/// Declares a host of its own, `inside.example.com` on the trap's port, and whatever a case adds.
fn manifest(site: &Site, more: Option<String>) -> Manifest {
    let hosts = ["api.example.com".to_owned(), format!("inside.example.com:{}", site.port())];
    Manifest { hosts: hosts.into_iter().chain(more).collect(), ..site.world.manifest.clone() }
}

impl Site {
    fn open(provider: Option<&Stub>) -> Self {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        // Where there is no IPv6, a second one on the first's.
        let second = TcpListener::bind(("::1", port)).or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let trap = [first, second];
        for socket in &trap {
            socket.set_nonblocking(true).unwrap();
        }
        let world = World::bearer();
        let world = match provider {
            Some(provider) => world.route("api.example.com", provider),
            None => world,
        };
        Self { world, trap, next: 0 }
    }

    fn port(&self) -> u16 {
        self.trap[0].local_addr().unwrap().port()
    }

    fn gate(&self, allow_http: bool, lookup: Arc<dyn Lookup>) -> Gate {
        let config = EgressConfig { allow_http, ..self.world.egress.clone() };
        Gate::with_lookup(config, self.world.credentials.clone(), Arc::new(MemoryPauses::default()), lookup).unwrap()
    }

    /// A call's context on a session of an integration of its own; none if no session opens with that manifest.
    async fn context(&mut self, gate: &Gate, manifest: &Manifest) -> Option<CallContext> {
        self.next += 1;
        let integration = IntegrationId(INTEGRATION.0 + self.next);
        self.world.credentials.set(integration, &[("token", CANARY)]);
        let spec = SessionSpec { integration, manifest, ..self.world.spec() };
        let (cx, _) = context(CallLimits::default());
        Some(CallContext { http: gate.session(spec).await.ok()?, ..cx })
    }

    fn assert_untouched(&self) {
        for socket in &self.trap {
            assert!(socket.accept().is_err(), "somebody connected to this machine");
        }
    }
}

/// What a request came to: a status, or the words of the door's error.
async fn ask(cx: &CallContext, door: &str, url: &str) -> Result<u16, String> {
    let (answer, _) = shared().await.fetch(cx, door, Some(&Cursor(url.to_owned()))).await;
    match answer {
        Ok(page) => Ok(page.interactions[0].id.parse().unwrap()),
        Err(CallError::Provider(ProviderError::Unavailable(told))) => Err(told),
        Err(other) => panic!("{door} {url}: {other}"),
    }
}

/// Refused by the policy, or malformed before it got there.
fn assert_refused(door: &str, case: &Case, answer: &Result<u16, String>) {
    let Err(told) = answer else { panic!("{door} {:?} ({}): {answer:?}", case.what, case.why) };
    let words = match door {
        "egress" => &["HttpError::Denied"][..],
        _ => &["HttpRequestDenied", "HttpRequestUriInvalid"],
    };
    assert!(words.iter().any(|word| told.contains(word)), "{door} {:?} ({}): {told}", case.what, case.why);
    assert!(!told.contains(CANARY), "{told}");
}

#[tokio::test]
async fn no_spelling_of_an_inner_address_gets_a_socket_through_either_door() {
    let mut site = Site::open(None);
    let gates = [false, true].map(|allow_http| site.gate(allow_http, inside()));
    let (before, mut declared) = (opened(), 0);
    for case in corpus("refused", site.port()) {
        // As things are; then with http allowed and a connector that declares just that host.
        let host = url::Url::parse(&case.what).ok().and_then(|url| {
            let port = url.port_or_known_default().filter(|port| *port != 443);
            Some(format!("{}{}", url.host_str()?, port.map_or(String::new(), |port| format!(":{port}"))))
        });
        for (gate, more) in gates.iter().zip([None, host]) {
            let is_declared = more.is_some();
            let manifest = manifest(&site, more);
            for door in DOORS {
                let Some(cx) = site.context(gate, &manifest).await else { continue };
                declared += usize::from(is_declared);
                assert_refused(door, &case, &ask(&cx, door, &case.what).await);
            }
        }
    }
    assert!(declared >= 400, "only {declared} were asked of a connector that declares the host");
    assert_eq!(opened() - before, 0);
    site.assert_untouched();
}

#[tokio::test]
async fn what_is_allowed_is_answered() {
    let provider = Stub::start(|_| reply(200, &[], "{}")).await;
    let mut site = Site::open(Some(&provider));
    let gate = site.gate(false, inside());
    let manifest = manifest(&site, None);
    let before = opened();
    let mut answered = 0;
    for (kind, all_doors) in [("allowed", true), ("parsed", false)] {
        for case in corpus(kind, site.port()) {
            for door in DOORS {
                let cx = site.context(&gate, &manifest).await.unwrap();
                let answer = ask(&cx, door, &case.what).await;
                if all_doors || door == DOORS[0] || answer.is_ok() {
                    assert_eq!(answer, Ok(200), "{door} {:?} ({})", case.what, case.why);
                    answered += 1;
                }
            }
        }
    }
    assert_eq!((opened() - before, provider.connections()), (answered, answered));
    site.assert_untouched();
}

#[tokio::test]
async fn a_name_with_an_inner_address_gets_no_socket_through_either_door() {
    let mut site = Site::open(None);
    let manifest = manifest(&site, None);
    let before = opened();
    for case in corpus("resolves", site.port()) {
        let answers = case.what.split(' ').map(|text| text.parse().unwrap()).collect();
        let gate = site.gate(false, Arc::new(Answers(answers)));
        for door in DOORS {
            let cx = site.context(&gate, &manifest).await.unwrap();
            assert_refused(door, &case, &ask(&cx, door, "https://api.example.com/").await);
        }
    }
    assert_eq!(opened() - before, 0);
    site.assert_untouched();
}

/// `/STATUS/LINE` redirects to that line of the corpus, `/hop` over two declared places into this machine.
fn redirects(asked: &Asked, locations: &[String], trap: u16) -> Reply {
    let mut parts = asked.path().trim_start_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("round"), _) => reply(302, &[("location", "/round")], ""),
        (Some("hop"), None) => reply(302, &[("location", "https://api.example.com/hop/2")], ""),
        (Some("hop"), Some("2")) => reply(302, &[("location", "/hop/3")], ""),
        (Some("hop"), _) => reply(302, &[("location", &format!("https://127.0.0.1:{trap}/"))], ""),
        (Some(status), Some(line)) => {
            reply(status.parse().unwrap(), &[("location", &locations[line.parse::<usize>().unwrap()])], "")
        }
        _ => reply(404, &[], ""),
    }
}

#[tokio::test]
async fn no_redirect_leads_inside_through_either_door() {
    let mut site = Site::open(None);
    let cases = corpus("redirect", site.port());
    let (locations, trap) = (cases.iter().map(|case| case.what.clone()).collect::<Vec<_>>(), site.port());
    let provider = Stub::start(move |asked| redirects(asked, &locations, trap)).await;
    site.world = World::bearer().route("api.example.com", &provider);
    let gate = site.gate(false, inside());
    let manifest = manifest(&site, None);
    let before = opened();
    for (line, case) in cases.iter().enumerate() {
        for status in [301, 302, 303, 307, 308] {
            for door in DOORS {
                let cx = site.context(&gate, &manifest).await.unwrap();
                let answer = ask(&cx, door, &format!("https://api.example.com/{status}/{line}")).await;
                assert_refused(door, case, &answer);
            }
        }
    }
    // Everything that was opened led to the provider: nothing to anybody else.
    assert_eq!(opened() - before, provider.connections());
    assert!(provider.asked().iter().all(|asked| asked.header("host") == Some("api.example.com")));
    site.assert_untouched();
}
