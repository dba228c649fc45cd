//! The one engine of a process: compiler settings, the instance pool, the epoch clock and the permits for calls.
//!
//! Every size of the pool derives from one number, [`EngineOptions::max_concurrent_calls`], and a semaphore of the same
//! size stands in front of it, so that the pool never overflows. The pool reserves address space, not memory.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails, WasmFeatures,
};

use super::budget::{CallLimits, TABLE_ELEMENTS};
use super::error::EngineError;
use super::world::Linkers;

/// A component is several core instances: the guest itself and the shims around it. CPython, as componentize-py wraps it,
/// comes as 38: the interpreter, the shared libraries of C, and a stub for every interface of WASI. The number reserves
/// nothing.
pub(crate) const CORE_INSTANCES_PER_CALL: usize = 64;
pub(crate) const TABLES_PER_CALL: usize = 8;
pub(crate) const MEMORIES_PER_CALL: usize = 2;

/// How often a computing guest gives its thread back and has its budget looked at.
const TICK: Duration = Duration::from_millis(10);
/// Stack of the guest itself.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of a call: the guest's and what the host needs beyond it.
const CALL_STACK_BYTES: usize = 2 << 20;
/// Slots that stay mapped between calls; the rest of the pool is address space only.
const WARM_SLOTS: u32 = 64;
/// Memory of a slot that stays mapped between calls, and of a table.
const KEPT_BYTES: usize = 2 << 20;
const KEPT_TABLE_BYTES: usize = 64 << 10;

/// What an engine is built with.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Calls that run at once; more wait for their turn. Default 64.
    pub max_concurrent_calls: u32,
    /// Memory of one call, in bytes: the ceiling for [`CallLimits::memory_bytes`]. Default 64 MiB.
    pub memory_bytes: usize,
    /// CPU of one call. Default 5 s.
    pub cpu_per_call: Duration,
    /// Wall clock of one call, HTTP included. Default 120 s.
    pub wall_per_call: Duration,
    /// Bytes that one host call or one answer may make the host copy. Default 16 MiB.
    pub hostcall_bytes: usize,
    /// Size of a component file, in bytes. Default 64 MiB.
    pub max_component_bytes: u64,
    /// Where compiled code is kept between starts; nowhere if none. The folder must belong to this host alone.
    pub cache_dir: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let limits = CallLimits::default();
        Self {
            max_concurrent_calls: 64,
            memory_bytes: limits.memory_bytes,
            cpu_per_call: limits.cpu,
            wall_per_call: limits.wall,
            hostcall_bytes: limits.hostcall_bytes,
            max_component_bytes: 64 << 20,
            cache_dir: None,
        }
    }
}

/// Compiles and runs connectors. One per process, shared.
pub struct Engine {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) linkers: Linkers,
    pub(crate) permits: Arc<Semaphore>,
    options: EngineOptions,
    pooled: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).field("pooled", &self.pooled).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the engine and its clock. Where the pool's address space cannot be reserved, instances are allocated one
    /// by one instead, and a warning says so.
    pub fn new(options: EngineOptions) -> Result<Arc<Self>, EngineError> {
        let cache = options.cache_dir.clone().map(open_cache).transpose()?;
        let (wasm, pooled) = match build(&options, cache.clone(), true) {
            Ok(wasm) => (wasm, true),
            Err(reason) => {
                tracing::warn!(
                    max_concurrent_calls = options.max_concurrent_calls,
                    reason = %format!("{reason:#}"),
                    "no instance pool: its address space cannot be reserved (is it limited?); calls start more slowly"
                );
                (build(&options, cache, false).map_err(runtime)?, false)
            }
        };
        start_clock(wasm.weak())?;
        let linkers = Linkers::new(&wasm).map_err(runtime)?;
        let permits = Arc::new(Semaphore::new(options.max_concurrent_calls.max(1) as usize));
        Ok(Arc::new(Self { wasm, linkers, permits, options, pooled }))
    }

    /// What the engine was built with.
    #[must_use]
    pub const fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// The limits of a call for which nobody set others.
    #[must_use]
    pub const fn limits(&self) -> CallLimits {
        CallLimits {
            memory_bytes: self.options.memory_bytes,
            cpu: self.options.cpu_per_call,
            wall: self.options.wall_per_call,
            hostcall_bytes: self.options.hostcall_bytes,
        }
    }

    /// Whether instances come from the pool.
    #[must_use]
    pub const fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Calls that could start now.
    #[must_use]
    pub fn idle_calls(&self) -> usize {
        self.permits.available_permits()
    }
}

