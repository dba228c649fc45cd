//! Health and metrics over HTTP.
//!
//! `/livez` says that the process lives and asks nothing else; `/readyz` says whether it can work: database reachable,
//! schema right, not draining; `/metrics` is Prometheus text.

use std::sync::Arc;
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
use crate::telemetry::metrics::Metrics;

/// How often gauges that cost a query are brought up to date.
const GAUGES: Duration = Duration::from_secs(5);

/// What the handlers need.
#[derive(Clone)]
pub struct Api {
    store: Store,
    queue: Arc<dyn Receiver>,
    metrics: Metrics,
    draining: CancellationToken,
}

impl Api {
    /// An API over these collaborators; `draining` is cancelled when the host stops taking work.
    #[must_use]
    pub fn new(store: Store, queue: Arc<dyn Receiver>, metrics: Metrics, draining: CancellationToken) -> Self {
        Self { store, queue, metrics, draining }
    }

    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let gauges = tokio::spawn(self.clone().keep_gauges(stop.clone()));
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
            if let Ok(overview) = self.store.overview().await {
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
                if let Ok(depth) = self.queue.depth(queue).await {
                    gauge!("syncline_queue_depth", "queue" => queue.as_str(), "state" => "ready")
                        .set(depth.ready as f64);
                    gauge!("syncline_queue_depth", "queue" => queue.as_str(), "state" => "dead").set(depth.dead as f64);
                }
            }
            self.metrics.run_upkeep();
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
    match api.store.check_schema().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", chain(&error))).into_response(),
    }
}

async fn metrics(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], api.metrics.render()).into_response()
}
