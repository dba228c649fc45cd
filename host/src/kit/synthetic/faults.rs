//! What goes wrong on purpose.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Trouble {
    /// This status, with the provider's own error body.
    Status {
        status: u16,
        /// Seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// No answer for this long, then a 504.
    Timeout { ms: u64 },
    /// 200 and no body.
    Empty,
    /// 200 and JSON that ends too early.
    Malformed,
    /// 200 and a maintenance page.
    Html,
}

/// A fault that waits for the requests it applies to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Fault {
    #[serde(flatten)]
    pub(super) trouble: Trouble,
    /// For how many requests.
    #[serde(default = "one")]
    times: u64,
    /// How many requests that fit pass before.
    #[serde(default)]
    skip: u64,
    /// Only paths that contain this text.
    #[serde(default)]
    path: Option<String>,
}

const fn one() -> u64 {
    1
}

/// What goes wrong with a request to this path, if anything.
pub(super) fn take(waiting: &mut VecDeque<Fault>, path: &str) -> Option<Trouble> {
    let at = waiting.iter_mut().position(|fault| {
        if fault.path.as_deref().is_some_and(|only| !path.contains(only)) {
            return false;
        }
        let hit = fault.skip == 0;
        fault.skip = fault.skip.saturating_sub(1);
        hit
    })?;
    let fault = waiting.get_mut(at)?;
    fault.times = fault.times.saturating_sub(1);
    let trouble = fault.trouble.clone();
    if fault.times == 0 {
        waiting.remove(at);
    }
    Some(trouble)
}

impl Trouble {
    /// How long the answer takes.
    pub(super) const fn delay(&self) -> Duration {
        match self {
            Self::Timeout { ms } => Duration::from_millis(*ms),
            Self::Status { .. } | Self::Empty | Self::Malformed | Self::Html => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_the_request_it_fits_and_ends_after_its_times() {
        let fault = r#"{"kind":"status","status":503,"times":2,"skip":1,"path":"people"}"#;
        let mut waiting = VecDeque::from([serde_json::from_str(fault).unwrap()]);
        let mut hit = |path| take(&mut waiting, path).is_some();
        assert!(!hit("/v1/deals"));
        assert!(!hit("/v1/people"), "skipped");
        assert!(hit("/v1/people") && hit("/v1/people"));
        assert!(!hit("/v1/people"));
    }
}
