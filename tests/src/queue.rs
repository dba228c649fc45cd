//! A proxy in front of SQS, or of a server that speaks its protocol, with the faults of a queue: away, throttled, messages
//! doubled, late and out of order, receipts that have expired.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The faults. Each holds until it is taken back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Connections break off.
    pub away: bool,
    /// Every call is refused as one too many.
    pub throttled: bool,
    /// Every message is sent twice.
    pub doubled: bool,
    /// Messages come up to so many seconds late, not in order.
    pub late_seconds: u64,
    /// Receipts are no longer good when something is to be deleted.
    pub expired_receipts: bool,
}

/// The proxy. It ends with the value.
#[derive(Debug)]
pub struct QueueProxy {
    endpoint: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: reqwest::Client,
    faults: Mutex<Faults>,
    hit: AtomicBool,
    calls: AtomicU64,
}

impl Drop for QueueProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl QueueProxy {
    /// A proxy in front of the server at this endpoint.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: client()?,
            faults: Mutex::default(),
            hit: AtomicBool::new(false),
            calls: AtomicU64::new(0),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { endpoint, shared, task })
    }

    /// Where the proxy is.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on these faults.
    pub fn set(&self, faults: Faults) {
        *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        self.shared.hit.store(false, Ordering::Relaxed);
    }

    /// Whether a fault has met a call since they were set.
    #[must_use]
    pub fn hit(&self) -> bool {
        self.shared.hit.load(Ordering::Relaxed)
    }

    /// Calls an operation of the server, past every fault.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value> {
        let request = self
            .shared
            .client
            .post(&self.shared.upstream)
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(body.to_string());
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{operation}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The URL of a queue.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn queue_url(&self, name: &str) -> Result<String> {
        let answer = self.call("GetQueueUrl", &json!({ "QueueName": name })).await?;
        Ok(answer.get("QueueUrl").and_then(Value::as_str).context("no URL")?.to_owned())
    }
}

/// A client for servers on this machine.
///
/// # Errors
/// When it cannot be set up.
pub fn client() -> Result<reqwest::Client> {
    // The first one stays; which one it is does not matter without TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?)
}

async fn pass(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let faults = *shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
    let nth = shared.calls.fetch_add(1, Ordering::Relaxed);
    let operation = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default().to_owned();
    let hit = || shared.hit.store(true, Ordering::Relaxed);
    if faults.away {
        hit();
        return broken();
    }
    if faults.throttled {
        hit();
        let why = json!({ "__type": "com.amazonaws.sqs#RequestThrottled", "message": "too many" });
        return answer(StatusCode::BAD_REQUEST, why.to_string().into());
    }
    let mut call: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut changed = false;
    if let Some(entries) = call.get_mut("Entries").and_then(Value::as_array_mut) {
        for (entry, place) in entries.iter_mut().zip(0_u64..) {
            if operation.ends_with(".SendMessageBatch") && faults.late_seconds > 0 {
                entry["DelaySeconds"] = json!((nth * 7 + place * 3) % (faults.late_seconds + 1));
                changed = true;
            }
            if operation.ends_with(".DeleteMessageBatch") && faults.expired_receipts {
                entry["ReceiptHandle"] = json!("expired");
                changed = true;
            }
        }
    }
    let body = if changed { Bytes::from(call.to_string()) } else { body };
    let twice = faults.doubled && operation.ends_with(".SendMessageBatch");
    if changed || twice {
        hit();
    }
    if twice {
        let _ = forward(&shared, &uri, &headers, body.clone()).await;
    }
    match forward(&shared, &uri, &headers, body).await {
        Ok((status, headers, body)) => {
            let mut response = answer(status, body);
            // Which error it is, a client reads there.
            let told = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
            response.headers_mut().extend(told.filter(|(name, _)| name.as_str().starts_with("x-amz")));
            response
        }
        Err(_) => broken(),
    }
}

async fn forward(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, HeaderMap, Bytes)> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = shared.client.post(format!("{}{path}", shared.upstream)).body(body);
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await?;
    Ok((answer.status(), answer.headers().clone(), answer.bytes().await?))
}

fn answer(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert("content-type", json);
    response
}

/// An answer whose connection ends before it is whole.
fn broken() -> Response {
    let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = futures::stream::once(async { Err::<Bytes, _>(cut) });
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert("content-length", axum::http::HeaderValue::from_static("1000"));
    response
}
