//! Redirects are walked by hand, each hop through the whole policy, and credentials stay at home.

use super::stub::{Stub, reply};
use super::*;

#[tokio::test]
async fn a_redirect_on_the_same_host_keeps_the_credential() {
    let stub = Stub::start(|asked| match asked.path() {
        "/old" => reply(301, &[("location", "/new?page=2")], ""),
        _ => reply(200, &[], asked.header("authorization").map_or("", |_| "authenticated")),
    })
    .await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    let answer = session.send(get("https://api.acme.test/old")).await.unwrap();
    assert_eq!(&answer.body[..], b"authenticated");
    assert_eq!(stub.asked()[1].path(), "/new?page=2");
    assert_eq!(session.stats().requests, 2);
}

#[tokio::test]
async fn a_redirect_to_another_declared_host_takes_no_credential_and_no_custom_header_along() {
    let other = Stub::start(|_| reply(200, &[], "file")).await;
    let first = Stub::start(|_| reply(302, &[("location", "https://files.acme.test/f")], "")).await;
    for kind in
        [AuthKind::Bearer, AuthKind::Header("x-key".to_owned()), AuthKind::Query("key".to_owned()), AuthKind::Basic]
    {
        let fields = [("token", CANARY), ("key", CANARY), ("username", "ann"), ("password", CANARY)];
        let mut world = World::new(kind, &fields).route("api.acme.test", &first).route("files.acme.test", &other);
        world.manifest.hosts.push("files.acme.test".to_owned());
        let mut request = get("https://api.acme.test/");
        request.headers = vec![("x-tenant".to_owned(), "t".to_owned()), ("accept".to_owned(), "text/csv".to_owned())];
        assert_eq!(&world.session().await.send(request).await.unwrap().body[..], b"file");
    }
    for asked in other.asked() {
        assert!(!asked.head.contains("cAnArY"), "{}", asked.head);
        assert_eq!(
            (asked.header("authorization"), asked.header("x-key"), asked.header("x-tenant")),
            (None, None, None)
        );
        assert_eq!(asked.header("accept"), Some("text/csv"));
        assert_eq!(asked.header("host"), Some("files.acme.test"));
    }
    assert_eq!(other.asked().len(), 4);
}

#[tokio::test]
async fn a_redirect_to_an_undeclared_or_inner_host_is_refused() {
    let inside = Stub::start(|_| reply(200, &[], "inside")).await;
    let targets = [
        "https://evil.test/".to_owned(),
        format!("http://127.0.0.1:{}/", inside.port()),
        format!("https://127.0.0.1:{}/", inside.port()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://api.acme.test/".to_owned(),
        "https://u:p@api.acme.test/".to_owned(),
    ];
    for target in targets {
        let location = target.clone();
        let stub = Stub::start(move |_| reply(302, &[("location", &location)], "")).await;
        let session = World::bearer().route("api.acme.test", &stub).session().await;
        let answer = session.send(get("https://api.acme.test/")).await;
        assert!(matches!(answer, Err(HttpError::Denied(_))), "{target}: {answer:?}");
        assert_eq!((session.stats().denied, stub.asked().len()), (1, 1));
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let stub = Stub::start(|_| reply(302, &[("location", "/again")], "")).await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    let answer = session.send(get("https://api.acme.test/")).await;
    assert!(matches!(&answer, Err(HttpError::Denied(text)) if text.contains("more than 5 times")), "{answer:?}");
    assert_eq!(stub.asked().len(), 6);
}

#[tokio::test]
async fn a_redirected_post_is_the_connectors_to_handle() {
    let stub = Stub::start(|_| reply(303, &[("location", &format!("https://api.acme.test/r?t={CANARY}"))], "")).await;
    let answer = World::bearer().route("api.acme.test", &stub).session().await;
    let answer = answer.send(post("https://api.acme.test/", "{}")).await.unwrap();
    assert_eq!(answer.status, 303);
    assert_eq!(header(&answer, "location"), Some("https://api.acme.test/r?t=[redacted]"));
}

#[tokio::test]
async fn a_location_that_repeats_the_credential_is_not_followed_to_another_host() {
    let other = Stub::start(|_| reply(200, &[], "")).await;
    let location = format!(
        "https://files.acme.test/?stolen={}",
        url::form_urlencoded::byte_serialize(CANARY.as_bytes()).collect::<String>()
    );
    let stub = Stub::start(move |_| reply(302, &[("location", &location)], "")).await;
    let mut world = World::bearer().route("api.acme.test", &stub).route("files.acme.test", &other);
    world.manifest.hosts.push("files.acme.test".to_owned());
    let answer = world.session().await.send(get("https://api.acme.test/")).await;
    assert!(matches!(&answer, Err(HttpError::Denied(text)) if !text.contains("cAnArY")), "{answer:?}");
    assert_eq!(other.connections(), 0);
}
