//! Files that are no connectors, made by hand and by seeded damage to a real one: a refusal with a reason, never a panic.

use std::sync::{Arc, OnceLock};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use wasm_encoder::{
    CodeSection, Component, ComponentBuilder, ComponentExportKind, ComponentTypeRef, ComponentTypeSection,
    CustomSection, EntityType, Function, FunctionSection, ImportSection, InstanceType, MemorySection, MemoryType,
    Module, ModuleSection, NestedComponentSection, RawSection, TypeSection,
};

use super::super::{Connector, Engine, LoadError, inspect};
use super::{engine, guests};

const CONTRACT: &str = "syncline:connector/connector@0.1.0";

async fn load(bytes: Vec<u8>) -> Result<(), LoadError> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    Connector::load(ENGINE.get_or_init(engine), bytes.into()).await.map(|_| ())
}

/// A component with empty instances of these names on its outside.
fn component<'a>(imports: impl IntoIterator<Item = &'a str>, exports: &[&str]) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let empty = component.type_instance(None, &InstanceType::new());
    for name in imports {
        component.import(name, ComponentTypeRef::Instance(empty));
    }
    let inner = component.component(None, ComponentBuilder::default());
    for name in exports {
        let instance = component.instantiate(None, inner, Vec::<(&str, ComponentExportKind, u32)>::new());
        component.export(*name, ComponentExportKind::Instance, instance, None);
    }
    component.finish()
}

/// A section that says it is longer than the file, or than any file.
fn with_section(id: u8, length: &[u8], content: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".as_slice(), &[id], length, content].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    let mut inner = Component::new();
    for _ in 0..depth {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&inner));
        inner = outer;
    }
    inner.finish()
}

/// A type that holds a type that holds a type.
fn nested_types(depth: u32) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    types.defined_type().primitive(wasm_encoder::PrimitiveValType::String);
    for below in 0..depth {
        types.defined_type().list(wasm_encoder::ComponentValType::Type(below));
    }
    let mut component = Component::new();
    component.section(&types);
    component.finish()
}

fn core_module(memory_pages: u64) -> Module {
    let (mut types, mut functions, mut code, mut memories) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new(), MemorySection::new());
    types.ty().function([], []);
    functions.function(0);
    memories.memory(MemoryType {
        minimum: memory_pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut body = Function::new([(50_000, wasm_encoder::ValType::I64)]);
    body.instructions().end();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&code);
    module
}

