//! Where the next fetch continues. Everything a fresh instance needs is here, the field list included.

use serde::{Deserialize, Serialize};
use syncline_sdk::cursor::{Versioned, encode};

use crate::fields::FieldList;

/// A position in the reading of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub(crate) enum Cursor {
    /// The first sync begins anew, after that many bulk jobs came to nothing.
    Start {
        /// Jobs that came to nothing so far.
        attempts: u32,
    },
    /// A bulk job prepares or serves every row.
    Export(Export),
    /// Rows are read by (stamp, id).
    Pass(Pass),
}

impl Versioned for Cursor {
    const VERSION: u32 = 1;
}

impl Cursor {
    pub(crate) fn text(&self) -> String {
        encode(self)
    }
}

/// What a query selects, and since when that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// The fields, in the order of the SELECT.
    pub(crate) fields: FieldList,
    /// When they were described, in milliseconds by Salesforce's clock.
    pub(crate) described_ms: u64,
}

/// A bulk job under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Export {
    #[serde(flatten)]
    pub(crate) selection: Selection,
    /// Its id.
    pub(crate) job: String,
    /// The second at which the pass after it starts: the job's creation by Salesforce's clock, less the overlap.
    pub(crate) since: u64,
    /// Whether its result can be read.
    pub(crate) ready: bool,
    /// Place in the result; none for its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locator: Option<String>,
    /// Rows to ask for at once.
    pub(crate) rows: u32,
    /// Times that it was asked for its state.
    pub(crate) polls: u32,
    /// Jobs before it that came to nothing.
    pub(crate) attempts: u32,
}

/// A reading of rows by (stamp, id) up to a moment that is fixed when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pass {
    #[serde(flatten)]
    pub(crate) selection: Selection,
    /// Second of the position.
    pub(crate) from: u64,
    /// Last id read of that second; empty before the first row of that second.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) last_id: String,
    /// The last second that belongs to the pass; none before its first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hi: Option<u64>,
    /// Rows to ask for at once, where fewer than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u32>,
    /// Seconds to ask for at once, where not everything up to `hi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<u64>,
    /// Whether the end of this pass ends the first sync.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) initial: bool,
    /// A bulk job that has served its last row and is to be deleted. Not before the host has this cursor: until then
    /// the last set may be asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) served_job: Option<String>,
}

impl Pass {
    /// Everything from that second on, its own rows included.
    pub(crate) fn from(selection: Selection, from: u64) -> Self {
        Self {
            selection,
            from,
            last_id: String::new(),
            hi: None,
            limit: None,
            window: None,
            initial: false,
            served_job: None,
        }
    }

    /// The first reading of all rows, or of what changed during an export.
    pub(crate) fn initial(selection: Selection, from: u64) -> Self {
        Self { initial: true, ..Self::from(selection, from) }
    }

    /// Whether no page of it has been read yet.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.hi.is_none() && self.last_id.is_empty() && self.window.is_none()
    }

    /// The second up to which to ask, if there is a bound yet.
    pub(crate) fn upper(&self) -> Option<u64> {
        let window_end = self.window.map(|seconds| self.from.saturating_add(seconds));
        match (self.hi, window_end) {
            (Some(hi), Some(end)) => Some(hi.min(end)),
            (hi, end) => hi.or(end),
        }
    }

    /// The same position with less asked for at once; none if that is not possible.
    pub(crate) fn shrunk(&self, usual_limit: u32, now: u64) -> Option<Self> {
        let limit = self.limit.unwrap_or(usual_limit);
        let seconds = self.upper().unwrap_or(now).saturating_sub(self.from);
        if limit <= 1 && seconds <= 1 {
            return None;
        }
        // An eighth: a first pass starts at fifty years, and every attempt that fails costs Salesforce two minutes.
        let window = Some((seconds / 8).max(1));
        Some(Self { limit: Some((limit / 2).max(1)), window, ..self.clone() })
    }

    /// Asks for a little more next time, after a page that went well: an eighth, so that a limit which is too much is
    /// met once in several pages, and one that was lowered by an outage recovers.
    pub(crate) fn grow(&mut self, usual_limit: u32) {
        let grown = self.limit.map(|limit| limit.saturating_add(limit / 8 + 1));
        self.limit = grown.filter(|limit| *limit < usual_limit);
    }
}

#[cfg(test)]
mod tests {
    use syncline_sdk::Error;
    use syncline_sdk::cursor::decode;

    use super::*;

    fn selection() -> Selection {
        let fields = FieldList::try_from("Id,SystemModstamp:t".to_owned()).unwrap();
        Selection { fields, described_ms: 5 }
    }

    #[test]
    fn a_cursor_at_rest_is_short_and_survives() {
        let cursor = Cursor::Pass(Pass::from(selection(), 100));
        let text = cursor.text();
        assert_eq!(text, r#"{"v":1,"phase":"pass","fields":"Id,SystemModstamp:t","described_ms":5,"from":100}"#);
        assert_eq!(decode::<Cursor>(&text), Ok(cursor));
    }

    #[test]
    fn a_cursor_of_another_layout_is_expired_not_guessed_at() {
        let newer = r#"{"v":2,"phase":"start","attempts":0}"#;
        assert_eq!(decode::<Cursor>(newer), Err(Error::CursorExpired(None)));
    }

    #[test]
    fn shrinking_always_changes_the_cursor_and_ends() {
        let mut pass = Pass::from(selection(), 0);
        let mut steps = 0;
        while let Some(smaller) = pass.shrunk(1_000, 1_772_360_430) {
            assert_ne!(smaller, pass);
            pass = smaller;
            steps += 1;
        }
        assert_eq!((pass.limit, pass.window), (Some(1), Some(1)));
        assert!(steps < 20);
    }

    #[test]
    fn a_lowered_limit_recovers_page_by_page() {
        let mut pass = Pass { limit: Some(1), ..Pass::from(selection(), 0) };
        let mut limits = Vec::new();
        while let Some(limit) = pass.limit {
            limits.push(limit);
            pass.grow(1_000);
        }
        assert!(limits.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(limits.len() < 60, "{} pages", limits.len());
    }

    #[test]
    fn a_window_never_reaches_past_the_end_of_the_pass() {
        let pass = Pass { hi: Some(130), window: Some(60), ..Pass::from(selection(), 100) };
        assert_eq!(pass.upper(), Some(130));
        assert_eq!(Pass { window: Some(10), ..pass }.upper(), Some(110));
    }
}
