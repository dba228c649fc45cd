//! What a store holds: the call's ways to the outside (HTTP through either door, and the log), an empty WASI, and the
//! gauges.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::budget::{CpuBudgetSpent, MemoryGauge, Meter};
use super::call::CallContext;
use super::engine::Engine;
use super::log::GuestLog;
use super::pipe::Pipe;
use super::rows::KeptRows;
use super::wasi_http::WasiHttp;
use crate::domain::http::Http;

/// Streams, pollables and the like that a guest may hold at once. (The runtime keeps the options of a `wasi:http` request
/// until the call ends, so that a call can send no more than this many with options; a page's budget is far smaller.)
const HANDLES: usize = 1_000;
/// Bytes a guest gets from one request for random ones.
const RANDOM_BYTES: u64 = 64 << 10;

/// The data of one call's store.
pub(crate) struct State {
    pub(crate) http: Arc<dyn Http>,
    pub(crate) log: Arc<GuestLog>,
    /// Requests that this call sent through the contract's own door.
    pub(crate) requests: u32,
    pub(crate) memory: MemoryGauge,
    /// Rows of answers that did not go into the sandbox.
    pub(crate) rows: KeptRows,
    wasi: WasiCtx,
    wasi_http: WasiHttp,
    table: ResourceTable,
}

impl State {
    /// Requests that this call sent, through both doors.
    pub(crate) const fn requests(&self) -> u32 {
        self.requests.saturating_add(self.wasi_http.requests())
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.wasi_http.view(&mut self.table)
    }
}

/// Opens a store for one call. WASI has clocks and random numbers; no environment, arguments, folders or sockets.
pub(crate) fn open(engine: &Engine, cx: &CallContext, streams: (&Pipe, &Pipe), meter: &Arc<Meter>) -> Store<State> {
    let (stdout, stderr) = streams;
    let limits = &cx.limits;
    let mut wasi = WasiCtx::builder();
    wasi.stdout(stdout.clone())
        .stderr(stderr.clone())
        .max_random_size(RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if let Some(moment) = cx.moment {
        moment.freeze(&mut wasi);
    }
    let wasi = wasi.build();
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let memory = MemoryGauge::new(limits.memory_bytes.min(engine.options().memory_bytes));
    // What the host holds on the guest's behalf is bounded like what the guest holds itself.
    let wasi_http = WasiHttp::new(Arc::clone(&cx.http), Arc::clone(&cx.log), limits.memory_bytes);
    let mut store = Store::new(
        &engine.wasm,
        State {
            http: Arc::clone(&cx.http),
            log: Arc::clone(&cx.log),
            requests: 0,
            memory,
            rows: KeptRows::new(limits.memory_bytes),
            wasi,
            wasi_http,
            table,
        },
    );
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(limits.hostcall_bytes);
    store.set_max_component_handles(HANDLES);
    // Armed here because the call begins right after: waiting for a permit has come before.
    store.set_epoch_deadline(1);
    let (meter, cpu) = (Arc::clone(meter), limits.cpu);
    store.epoch_deadline_callback(move |_| {
        if meter.cpu() >= cpu { Err(CpuBudgetSpent(cpu).into()) } else { Ok(UpdateDeadline::Yield(1)) }
    });
    store
}
