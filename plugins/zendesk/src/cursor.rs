//! The position in an object, and everything the next call needs to go on. All times are seconds of Zendesk's clock.

use serde::{Deserialize, Serialize};
use syncline_sdk::cursor::Versioned;

/// Where an export by cursor stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Export {
    /// Where the export begins if there is no token.
    pub(crate) start: u64,
    /// Zendesk's token. It is kept for ever: asking with it later gives what changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// The newest second seen; enough to go on from without the token.
    #[serde(default)]
    pub(crate) last: u64,
    /// How often Zendesk has refused the token. Tells the cursors of one attempt from those of the next.
    #[serde(default)]
    pub(crate) restarts: u32,
}

impl Versioned for Export {
    const VERSION: u32 = 1;
}

/// Where an export by time stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub(crate) enum Since {
    /// Reading on from a second.
    Time(Time),
    /// Reading the list, because a second holds more rows than a page.
    List(Crowd),
    /// Reading the comments of tickets, for the same reason.
    Tickets(Tickets),
}

impl Versioned for Since {
    const VERSION: u32 = 1;
}

/// The next second to read from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Time {
    /// The second, whose rows come again.
    pub(crate) start: u64,
    /// Fingerprints of its rows that were emitted already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) seen: Vec<u64>,
}

/// A second that holds more rows than a page, and the list of all rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Crowd {
    /// The second.
    pub(crate) second: u64,
    /// The list's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// As in [`Export`].
    #[serde(default)]
    pub(crate) restarts: u32,
}

/// A second that holds more events than a page, and the tickets that changed since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tickets {
    /// The second.
    pub(crate) second: u64,
    /// Token of the tickets' export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// The export has shown all tickets.
    #[serde(default)]
    pub(crate) ended: bool,
    /// Tickets whose comments are still to be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) queue: Vec<u64>,
    /// Token of the comments of the last ticket in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comments_after: Option<String>,
    /// As in [`Export`].
    #[serde(default)]
    pub(crate) restarts: u32,
}

/// Where the reading of a list stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    /// Zendesk's token for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

impl Versioned for List {
    const VERSION: u32 = 1;
}
