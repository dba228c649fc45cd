//! What a connector hands over: pages of interactions, and the cursor behind them.

use std::fmt;

use super::SyncMode;

/// Where the next fetch continues: opaque text, written by the connector, kept by the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a record still exists at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordState {
    /// It exists.
    Present,
    /// It was deleted.
    Deleted,
    /// It was merged into the record with this id.
    MergedInto(String),
}

/// One record of an integration object, as the connector returned it. `data` is JSON text that nobody has parsed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// The provider's id. Not yet validated.
    pub id: String,
    /// The provider's version or stamp of this state.
    pub version: Option<String>,
    /// When the provider last changed it, RFC 3339.
    pub updated_at: Option<String>,
    /// Whether it still exists.
    pub state: RecordState,
    /// The provider's JSON object; may be empty when the state is not present.
    pub data: String,
}

/// Bytes of an id at most.
pub const MAX_ID_BYTES: usize = 512;

/// Whether a record can be kept under this id.
///
/// # Errors
/// Why not, for people.
pub fn check_id(id: &str) -> Result<(), String> {
    match id {
        "" => Err("it has no id".to_owned()),
        id if id.len() > MAX_ID_BYTES => Err(format!("its id is longer than {MAX_ID_BYTES} bytes")),
        id if id.contains('\0') => Err("its id contains NUL".to_owned()),
        _ => Ok(()),
    }
}

impl Interaction {
    /// Bytes this record holds on to: what page and batch limits count.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.id.len() + self.data.len() + self.version.as_ref().map_or(0, String::len) + 64
    }
}

/// One page of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records, in the order the connector gave them.
    pub interactions: Vec<Interaction>,
    /// Where the next call continues.
    pub cursor: Cursor,
    /// Whether to call again at once.
    pub more: bool,
    /// Seconds to wait before the next call, on an empty page.
    pub wait_seconds: Option<u64>,
    /// Whether this page ends a complete reading of the object.
    pub pass_complete: bool,
}

impl Page {
    /// Whether the run ends with this page. Whoever asks to wait has more to read.
    #[must_use]
    pub const fn ends(&self) -> bool {
        !self.more && self.wait_seconds.is_none()
    }

    /// Whether everything has been read with this page, of an object that is read in this mode.
    #[must_use]
    pub fn completes(&self, mode: SyncMode) -> bool {
        self.pass_complete || (self.ends() && mode == SyncMode::Full)
    }
}