fn runtime(error: wasmtime::Error) -> EngineError {
    EngineError::Runtime(format!("{error:#}"))
}

fn open_cache(dir: PathBuf) -> Result<Cache, EngineError> {
    let open = || {
        std::fs::create_dir_all(&dir)?;
        let mut config = CacheConfig::new();
        config.with_directory(std::fs::canonicalize(&dir)?);
        Cache::new(config).map_err(std::io::Error::other)
    };
    open().map_err(|source| EngineError::Cache { dir, source })
}

fn build(options: &EngineOptions, cache: Option<Cache>, pooled: bool) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .concurrency_support(false)
        .cache(cache);
    // What the toolchains of Rust, C, Go, JavaScript and Python emit, and nothing beyond it.
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        // The runtime's own adapters between the components inside of a component see the memory of both.
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        // Not compiled in either; said again so that a cargo feature switched on elsewhere changes nothing.
        .wasm_features(
            WasmFeatures::THREADS
                | WasmFeatures::GC
                | WasmFeatures::FUNCTION_REFERENCES
                | WasmFeatures::EXCEPTIONS
                | WasmFeatures::STACK_SWITCHING
                | WasmFeatures::CM_ASYNC,
            false,
        );
    if pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    }
    wasmtime::Engine::new(&config)
}

fn pool(options: &EngineOptions) -> PoolingAllocationConfig {
    let calls = options.max_concurrent_calls.max(1);
    let times = |per_call: usize| calls.saturating_mul(u32::try_from(per_call).unwrap_or(u32::MAX));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_stacks(calls)
        .total_core_instances(times(CORE_INSTANCES_PER_CALL))
        .total_memories(times(MEMORIES_PER_CALL))
        .total_tables(times(TABLES_PER_CALL))
        .max_core_instances_per_component(CORE_INSTANCES_PER_CALL as u32)
        .max_memories_per_component(MEMORIES_PER_CALL as u32)
        .max_tables_per_component(TABLES_PER_CALL as u32)
        .max_tables_per_module(TABLES_PER_CALL as u32)
        // Metadata of one instance; the default of 1 MiB refuses large language runtimes.
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(options.memory_bytes)
        .max_unused_warm_slots(WARM_SLOTS.min(calls));
    if kernel_lists_written_pages() {
        // The pages that a call has written are put back as they were, instead of being unmapped and faulted in again
        // by the next call.
        pool.pagemap_scan(Enabled::Auto).linear_memory_keep_resident(KEPT_BYTES).table_keep_resident(KEPT_TABLE_BYTES);
    }
    pool
}

/// Linux can say since 6.7 which pages were written. Without that, keeping memory mapped would mean to clear all of it.
fn kernel_lists_written_pages() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(7))
}

/// The epoch clock is a thread: a task would stand still exactly when guests keep every worker busy. It ends with the
/// engine.
fn start_clock(engine: EngineWeak) -> Result<(), EngineError> {
    let tick = move || {
        loop {
            std::thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { break };
            engine.increment_epoch();
        }
    };
    std::thread::Builder::new().name("connector-clock".to_owned()).spawn(tick).map_err(EngineError::Ticker)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;

    /// A component of 43 to 127 instances of an empty core module.
    fn component(instances: u8) -> Vec<u8> {
        let module = b"\0asm\x01\0\0\0";
        let mut bytes = b"\0asm\x0d\0\x01\0\x01\x08".to_vec();
        bytes.extend(module);
        // The section of core instances: its length as LEB128, how many they are, and each of them: "instantiate module
        // 0 with no arguments".
        let length = 3 * u16::from(instances) + 1;
        bytes.extend([2, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8, instances]);
        bytes.extend([0, 0, 0].repeat(usize::from(instances)));
        bytes
    }

    #[test]
    fn a_language_runtime_of_many_core_instances_fits_into_the_pool() {
        let options = EngineOptions { max_concurrent_calls: 2, ..EngineOptions::default() };
        let engine = Engine::new(options).unwrap();
        assert!(engine.is_pooled());
        let most = u8::try_from(CORE_INSTANCES_PER_CALL).unwrap();
        // CPython's 38, and room for what a later version adds.
        assert!(most > 43);
        Component::new(&engine.wasm, component(most)).unwrap();
        let refused = Component::new(&engine.wasm, component(most + 1)).unwrap_err();
        assert!(refused.to_string().contains("core module instances"), "{refused}");
    }
}
