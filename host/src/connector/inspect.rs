//! Looks at a component before anything of it is compiled or run: what it is, which version of the contract it was
//! built for, and whether it asks for more than a connector gets.

use semver::Version;
use wasmparser::{Encoding, Parser, Payload};

use super::error::LoadError;
use super::text;
use super::world::{NEWEST, OLDEST};

/// The package of the contract.
const PACKAGE: &str = "syncline:connector";
/// The interface every connector exports.
const EXPORT: &str = "syncline:connector/connector";
/// What a component exports that serves requests instead of sending them.
pub(super) const SERVER: &str = "wasi:http/incoming-handler";
/// What the world imports.
pub(super) const WORLD: [&str; 3] = ["syncline:connector/types", "syncline:connector/http", "syncline:connector/log"];

/// The interfaces of WASI 0.2 that language runtimes import to start, and the one to send requests with. Behind them are
/// clocks, random numbers, captured output and the egress gate; no environment, no arguments, and a file system without a
/// single folder.
pub(super) const WASI: [&str; 22] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// What can be said of a component without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of the contract it was built for.
    pub contract: Version,
    /// Everything it imports, in order.
    pub imports: Vec<String>,
    /// Everything it exports, in order.
    pub exports: Vec<String>,
}

/// Reads a component's outside and refuses what this host does not run.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadError> {
    let (imports, exports) = outside(bytes)?;
    if let Some(import) = imports.iter().find(|name| is_wasi_03(name)) {
        return Err(LoadError::Wasi03 { import: shown(import) });
    }
    let contract = contract(&imports, &exports)?;
    for import in &imports {
        judge(import)?;
    }
    if let Some(export) = exports.iter().find(|name| parts(name).0 == SERVER) {
        return Err(LoadError::Serves { export: shown(export) });
    }
    Ok(Inspection { contract, imports, exports })
}

