//! What can be read.

use syncline_sdk::{DeleteMode, ObjectType};

use crate::record::{self, Reader};

/// An object.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its name, here and at Zendesk.
    pub(crate) name: &'static str,
    interaction_type: &'static str,
    /// Where it is read, below `/api/v2/`.
    pub(crate) path: &'static str,
    /// The property of an answer that holds the rows.
    pub(crate) key: &'static str,
    /// Turns a row into records.
    pub(crate) read: Reader,
    /// How it is read.
    pub(crate) how: How,
    deletes: DeleteMode,
    schema: &'static str,
}

/// How an object is read.
#[derive(Debug)]
pub(crate) enum How {
    /// By cursor, for ever from where the last read ended.
    Export,
    /// By time, with a way out of a second that holds too many rows.
    Since(WayOut),
    /// As a whole.
    List,
}

/// Where the rows are found that an export by time cannot show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WayOut {
    /// In the list of the object.
    List,
    /// In the tickets that changed since.
    Tickets,
}

const OBJECTS: [Object; 6] = [
    Object {
        name: "tickets",
        interaction_type: "ticket",
        path: "incremental/tickets/cursor.json",
        key: "tickets",
        read: record::ticket,
        how: How::Export,
        deletes: DeleteMode::Tombstones,
        schema: r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"subject":{"type":["string","null"]},"status":{"type":["string","null"]},"generated_timestamp":{"type":["integer","null"]}}}"#,
    },
    Object {
        name: "users",
        interaction_type: "user",
        path: "incremental/users/cursor.json",
        key: "users",
        read: record::user,
        how: How::Export,
        deletes: DeleteMode::Tombstones,
        schema: r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"name":{"type":["string","null"]},"email":{"type":["string","null"]},"role":{"type":["string","null"]}}}"#,
    },
    Object {
        name: "organizations",
        interaction_type: "account",
        path: "incremental/organizations.json",
        key: "organizations",
        read: record::organization,
        how: How::Since(WayOut::List),
        deletes: DeleteMode::Tombstones,
        schema: r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"name":{"type":["string","null"]}}}"#,
    },
    Object {
        name: "ticket_comments",
        interaction_type: "conversation",
        path: "incremental/ticket_events.json",
        key: "ticket_events",
        read: record::event,
        how: How::Since(WayOut::Tickets),
        deletes: DeleteMode::None,
        schema: r#"{"type":"object","required":["id","ticket_id"],"properties":{"id":{"type":"integer"},"ticket_id":{"type":"integer"},"public":{"type":["boolean","null"]}}}"#,
    },
    Object {
        name: "groups",
        interaction_type: "custom",
        path: "groups.json",
        key: "groups",
        read: record::listed,
        how: How::List,
        deletes: DeleteMode::ByAbsence,
        schema: PLAIN,
    },
    Object {
        name: "satisfaction_ratings",
        interaction_type: "custom",
        path: "satisfaction_ratings.json",
        key: "satisfaction_ratings",
        read: record::listed,
        how: How::List,
        deletes: DeleteMode::ByAbsence,
        schema: PLAIN,
    },
];

const PLAIN: &str = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}"#;

/// The object of that name.
pub(crate) fn find(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name == name)
}

/// Everything that can be read.
pub(crate) fn discover() -> Vec<ObjectType> {
    let offered = OBJECTS.iter().map(|object| {
        let offer = match object.how {
            How::Export | How::Since(_) => ObjectType::incremental(object.name, object.interaction_type),
            How::List => ObjectType::full(object.name, object.interaction_type),
        };
        offer.schema(object.schema).deletes(object.deletes)
    });
    offered.collect()
}
