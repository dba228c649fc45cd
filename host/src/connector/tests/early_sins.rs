//! Sins in the places where no compiler puts any: the start function, the room for arguments, what comes behind an answer,
//! and tables and memories that grow by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wasm_encoder::Instruction::{
    self, Drop, I32Const, I32Eq, I32LeU, I32Load, MemoryGrow, MemorySize, RefNull, Return, TableGrow, TableSize,
    Unreachable,
};
use wasm_encoder::{HeapType, MemArg};

use super::super::{CallContext, CallLimits, Connector, Engine, LoadError, Moment};
use super::by_hand::{ByHand, Code, START, component, drop_what_is_not_there, for_ever, until_refused};
use super::{context, engine, guests};
use crate::connector::budget::TABLE_ELEMENTS;
use crate::domain::CallError;

const LIMITS: CallLimits = CallLimits {
    memory_bytes: 8 << 20,
    cpu: Duration::from_millis(500),
    wall: Duration::from_secs(10),
    hostcall_bytes: 1 << 20,
};

/// A call for which the time stands still.
fn late() -> CallContext {
    CallContext { moment: Some(Moment { now_ms: 0, seed: 1 }), ..context(LIMITS).0 }
}

fn grow_table(by: i32) -> Code {
    vec![RefNull(HeapType::FUNC), I32Const(by), TableGrow(0)]
}

fn grow_memory(by: i32) -> Code {
    vec![I32Const(by), MemoryGrow(0)]
}

fn together(codes: impl IntoIterator<Item = Code>) -> Code {
    codes.into_iter().flatten().collect()
}

/// Looks where no memory is.
fn out_of_bounds() -> Code {
    vec![I32Const(-8), I32Load(MemArg { offset: 0, align: 2, memory_index: 0 }), Drop]
}

