//! Which promise is broken: the name of a check, which whoever loads the component has written over the dots.

use std::hint::black_box;

/// The marker in the component's data, of a fixed length. As it is built nothing is broken.
static MARK: [u8; 40] = *b"BROKEN=.................................";

/// Whether this is the promise to break.
pub(crate) fn sin(check: &str) -> bool {
    // Looked at when it runs: the compiler must not know what the marker says.
    let mark = black_box(&MARK);
    let name = mark.get("BROKEN=".len()..).unwrap_or_default();
    name.strip_prefix(check.as_bytes()).is_some_and(|rest| rest.iter().all(|byte| *byte == b'.'))
}
