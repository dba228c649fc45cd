//! What leaves for the provider: the credential in its place, and nothing a connector may not write.

use super::stub::{Stub, reply};
use super::*;

#[tokio::test]
async fn each_scheme_reaches_the_provider_and_the_original_host_is_named() {
    let stub = Stub::start(|_| reply(200, &[], "ok")).await;
    let fields = [("token", CANARY), ("key", CANARY), ("username", "ann"), ("password", "open sesame")];
    for (kind, name, value) in [
        (AuthKind::Bearer, "authorization", format!("Bearer {CANARY}")),
        (AuthKind::Basic, "authorization", "Basic YW5uOm9wZW4gc2VzYW1l".to_owned()),
        (AuthKind::Header("X-Api-Key".to_owned()), "x-api-key", CANARY.to_owned()),
    ] {
        let session = World::new(kind, &fields).route("api.acme.test", &stub).session().await;
        session.send(get("https://api.acme.test/v1?a=b")).await.unwrap();
        let asked = stub.asked().pop().unwrap();
        assert_eq!(asked.header(name), Some(value.as_str()));
        assert_eq!((asked.header("host"), asked.path()), (Some("api.acme.test"), "/v1?a=b"));
        assert_eq!(asked.header("user-agent"), Some(concat!("syncline/", env!("CARGO_PKG_VERSION"))));
    }
    let world = World::new(AuthKind::Query("api_key".to_owned()), &fields).route("api.acme.test", &stub);
    world.session().await.send(get("https://api.acme.test/v1?a=b")).await.unwrap();
    assert_eq!(stub.asked().pop().unwrap().path(), "/v1?a=b&api_key=cAnArY-0123456789%2B%2Fabc");
}

#[tokio::test]
async fn hosts_outside_of_the_scheme_get_no_credential() {
    let stub = Stub::start(|_| reply(200, &[], "ok")).await;
    let mut world = World::bearer().route("*.acme.test", &stub);
    world.manifest.hosts = vec!["*.acme.test".to_owned()];
    world.manifest.auth[0].hosts = vec!["api.acme.test".to_owned()];
    let session = world.session().await;
    session.send(get("https://api.acme.test/")).await.unwrap();
    session.send(get("https://cdn.acme.test/")).await.unwrap();
    let sent: Vec<bool> = stub.asked().iter().map(|asked| asked.header("authorization").is_some()).collect();
    assert_eq!(sent, [true, false]);
}

#[tokio::test]
async fn what_a_connector_may_not_write_is_refused_without_a_connection() {
    let stub = Stub::start(|_| reply(200, &[], "ok")).await;
    let world = World::new(AuthKind::Query("key".to_owned()), &[("key", CANARY)]).route("api.acme.test", &stub);
    let session = world.session().await;
    let url = "https://api.acme.test/";
    let with_header = |name: &str| Request { headers: vec![(name.to_owned(), "x".to_owned())], ..get(url) };
    let requests = [
        with_header("Authorization"),
        with_header("cookie"),
        with_header("HOST"),
        with_header("transfer-encoding"),
        get("https://api.acme.test/?key=mine"),
        get("https://api.acme.test/?k%65y=mine"),
        Request { body: Some("x".into()), ..get(url) },
        Request { body: Some(vec![0; (1 << 20) + 1].into()), ..post(url, "") },
        Request { method: "CONNECT".to_owned(), ..get(url) },
        Request { method: "TRACE".to_owned(), ..get(url) },
        Request { method: "get".to_owned(), ..get(url) },
        Request { method: "GET / HTTP/1.1\r\nx: y\r\n\r\n".to_owned(), ..get(url) },
        get("http://u:p@api.acme.test/"),
    ];
    let count = requests.len() as u64;
    for request in requests {
        let shown = format!("{request:?}");
        let answer = session.send(request).await;
        assert!(matches!(answer, Err(HttpError::Denied(_))), "{shown}: {answer:?}");
    }
    assert_eq!((stub.connections(), session.stats().denied, session.stats().requests), (0, count, 0));
}

