//! Connectors around a core module that is written by hand: the outside of the hostile guest, and in the place of its code
//! what no compiler produces.

use wasm_encoder::{
    BlockType, CodeSection, Component, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemArg, MemorySection, MemoryType, Module,
    RawSection, RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};

use super::guests;

const EXPORT: &str = "syncline:connector/connector@0.1.0#";

/// Where in the module's memory the answers lie, and the letter of a page's cursor.
const MANIFEST: usize = 64;
const PAGE: usize = 256;
const OBJECTS: usize = 384;
const CHECKED: usize = 448;
const LETTER: usize = 512;
const TEXTS: usize = 1_024;
/// From here on what the host passes in is put.
const HEAP: i32 = 4_096;

/// What is imported: the clock, which shows zero at first in a call whose time stands still, and the end of a handle.
const CLOCK: u32 = 0;
const DROP: u32 = 1;

/// The number of the start function, behind those.
pub(super) const START: u32 = 2;

/// A list of instructions.
pub(super) type Code = Vec<Instruction<'static>>;

/// What a module does.
#[derive(Clone, Default)]
pub(super) struct ByHand {
    /// Pages of its memory at most.
    pub(super) most_pages: Option<u64>,
    /// In its start function, whatever the time.
    pub(super) start: Code,
    /// In its start function where the clock shows zero: in no instance of a host at work.
    pub(super) late_start: Code,
    /// In `fetch`; leaves a number behind that picks the letter of the page's cursor, `a` for 0. None is a 0.
    pub(super) fetch: Code,
    /// Where the host asks for room.
    pub(super) realloc: Code,
    /// Where the host gives back what the answer of `fetch` holds.
    pub(super) post_return: Code,
}

/// These instructions over and over.
pub(super) fn for_ever(code: &[Instruction<'static>]) -> Code {
    let begin = [Instruction::Loop(BlockType::Empty)];
    begin.into_iter().chain(code.iter().cloned()).chain([Instruction::Br(0), Instruction::End]).collect()
}

/// These instructions until they leave -1 behind.
pub(super) fn until_refused(code: &[Instruction<'static>]) -> Code {
    let begin = [Instruction::Block(BlockType::Empty), Instruction::Loop(BlockType::Empty)];
    let end = [Instruction::I32Const(-1), Instruction::I32Eq, Instruction::BrIf(1), Instruction::Br(0)];
    let ends = [Instruction::End, Instruction::End];
    begin.into_iter().chain(code.iter().cloned()).chain(end).chain(ends).collect()
}

/// The component.
pub(super) fn component(by_hand: &ByHand) -> Vec<u8> {
    let good = std::fs::read(guests::hostile("")).unwrap();
    let module = module(by_hand, &imports(&good)).finish();
    let (mut component, mut depth, mut replaced) = (Component::new(), 0_usize, false);
    for payload in Parser::new(0).parse_all(&good) {
        let payload = payload.unwrap();
        if let Some((id, range)) = payload.as_section().filter(|_| depth == 0) {
            // The first module is the code; the others are the machinery that connects it.
            let is_code = matches!(payload, Payload::ModuleSection { .. }) && !replaced;
            replaced |= is_code;
            component.section(&RawSection { id, data: if is_code { &module } else { &good[range] } });
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    assert!(replaced, "the hostile guest has no module");
    component.finish()
}

/// What the hostile guest's code calls the clock and the end of a handle.
fn imports(good: &[u8]) -> [(String, &'static str); 2] {
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(good) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            all.extend(section.into_imports().map(|import| import.map(|import| (import.module, import.name)).unwrap()));
        }
    }
    [("wasi:clocks/monotonic-clock@", "now"), ("wasi:io/poll@", "[resource-drop]pollable")].map(|(module, name)| {
        let found = all.iter().find(|(of, named)| of.starts_with(module) && *named == name);
        (found.unwrap().0.to_owned(), name)
    })
}

fn module(by_hand: &ByHand, names: &[(String, &'static str)]) -> Module {
    const I32: ValType = ValType::I32;
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I64]);
    types.ty().function([I32], []);
    types.ty().function([], []);
    types.ty().function([], [I32]);
    types.ty().function([I32; 6], [I32]);
    types.ty().function([I32; 11], [I32]);
    types.ty().function([I32; 4], [I32]);

    let mut imports = ImportSection::new();
    for (ty, (module, name)) in (0..).zip(names) {
        imports.import(module, name, EntityType::Function(ty));
    }

    // Their order is the one of their numbers: the start function, what the contract asks for, what comes behind it.
    let (mut functions, mut code, mut exports) = (FunctionSection::new(), CodeSection::new(), ExportSection::new());
    let mut number = START;
    let mut function = |ty: u32, name: Option<String>, body: Code| {
        functions.function(ty);
        let mut function = Function::new([]);
        for instruction in body.iter().chain([&Instruction::End]) {
            function.instruction(instruction);
        }
        code.function(&function);
        if let Some(name) = name {
            exports.export(&name, ExportKind::Func, number);
        }
        number += 1;
    };
    function(2, None, start(by_hand));
    function(3, Some(format!("{EXPORT}describe")), vec![Instruction::I32Const(MANIFEST as i32)]);
    function(4, Some(format!("{EXPORT}check")), vec![Instruction::I32Const(CHECKED as i32)]);
    function(4, Some(format!("{EXPORT}discover")), vec![Instruction::I32Const(OBJECTS as i32)]);
    function(5, Some(format!("{EXPORT}fetch")), fetch(by_hand));
    function(6, Some("cabi_realloc".to_owned()), realloc(by_hand));
    for name in ["describe", "check", "discover"] {
        function(1, Some(format!("cabi_post_{EXPORT}{name}")), Vec::new());
    }
    function(1, Some(format!("cabi_post_{EXPORT}fetch")), by_hand.post_return.clone());

    let mut tables = TableSection::new();
    let anything =
        TableType { element_type: RefType::FUNCREF, table64: false, minimum: 0, maximum: None, shared: false };
    tables.table(anything);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: by_hand.most_pages,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: I32, mutable: true, shared: false }, &ConstExpr::i32_const(HEAP));
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(0), memory());

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&tables).section(&memories).section(&globals);
    module.section(&exports).section(&StartSection { function_index: START }).section(&code).section(&data);
    module
}

