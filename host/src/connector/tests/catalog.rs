//! The catalog over a folder that changes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use semver::Version;

use super::super::{CallLimits, Catalog, LoadError, Pin, ResolveError};
use super::{context, engine, guests};
use crate::domain::Digest;

fn open(dir: &Path) -> Catalog {
    fs::create_dir_all(dir.join("plugins")).unwrap();
    Catalog::open(engine(), &dir.join("plugins"), &dir.join("store")).unwrap()
}

#[tokio::test]
async fn a_replaced_connector_stays_runnable_where_it_is_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plugins/hostile.wasm");
    let catalog = open(dir.path());
    fs::copy(guests::hostile(""), &file).unwrap();
    let report = catalog.scan().await.unwrap();
    assert_eq!((report.added.len(), report.unchanged), (1, 0));
    assert_eq!(catalog.scan().await.unwrap().unchanged, 1);
    let old = catalog.resolve("hostile", None).await.unwrap();

    fs::copy(guests::hostile("newer"), &file).unwrap();
    assert_eq!(catalog.scan().await.unwrap().added.len(), 1);
    let new = catalog.resolve("hostile", None).await.unwrap();
    assert_eq!(new.manifest.version, Version::new(0, 2, 0));
    assert_ne!(old.digest, new.digest);
    assert_eq!(catalog.list().len(), 1);

    // The one in use goes on, and the pinned one can still be had.
    let (cx, _) = context(CallLimits::default());
    assert!(old.fetch(&cx, "ok", None).await.0.is_ok());
    let (digest, pin) = (old.digest, Pin::Version(Version::new(0, 1, 0)));
    assert!(Arc::ptr_eq(&old, &catalog.resolve("hostile", Some(&pin)).await.unwrap()));

    // Also after a restart, when the file is long gone.
    drop((old, new, catalog));
    fs::remove_file(&file).unwrap();
    let catalog = open(dir.path());
    catalog.scan().await.unwrap();
    assert!(catalog.list().is_empty());
    for pin in [pin, Pin::Digest(digest)] {
        let again = catalog.resolve("hostile", Some(&pin)).await.unwrap();
        assert_eq!(again.digest, digest);
        assert!(again.fetch(&cx, "ok", None).await.0.is_ok());
    }
    let other = catalog.resolve("other", Some(&Pin::Digest(digest))).await.unwrap_err();
    assert!(matches!(other, ResolveError::WrongName { .. }), "{other}");
    let none = catalog.by_digest(&Digest::of(b"nothing")).await.unwrap_err();
    assert!(matches!(none, ResolveError::UnknownDigest { .. }), "{none}");
}

#[tokio::test]
async fn a_half_written_file_is_refused_once_and_taken_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plugins/hostile.wasm");
    let catalog = open(dir.path());
    let whole = fs::read(guests::hostile("")).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let report = catalog.scan().await.unwrap();
    assert!(matches!(*report.refused[0].1, LoadError::Truncated { .. }), "{:?}", report.refused);
    // Said once, remembered until it changes.
    assert!(catalog.scan().await.unwrap().refused.is_empty());
    assert_eq!(catalog.refused().len(), 1);
    fs::write(&file, &whole).unwrap();
    assert_eq!(catalog.scan().await.unwrap().added.len(), 1);
    assert!(catalog.refused().is_empty());
}

#[tokio::test]
async fn the_highest_version_runs_and_a_misspelt_name_gets_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    fs::copy(guests::hostile("newer"), dir.path().join("plugins/a.wasm")).unwrap();
    fs::copy(guests::hostile(""), dir.path().join("plugins/b.wasm")).unwrap();
    fs::copy(guests::hostile(""), dir.path().join("plugins/copy-of-b.wasm")).unwrap();
    fs::write(dir.path().join("plugins/notes.txt"), "not looked at").unwrap();
    let report = catalog.scan().await.unwrap();
    assert_eq!((report.added.len(), report.unchanged, catalog.list().len()), (2, 1, 2));
    assert_eq!(catalog.resolve("hostile", None).await.unwrap().manifest.version, Version::new(0, 2, 0));
    let misspelt = catalog.resolve("hostil", None).await.unwrap_err();
    assert_eq!(misspelt.to_string(), r#"no connector is called "hostil"; did you mean "hostile"?"#);
    let version = catalog.resolve("hostile", Some(&Pin::Version(Version::new(9, 0, 0)))).await.unwrap_err();
    assert_eq!(version.to_string(), "connector hostile has no version 9.0.0; there is 0.1.0, 0.2.0");
    fs::remove_file(dir.path().join("plugins/a.wasm")).unwrap();
    assert_eq!(catalog.scan().await.unwrap().removed.len(), 1);
    assert_eq!(catalog.resolve("hostile", None).await.unwrap().manifest.version, Version::new(0, 1, 0));
}

#[tokio::test]
async fn a_connector_that_could_not_be_kept_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    fs::copy(guests::hostile(""), dir.path().join("plugins/a.wasm")).unwrap();
    fs::remove_dir(dir.path().join("store")).unwrap();
    for _ in 0..2 {
        let report = catalog.scan().await.unwrap();
        assert!(matches!(*report.refused[0].1, LoadError::Keep { .. }), "{report:?}");
        assert!(catalog.list().is_empty());
    }
    fs::create_dir(dir.path().join("store")).unwrap();
    assert!(catalog.scan().await.unwrap().refused.is_empty());
    assert_eq!((catalog.list().len(), fs::read_dir(dir.path().join("store")).unwrap().count()), (1, 2));
}