fn by_hand() -> Vec<(&'static str, Vec<u8>)> {
    let mut wrapped = Component::new();
    wrapped.section(&ModuleSection(&core_module(65_536)));
    let mut noted = Component::new();
    noted.section(&CustomSection { name: "x".into(), data: vec![0; 8 << 20].into() });
    let mut imports = ImportSection::new();
    imports.import("wasi_snapshot_preview1", "fd_write", EntityType::Function(0));
    let mut old = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    old.section(&types).section(&imports);
    let mut twice = Component::new();
    twice.section(&RawSection { id: 0x7f, data: b"?" });
    let many: Vec<String> = (0..50_000).map(|n| format!("acme:x/y{n}@1.0.0")).collect();
    let long = format!("acme:{}/y@1.0.0", "x".repeat(1 << 20));
    let bomb = component([long.as_str()], &[CONTRACT]);
    vec![
        ("nothing", Vec::new()),
        ("zeros", vec![0; 4_096]),
        ("four bytes", b"\0asm".to_vec()),
        ("a header and no more", b"\0asm\x0d\0\x01\0".to_vec()),
        ("a header of the future", b"\0asm\xff\xff\x01\0".to_vec()),
        ("a core module", core_module(1).finish()),
        ("a core module of WASI 0.1", old.finish()),
        ("a zip", b"PK\x03\x04".repeat(100)),
        ("a text", b"connector".repeat(1_000)),
        ("a module that is not a connector, inside", wrapped.finish()),
        ("only notes", noted.finish()),
        ("an unknown section", twice.finish()),
        ("a section of 4 GiB", with_section(1, &[0xff, 0xff, 0xff, 0xff, 0x0f], b"x")),
        ("a length that does not end", with_section(1, &[0xff; 16], b"x")),
        ("a vector of 4 G entries", with_section(7, &[6], &[0xff, 0xff, 0xff, 0xff, 0x0f, 0x40])),
        ("a name of 4 GiB", with_section(10, &[8], &[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, b'x'])),
        ("2,000 components in each other", nested(2_000)),
        ("90 components in each other", nested(90)),
        ("100,000 lists in each other", nested_types(100_000)),
        ("a name of 1 MiB", bomb),
        ("50,000 imports", component(many.iter().map(String::as_str), &[CONTRACT])),
        ("no import is of use", component([], &[CONTRACT])),
        ("no exports", component([], &[])),
        ("another world", component(["wasi:cli/stdout@0.2.6"], &["wasi:cli/run@0.2.6"])),
        ("two contracts", component(["syncline:connector/log@0.0.9"], &[CONTRACT])),
        ("more imports than there are", component(["wasi:io/poll@0.2.6", "acme:db/sql@1.0.0"], &[CONTRACT])),
        ("sockets", component(["wasi:sockets/tcp@0.2.6"], &[CONTRACT])),
        ("files", component(["wasi:filesystem/preopens@0.2.6"], &[CONTRACT])),
        ("types that are not the contract's", component(["wasi:io/poll@0.2.6"], &[CONTRACT])),
    ]
}

fn assert_told(what: &str, error: &LoadError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 8_000, "{what}: {} bytes of {text:.200}", text.len());
    assert!(!text.contains(['\0', '\u{1b}']), "{what}: {text:?}");
}

#[tokio::test]
async fn whatever_the_file_is_it_is_refused_with_a_reason() {
    for (what, bytes) in by_hand() {
        let began = std::time::Instant::now();
        let Err(error) = load(bytes).await else { panic!("{what} was loaded") };
        println!("{what}: {:.200} ({:?})", error.to_string(), began.elapsed());
        assert_told(what, &error);
        // Seconds at worst; a minute on a machine that is busy.
        assert!(began.elapsed().as_secs() < 60, "{what}: {:?}", began.elapsed());
    }
}

/// Damage of one of several kinds; the whole of it follows from the dice.
fn damaged(good: &[u8], dice: &mut StdRng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let at = dice.random_range(0..bytes.len());
    let length = dice.random_range(1..=64).min(bytes.len() - at);
    match dice.random_range(0..6) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << dice.random_range(0..8),
        2 => dice.fill(&mut bytes[at..at + length]),
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let copy = bytes[at..at + length].to_vec();
            let to = dice.random_range(0..bytes.len());
            bytes.splice(to..to, copy);
        }
        // Lengths are where parsers trust too much: most of them are in front.
        _ => {
            let at = dice.random_range(0..bytes.len().min(4_096));
            let end = (at + 5).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
    }
    bytes
}

#[tokio::test]
async fn seeded_damage_to_a_real_connector_never_crashes_the_host() {
    let good = std::fs::read(guests::hostile("")).unwrap();
    let (mut refused, mut loads) = (0, 0);
    for seed in 0..600 {
        let bytes = damaged(&good, &mut StdRng::seed_from_u64(seed));
        match inspect(&bytes) {
            Err(error) => {
                refused += 1;
                assert_told(&format!("seed {seed}"), &error);
            }
            // Compiling takes longest: of those that look whole, some.
            Ok(_) if loads < 12 => {
                loads += 1;
                if let Err(error) = load(bytes).await {
                    assert_told(&format!("seed {seed}"), &error);
                }
            }
            Ok(_) => {}
        }
    }
    println!("{refused} of 600 refused at a glance, {loads} of the others loaded or refused");
    assert!(refused >= 200 && loads == 12, "{refused} refused, {loads} loaded");
}
