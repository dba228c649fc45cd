//! What a provider has to read.

use crate::Attribute;

/// How an object can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// The provider can tell what changed since a cursor.
    Incremental,
    /// Every pass reads everything.
    Full,
}

/// How the deletion of a record shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteMode {
    /// It does not show.
    None,
    /// As an interaction whose state is deleted or merged.
    Tombstones,
    /// The record is missing from a complete pass; for [`SyncMode::Full`] only.
    ByAbsence,
}

/// A kind of data that the provider has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectType {
    /// The provider's name: `Account`, `contacts`.
    pub name: String,
    /// Syncline's name: `account`, `contact`, `opportunity`, ..., or `custom`.
    pub interaction_type: String,
    /// JSON Schema (draft 2020-12) of a record's data.
    pub schema: String,
    /// Names of the properties that make the id.
    pub primary_key: Vec<String>,
    /// How it is read.
    pub mode: SyncMode,
    /// How deletes show.
    pub deletes: DeleteMode,
    /// Interval in seconds instead of the host's default.
    pub default_interval: Option<u64>,
    /// Reserved for later facts.
    pub attributes: Vec<Attribute>,
}

impl ObjectType {
    /// An object that can tell what changed; deletes do not show until said otherwise.
    pub fn incremental(name: impl Into<String>, interaction_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            interaction_type: interaction_type.into(),
            schema: r#"{"type":"object"}"#.to_owned(),
            primary_key: vec!["id".to_owned()],
            mode: SyncMode::Incremental,
            deletes: DeleteMode::None,
            default_interval: None,
            attributes: Vec::new(),
        }
    }

    /// An object that is read as a whole; what a complete pass lacks is deleted, until said otherwise.
    pub fn full(name: impl Into<String>, interaction_type: impl Into<String>) -> Self {
        Self { mode: SyncMode::Full, deletes: DeleteMode::ByAbsence, ..Self::incremental(name, interaction_type) }
    }

    /// Sets the JSON Schema of a record's data.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets the names of the properties that make the id; `id` otherwise.
    #[must_use]
    pub fn primary_key(mut self, names: &[&str]) -> Self {
        self.primary_key = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Sets how deletes show.
    #[must_use]
    pub fn deletes(mut self, deletes: DeleteMode) -> Self {
        self.deletes = deletes;
        self
    }

    /// Sets the interval, in seconds, to use where nobody configured one.
    #[must_use]
    pub fn default_interval(mut self, seconds: u64) -> Self {
        self.default_interval = Some(seconds);
        self
    }
}
