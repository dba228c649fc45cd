//! OAuth 2.0 tokens: renewed once, stored before they are used, and never lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::stub::{Reply, Stub, reply};
use super::*;

const URL: &str = "https://api.acme.test/";

fn token(n: usize) -> Reply {
    let body = format!(
        r#"{{"access_token":"access-{n}","token_type":"bearer","expires_in":3600,"refresh_token":"refresh-{n}"}}"#
    );
    reply(200, &[("content-type", "application/json")], body)
}

fn no(error: &str) -> Reply {
    let body = format!(r#"{{"error":"{error}","error_description":"refresh token {CANARY} is dead"}}"#);
    reply(400, &[("content-type", "application/json")], body)
}

/// An API that takes only the access tokens from `first` on.
async fn api(first: usize) -> Stub {
    Stub::start(move |asked| {
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer access-"));
        let good = token.and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| n >= first);
        reply(if good { 200 } else { 401 }, &[], "")
    })
    .await
}

/// Counts up: the n-th call gives `access-n`.
async fn login() -> Stub {
    Stub::start(|asked| token(asked.nth + 1)).await
}

fn world(api: &Stub, login: &Stub, fields: &[(&str, &str)]) -> World {
    World::oauth(fields).route("api.acme.test", api).route("login.acme.test", login)
}

async fn stored(world: &World, name: &str) -> Option<String> {
    world.credentials.load(INTEGRATION).await.unwrap().get(name).map(str::to_owned)
}

#[tokio::test]
async fn a_first_token_is_fetched_and_kept_with_its_expiry_and_the_rotated_refresh_token() {
    let (api, login) = (api(1).await, login().await);
    let world = world(&api, &login, &[("refresh-token", "refresh-0")]);
    let session = world.session().await;
    for _ in 0..3 {
        assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
    }
    let asked = login.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("host"), Some("login.acme.test"));
    for part in [
        "grant_type=refresh_token",
        "refresh_token=refresh-0",
        "client_id=the-client",
        "client_secret=the-client-secret",
    ] {
        assert!(asked[0].body.contains(part), "{}", asked[0].body);
    }
    assert_eq!(stored(&world, "access-token").await.as_deref(), Some("access-1"));
    assert_eq!(stored(&world, "refresh-token").await.as_deref(), Some("refresh-1"));
    let expires_at: i64 = stored(&world, "access-token-expires-at").await.unwrap().parse().unwrap();
    let left = expires_at - chrono::Utc::now().timestamp_millis();
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let (api, login) = (api(0).await, login().await);
    let soon = (chrono::Utc::now().timestamp_millis() + 30_000).to_string();
    let fields =
        [("refresh-token", "refresh-0"), ("access-token", "access-0"), ("access-token-expires-at", soon.as_str())];
    world(&api, &login, &fields).session().await.send(get(URL)).await.unwrap();
    assert_eq!(login.asked().len(), 1);
    assert_eq!(api.asked()[0].header("authorization"), Some("Bearer access-1"));
}

#[tokio::test]
async fn a_hundred_parallel_401s_make_one_renewal_and_a_hundred_answers() {
    let (api, login) = (api(1).await, login().await);
    let world = world(&api, &login, &[("refresh-token", "refresh-0"), ("access-token", "access-0")]);
    // Two gates are two hosts: the lease in the store keeps them apart.
    let sessions = [world.session().await, world.session().await];
    let requests = (0..100).map(|n| {
        let session = sessions[n % 2].clone();
        async move { session.send(get(URL)).await.unwrap().status }
    });
    let statuses = futures::future::join_all(requests).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(login.asked().len(), 1);
}

#[tokio::test]
async fn a_401_that_a_new_token_does_not_help_is_given_to_the_connector() {
    let (api, login) = (api(usize::MAX).await, login().await);
    let world = world(&api, &login, &[("refresh-token", "refresh-0"), ("access-token", "access-0")]);
    assert_eq!(world.session().await.send(get(URL)).await.unwrap().status, 401);
    assert_eq!((api.asked().len(), login.asked().len()), (2, 1));
}

