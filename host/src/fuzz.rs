//! What must hold of every input from outside, whatever it is: bodies for `cargo xtask fuzz`, which the regular tests run
//! over the kept seeds and some thousand seeded changes of them. Not part of any build that is shipped.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a body says what it found by a panic"
)]

use std::collections::HashSet;

use secrecy::SecretString;

use crate::config::Config;
use crate::connector;
pub use crate::connector::fuzz::rows;
use crate::domain::{ObjectId, check_id};
pub use crate::egress::fuzz::{retry_after, url};
use crate::kit::cassette::{self, Cassette};
use crate::process::prepare::{self, Validator};
use crate::queue::Message;
use crate::secrets::{MASK, Redactor};
use crate::store::landing::{CommittedBatch, LandingObject};

/// A body.
pub type Body = fn(&[u8]);

/// All of them, by the names of the targets and of the folders of their seeds.
pub const BODIES: [(&str, Body); 9] = [
    ("message", message),
    ("configuration", configuration),
    ("records", records),
    ("url", url),
    ("retry_after", retry_after),
    ("cassette", cassette),
    ("redactor", redactor),
    ("inspection", inspection),
    ("rows", rows),
];

/// A message that is read is written back to what reads the same.
pub fn message(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(message) = Message::decode(text) {
        let again = Message::decode(&message.encode()).expect("what was written is read");
        assert_eq!(format!("{message:?}"), format!("{again:?}"));
    }
}

/// A configuration is read, or refused with something to say.
pub fn configuration(bytes: &[u8]) {
    let name = format!("syncline-fuzz-{}-{:?}.toml", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).expect("room for a file");
    let read = Config::load(Some(&path), std::iter::empty::<(String, String)>(), &[]);
    let _ = std::fs::remove_file(&path);
    if let Err(errors) = read {
        assert!(!errors.to_string().is_empty());
    }
}

/// A stored batch lands or is rejected, record by record; what lands has an id that can be stored, and each id once.
pub fn records(bytes: &[u8]) {
    let known = LandingObject { integration_id: 1, record_schema: String::new() };
    let stored = [CommittedBatch { id: 1, seq: 1, payload: Some(bytes.to_vec()), sweep_seq: None }];
    let strict = r#"{"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "maxLength": 3}}}"#;
    for validator in [Validator::AnyObject, prepare::validator(strict)] {
        let landing = prepare::landing(ObjectId(1), &known, &stored, &validator, 1.0);
        let mut ids = HashSet::new();
        for row in &landing.rows {
            assert_eq!(check_id(row.external_id), Ok(()));
            assert!(ids.insert(row.external_id), "{:?} lands twice", row.external_id);
        }
        assert!(landing.rejected.iter().all(|reject| !reject.reason.is_empty()));
    }
}

/// A cassette that is read is written back to what reads the same; so is one that a capture became.
pub fn cassette(bytes: &[u8]) {
    for read in [Cassette::parse(bytes), cassette::har::import(bytes)].into_iter().flatten() {
        let text = read.to_text();
        let again = Cassette::parse(text.as_bytes()).expect("what was written is read");
        assert_eq!(text, again.to_text());
    }
}

/// The first byte says how many that follow are the secret; no spelling of it is left in the rest.
pub fn redactor(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((secret, text)) = rest.split_at_checked(usize::from(*length)) else { return };
    let (Ok(secret), Ok(text)) = (str::from_utf8(secret), str::from_utf8(text)) else { return };
    let redactor = Redactor::new([&SecretString::from(secret)]);
    let clean = redactor.redact(text);
    assert_eq!(redactor.redact_bytes(text.as_bytes()).is_some(), clean != text || redactor.finds(text.as_bytes()));
    if secret.len() >= 4 {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for piece in clean.split(MASK) {
            assert!(!piece.contains(secret) && !piece.contains(&hex), "{secret:?} is left in {clean:?}");
        }
        for whole in [format!("{text}{hex}"), format!("{text}{secret}{text}"), format!("{secret:?}")] {
            assert!(redactor.redact(&whole).contains(MASK), "{secret:?} is not found in {whole:?}");
        }
    }
}

/// A file is a component for this host, or refused with a reason.
pub fn inspection(bytes: &[u8]) {
    match connector::inspect(bytes) {
        Ok(found) => assert!(!found.exports.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// Changes of each target; reading a configuration goes through a file.
    const CHANGES: u64 = 3_000;

    /// Bytes that mean something somewhere.
    const ODD: &[u8] = b"\0\xff\"\\{}[]0-9.%:/@#?\n ";

    fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
    }

    /// A few changes: bytes turned, cut, doubled, or taken from another seed.
    fn changed(seeds: &[(PathBuf, Vec<u8>)], dice: &mut StdRng) -> Vec<u8> {
        let mut bytes = seeds[dice.random_range(0..seeds.len())].1.clone();
        let other = &seeds[dice.random_range(0..seeds.len())].1;
        for _ in 0..dice.random_range(1..=4) {
            let at = dice.random_range(0..=bytes.len());
            let end = (at + dice.random_range(0..16)).min(bytes.len());
            match dice.random_range(0..6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << dice.random_range(0..8),
                1 => drop(bytes.drain(at..end)),
                2 => drop(bytes.splice(at..at, bytes[at..end].to_vec()).collect::<Vec<_>>()),
                3 if !other.is_empty() => {
                    let from = dice.random_range(0..other.len());
                    let piece = &other[from..(from + dice.random_range(1..32)).min(other.len())];
                    drop(bytes.splice(at..end, piece.iter().copied()).collect::<Vec<_>>());
                }
                4 => bytes.insert(at, ODD[dice.random_range(0..ODD.len())]),
                _ => bytes.truncate(at),
            }
        }
        bytes
    }

    #[test]
    fn every_body_holds_for_the_seeds_and_for_changes_of_them() {
        for (target, body) in BODIES {
            let seeds = seeds(target);
            assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
            let tried = |what: String, bytes: &[u8]| {
                let held = std::panic::catch_unwind(|| body(bytes));
                assert!(held.is_ok(), "{target}, {what}: {:?}", String::from_utf8_lossy(bytes));
            };
            for (file, bytes) in &seeds {
                tried(file.display().to_string(), bytes);
            }
            for seed in 0..CHANGES {
                tried(format!("change {seed}"), &changed(&seeds, &mut StdRng::seed_from_u64(seed)));
            }
        }
    }
}