/// Names of what the outermost component imports and exports.
fn outside(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), LoadError> {
    const MAGIC: &[u8] = b"\0asm";
    if !bytes.starts_with(MAGIC) {
        let cut_off = MAGIC.starts_with(bytes);
        return Err(if cut_off { truncated(format!("{} bytes", bytes.len())) } else { LoadError::NotWasm });
    }
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(LoadError::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            // The outermost component ends with the file, so this never goes below zero for good.
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            // The parser passes over it; the compiler would refuse it in words of its own.
            Payload::UnknownSection { id, range, .. } => {
                let detail = format!("section {id} at offset {:#x} is of no known kind", range.start);
                return Err(LoadError::Malformed { detail });
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    let detail = text::clean(&error.to_string(), 400);
    if detail.contains("unexpected end") { truncated(detail) } else { LoadError::Malformed { detail } }
}

const fn truncated(detail: String) -> LoadError {
    LoadError::Truncated { detail }
}

/// `name@version` in its parts.
fn parts(name: &str) -> (&str, Option<Version>) {
    match name.split_once('@') {
        Some((name, version)) => (name, Version::parse(version).ok()),
        None => (name, None),
    }
}

fn shown(name: &str) -> String {
    text::clean(name, 200)
}

fn is_wasi_03(name: &str) -> bool {
    matches!(parts(name), (name, Some(version)) if name.starts_with("wasi:") && (version.major, version.minor) >= (0, 3))
}

/// The version of the contract, from the export or, where that is missing, from what the component imports.
fn contract(imports: &[String], exports: &[String]) -> Result<Version, LoadError> {
    let of_contract = |name: &&String| name.split('/').next() == Some(PACKAGE);
    let export = exports.iter().find(|name| parts(name).0 == EXPORT);
    let Some(named) = export.or_else(|| exports.iter().chain(imports).find(of_contract)) else {
        return Err(no_contract(exports));
    };
    let Some(declared) = parts(named).1 else {
        return Err(LoadError::UnversionedContract { name: shown(named) });
    };
    // Before the missing export: a contract of another version may well export something else.
    if declared > NEWEST {
        return Err(LoadError::NewerContract { declared, supported: NEWEST });
    }
    if declared < OLDEST {
        return Err(LoadError::OlderContract { declared, supported: OLDEST });
    }
    if export.is_none() {
        return Err(no_contract(exports));
    }
    let other = imports.iter().find(|name| of_contract(name) && parts(name).1.as_ref() != Some(&declared));
    match other {
        Some(name) => Err(LoadError::UnversionedContract { name: shown(name) }),
        None => Ok(declared),
    }
}

fn no_contract(exports: &[String]) -> LoadError {
    let exports = if exports.is_empty() { "nothing".to_owned() } else { shown(&exports.join(", ")) };
    LoadError::NoContract { exports }
}

fn judge(import: &str) -> Result<(), LoadError> {
    let (name, version) = parts(import);
    let is_wasi_02 = version.is_some_and(|version| (version.major, version.minor) == (0, 2));
    if WORLD.contains(&name) || (is_wasi_02 && WASI.contains(&name)) {
        return Ok(());
    }
    let why = if name.starts_with("wasi:sockets/") {
        "a connector has no sockets; send requests with `syncline:connector/http` or `wasi:http/outgoing-handler` (in \
         Rust: leave out crates that open connections themselves)"
    } else if name.starts_with("wasi:http/") {
        "of `wasi:http` a connector gets `types` and `outgoing-handler`, version 0.2: it sends requests and serves none"
    } else {
        return Err(LoadError::UnknownImport { import: shown(import) });
    };
    Err(LoadError::Forbidden { import: shown(import), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_file_that_is_no_component_is_told_apart() {
        assert!(matches!(inspect(b"#!/bin/sh"), Err(LoadError::NotWasm)));
        assert!(matches!(inspect(b""), Err(LoadError::Truncated { .. })));
        assert!(matches!(inspect(b"\0as"), Err(LoadError::Truncated { .. })));
        assert!(matches!(inspect(b"\0asm\x0d\0"), Err(LoadError::Truncated { .. })));
        assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(LoadError::CoreModule)));
        assert!(matches!(inspect(COMPONENT), Err(LoadError::NoContract { .. })));
        assert!(inspect(b"\0asm\x0d\0\x01\0\xff\xff\xff").is_err());
    }

    #[test]
    fn every_import_outside_of_the_world_is_refused_by_name() {
        for allowed in [
            "wasi:io/poll@0.2.6",
            "wasi:filesystem/types@0.2.0",
            "wasi:http/types@0.2.0",
            "wasi:http/outgoing-handler@0.2.12",
            "syncline:connector/http@0.1.0",
        ] {
            assert!(judge(allowed).is_ok(), "{allowed}");
        }
        for forbidden in ["wasi:sockets/tcp@0.2.6", "wasi:http/incoming-handler@0.2.6", "wasi:http/types@0.1.0"] {
            assert!(matches!(judge(forbidden), Err(LoadError::Forbidden { .. })), "{forbidden}");
        }
        for unknown in ["wasi:keyvalue/store@0.2.0", "wasi:io/poll", "acme:db/sql@1.0.0", "wasi:io/poll@0.1.0"] {
            assert!(matches!(judge(unknown), Err(LoadError::UnknownImport { .. })), "{unknown}");
        }
        assert!(is_wasi_03("wasi:cli/stdout@0.3.0") && !is_wasi_03("wasi:cli/stdout@0.2.9"));
    }

    #[test]
    fn the_version_of_the_contract_is_read_before_anything_else() {
        let export = |version: &str| contract(&[], &names(&[&format!("syncline:connector/connector@{version}")]));
        assert_eq!(export("0.1.0").unwrap(), Version::new(0, 1, 0));
        assert!(matches!(export("0.1.1"), Err(LoadError::NewerContract { .. })));
        assert!(matches!(export("0.2.0"), Err(LoadError::NewerContract { .. })));
        assert!(matches!(export("0.0.9"), Err(LoadError::OlderContract { .. })));
        let renamed = contract(&[], &names(&["syncline:connector/source@0.9.0"]));
        assert!(matches!(renamed, Err(LoadError::NewerContract { .. })));
        let mixed = contract(
            &names(&["syncline:connector/http@0.1.0", "syncline:connector/log@0.0.3"]),
            &names(&["syncline:connector/connector@0.1.0"]),
        );
        assert!(matches!(mixed, Err(LoadError::UnversionedContract { .. })));
    }
}