#[tokio::test]
async fn a_token_that_another_host_renewed_long_ago_is_renewed_again() {
    let (api, login) = (api(3).await, Stub::start(|asked| token(asked.nth + 3)).await);
    let world = world(&api, &login, &[("refresh-token", "refresh-0"), ("access-token", "access-0")]);
    let session = world.session().await;
    // Meanwhile the other host renewed, and what it got has ended as well.
    world.credentials.set(INTEGRATION, &[("refresh-token", "refresh-0"), ("access-token", "access-1")]);
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
    assert_eq!((api.asked().len(), login.asked().len()), (3, 1));
}

#[tokio::test]
async fn a_refused_refresh_token_is_unauthorized_and_not_tried_again() {
    let api = api(1).await;
    let login = Stub::start(|_| no("invalid_grant")).await;
    let world = world(&api, &login, &[("refresh-token", CANARY)]);
    let session = world.session().await;
    for _ in 0..3 {
        let error = session.send(get(URL)).await.unwrap_err();
        assert!(
            matches!(&error, HttpError::Unauthorized(text) if text.contains("invalid_grant") && !text.contains("cAnArY")),
            "{error:?}"
        );
    }
    assert_eq!((login.asked().len(), api.asked().len()), (1, 0));

    // Somebody connected anew.
    world.credentials.set(INTEGRATION, &[("access-token", "access-9")]);
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_token_endpoint_in_trouble_is_not_taken_for_a_refusal() {
    let api = api(1).await;
    let login = Stub::start(|asked| if asked.nth == 0 { reply(503, &[], "<html>") } else { token(1) }).await;
    let session = world(&api, &login, &[("refresh-token", "refresh-0")]).session().await;
    assert!(matches!(session.send(get(URL)).await, Err(HttpError::Unreachable(_))));
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
}

#[tokio::test]
async fn client_credentials_need_no_refresh_token() {
    let (api, login) = (api(1).await, login().await);
    let mut world = world(&api, &login, &[]);
    let AuthKind::OAuth2(oauth) = &mut world.manifest.auth[0].kind else { unreachable!() };
    oauth.grants = vec!["client-credentials".to_owned()];
    assert_eq!(world.session().await.send(get(URL)).await.unwrap().status, 200);
    let body = &login.asked()[0].body;
    assert!(body.contains("grant_type=client_credentials") && body.contains("scope=crm.read"), "{body}");
}

#[tokio::test]
async fn the_token_endpoint_is_judged_like_any_host() {
    let inside = login().await;
    let mut world = World::oauth(&[("refresh-token", "refresh-0")]);
    let port = inside.port();
    for (url, opens) in [
        (format!("http://127.0.0.1:{port}/token"), false),
        (format!("https://127.0.0.1:{port}/token"), true),
        ("https://{tenant}.acme.test/token".to_owned(), false),
    ] {
        let AuthKind::OAuth2(oauth) = &mut world.manifest.auth[0].kind else { unreachable!() };
        oauth.token_url = url;
        match world.try_session(&world.gate()).await {
            Ok(session) => {
                assert!(opens);
                assert!(matches!(session.send(get(URL)).await, Err(HttpError::Denied(_))));
            }
            Err(error) => assert!(!opens && matches!(error, OpenError::TokenEndpoint(_)), "{error:?}"),
        }
    }
    assert_eq!(inside.connections(), 0);
}

/// A store that notes what happens, and that can fail.
struct Watched {
    inner: MemoryCredentials,
    events: Arc<Mutex<Vec<String>>>,
    failures: AtomicUsize,
    lease_taken: AtomicBool,
}

#[async_trait]
impl CredentialStore for Watched {
    async fn load(&self, integration: IntegrationId) -> Result<Credentials, StoreError> {
        self.inner.load(integration).await
    }

    async fn save(
        &self,
        integration: IntegrationId,
        version: i64,
        changes: &[(String, SecretString)],
    ) -> Result<bool, StoreError> {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let left = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(StoreError("the database is away".into()));
        }
        let names: Vec<&str> =
            changes.iter().map(|(_, value)| value.expose_secret()).filter(|value| value.contains('-')).collect();
        self.events.lock().unwrap().push(format!("saved {}", names.join(" ")));
        self.inner.save(integration, version, changes).await
    }

    async fn begin_refresh(&self, integration: IntegrationId, ttl: Duration) -> Result<bool, StoreError> {
        if self.lease_taken.load(Ordering::SeqCst) {
            Ok(false)
        } else {
            self.inner.begin_refresh(integration, ttl).await
        }
    }

    async fn end_refresh(&self, integration: IntegrationId) -> Result<(), StoreError> {
        self.inner.end_refresh(integration).await
    }
}