#[tokio::test]
async fn odd_but_valid_urls_are_sent_as_they_are() {
    let stub = Stub::start(|_| reply(200, &[], "ok")).await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    for path in ["/a%2Fb?x=%20", "/q?filter[a]=b|c&d={e}", "/ünïcode?ü=ß", "/a//b/./c;d=e", "/q?a=^`&b=%zz", "/q?"]
    {
        let answer = session.send(get(&format!("https://api.acme.test{path}"))).await;
        assert!(matches!(&answer, Ok(response) if response.status == 200), "{path}: {answer:?}");
    }
    assert_eq!(session.stats().requests, 6);
    assert_eq!(stub.asked()[0].path(), "/a%2Fb?x=%20");
}

#[tokio::test]
async fn budgets_end_a_page_and_a_run() {
    let stub = Stub::start(|_| reply(200, &[], "12345")).await;
    let world = World::bearer().route("api.acme.test", &stub);
    let budget = RequestBudget { per_page: 2, per_run: 3, in_flight: 1 };
    let spec = SessionSpec { auth: Some("default"), budget, ..world.spec() };
    let session = world.gate().session(spec).await.unwrap();
    let url = "https://api.acme.test/";
    for spent in [false, false, true, true] {
        assert_eq!(matches!(session.send(get(url)).await, Err(HttpError::BudgetSpent(_))), spent);
    }
    session.new_page();
    assert!(session.send(post(url, "abc")).await.is_ok());
    let spent = session.send(get(url)).await;
    assert!(matches!(&spent, Err(HttpError::BudgetSpent(text)) if text.contains("run")), "{spent:?}");
    let expected = Stats { requests: 3, retries: 0, bytes_in: 15, bytes_out: 3, denied: 0 };
    assert_eq!(session.stats(), expected);
}

#[tokio::test]
async fn a_session_says_what_is_missing() {
    let stub = Stub::start(|_| reply(200, &[], "")).await;
    let missing = World::new(AuthKind::Basic, &[("username", "ann")]).route("api.acme.test", &stub);
    let error = missing.try_session(&missing.gate()).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "credential field \"password\" is missing");

    let unconnected = World::oauth(&[]);
    let error = unconnected.try_session(&unconnected.gate()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::MissingCredential { field: "refresh-token" }), "{error}");

    let unknown = World::new(AuthKind::Other("magic".to_owned()), &[]);
    assert!(matches!(unknown.try_session(&unknown.gate()).await, Err(OpenError::UnsupportedScheme(_))));

    let mut config = World::bearer();
    config.manifest.hosts = vec!["{domain}".to_owned()];
    let error = config.try_session(&config.gate()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Hosts(patterns::PatternError::Missing { .. })), "{error}");

    let spec = SessionSpec { auth: Some("sso"), ..config.spec() };
    let error = config.gate().session(spec).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "connector \"acme\" has no auth scheme \"sso\"; it has \"default\"");
}

#[tokio::test]
async fn a_key_that_the_operator_replaced_is_used_after_a_401() {
    let stub = Stub::start(|asked| match asked.header("x-key") {
        Some("new-key") => reply(200, &[], "ok"),
        _ => reply(401, &[("www-authenticate", "Key")], ""),
    })
    .await;
    let world = World::new(AuthKind::Header("x-key".to_owned()), &[("key", "old-key")]).route("api.acme.test", &stub);
    let session = world.session().await;
    let refused = session.send(get("https://api.acme.test/")).await.unwrap();
    assert_eq!((refused.status, header(&refused, "www-authenticate")), (401, None));
    world.credentials.set(INTEGRATION, &[("key", "new-key")]);
    assert_eq!(session.send(get("https://api.acme.test/")).await.unwrap().status, 200);
    assert_eq!(stub.asked().len(), 3);
}
