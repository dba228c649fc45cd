//! The broken connector: built once, with any of its sins written into it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use bytes::Bytes;

/// What is looked for in the component: see `sin.rs` of the guest.
const MARK: &[u8] = b"BROKEN=";

/// Bytes of the marker.
const MARK_BYTES: usize = 40;

/// The connector with the sin of this name; the one without any if that is empty.
pub(super) fn broken(sin: &str) -> Bytes {
    let mut bytes = built().to_vec();
    let places: Vec<usize> =
        bytes.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK).map(|(at, _)| at).collect();
    let [place] = places[..] else { panic!("the marker is there {} times", places.len()) };
    let name = &mut bytes[place + MARK.len()..place + MARK_BYTES];
    assert!(name.iter().all(|byte| *byte == b'.') && name.len() > sin.len(), "no room for {sin:?}");
    name[..sin.len()].copy_from_slice(sin.as_bytes());
    bytes.into()
}

/// In a target folder of its own: cargo holds a lock on the one that the tests run from.
fn built() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = root.join("target/guests/plain");
        let built = Command::new(env!("CARGO"))
            .current_dir(root)
            .args(["build", "--quiet", "-p", "broken", "--target", "wasm32-wasip2", "--profile", "connector"])
            .arg("--target-dir")
            .arg(&target)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTFLAGS")
            .status()
            .unwrap();
        assert!(built.success(), "the broken connector does not build");
        std::fs::read(target.join("wasm32-wasip2/connector/broken.wasm")).unwrap()
    })
}
