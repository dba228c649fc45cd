//! The corpus of requests that must not leave, read by the tests of both doors; and what of it needs no connector.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::egress::dial::opened;
use crate::egress::target::Target;

/// One line of the corpus.
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    /// With the port and the characters filled in.
    pub(crate) what: String,
    pub(crate) why: &'static str,
}

/// The lines of one kind; `trap` is where somebody listens on the loopback interface.
pub(crate) fn corpus(kind: &str, trap: u16) -> Vec<Case> {
    let lines = include_str!("ssrf.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let cases = lines.map(|line| {
        let mut parts = line.splitn(3, " | ");
        let (kind, text, why) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let mut what = text.replace("PORT", &trap.to_string());
        what = what.replace("{BIG}", &format!("https://api.example.com/{}", "a".repeat(9_000)));
        Case { kind, what, why }
    });
    cases.filter(|case| case.kind == kind).collect()
}

/// The characters that cannot stand in a line of the corpus, nor in what the hostile guest is told.
fn unescaped(text: &str) -> String {
    let signs = [("{SP}", " "), ("{TAB}", "\t"), ("{LF}", "\n"), ("{CR}", "\r"), ("{NUL}", "\0"), ("{NBSP}", "\u{a0}")];
    signs.iter().fold(text.to_owned(), |text, (sign, char)| text.replace(sign, char))
}

/// Every name is the address that it holds.
pub(crate) struct Answers(pub(crate) Vec<IpAddr>);

#[async_trait::async_trait]
impl Lookup for Answers {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

pub(crate) fn inside() -> Arc<Answers> {
    Arc::new(Answers(vec![Ipv4Addr::LOCALHOST.into()]))
}

#[test]
fn the_corpus_is_large_and_says_of_each_line_why() {
    let refused = corpus("refused", 9);
    assert!(refused.len() >= 300, "{}", refused.len());
    for kind in ["refused", "allowed", "parsed", "resolves", "redirect"] {
        let cases = corpus(kind, 9);
        assert!(cases.len() >= 5 && cases.iter().all(|case| !case.why.is_empty()), "{kind}");
    }
}

#[test]
fn no_spelling_is_taken_for_a_public_address() {
    let mut literals = 0;
    for case in corpus("refused", 9) {
        let Ok(target) = Target::parse(&unescaped(&case.what)) else { continue };
        if let Some(literal) = target.literal() {
            literals += 1;
            assert!(address::refusal(literal).is_some(), "{} ({}) was taken for {literal}", case.what, case.why);
        }
    }
    assert!(literals >= 180, "{literals} are addresses");
    for case in corpus("allowed", 9).iter().chain(&corpus("parsed", 9)) {
        let target = Target::parse(&case.what).unwrap();
        assert_eq!(target.authority(), "api.example.com", "{} ({})", case.what, case.why);
    }
}

fn declaring(world: &World, hosts: &[&str]) -> Manifest {
    Manifest { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..world.manifest.clone() }
}

#[tokio::test]
async fn a_name_with_any_inner_address_is_not_dialled() {
    let world = World::bearer();
    let before = opened();
    for case in corpus("resolves", 9) {
        let answers = Arc::new(Answers(case.what.split(' ').map(|text| text.parse().unwrap()).collect()));
        let gate = world.looking_up(answers);
        let session = gate.session(world.spec()).await.unwrap();
        let error = session.send(get("https://api.acme.test/")).await.unwrap_err();
        assert!(
            matches!(&error, HttpError::Denied(text) if text.contains("not public")),
            "{} ({}): {error:?}",
            case.what,
            case.why
        );
        assert!(!format!("{error:?}").contains(&case.what), "the connector learns no inner address: {error:?}");
    }
    assert_eq!(opened() - before, 0);
}

#[tokio::test]
async fn a_name_that_dns_cannot_have_is_refused_where_it_is_declared_and_where_it_is_asked() {
    let world = World::bearer();
    let gate = world.looking_up(inside());
    let below = declaring(&world, &["*.acme.test"]);
    let before = opened();
    for host in ["-1", "1-", "127.0.0.1-", "-api.acme.test", "api-.acme.test", "api.-.acme.test", "api.acme.test-"] {
        let manifest = declaring(&world, &[host]);
        let refused = gate.session(SessionSpec { manifest: &manifest, ..world.spec() }).await.err();
        assert!(matches!(refused, Some(OpenError::Hosts(_))), "{host}: {refused:?}");
        let session = gate.session(SessionSpec { manifest: &below, ..world.spec() }).await.unwrap();
        let error = session.send(get(&format!("https://{host}/"))).await.unwrap_err();
        assert!(matches!(&error, HttpError::Denied(text) if text.contains("no usable host name")), "{host}: {error:?}");
    }
    assert_eq!(opened() - before, 0);
}

#[tokio::test]
async fn the_count_of_connections_counts() {
    let stub = Stub::start(|_| stub::reply(200, &[], "")).await;
    let mut world = World::bearer().route("api.acme.test", &stub);
    let before = opened();
    assert!(world.session().await.send(get("https://api.acme.test/")).await.is_ok());
    assert_eq!(opened() - before, 1, "an address that the operator routes to");
    world.egress.allow_http = true;
    world.egress.allow_hosts = vec!["inner.acme.test".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let gate = world.looking_up(inside());
    let (name, literal) = (format!("inner.acme.test:{}", stub.port()), format!("127.0.0.1:{}", stub.port()));
    let manifest = declaring(&world, &[&name, &literal]);
    let session = gate.session(SessionSpec { manifest: &manifest, ..world.spec() }).await.unwrap();
    for host in [&name, &literal] {
        assert!(session.send(get(&format!("http://{host}/"))).await.is_ok());
    }
    assert_eq!(opened() - before, 3, "a name and an address");
}
