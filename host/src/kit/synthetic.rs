//! A provider that is made up from a description: `provider.toml`.
//!
//! It serves what the file describes on a port of this machine, keeps its data changing, and knows what is true, so
//! that a connector can be written and proved without an account. The same seed gives the same data and the same
//! changes; stamps and the `Date` header are real time and whatever the clock was moved on by. It refuses what is not
//! described, because a connector that is never contradicted proves nothing.
//!
//! `docs/reference/provider-toml.md` describes the file, `docs/reference/synthetic-providers.md` the control protocol.

mod answer;
mod content;
mod control;
mod data;
pub mod description;
mod faults;
mod list;
mod read;
mod reply;
mod spelling;
mod state;
#[cfg(test)]
mod tests;
mod words;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use description::Description;
pub use read::{load, parse};

use answer::Served;
use reply::{Answer, Ask};
use state::State;

/// Requests are small.
const BODY_BYTES: usize = 1 << 20;

/// How long a stop waits for answers that are on their way.
const STOP: Duration = Duration::from_secs(2);

/// How a provider starts.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Seed of all content and of every choice.
    pub seed: u64,
    /// Port of 127.0.0.1; 0 for any.
    pub port: u16,
    /// A change this often. `None`: only on request.
    pub change_every: Option<Duration>,
}

/// A running provider. Dropping it ends it at once; `stop` lets answers finish.
#[derive(Debug)]
pub struct Synthetic {
    addr: SocketAddr,
    origin: Url,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Synthetic {
    /// Makes the data up and opens the port.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub async fn start(description: Description, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let addr = listener.local_addr()?;
        let origin = Url::parse(&format!("http://{addr}")).map_err(io::Error::other)?;
        let mut state = State::new(description, options.seed);
        state.paused = options.change_every.is_none();
        let state = Arc::new(Mutex::new(state));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (shared, quit) = (Arc::clone(&state), stop.clone());
        let router = Router::new().fallback(move |request: Request| serve(Arc::clone(&shared), request));
        tasks.spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(quit.cancelled_owned());
            // Serving ends with an error only if the listener dies; every later request then says so itself.
            let _ended = server.await;
        });
        if let Some(period) = options.change_every {
            tasks.spawn(change(state, stop.clone(), period.max(Duration::from_millis(1))));
        }
        Ok(Self { addr, origin, stop, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same as a URL, as `--provider` takes it.
    #[must_use]
    pub const fn origin(&self) -> &Url {
        &self.origin
    }

    /// Ends it; waits for answers that are on their way, for two seconds at most.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

impl Drop for Synthetic {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(state: Arc<Mutex<State>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES).await else {
        return respond(Answer::html(413), real_ms());
    };
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let ask = Ask {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query,
        headers: parts.headers,
        body: body.to_vec(),
    };
    let Served { answer, delay } = if ask.path.starts_with(control::PREFIX) {
        Served { answer: control::serve(&mut locked(&state), &ask, real_ms()), delay: Duration::ZERO }
    } else {
        answer::serve(&mut locked(&state), &ask, real_ms())
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let date = {
        let state = locked(&state);
        state.now(real_ms()).saturating_add(state.knobs.clock_skew_ms)
    };
    respond(answer, date)
}

fn respond(answer: Answer, date_ms: i64) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    let date = chrono::DateTime::from_timestamp_millis(date_ms).unwrap_or_default();
    if let Ok(date) = HeaderValue::from_str(&date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
        headers.insert(DATE, date);
    }
    for (name, value) in answer.headers {
        // Names come from the description: one that no header can have is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

async fn change(state: Arc<Mutex<State>>, stop: CancellationToken, period: Duration) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let mut state = locked(&state);
        if !state.paused {
            let _made = control::step(&mut state, real_ms());
        }
    }
}

/// The lock; a panic elsewhere does not take the data with it.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn real_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