/// Each of them, how its call ends, and what the text says; of a page that is its cursor.
fn sins() -> Vec<(&'static str, ByHand, &'static str, &'static str)> {
    let none = ByHand::default;
    let in_start = |code| ByHand { late_start: code, ..none() };
    let in_fetch = |code: Code| ByHand { fetch: together([code, vec![I32Const(0)]]), ..none() };
    // Whether that is so: `a` or `b`.
    let asking = |code: Code, is: &[Instruction<'static>]| ByHand { fetch: together([code, is.to_vec()]), ..none() };
    let of_16_pages = |by_hand| ByHand { most_pages: Some(16), ..by_hand };
    let endless_table = || for_ever(&together([grow_table(1), vec![Drop]]));
    let endless_memory = |by| for_ever(&together([grow_memory(by), vec![Drop]]));
    let is_bounded = [TableSize(0), I32Const(TABLE_ELEMENTS as i32), I32LeU];
    let is_whole = [MemorySize(0), I32Const(16), I32Eq];
    let is_refused = [I32Const(-1), I32Eq];
    vec![
        ("nothing", none(), "ok", "a"),
        ("a table for ever", in_fetch(endless_table()), "guest-cpu", ""),
        ("a table while it may", asking(until_refused(&grow_table(1)), &is_bounded), "ok", "b"),
        ("a table of four billion", asking(grow_table(-2), &is_refused), "ok", "b"),
        ("a memory for ever", in_fetch(endless_memory(1)), "guest-memory", "8388608 are allowed"),
        ("a memory until -1", of_16_pages(asking(until_refused(&grow_memory(1)), &is_whole)), "ok", "b"),
        ("a memory beyond its own maximum", of_16_pages(in_fetch(endless_memory(100))), "guest-cpu", ""),
        ("room for ever", ByHand { realloc: for_ever(&[]), ..none() }, "guest-cpu", ""),
        ("room where none is", ByHand { realloc: vec![I32Const(-8), Return], ..none() }, "contract", "realloc"),
        ("behind the answer for ever", ByHand { post_return: for_ever(&[]), ..none() }, "guest-cpu", ""),
        ("a trap behind the answer", ByHand { post_return: vec![Unreachable], ..none() }, "guest-trap", "unreachable"),
        ("a start for ever", in_start(for_ever(&[])), "guest-cpu", "used its 500 ms"),
        ("a start that traps", in_start(vec![Unreachable]), "guest-trap", "unreachable"),
        ("a start out of bounds", in_start(out_of_bounds()), "guest-trap", "out of bounds"),
        ("a start with a table for ever", in_start(endless_table()), "guest-cpu", ""),
        ("a start with a memory for ever", in_start(endless_memory(1)), "guest-memory", "8388608 are allowed"),
        ("a start with no such handle", in_start(drop_what_is_not_there()), "contract", "handle"),
    ]
}

/// A neighbour that behaves, over and over until it is told to stop: its pages, and the slowest of them.
async fn neighbour(engine: Arc<Engine>, over: Arc<AtomicBool>) -> (u32, Duration) {
    let connector = Connector::load_file(&engine, &guests::hostile("")).await.unwrap();
    let (mut pages, mut slowest) = (0, Duration::ZERO);
    while !over.load(Ordering::Relaxed) || pages == 0 {
        let began = Instant::now();
        let (answer, _) = connector.fetch(&context(CallLimits::default()).0, "ok", None).await;
        assert_eq!(answer.unwrap().interactions.len(), 1);
        (pages, slowest) = (pages + 1, slowest.max(began.elapsed()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (pages, slowest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sin_of_a_module_by_hand_ends_as_its_class_and_no_neighbour_notices() {
    let (engine, over) = (engine(), Arc::new(AtomicBool::new(false)));
    let beside = tokio::spawn(neighbour(Arc::clone(&engine), Arc::clone(&over)));
    let mut wrong = Vec::new();
    for (what, by_hand, ends, says) in sins() {
        let connector = Connector::load(&engine, component(&by_hand).into()).await.unwrap();
        let (answer, report) = connector.fetch(&late(), "anything", None).await;
        let (class, text) = match answer {
            Ok(page) => ("ok".to_owned(), page.cursor.0),
            Err(CallError::Fault(kind, text)) => (kind.as_str().to_owned(), text),
            Err(other) => ("neither".to_owned(), other.to_string()),
        };
        println!("{what}: {class}: {text} ({:?} of CPU, {} KiB)", report.cpu, report.peak_memory_bytes >> 10);
        // Its CPU is looked at a hundred times a second; a machine that is busy may look later.
        let within = report.cpu < 4 * LIMITS.cpu && report.wall < LIMITS.wall;
        if class != ends || !text.contains(says) || !within || report.peak_memory_bytes > LIMITS.memory_bytes {
            wrong.push(format!("{what}: {class}: {text}: {report:?}"));
        }
    }
    over.store(true, Ordering::Relaxed);
    let (pages, slowest) = beside.await.unwrap();
    println!("{pages} healthy pages beside them, the slowest in {slowest:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(engine.idle_calls(), 16, "every permit came back");
}

#[tokio::test]
async fn a_start_function_that_sins_always_is_refused_at_load() {
    let engine = engine();
    for (what, start, says) in [
        ("for ever", for_ever(&[]), "guest-cpu: used its 2000 ms"),
        ("a trap", vec![Unreachable], "guest-trap: wasm trap: wasm `unreachable`"),
        ("itself", vec![Instruction::Call(START)], "guest-trap: wasm trap: call stack exhausted"),
        ("memory", for_ever(&together([grow_memory(1), vec![Drop]])), "guest-memory: asked for 67174400 bytes"),
        ("a handle", drop_what_is_not_there(), "contract: "),
    ] {
        let began = Instant::now();
        let by_hand = ByHand { start, ..ByHand::default() };
        let refused = Connector::load(&engine, component(&by_hand).into()).await.unwrap_err();
        println!("{what}: {refused} ({:?})", began.elapsed());
        assert!(matches!(refused, LoadError::Describe(_)) && refused.to_string().contains(says), "{what}: {refused}");
    }
    assert_eq!(engine.idle_calls(), 16);
}
