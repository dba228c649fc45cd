//! One call into a connector: permit, fresh store, budgets, and the honest end of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::Store;

use super::budget::{CallLimits, Meter};
use super::contract;
use super::engine::Engine;
use super::fault::{self, Phase};
use super::load::Connector;
use super::log::{GuestLog, LogLevel};
use super::moment::Moment;
use super::pipe::Pipe;
use super::state::{self, State};
use super::world::{Context, Instance, World};
use crate::domain::http::Http;
use crate::domain::{CallError, Cursor, FaultKind, ObjectType, Page, ProviderError};

/// What a call works with. Cheap to clone; one per run.
#[derive(Clone)]
pub struct CallContext {
    /// The integration's configuration: a JSON object.
    pub config: Arc<str>,
    /// Name of the auth scheme in use; empty if none.
    pub auth: Arc<str>,
    /// Records the host would like in a page.
    pub page_size: u32,
    /// The way out, bound to the integration and the run.
    pub http: Arc<dyn Http>,
    /// The run's log.
    pub log: Arc<GuestLog>,
    /// What a call may use.
    pub limits: CallLimits,
    /// The time and the randomness that calls get; the real ones if none.
    pub moment: Option<Moment>,
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallReport {
    /// Time on a CPU.
    pub cpu: Duration,
    /// Time from start to end, without the wait for a permit.
    pub wall: Duration,
    /// Wait for a permit.
    pub queued: Duration,
    /// The most memory held at once, in bytes.
    pub peak_memory_bytes: usize,
    /// Requests sent.
    pub requests: u32,
}

impl Connector {
    /// Proves configuration and credentials with one cheap call.
    pub async fn check(&self, cx: &CallContext) -> (Result<(), CallError>, CallReport) {
        let (call, mut store) = match Call::begin(self.engine(), cx).await {
            Ok(begun) => begun,
            Err(error) => return (Err(error), CallReport::default()),
        };
        let world = self.world();
        let work = async { Ok(start(world, &mut store).await?.check(&mut store, &context(cx)).await?) };
        let answer = call.guard(work).await;
        call.end(store, answer)
    }

    /// Lists what can be read with this configuration and these credentials.
    pub async fn discover(&self, cx: &CallContext) -> (Result<Vec<ObjectType>, CallError>, CallReport) {
        let (call, mut store) = match Call::begin(self.engine(), cx).await {
            Ok(begun) => begun,
            Err(error) => return (Err(error), CallReport::default()),
        };
        let world = self.world();
        let work = async { Ok(start(world, &mut store).await?.discover(&mut store, &context(cx)).await?) };
        let answer = call.guard(work).await;
        let (answer, report) = call.end(store, answer);
        let judged = match answer {
            // A thousand schemas take a while to check.
            Ok(objects) => tokio::task::spawn_blocking(|| contract::objects(objects))
                .await
                .unwrap_or_else(|error| Err(CallError::Host(error.to_string()))),
            Err(error) => Err(error),
        };
        (judged, report)
    }

    /// Reads one page of an object. No cursor means from the very beginning.
    pub async fn fetch(
        &self,
        cx: &CallContext,
        object: &str,
        cursor: Option<&Cursor>,
    ) -> (Result<Page, CallError>, CallReport) {
        let (call, mut store) = match Call::begin(self.engine(), cx).await {
            Ok(begun) => begun,
            Err(error) => return (Err(error), CallReport::default()),
        };
        let world = self.world();
        let cursor = cursor.map(|cursor| cursor.0.as_str());
        let work = async { Ok(start(world, &mut store).await?.fetch(&mut store, &context(cx), object, cursor).await?) };
        let answer = call.guard(work).await;
        let (answer, report) = call.end(store, answer);
        (answer.and_then(contract::page), report)
    }
}

fn context(cx: &CallContext) -> Context<'_> {
    Context { config: &cx.config, auth: &cx.auth, page_size: cx.page_size }
}

/// Why a call stopped before it had an answer.
pub(crate) enum Stop {
    Runtime(wasmtime::Error, Phase),
    Wall,
}

impl From<wasmtime::Error> for Stop {
    fn from(error: wasmtime::Error) -> Self {
        Self::Runtime(error, Phase::Run)
    }
}

/// Creates the instance of a call.
pub(crate) async fn start(world: &World, store: &mut Store<State>) -> Result<Instance, Stop> {
    world.instantiate(store).await.map_err(|error| Stop::Runtime(error, Phase::Instantiate))
}

/// A call in progress. Declare it before its store: the permit must outlive the instance it stands for.
pub(crate) struct Call {
    meter: Arc<Meter>,
    log: Arc<GuestLog>,
    limits: CallLimits,
    stdout: Pipe,
    stderr: Pipe,
    queued: Duration,
    began: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Call {
    /// Waits for a permit, then opens a store. The budgets count from here.
    pub(crate) async fn begin(engine: &Engine, cx: &CallContext) -> Result<(Self, Store<State>), CallError> {
        let asked = Instant::now();
        let permit = Arc::clone(&engine.permits).acquire_owned().await;
        let permit = permit.map_err(|closed| CallError::Host(closed.to_string()))?;
        let (meter, stdout, stderr) = (Meter::new(), Pipe::default(), Pipe::default());
        let store = state::open(engine, cx, (&stdout, &stderr), &meter);
        let call = Self {
            meter,
            log: Arc::clone(&cx.log),
            limits: cx.limits,
            stdout,
            stderr,
            queued: asked.elapsed(),
            began: Instant::now(),
            _permit: permit,
        };
        Ok((call, store))
    }

    /// Runs the work within its CPU and wall budgets.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        // Dropping the work is the cancel; its store is thrown away afterwards in any case.
        tokio::time::timeout(self.limits.wall, self.meter.run(work)).await.unwrap_or(Err(Stop::Wall))
    }

    /// Closes the store, saves what the guest printed, and says how it went.
    pub(crate) fn end<T>(
        self,
        store: Store<State>,
        answer: Result<Result<T, ProviderError>, Stop>,
    ) -> (Result<T, CallError>, CallReport) {
        let report = CallReport {
            cpu: self.meter.cpu(),
            wall: self.began.elapsed(),
            queued: self.queued,
            peak_memory_bytes: store.data().memory.peak,
            requests: store.data().requests(),
        };
        drop(store);
        let stderr = self.stderr.text();
        self.log.emit_stream(LogLevel::Debug, "stdout", &self.stdout.text());
        self.log.emit_stream(LogLevel::Warn, "stderr", &stderr);
        let answer = match answer {
            Ok(answer) => answer.map_err(|error| contract::error(error, |text| self.log.scrub(text))),
            Err(Stop::Runtime(error, phase)) => {
                // Scrubbed first: a panic's message may quote what the guest worked on.
                Err(fault::classify(&error, phase, &self.log.scrub(&fault::last_words(&stderr))))
            }
            Err(Stop::Wall) => {
                let text = format!("gave no answer within {} s", self.limits.wall.as_secs_f32());
                Err(CallError::Fault(FaultKind::Wall, text))
            }
        };
        (answer, report)
    }
}
