//! The positions, and everything the next call needs to go on. All times are seconds of Intercom's clock.

use serde::{Deserialize, Serialize};
use syncline_sdk::cursor::{self, Versioned};
use syncline_sdk::{Error, Page};

/// Where the reading of a searched object stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Searched {
    /// Every run reads everything; a cursor of the other way of reading is of no use.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) whole: bool,
    #[serde(flatten)]
    pub(crate) phase: Phase,
    /// How often Intercom has forgotten the place. Tells the cursors of one attempt from those of the next.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) restarts: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Paging through the list of all records.
    List(List),
    /// Reading what changed since; between runs, waiting for the next one.
    Window(Window),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    /// When it began, less what settles: everything that changed since is met again by search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) t0: Option<u64>,
    /// Intercom's place of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Where it begins.
    pub(crate) since: u64,
    /// Where it ends; set by the first page and then frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hi: Option<u64>,
    /// Intercom's place of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// Everything older has been read: where the window begins again should Intercom forget the place.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) at: u64,
}

/// Where the scroll over the companies stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scroll {
    /// Intercom's token; it stays the same while the scroll moves on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) param: Option<String>,
    /// Companies there were when the scroll began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) expected: u64,
    /// Companies read since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) seen: u64,
    /// By how many the scan before this one fell short of what it expected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) gap: u64,
    /// Scans begun anew in this run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) restarts: u64,
    /// Waits in a row for a scroll that is not ours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) waits: u64,
}

/// Where the reading of the notes stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Intercom's place of the next page of contacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// Every page of contacts has been read.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) listed: bool,
    /// Contacts whose notes are still to be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) contacts: Vec<String>,
    /// Pages read of the first one's notes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) pages: u64,
    /// As in [`Searched`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) restarts: u64,
}

/// Where in the one answer of a list the next page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// The last id that was emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

impl Versioned for Searched {
    const VERSION: u32 = 1;
}

impl Versioned for Scroll {
    const VERSION: u32 = 1;
}

impl Versioned for Notes {
    const VERSION: u32 = 1;
}

impl Versioned for Listed {
    const VERSION: u32 = 1;
}

/// The position a cursor stands for; without one, where everything begins.
pub(crate) fn position<T: Versioned + Default>(at: Option<&str>) -> Result<T, Error> {
    at.map_or_else(|| Ok(T::default()), cursor::decode)
}

/// Adds where to go on to an error that says the position is lost.
pub(crate) fn resume<T: Versioned>(error: Error, position: impl FnOnce() -> T) -> Error {
    match error {
        Error::CursorExpired(None) => Error::CursorExpired(Some(cursor::encode(&position()))),
        other => other,
    }
}

/// A page that is not the last of its run. The host takes many empty ones in a row for a stall, and so an empty one
/// asks for a moment instead.
pub(crate) fn more<T: Versioned>(records: Vec<syncline_sdk::Interaction>, next: &T) -> Page {
    let next = cursor::encode(next);
    if records.is_empty() { Page::wait(next, 1) } else { Page::more(records, next) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
