//! Health and metrics over HTTP.
//!
//! `/livez` says that the process lives and asks nothing else; `/readyz` says whether it can work: database reachable,
//! schema right, not draining; `/metrics` is Prometheus text. All of it is served from the start on, also while the host
//! still waits for its database.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::gauge;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::domain::chain;
use crate::queue::{QueueName, Receiver};
use crate::store::Store;
use crate::supervise::supervise;
use crate::telemetry::metrics::Metrics;

/// How often gauges that cost a query are brought up to date.
const GAUGES: Duration = Duration::from_secs(5);

/// What the handlers need.
#[derive(Clone)]
pub struct Api {
    /// Set once the host runs.
    works: Arc<OnceLock<Works>>,
    /// What it waits for until then.
    waits_for: Arc<Mutex<String>>,
    metrics: Metrics,
    draining: CancellationToken,
}

/// What a running host works with.
struct Works {
    store: Store,
    queue: Arc<dyn Receiver>,
}

impl Api {
    /// An API of a host that starts; `draining` is cancelled when it stops taking work.
    #[must_use]
    pub fn new(metrics: Metrics, draining: CancellationToken) -> Self {
        let waits_for = Arc::new(Mutex::new("starting".to_owned()));
        Self { works: Arc::default(), waits_for, metrics, draining }
    }

    /// The host waits for something: that is why it is not ready.
    pub fn waits_for(&self, what: String) {
        *self.waits_for.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// The host runs, on these collaborators.
    pub fn works(&self, store: Store, queue: Arc<dyn Receiver>) {
        let _ = self.works.set(Works { store, queue });
    }

    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let api = self.clone();
        let gauges = supervise("gauges", stop.clone(), move |stop| api.clone().keep_gauges(stop));
        let gauges = tokio::spawn(gauges);
        let router = Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self);
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await;
        if let Err(error) = served {
            tracing::error!(%error, "the health and metrics server ended");
        }
        gauges.abort();
    }

    async fn keep_gauges(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Some(works) = self.works.get()
                && let Ok(overview) = works.store.overview().await
            {
                for (health, count) in [
                    ("never-synced", overview.never_synced),
                    ("late", overview.late),
                    ("failing", overview.failing),
                    ("paused", overview.paused),
                    ("quarantined", overview.quarantined),
                ] {
                    gauge!("syncline_objects", "health" => health).set(count as f64);
                }
                gauge!("syncline_unlanded_bytes").set(overview.unlanded_bytes as f64);
                gauge!("syncline_outbox_messages").set(overview.outbox as f64);
            }
            for queue in [QueueName::Retrieve, QueueName::Process] {
                if let Some(works) = self.works.get()
                    && let Ok(depth) = works.queue.depth(queue).await
                {
                    gauge!("syncline_queue_depth", "queue" => queue.as_str(), "state" => "ready")
                        .set(depth.ready as f64);
                    gauge!("syncline_queue_depth", "queue" => queue.as_str(), "state" => "dead").set(depth.dead as f64);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(GAUGES) => {}
            }
        }
    }
}

async fn readyz(State(api): State<Api>) -> Response {
    if api.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    let Some(works) = api.works.get() else {
        let waits_for = api.waits_for.lock().unwrap_or_else(PoisonError::into_inner).clone();
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{waits_for}\n")).into_response();
    };
    match works.store.check_schema().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", chain(&error))).into_response(),
    }
}

async fn metrics(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], api.metrics.render()).into_response()
}
