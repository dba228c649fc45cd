//! A proxy that turns Birch's pages into a scroll: one token for all of them, and the place is kept here. Whoever asks
//! twice gets the next page twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value as Json, json};
use url::Url;

struct Scrolls {
    provider: Url,
    client: reqwest::Client,
    /// Tokens of the provider, by token of the scroll; none at the end of one.
    places: Mutex<HashMap<String, Option<String>>>,
}

/// Starts it in front of a provider; answers where it listens.
pub(super) async fn start(provider: Url) -> Url {
    // There may be one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let scrolls = Arc::new(Scrolls { provider, client, places: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let router = Router::new().fallback(forward).with_state(scrolls);
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

async fn forward(State(scrolls): State<Arc<Scrolls>>, request: Request) -> Response {
    let asked = Url::parse("http://birch").unwrap().join(&request.uri().to_string()).unwrap();
    let after = asked.query_pairs().find(|(name, _)| name == "after").map(|(_, token)| token.into_owned());
    let mut url = scrolls.provider.join(asked.path()).unwrap();
    let others = asked.query_pairs().filter(|(name, _)| name != "after");
    url.query_pairs_mut().extend_pairs(others);
    if let Some(token) = &after {
        // Behind the end there is nothing.
        let place = scrolls.places.lock().unwrap().get(token).cloned().flatten();
        url.query_pairs_mut().append_pair("after", place.as_deref().unwrap_or("spent"));
    }
    let mut forwarded = scrolls.client.get(url);
    if let Some(authorization) = request.headers().get("authorization") {
        forwarded = forwarded.header("authorization", authorization);
    }
    let answer = forwarded.send().await.unwrap();
    let (status, date) = (answer.status(), answer.headers()["date"].clone());
    let mut body: Json = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    if body.get("next").is_some() {
        let next = body["next"].as_str().map(str::to_owned);
        let mut places = scrolls.places.lock().unwrap();
        let token = after.unwrap_or_else(|| format!("scroll-{}", places.len()));
        body["next"] = next.as_ref().map_or(Json::Null, |_| json!(token));
        places.insert(token, next);
    }
    Response::builder()
        .status(status)
        .header("date", date)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}
