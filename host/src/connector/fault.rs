//! Turns the runtime's errors into the host's: which rule was broken, and the text its author needs to find the place.

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::budget::{CpuBudgetSpent, MemoryBudgetSpent};
use super::text;
use crate::domain::{CallError, FaultKind};

/// Frames of a backtrace that are told.
const FRAMES: usize = 8;
/// What a runtime prints when a host call would copy too much. The runtime has no type for it.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";

/// How far a call had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Creating the instance.
    Instantiate,
    /// Running an export.
    Run,
}

/// Classifies an error of the runtime. `stderr` is what the guest wrote there, a panic's message for one.
pub(crate) fn classify(error: &wasmtime::Error, phase: Phase, stderr: &str) -> CallError {
    if let Some(spent) = error.downcast_ref::<CpuBudgetSpent>() {
        return fault(FaultKind::Cpu, spent.to_string(), error, "");
    }
    if let Some(spent) = error.downcast_ref::<MemoryBudgetSpent>() {
        return fault(FaultKind::Memory, spent.to_string(), error, "");
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::Host(error.root_cause().to_string());
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return fault(FaultKind::Trap, trap.to_string(), error, stderr);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return fault(FaultKind::Trap, format!("ended itself with exit code {}", exit.0), error, stderr);
    }
    let cause = error.root_cause().to_string();
    if cause.contains(HOSTCALL_FUEL) {
        return fault(FaultKind::Output, "handed over too much in one call or answer".to_owned(), error, "");
    }
    match phase {
        // Nothing of the guest has run: the host lacks something, memory most likely.
        Phase::Instantiate => CallError::Host(text::clean(&cause, text::MESSAGE_BYTES)),
        // What is left are values that are not what their type says: text that is not UTF-8, a handle that is closed.
        Phase::Run => fault(FaultKind::Contract, cause, error, stderr),
    }
}

fn fault(kind: FaultKind, what: String, error: &wasmtime::Error, stderr: &str) -> CallError {
    let mut message = what;
    let said = text::clean(stderr.trim(), text::MESSAGE_BYTES / 2);
    if !said.is_empty() {
        message.push_str(": ");
        message.push_str(&said);
    }
    let frames = frames(error);
    if !frames.is_empty() {
        message.push_str("; in ");
        message.push_str(&frames.join(" < "));
    }
    CallError::Fault(kind, text::clean(&message, text::MESSAGE_BYTES))
}

/// The innermost functions that the error came through, demangled, machinery of the panic left out.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    // Only the printed form is demangled: `  0:   0x1234 - module.wasm!crate::function`.
    let printed = trace.to_string();
    let names = printed.lines().filter_map(|line| line.split_once('!').map(|(_, name)| name.trim()));
    let mut frames: Vec<(String, u32)> = Vec::new();
    for name in names.filter(|name| !is_machinery(name)).map(|name| text::clean(without_hash(name), 160)) {
        let told = frames.len();
        match frames.last_mut() {
            Some((last, times)) if *last == name => *times += 1,
            _ if told == FRAMES => break,
            _ => frames.push((name, 1)),
        }
    }
    let shown = |(name, times): (String, u32)| if times > 1 { format!("{name} ({times} times)") } else { name };
    frames.into_iter().map(shown).collect()
}

fn is_machinery(name: &str) -> bool {
    const PREFIXES: [&str; 8] =
        ["abort", "__rust", "rust_panic", "std::panicking", "core::panicking", "std::process", "std::sys", "std::rt"];
    PREFIXES.iter().any(|prefix| name.trim_start_matches('<').starts_with(prefix))
}

/// `path::function::h0123456789abcdef` without the hash.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => path,
        _ => name,
    }
}
