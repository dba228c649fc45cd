//! The position in an object, and everything the next call needs to go on.

use serde::{Deserialize, Serialize};
use syncline_sdk::cursor::Versioned;

/// Where a CRM object's reading stands. All times are milliseconds of HubSpot's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub(crate) enum Cursor {
    /// Paging through the list of all records.
    Full(Full),
    /// Reading what changed in a window of time; between runs, waiting for the next one.
    Incr(Window),
    /// Walking the archived list.
    Archived(Walk),
}

/// The full read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Full {
    /// When it began: everything that changed since is met again by search.
    pub(crate) t0: Option<u64>,
    /// HubSpot's token for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) list_after: Option<String>,
    /// How often HubSpot has forgotten the token. Tells the cursors of one attempt from those of the next.
    #[serde(default)]
    pub(crate) restarts: u32,
}

/// A search window: modified in `lo..hi`, read in order of id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Where it begins.
    pub(crate) lo: u64,
    /// Where it ends; set by the first page and then frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hi: Option<u64>,
    /// The last id read; 0 before the first.
    pub(crate) last_id: u64,
    /// When the last walk of the archived list began.
    pub(crate) walked: u64,
}

/// A walk of the archived list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Walk {
    /// Where the next search window begins.
    pub(crate) lo: u64,
    /// When the walk before this one began.
    pub(crate) walked: u64,
    /// When this walk began.
    pub(crate) started: u64,
    /// HubSpot's token for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) archived_after: Option<String>,
    /// As in [`Full`].
    #[serde(default)]
    pub(crate) restarts: u32,
}

impl Versioned for Cursor {
    const VERSION: u32 = 1;
}

impl Window {
    /// A window that waits for its first page.
    pub(crate) fn opening(lo: u64, walked: u64) -> Self {
        Self { lo, hi: None, last_id: 0, walked }
    }
}

/// Where the reading of the owners stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnersCursor {
    /// The second pass.
    pub(crate) archived: bool,
    /// HubSpot's token for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

impl Versioned for OwnersCursor {
    const VERSION: u32 = 1;
}