fn start(by_hand: &ByHand) -> Code {
    let mut code = by_hand.start.clone();
    if !by_hand.late_start.is_empty() {
        code.extend([Instruction::Call(CLOCK), Instruction::I64Eqz, Instruction::If(BlockType::Empty)]);
        code.extend(by_hand.late_start.iter().cloned());
        code.push(Instruction::End);
    }
    code
}

fn fetch(by_hand: &ByHand) -> Code {
    let mut code = vec![Instruction::I32Const(LETTER as i32)];
    match by_hand.fetch.as_slice() {
        [] => code.push(Instruction::I32Const(0)),
        some => code.extend(some.iter().cloned()),
    }
    code.extend([Instruction::I32Const(i32::from(b'a')), Instruction::I32Add]);
    code.push(Instruction::I32Store8(MemArg { offset: 0, align: 0, memory_index: 0 }));
    code.push(Instruction::I32Const(PAGE as i32));
    code
}

/// Room behind the room that was given out before; nothing comes back.
fn realloc(by_hand: &ByHand) -> Code {
    let mut code = by_hand.realloc.clone();
    code.extend([Instruction::GlobalGet(0), Instruction::GlobalGet(0), Instruction::LocalGet(3), Instruction::I32Add]);
    code.extend([Instruction::I32Const(7), Instruction::I32Add, Instruction::I32Const(-8), Instruction::I32And]);
    code.push(Instruction::GlobalSet(0));
    code
}

/// Ends a handle that nobody has.
pub(super) fn drop_what_is_not_there() -> Code {
    vec![Instruction::I32Const(99), Instruction::Call(DROP)]
}

/// The answers, laid out as the contract's types are: a manifest, no objects, and an empty page with a cursor of a letter.
fn memory() -> Vec<u8> {
    let mut memory = vec![0; TEXTS];
    let text = |memory: &mut Vec<u8>, at: usize, text: &str| {
        let place = memory.len();
        memory.extend(text.as_bytes());
        pair(memory, at, place, text.len());
    };
    for (place, of) in ["by-hand", "1.0.0", "By hand", r#"{"type": "object"}"#].into_iter().enumerate() {
        text(&mut memory, MANIFEST + 8 * place, of);
    }
    // Auth, hosts, attributes; objects; records and attributes of the page. Empty lists have a place all the same.
    for list in [MANIFEST + 32, MANIFEST + 40, MANIFEST + 64, OBJECTS + 8, PAGE + 8, PAGE + 48] {
        pair(&mut memory, list, 8, 0);
    }
    pair(&mut memory, PAGE + 16, LETTER, 1);
    memory
}

fn pair(memory: &mut [u8], at: usize, place: usize, length: usize) {
    for (at, value) in [(at, place), (at + 4, length)] {
        memory[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
    }
}
