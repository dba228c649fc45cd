//! Why a component is not accepted, not found, or the engine does not start. Every message says what, why and what to
//! do about it.

use std::path::PathBuf;

use semver::Version;

use crate::domain::{CallError, Digest};

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The runtime refused the options.
    #[error("the WebAssembly engine does not start: {0}")]
    Runtime(String),
    /// The compile cache cannot be used.
    #[error("the compile cache in {} cannot be used", dir.display())]
    Cache {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No thread for the epoch clock.
    #[error("the engine's clock thread does not start")]
    Ticker(#[source] std::io::Error),
}

/// Why a file is not accepted as a connector.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The accepted bytes cannot be kept.
    #[error("cannot keep the connector in {}", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than the host compiles.
    #[error("{size} bytes is more than the {limit} this host accepts; strip debug information or raise the limit")]
    TooLarge {
        /// Size of the file in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Not WebAssembly.
    #[error("not a WebAssembly file: it does not begin with \\0asm; give the host the .wasm that the build wrote")]
    NotWasm,
    /// The file ends too early.
    #[error("the file is truncated ({detail}); is it still being copied? Copy it under another name, then rename it")]
    Truncated {
        /// Where.
        detail: String,
    },
    /// A core module.
    #[error(
        "a core module, not a component; build for wasm32-wasip2, or turn it into a component with `wasm-tools \
         component new`"
    )]
    CoreModule,
    /// The bytes make no sense.
    #[error("not a well-formed component: {detail}; build it again")]
    Malformed {
        /// What is wrong.
        detail: String,
    },
    /// Built for WASI 0.3.
    #[error("imports {import}: that is WASI 0.3, this host offers 0.2; build for wasm32-wasip2")]
    Wasi03 {
        /// The first import of that version.
        import: String,
    },
    /// An import that no connector gets.
    #[error("imports {import}: {why}")]
    Forbidden {
        /// The import.
        import: String,
        /// Why not, and what to use instead.
        why: &'static str,
    },
    /// It wants to serve requests.
    #[error("exports {export}: a connector serves no requests; leave the interface out of its world")]
    Serves {
        /// The export.
        export: String,
    },
    /// An import nobody knows.
    #[error("imports {import}, which is neither part of the connector world nor of WASI 0.2; remove the dependency")]
    UnknownImport {
        /// The import.
        import: String,
    },
    /// Not a connector.
    #[error(
        "exports no `syncline:connector/connector`: a component, but not a connector (it exports: {exports}); export \
         the world `syncline:connector/connector-world`"
    )]
    NoContract {
        /// What it exports instead.
        exports: String,
    },
    /// Built for a contract this host does not know yet.
    #[error("built for contract {declared}, this host speaks {supported}; upgrade the host or build with an older SDK")]
    NewerContract {
        /// What the component was built for.
        declared: Version,
        /// The newest this host speaks.
        supported: Version,
    },
    /// Built for a contract this host no longer knows.
    #[error("built for contract {declared}, this host speaks {supported}; build the connector with a newer SDK")]
    OlderContract {
        /// What the component was built for.
        declared: Version,
        /// The oldest this host speaks.
        supported: Version,
    },
    /// The contract's version cannot be read.
    #[error(
        "names {name}, but everything of the contract must carry one and the same version; build it with the WIT of one \
         release"
    )]
    UnversionedContract {
        /// The name found.
        name: String,
    },
    /// The compiler refuses it.
    #[error("does not compile: {detail}")]
    Compile {
        /// What the compiler says.
        detail: String,
    },
    /// Its imports or exports have another shape than the world's.
    #[error("does not fit the contract it declares: {detail}; build it with the unchanged WIT of that version")]
    Link {
        /// What does not fit.
        detail: String,
    },
    /// `describe` failed.
    #[error("`describe` gave no manifest: {0}")]
    Describe(CallError),
    /// The manifest breaks rules.
    #[error("the manifest breaks the contract: {}", problems.join("; "))]
    Manifest {
        /// Every rule it breaks.
        problems: Vec<String>,
    },
    /// The bytes kept under a digest have another one.
    #[error(
        "the bytes kept for {expected} have digest {found}: the file was changed; remove it and put the connector back"
    )]
    Corrupt {
        /// The digest it is kept by.
        expected: Digest,
        /// The digest it has.
        found: Digest,
    },
}

impl LoadError {
    /// Whether the host was the reason and the same file may be accepted later.
    #[must_use]
    pub const fn is_hosts_fault(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Keep { .. })
    }
}

/// Why no connector runs for a name or digest.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Nobody has that name.
    #[error("no connector is called {name:?}{}", hint(nearest.as_deref()))]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The name is known, the version is not.
    #[error("connector {name} has no version {version}; there is {}", known.join(", "))]
    UnknownVersion {
        /// The connector.
        name: String,
        /// The version asked for.
        version: Version,
        /// The versions there are.
        known: Vec<String>,
    },
    /// No bytes of that digest were ever accepted.
    #[error("no connector of digest {digest} is kept here; put its .wasm into the plugins folder")]
    UnknownDigest {
        /// The digest asked for.
        digest: Digest,
    },
    /// The digest belongs to another connector.
    #[error("digest {digest} is connector {found}, not {name}")]
    WrongName {
        /// The digest asked for.
        digest: Digest,
        /// The name asked for.
        name: String,
        /// The connector it is.
        found: String,
    },
    /// It is kept, but does not load.
    #[error("connector {digest} is kept but does not load")]
    Load {
        /// Its digest.
        digest: Digest,
        /// Why.
        source: LoadError,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map_or_else(|| "; is its .wasm in the plugins folder?".to_owned(), |name| format!("; did you mean {name:?}?"))
}
