//! The sandbox against real components: the hostile guest of `tests/guests`, one sin at a time and all at once.

mod by_hand;
mod catalog;
mod doors;
mod early_sins;
mod guests;
mod inspection;
mod malformed;
mod more_sins;
mod sins;
mod ssrf;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{CallContext, CallLimits, Connector, Engine, EngineOptions, GuestLog};
use crate::domain::http::{Http, HttpError, Request, Response};

/// An engine with budgets that end a test soon.
fn engine() -> Arc<Engine> {
    Engine::new(EngineOptions {
        max_concurrent_calls: 16,
        cpu_per_call: Duration::from_secs(1),
        wall_per_call: Duration::from_secs(20),
        ..EngineOptions::default()
    })
    .unwrap()
}

/// The hostile guest on an engine of its own, for tests that look at the engine.
async fn hostile() -> Arc<Connector> {
    Connector::load_file(&engine(), &guests::hostile("")).await.unwrap()
}

/// The hostile guest, compiled once for all tests that only call it.
async fn shared() -> &'static Connector {
    static SHARED: tokio::sync::OnceCell<Arc<Connector>> = tokio::sync::OnceCell::const_new();
    SHARED.get_or_init(hostile).await
}

/// Answers everything with 200 but one host, and remembers what it was asked.
#[derive(Default)]
struct FakeHttp(Mutex<Vec<Request>>);

#[async_trait::async_trait]
impl Http for FakeHttp {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let denied = request.url.contains("forbidden");
        self.0.lock().unwrap().push(request);
        if denied {
            return Err(HttpError::Denied("forbidden.example.com is not in the manifest".to_owned()));
        }
        Ok(Response { status: 200, headers: Vec::new(), body: "{}".into() })
    }
}

fn context(limits: CallLimits) -> (CallContext, Arc<FakeHttp>) {
    let http = Arc::new(FakeHttp::default());
    let cx = CallContext {
        config: "{}".into(),
        auth: "".into(),
        page_size: 100,
        http: Arc::clone(&http) as Arc<dyn Http>,
        log: Arc::new(GuestLog::without_secrets()),
        limits,
        moment: None,
    };
    (cx, http)
}
