//! Hosts are killed, held up and drained while the providers' data changes, and afterwards nothing may be missing, stale or
//! doubled. What the crash tests, `cargo xtask chaos` and `cargo xtask soak` stand on.

pub mod checker;
pub mod dice;
pub mod fetches;
pub mod history;
pub mod invariants;
pub mod places;
pub mod soak;
pub mod storm;

use anyhow::Result;

use crate::rig::Rig;
use crate::rig::host::Host;

/// Starts a host that writes down what it fetches, for [`fetches`]. However often its like is ended, no object is put in
/// quarantine: it is no fault of an object here.
///
/// # Errors
/// When the program does not start.
pub fn host(rig: &Rig, name: &str, roles: &str, more: &[(&str, String)]) -> Result<Host> {
    let mut environment = vec![
        ("SYNCLINE_HISTORY_FILE", fetches::file(rig).display().to_string()),
        ("SYNCLINE__RETRIEVE__MAX_ATTEMPTS", "100".to_owned()),
    ];
    environment.extend_from_slice(more);
    rig.host_with(name, roles, &environment)
}
