//! What a fetch returns.

use serde_json::value::RawValue;

use crate::Attribute;

/// Whether a record still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It exists.
    Present,
    /// It was deleted.
    Deleted,
    /// It was merged into the record with this id.
    MergedInto(String),
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// The provider's id: unique in the object, 1 to 512 bytes.
    pub id: String,
    /// The provider's own version or stamp of this state.
    pub version: Option<String>,
    /// When the provider last changed it: RFC 3339, UTC.
    pub updated_at: Option<String>,
    /// Whether it still exists.
    pub state: State,
    /// The provider's JSON object; may be empty unless present.
    pub data: String,
}

impl Interaction {
    /// A record that exists, with the provider's JSON as it came.
    pub fn present(id: impl Into<String>, data: impl Data) -> Self {
        Self::new(id, State::Present).data(data)
    }

    /// The tombstone of a deleted record.
    pub fn deleted(id: impl Into<String>) -> Self {
        Self::new(id, State::Deleted)
    }

    /// The tombstone of a record that was merged into another.
    pub fn merged(id: impl Into<String>, into: impl Into<String>) -> Self {
        Self::new(id, State::MergedInto(into.into()))
    }

    fn new(id: impl Into<String>, state: State) -> Self {
        Self { id: id.into(), version: None, updated_at: None, state, data: String::new() }
    }

    /// Sets the provider's version or stamp.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets when the provider last changed it (RFC 3339, UTC).
    #[must_use]
    pub fn updated_at(mut self, at: impl Into<String>) -> Self {
        self.updated_at = Some(at.into());
        self
    }

    /// Sets the provider's JSON.
    #[must_use]
    pub fn data(mut self, data: impl Data) -> Self {
        self.data = data.into_text();
        self
    }
}

/// JSON text that a record can carry, at the price of at most one copy.
pub trait Data {
    /// The text.
    fn into_text(self) -> String;
}

impl Data for String {
    fn into_text(self) -> String {
        self
    }
}

impl Data for &str {
    fn into_text(self) -> String {
        self.to_owned()
    }
}

impl Data for &RawValue {
    fn into_text(self) -> String {
        self.get().to_owned()
    }
}

impl Data for Box<RawValue> {
    fn into_text(self) -> String {
        Box::<str>::from(self).into_string()
    }
}

/// A part of the result: at most 1,000 records and 8 MiB, and where the next call continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records; where an id occurs twice, the last one counts.
    pub interactions: Vec<Interaction>,
    /// Where the next call continues: 1 byte to 16 KiB.
    pub cursor: String,
    /// Call again at once.
    pub more: bool,
    /// Ask again after these seconds.
    pub wait: Option<u64>,
    /// Facts for the host.
    pub attributes: Vec<Attribute>,
}

impl Page {
    /// There is more: call again at once with this cursor.
    pub fn more(interactions: Vec<Interaction>, cursor: impl Into<String>) -> Self {
        Self { interactions, cursor: cursor.into(), more: true, wait: None, attributes: Vec::new() }
    }

    /// The run is complete; the next one starts at this cursor.
    pub fn done(interactions: Vec<Interaction>, cursor: impl Into<String>) -> Self {
        Self { more: false, ..Self::more(interactions, cursor) }
    }

    /// Nothing yet: ask again after these seconds.
    pub fn wait(cursor: impl Into<String>, seconds: u64) -> Self {
        Self { wait: Some(seconds), ..Self::more(Vec::new(), cursor) }
    }

    /// Says that this page ends a complete reading of the object.
    #[must_use]
    pub fn pass_complete(mut self) -> Self {
        self.attributes.push(("pass-complete".to_owned(), "true".to_owned()));
        self
    }
}
