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

/// What a guest said last on stderr: a panic's message, place included, without the advice of its runtime.
pub(crate) fn last_words(stderr: &str) -> String {
    const MARK: &str = "panicked at ";
    const ADVICE: &str = "note: run with `RUST_BACKTRACE";
    let stderr = stderr.trim();
    let said = match stderr.rfind(MARK) {
        Some(at) => stderr.get(at..).unwrap_or_default(),
        None => stderr.get(stderr.ceil_char_boundary(stderr.len().saturating_sub(1_000))..).unwrap_or_default(),
    };
    said.split(ADVICE).next().unwrap_or_default().trim().replace('\n', " ")
}

/// How far a call had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Creating the instance.
    Instantiate,
    /// Running an export.
    Run,
}

/// Classifies an error of the runtime. `said` is the guest's last words, free of credentials.
pub(crate) fn classify(error: &wasmtime::Error, phase: Phase, said: &str) -> CallError {
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
        // What a panic ends with says less than its message.
        let is_panic = *trap == Trap::UnreachableCodeReached && !said.is_empty();
        let what = if is_panic { String::new() } else { trap.to_string() };
        return fault(FaultKind::Trap, what, error, said);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return fault(FaultKind::Trap, format!("ended itself with exit code {}", exit.0), error, said);
    }
    let cause = error.root_cause().to_string();
    if cause.contains(HOSTCALL_FUEL) {
        return fault(FaultKind::Output, "handed over too much in one call or answer".to_owned(), error, "");
    }
    // A start function runs while the instance is made.
    let has_run =
        phase == Phase::Run || error.downcast_ref::<WasmBacktrace>().is_some_and(|it| !it.frames().is_empty());
    if !has_run {
        // The host lacks something, memory most likely.
        return CallError::Host(text::clean(&cause, text::MESSAGE_BYTES));
    }
    // What is left are values that are not what their type says: text that is not UTF-8, a handle that is closed.
    fault(FaultKind::Contract, cause, error, said)
}

fn fault(kind: FaultKind, what: String, error: &wasmtime::Error, said: &str) -> CallError {
    let said = text::clean(said, text::MESSAGE_BYTES / 2);
    let mut message = if what.is_empty() || said.is_empty() { what + &said } else { format!("{what}: {said}") };
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
    let names = printed.lines().filter_map(|line| line.split_once('!').map(|(_, name)| without_hashes(name.trim())));
    let mut frames: Vec<(String, u32)> = Vec::new();
    for name in names.skip_while(|name| is_machinery(name)).map(|name| text::clean(&name, 160)) {
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
    const PREFIXES: [&str; 6] = ["abort", "__rust", "rust_", "std::", "core::", "alloc::"];
    PREFIXES.iter().any(|prefix| name.trim_start_matches('<').starts_with(prefix))
}

/// `krate[0123456789abcdef]::function` and `krate::function::h0123456789abcdef` without their hashes.
fn without_hashes(name: &str) -> String {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let name = match name.rsplit_once("::h") {
        Some((path, hash)) if is_hash(hash) => path,
        _ => name,
    };
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        rest = match after.split_once(']') {
            Some((hash, tail)) if is_hash(hash) => tail,
            _ => {
                plain.push('[');
                after
            }
        };
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_panic_are_found_behind_a_flood() {
        let stderr =
            "noise\n\nthread '<unnamed>' panicked at src/lib.rs:3:9:\nno horse\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(last_words(stderr), "panicked at src/lib.rs:3:9: no horse");
        assert_eq!(last_words(" Traceback: KeyError\n"), "Traceback: KeyError");
        assert_eq!(last_words(&"ä".repeat(1_000)).chars().count(), 500);
    }

    #[test]
    fn a_name_is_told_without_its_hash() {
        assert_eq!(without_hashes("a::b::h0123456789abcdef"), "a::b");
        assert_eq!(without_hashes("a[0123456789abcdef]::b::<[u8]>"), "a::b::<[u8]>");
        assert_eq!(without_hashes("a::hello"), "a::hello");
    }
}
