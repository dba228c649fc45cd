//! Retries and pauses: transient failures are repeated gently, and a provider's wish for a pause holds for all hosts.

use std::time::Instant;

use super::stub::{Stub, reply};
use super::*;

const URL: &str = "https://api.acme.test/";

#[tokio::test]
async fn a_transient_failure_is_repeated_up_to_three_tries_in_all() {
    for (status, times) in [(500, 3), (502, 3), (504, 3), (503, 3), (429, 3), (522, 3), (404, 1), (403, 1), (501, 1)] {
        let stub = Stub::start(move |_| reply(status, &[], "why")).await;
        let session = World::bearer().route("api.acme.test", &stub).session().await;
        let answer = session.send(get(URL)).await.unwrap();
        assert_eq!((answer.status, stub.asked().len()), (status, times));
        assert_eq!(&answer.body[..], b"why", "the connector sees the last answer");
    }
}

#[tokio::test]
async fn a_post_is_repeated_only_where_that_does_no_harm() {
    for (status, idempotent, times) in [(500, false, 1), (500, true, 3), (503, false, 3), (429, false, 3)] {
        let stub = Stub::start(move |_| reply(status, &[], "")).await;
        let session = World::bearer().route("api.acme.test", &stub).session().await;
        session.send(Request { idempotent, ..post(URL, "{}") }).await.unwrap();
        assert_eq!(stub.asked().len(), times, "{status} {idempotent}");
    }
    // An answer that never came: the provider may have acted.
    let stub = Stub::start(|_| Vec::new()).await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    assert!(matches!(session.send(post(URL, "{}")).await, Err(HttpError::Unreachable(_))));
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn an_accepted_status_is_not_repeated() {
    let stub = Stub::start(|_| reply(503, &[], "")).await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    let request = Request { accept_status: vec![410, 503], ..get(URL) };
    assert_eq!(session.send(request).await.unwrap().status, 503);
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_down_gets_few_extra_requests() {
    let stub = Stub::start(|_| reply(500, &[], "")).await;
    let world = World::bearer().route("api.acme.test", &stub).limits(|limits| limits.breaker_failures = 0);
    let session = world.session().await;
    for _ in 0..60 {
        session.send(get(URL)).await.unwrap();
    }
    let retries = session.stats().retries;
    assert_eq!(stub.asked().len() as u64, 60 + retries);
    assert!((5..=11).contains(&retries), "{retries}");
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_after_the_tries() {
    let stub = Stub::start(|_| reply(200, &[], "")).await;
    let mut world = World::bearer().route("api.acme.test", &stub);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.egress.routes = vec![("api.acme.test".parse().unwrap(), format!("http://{closed}").parse().unwrap())];
    let session = world.session().await;
    assert!(matches!(session.send(post(URL, "{}")).await, Err(HttpError::Unreachable(_))));
    assert_eq!(session.stats().retries, 2, "nothing was sent, so a POST may be repeated too");
}

#[tokio::test]
async fn a_short_pause_is_waited_for_inside_the_request() {
    let stub = Stub::start(|asked| match asked.nth {
        0 => reply(429, &[("retry-after", "1")], ""),
        _ => reply(200, &[], ""),
    })
    .await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    let start = Instant::now();
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(950), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_long_pause_ends_the_request_and_holds_on_this_and_every_other_host() {
    let stub = Stub::start(|_| reply(503, &[("retry-after", "3600")], "")).await;
    let world = World::bearer().route("api.acme.test", &stub);
    let (gate, start) = (world.gate(), Instant::now());
    let session = world.try_session(&gate).await.unwrap();
    assert_eq!(session.send(get(URL)).await.unwrap_err(), HttpError::RateLimited(Some(3600)));
    for session in [session, world.try_session(&gate).await.unwrap(), world.session().await] {
        let again = session.send(post(URL, "{}")).await.unwrap_err();
        assert!(matches!(again, HttpError::RateLimited(Some(3590..=3600))), "{again:?}");
    }
    assert_eq!(stub.asked().len(), 1, "nothing is sent before the pause is over");
    assert!(start.elapsed() < Duration::from_secs(3), "nobody waits");
    assert!(world.pauses.pause_left(INTEGRATION).await.is_some());
}

#[tokio::test]
async fn a_short_pause_holds_on_another_host_in_the_middle_of_its_run() {
    let stub = Stub::start(|asked| match asked.nth {
        1 => reply(429, &[("retry-after", "1")], ""),
        _ => reply(200, &[], ""),
    })
    .await;
    let world = World::bearer().route("api.acme.test", &stub);
    let (told, other) = (world.session().await, world.session().await);
    assert_eq!(other.send(get(URL)).await.unwrap().status, 200);
    let told = tokio::spawn(async move { told.send(get(URL)).await });
    tokio::time::sleep(Duration::from_millis(250)).await;
    let start = Instant::now();
    assert_eq!(other.send(get(URL)).await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(700), "{:?}", start.elapsed());
    assert_eq!(told.await.unwrap().unwrap().status, 200);
    assert_eq!(stub.asked().len(), 4);
}

#[tokio::test]
async fn an_absurd_pause_is_a_day() {
    let stub = Stub::start(|_| reply(429, &[("retry-after", "99999999999")], "")).await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    assert_eq!(session.send(get(URL)).await.unwrap_err(), HttpError::RateLimited(Some(86_400)));
}

#[tokio::test]
async fn no_more_requests_at_once_than_the_connector_says() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inside, peak) = (now.clone(), most.clone());
    let stub = Stub::start(move |_| {
        peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let inside = inside.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(40)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
        });
        let mut late = reply(200, &[], "");
        late[0].0 = Duration::from_millis(60);
        late
    })
    .await;
    let mut world = World::bearer().route("api.acme.test", &stub);
    world.manifest.rate = Some(RateHint { requests: 10_000, per_seconds: 1, concurrency: 3 });
    let gate = world.gate();
    // Two runs of one integration share its places.
    let sessions = [world.try_session(&gate).await.unwrap(), world.try_session(&gate).await.unwrap()];
    let requests = (0..12).map(|n| {
        let session = sessions[n % 2].clone();
        async move { session.send(get(URL)).await.unwrap().status }
    });
    futures::future::join_all(requests).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
}
