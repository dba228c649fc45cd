//! From bytes to a connector that can be called: inspected, compiled, linked, instantiated once, and asked what it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use semver::Version;
use wasmtime::component::Component;

use super::budget::CallLimits;
use super::call::{self, Call, CallContext, CallReport};
use super::catalog::Pin;
use super::engine::Engine;
use super::error::LoadError;
use super::inspect::{Inspection, inspect};
use super::log::GuestLog;
use super::moment::Moment;
use super::world::World;
use super::{manifest, text};
use crate::domain::http::{Http, HttpError, Request, Response};
use crate::domain::{CallError, Digest, Manifest};

/// `describe` answers with constants; it gets little more than it takes to start a language runtime.
pub(super) const DESCRIBE_CPU: Duration = Duration::from_secs(2);
pub(super) const DESCRIBE_WALL: Duration = Duration::from_secs(10);
/// A component that takes longer to compile is given up. Its thread works on, but nothing waits for it. A language runtime
/// (CPython: 6 MB of code) takes 11 s of CPU, and a host that starts may have little of that to give.
const COMPILE_WALL: Duration = Duration::from_secs(600);

/// A component that was accepted. Shared; runs any number of calls at once, each in a store of its own.
pub struct Connector {
    /// The sha256 of its bytes: what runs are pinned to.
    pub digest: Digest,
    /// What it said of itself.
    pub manifest: Manifest,
    /// Size of the component in bytes.
    pub size_bytes: u64,
    /// The version of the contract it was built for.
    pub contract: Version,
    /// Everything it imports.
    pub imports: Vec<String>,
    engine: Arc<Engine>,
    world: World,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector({} {} {})", self.manifest.name, self.manifest.version, self.digest.short())
    }
}

impl Connector {
    /// What tells this build from every other.
    #[must_use]
    pub const fn pin(&self) -> Pin {
        Pin::Digest(self.digest)
    }

    /// Loads a component file without a catalog.
    pub async fn load_file(engine: &Arc<Engine>, path: &Path) -> Result<Arc<Self>, LoadError> {
        let (path, limit) = (path.to_owned(), engine.options().max_component_bytes);
        let bytes = blocking(move || read(&path, limit)).await??;
        Self::load(engine, bytes.into()).await
    }

    /// Loads a component. Compiling takes seconds; it happens off the async workers.
    pub async fn load(engine: &Arc<Engine>, bytes: Bytes) -> Result<Arc<Self>, LoadError> {
        let host = Arc::clone(engine);
        let compile = move || -> Result<_, LoadError> {
            let inspection = inspect(&bytes)?;
            let component = Component::new(&host.wasm, &bytes).map_err(|error| compile_error(&error))?;
            let world = World::link(&host.linkers, &component).map_err(|error| link_error(&error))?;
            let size_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            Ok((inspection, world, Digest::of(&bytes), size_bytes))
        };
        let (Inspection { contract, imports, .. }, world, digest, size_bytes) =
            tokio::time::timeout(COMPILE_WALL, blocking(compile)).await.map_err(|_| LoadError::Compile {
                detail: format!("not done after {} s", COMPILE_WALL.as_secs()),
            })???;
        let cx = to_describe(engine, None);
        let (manifest, _) = describe(engine, &world, &cx).await;
        let manifest = manifest?;
        Ok(Arc::new(Self { digest, manifest, size_bytes, contract, imports, engine: Arc::clone(engine), world }))
    }

    /// Asks once more what it is, in a fresh instance, at a moment of the caller's choice. The report counts requests
    /// that it tried to send, although none is let out.
    pub async fn describe(&self, moment: Option<Moment>) -> (Result<Manifest, LoadError>, CallReport) {
        describe(&self.engine, &self.world, &to_describe(&self.engine, moment)).await
    }

    /// The limits of a call for which nobody set others.
    #[must_use]
    pub fn limits(&self) -> CallLimits {
        self.engine.limits()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) const fn world(&self) -> &World {
        &self.world
    }
}

/// Reads a component file that is not larger than the limit.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    use std::io::Read as _;

    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(LoadError::TooLarge { size, limit });
    }
    let mut bytes = Vec::new();
    // The file may still be growing.
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Runs work that blocks. The runtime's compiler is not meant to panic; if it does on some input, that input is refused.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LoadError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| LoadError::Compile { detail: text::clean(&error.to_string(), 400) })
}

fn compile_error(error: &wasmtime::Error) -> LoadError {
    LoadError::Compile { detail: text::clean(&format!("{error:#}"), 1_000) }
}

fn link_error(error: &wasmtime::Error) -> LoadError {
    LoadError::Link { detail: text::clean(&format!("{error:#}"), 1_000) }
}

/// What `describe` works with: nothing.
fn to_describe(engine: &Engine, moment: Option<Moment>) -> CallContext {
    CallContext {
        config: "{}".into(),
        auth: "".into(),
        page_size: 0,
        http: Arc::new(NoHttp),
        log: Arc::new(GuestLog::without_secrets()),
        limits: CallLimits { cpu: DESCRIBE_CPU, wall: DESCRIBE_WALL, ..engine.limits() },
        moment,
    }
}

/// Instantiates once, which is what shows the last differences of types, and asks for the manifest.
async fn describe(engine: &Engine, world: &World, cx: &CallContext) -> (Result<Manifest, LoadError>, CallReport) {
    let (call, mut store) = match Call::begin(engine, cx).await {
        Ok(begun) => begun,
        Err(error) => return (Err(LoadError::Describe(error)), CallReport::default()),
    };
    let work = async { Ok(Ok(call::start(world, &mut store).await?.describe(&mut store).await?)) };
    let answer = call.guard(work).await;
    let (answer, report) = call.end(store, answer);
    let answer = answer.map_err(|error| match error {
        // The instance could not be made. At load that is a difference of types that only shows now.
        CallError::Host(detail) => LoadError::Link { detail },
        CallError::Provider(_) | CallError::Fault(..) => LoadError::Describe(error),
    });
    (answer.and_then(manifest::validate), report)
}

/// The way out of `describe`: none.
struct NoHttp;

#[async_trait::async_trait]
impl Http for NoHttp {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        Err(HttpError::Denied("`describe` is static: it sends no requests".to_owned()))
    }
}