fn watched(failures: usize) -> Arc<Watched> {
    let inner = MemoryCredentials::default();
    inner.set(
        INTEGRATION,
        &[("client-id", "c"), ("client-secret", "s"), ("refresh-token", "refresh-0"), ("access-token", "access-0")],
    );
    Arc::new(Watched {
        inner,
        events: Arc::default(),
        failures: AtomicUsize::new(failures),
        lease_taken: AtomicBool::new(false),
    })
}

async fn session_with(world: &World, store: &Arc<Watched>) -> Arc<Session> {
    let gate = Gate::new(world.egress.clone(), store.clone(), world.pauses.clone()).unwrap();
    world.try_session(&gate).await.unwrap()
}

#[tokio::test]
async fn a_rotated_token_is_stored_before_the_new_one_is_used() {
    let (store, login) = (watched(0), login().await);
    let events = store.events.clone();
    let api = Stub::start(move |asked| {
        let token = asked.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned();
        events.lock().unwrap().push(format!("used {token}"));
        reply(if token == "access-0" { 401 } else { 200 }, &[], "")
    })
    .await;
    let world = world(&api, &login, &[]);
    assert_eq!(session_with(&world, &store).await.send(get(URL)).await.unwrap().status, 200);
    assert_eq!(*store.events.lock().unwrap(), ["used access-0", "saved access-1 refresh-1", "used access-1"]);
}

#[tokio::test]
async fn a_token_outlives_the_request_that_wanted_it() {
    let (api, store) = (api(1).await, watched(0));
    let login = Stub::start(|_| {
        let mut late = token(1);
        late[0].0 = Duration::from_millis(1_000);
        late
    })
    .await;
    let world = world(&api, &login, &[]);
    let session = session_with(&world, &store).await;
    let given_up = session.send(Request { timeout_ms: Some(500), ..get(URL) }).await;
    assert!(matches!(given_up, Err(HttpError::Timeout(_))), "{given_up:?}");
    let stored = async || store.inner.load(INTEGRATION).await.unwrap().get("refresh-token") == Some("refresh-1");
    let soon = tokio::time::Instant::now() + Duration::from_secs(20);
    while !stored().await {
        assert!(tokio::time::Instant::now() < soon, "the token is lost");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
    assert_eq!(login.asked().len(), 1);
}

#[tokio::test]
async fn a_token_that_could_not_be_stored_is_not_used_and_stored_by_the_next_request() {
    // One save and its repetitions fail, then the database is back.
    let (api, login, store) = (api(1).await, login().await, watched(5));
    let world = world(&api, &login, &[]);
    let session = session_with(&world, &store).await;
    assert!(matches!(session.send(get(URL)).await, Err(HttpError::Unreachable(_))));
    assert!(api.asked().iter().all(|asked| asked.header("authorization") == Some("Bearer access-0")));
    assert_eq!(session.send(get(URL)).await.unwrap().status, 200);
    assert_eq!(login.asked().len(), 1, "the refresh token had been used up");
    assert_eq!(store.inner.load(INTEGRATION).await.unwrap().get("refresh-token"), Some("refresh-1"));
}

#[tokio::test]
async fn the_loser_of_the_lease_waits_and_takes_what_the_other_host_got() {
    let (api, login, store) = (api(5).await, login().await, watched(0));
    store.lease_taken.store(true, Ordering::SeqCst);
    let other = store.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.inner.set(INTEGRATION, &[("access-token", "access-7"), ("refresh-token", "refresh-7")]);
    });
    let world = world(&api, &login, &[]);
    assert_eq!(session_with(&world, &store).await.send(get(URL)).await.unwrap().status, 200);
    assert_eq!(login.asked().len(), 0);
}
