//! What the program says of files that it does not run, in full: each refusal names what was found, and what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::process::{Command, Stdio};

use wasm_encoder::{ComponentBuilder, ComponentExportKind, ComponentTypeRef, InstanceType, Module};

const CONTRACT: &str = "syncline:connector/connector@0.1.0";

/// A component with empty instances of these names on its outside.
fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let empty = component.type_instance(None, &InstanceType::new());
    for name in imports {
        component.import(*name, ComponentTypeRef::Instance(empty));
    }
    let inner = component.component(None, ComponentBuilder::default());
    for name in exports {
        let instance = component.instantiate(None, inner, Vec::<(&str, ComponentExportKind, u32)>::new());
        component.export(*name, ComponentExportKind::Instance, instance, None);
    }
    component.finish()
}

/// Every kind of file that is refused before it is compiled.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let whole = component(&["wasi:io/poll@0.2.6", "syncline:connector/http@0.1.0"], &[CONTRACT]);
    let half = whole[..whole.len() / 2].to_vec();
    let mut broken = whole;
    broken[8] = 0x7f;
    vec![
        ("a newer contract", component(&["syncline:connector/http@0.3.0"], &["syncline:connector/connector@0.3.0"])),
        ("a newer contract under another name", component(&[], &["syncline:connector/source@1.0.0"])),
        ("an older contract", component(&[], &["syncline:connector/connector@0.0.9"])),
        ("two contracts", component(&["syncline:connector/log@0.0.9"], &[CONTRACT])),
        ("no version", component(&[], &["syncline:connector/connector"])),
        ("another component", component(&["wasi:cli/stdout@0.2.6"], &["wasi:cli/run@0.2.6"])),
        ("no exports", component(&[], &[])),
        ("WASI 0.3", component(&["wasi:cli/stdout@0.3.0", "wasi:http/client@0.3.0"], &[CONTRACT])),
        ("a core module", Module::new().finish()),
        ("a truncated file", half),
        ("a broken file", broken),
        ("an empty file", Vec::new()),
        ("random bytes", vec![0xd3, 0x1f, 0x8b, 0x42, 0x00, 0x61, 0x73, 0x6d, 0x99, 0x07]),
        ("a text", b"#!/usr/bin/env node\nimport connector from './connector.js'\n".to_vec()),
        ("sockets", component(&["wasi:sockets/tcp@0.2.6"], &[CONTRACT])),
        ("a server's import", component(&["wasi:http/incoming-handler@0.2.6"], &[CONTRACT])),
        ("a server's export", component(&["wasi:http/types@0.2.6"], &[CONTRACT, "wasi:http/incoming-handler@0.2.6"])),
        ("an old wasi:http", component(&["wasi:http/outgoing-handler@0.1.0"], &[CONTRACT])),
        ("an unknown import", component(&["acme:database/sql@1.0.0"], &[CONTRACT])),
        ("wrong types", component(&["wasi:io/poll@0.2.6"], &[CONTRACT])),
    ]
}

#[test]
fn every_refusal_says_what_was_found_and_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for (what, bytes) in refused() {
        std::fs::write(place.path().join("connector.wasm"), bytes).unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(["connector", "inspect", "connector.wasm"])
            .current_dir(place.path())
            .env_remove("SYNCLINE_CONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(1), &b""[..]), "{what}");
        all.push_str(&format!("{what}\n{}\n", String::from_utf8(done.stderr).unwrap()));
    }
    insta::assert_snapshot!(all);
}
