//! What is refused at load, with the reason an operator reads.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::super::{Connector, Engine, EngineOptions, LoadError, inspect};
use super::{engine, guests};

async fn load(bytes: Vec<u8>) -> Result<(), LoadError> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    Connector::load(ENGINE.get_or_init(engine), bytes.into()).await.map(|_| ())
}

/// The component with a text in it replaced by one of the same length.
fn patched(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let at: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).map(|(i, _)| i).collect();
    assert!(!at.is_empty(), "{from} does not occur");
    for start in at {
        bytes[start..start + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[tokio::test]
async fn a_component_that_asks_for_what_it_cannot_have_is_refused_by_name() {
    let good = std::fs::read(guests::hostile("")).unwrap();
    let found = inspect(&good).unwrap();
    println!("imports of a Rust connector: {:#?}", found.imports);
    assert_eq!(found.contract.to_string(), "0.1.0");

    let newer = load(patched(&good, "connector@0.1.0", "connector@0.2.0")).await.unwrap_err();
    assert_eq!(
        newer.to_string(),
        "built for contract 0.2.0, this host speaks 0.1.0; upgrade the host or build with an older SDK"
    );
    let older = load(patched(&good, "connector@0.1.0", "connector@0.0.4")).await.unwrap_err();
    assert!(matches!(older, LoadError::OlderContract { .. }), "{older}");
    let renamed = load(patched(&good, "syncline:connector/", "sinkline:connector/")).await.unwrap_err();
    assert!(matches!(renamed, LoadError::NoContract { .. }), "{renamed}");
    let wasi = found.imports.iter().find(|name| name.starts_with("wasi:io/poll@0.2")).unwrap();
    let wasi_03 = load(patched(&good, wasi, &wasi.replace("@0.2", "@0.3"))).await.unwrap_err();
    assert!(matches!(wasi_03, LoadError::Wasi03 { .. }), "{wasi_03}");
    let unknown = load(patched(&good, "wasi:io/poll@", "acme:io/poll@")).await.unwrap_err();
    assert!(matches!(unknown, LoadError::UnknownImport { .. }), "{unknown}");
    let lying = load(patched(&good, "idempotent", "imdepotent")).await.unwrap_err();
    assert!(matches!(lying, LoadError::Link { .. }), "{lying}");
}

#[tokio::test]
async fn a_component_cut_anywhere_is_refused_and_never_crashes_the_host() {
    let good = std::fs::read(guests::hostile("")).unwrap();
    for part in 0..40 {
        let cut = good.len() * part / 40;
        let error = load(good[..cut].to_vec()).await.unwrap_err();
        let told = matches!(error, LoadError::Truncated { .. } | LoadError::NoContract { .. });
        assert!(told, "cut at {cut}: {error}");
    }
    let mut flipped = good.clone();
    for at in (8..good.len()).step_by(good.len() / 20) {
        flipped[at] ^= 0x55;
        // Whatever it is now, it is refused or it is still a connector; the host goes on.
        let _ = load(flipped.clone()).await;
        flipped[at] ^= 0x55;
    }
}

#[tokio::test]
async fn a_sin_in_describe_is_refused_at_load() {
    let load = async |feature| Connector::load_file(&engine(), &guests::hostile(feature)).await.unwrap_err();
    let spins = load("describe-spins").await;
    assert!(spins.to_string().contains("guest-cpu: used its 2000 ms"), "{spins}");
    let sends = load("describe-sends").await;
    assert!(sends.to_string().contains("`describe` is static"), "{sends}");
    let fetches = load("describe-fetches").await;
    assert!(fetches.to_string().contains("ErrorCode::HttpRequestDenied"), "{fetches}");
    let sockets = load("opens-sockets").await;
    assert!(matches!(sockets, LoadError::Forbidden { .. }), "{sockets}");
    assert!(sockets.to_string().starts_with("imports wasi:sockets/"), "{sockets}");
    let lies = load("describe-lies").await;
    let LoadError::Manifest { problems } = lies else { panic!("{lies}") };
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[tokio::test]
async fn a_file_too_large_to_compile_is_not_even_read() {
    let small = Engine::new(EngineOptions { max_component_bytes: 1_000, ..EngineOptions::default() }).unwrap();
    let error = Connector::load_file(&small, &guests::hostile("")).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { limit: 1_000, .. }), "{error}");
}

#[test]
fn a_pool_for_a_thousand_calls_reserves_space_but_holds_no_memory() {
    let rss = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0) * 4
    };
    let before = rss();
    let engine = Engine::new(EngineOptions { max_concurrent_calls: 1_000, ..EngineOptions::default() }).unwrap();
    let grown = rss().saturating_sub(before);
    println!("pool for 1,000 calls: pooled {}, {grown} KiB resident", engine.is_pooled());
    assert!(engine.is_pooled());
    // Other tests of this process run meanwhile, with 64 MiB guests among them.
    assert!(grown < 256 << 10, "{grown} KiB");
}

#[tokio::test]
async fn where_no_pool_fits_calls_run_without_one() {
    let engine = Engine::new(EngineOptions { max_concurrent_calls: 1_000_000, ..EngineOptions::default() }).unwrap();
    assert!(!engine.is_pooled());
    let connector = Connector::load_file(&engine, &guests::hostile("")).await.unwrap();
    let (cx, _) = super::context(engine.limits());
    assert!(connector.fetch(&cx, "ok", None).await.0.is_ok());
}

#[tokio::test]
async fn compiled_code_is_kept_between_starts() {
    let dir = tempfile::tempdir().unwrap();
    let start = || Engine::new(EngineOptions { cache_dir: Some(dir.path().join("cache")), ..EngineOptions::default() });
    let file = guests::hostile("");
    let mut took = Vec::new();
    for _ in 0..2 {
        let engine = start().unwrap();
        let began = Instant::now();
        Connector::load_file(&engine, &file).await.unwrap();
        took.push(began.elapsed());
    }
    println!("load: {:?} compiled, {:?} from the cache", took[0], took[1]);
    assert!(took[1] < took[0] / 2, "{took:?}");
}
