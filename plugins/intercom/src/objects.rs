//! What can be read.

use syncline_sdk::{DeleteMode, ObjectType};

use crate::config::Config;

const DAY: u64 = 86_400;

const SCHEMA: &str = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"created_at":{"type":["integer","null"]},"updated_at":{"type":["integer","null"]}}}"#;

/// An object, by the way it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// By search, sorted by stamp.
    Searched(Kind),
    /// By the scroll.
    Companies,
    /// Contact by contact.
    Notes,
    /// In one answer, at this path.
    Listed(&'static str),
}

/// An object that can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Contacts,
    Conversations,
    Tickets,
}

impl Kind {
    /// Intercom's name, as in the URL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Conversations => "conversations",
            Self::Tickets => "tickets",
        }
    }
}

/// Name, interaction type and way of reading of everything there is.
const OBJECTS: [(&str, &str, Object); 7] = [
    ("contacts", "contact", Object::Searched(Kind::Contacts)),
    ("companies", "account", Object::Companies),
    ("conversations", "conversation", Object::Searched(Kind::Conversations)),
    ("tickets", "ticket", Object::Searched(Kind::Tickets)),
    ("notes", "note", Object::Notes),
    ("admins", "user", Object::Listed("/admins")),
    ("teams", "custom", Object::Listed("/teams")),
];

/// The object of that name.
pub(crate) fn find(name: &str) -> Option<Object> {
    OBJECTS.iter().find(|(known, ..)| *known == name).map(|(.., object)| *object)
}

/// Everything that can be read, with this configuration.
pub(crate) fn discover(config: &Config) -> Vec<ObjectType> {
    OBJECTS.iter().map(|(name, interaction_type, object)| describe(config, name, interaction_type, *object)).collect()
}

fn describe(config: &Config, name: &str, interaction_type: &str, object: Object) -> ObjectType {
    let full = || ObjectType::full(name, interaction_type).deletes(DeleteMode::ByAbsence);
    let object = match object {
        Object::Searched(_) if config.whole(name) => full().default_interval(DAY),
        // Intercom has no feed of deletes and merges: what is gone is in no answer.
        Object::Searched(_) => ObjectType::incremental(name, interaction_type).deletes(DeleteMode::None),
        // One request for every contact that has notes.
        Object::Notes => full().default_interval(DAY),
        Object::Companies | Object::Listed(_) => full(),
    };
    object.schema(SCHEMA)
}
