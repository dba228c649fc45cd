//! Zendesk's objects. Data only.
//!
//! Nothing is merged: a merged ticket stays, closed, and a merged user looks like a deleted one.

use crate::schema::{Key, Kind, Object, field};

/// What the account holds.
pub(crate) const OBJECTS: &[Object] = &[
    Object {
        name: "tickets",
        key: Key::From(91),
        modified: "generated_timestamp",
        merges: false,
        people: false,
        fields: &[
            field("subject", Kind::Text(40)),
            field("description", Kind::Text(200)),
            field("type", Kind::Pick(&["question", "incident", "problem", "task"])),
            field("priority", Kind::Pick(&["low", "normal", "high", "urgent"])),
            field("status", Kind::Pick(&["new", "open", "pending", "hold", "solved", "closed"])),
            field("requester_id", Kind::Ref("users")),
            field("assignee_id", Kind::Ref("users")),
            field("organization_id", Kind::Ref("organizations")),
            field("group_id", Kind::Ref("groups")),
        ],
    },
    Object {
        name: "users",
        key: Key::From(9_800),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::FullName),
            field("email", Kind::Email),
            field("phone", Kind::Phone),
            field("role", Kind::Pick(&["end-user", "end-user", "end-user", "agent", "admin"])),
            field("suspended", Kind::Flag),
            field("organization_id", Kind::Ref("organizations")),
            field("notes", Kind::Text(80)),
        ],
    },
    Object {
        name: "organizations",
        key: Key::From(970),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::Company),
            field("group_id", Kind::Ref("groups")),
            field("details", Kind::Text(120)),
            field("shared_tickets", Kind::Flag),
        ],
    },
    Object {
        name: "ticket_comments",
        key: Key::From(95_000),
        modified: "created_at",
        merges: false,
        people: false,
        fields: &[
            field("ticket_id", Kind::Ref("tickets")),
            field("author_id", Kind::Ref("users")),
            field("body", Kind::Text(160)),
            field("public", Kind::Flag),
        ],
    },
    Object {
        name: "groups",
        key: Key::From(7),
        modified: "updated_at",
        merges: false,
        people: true,
        fields: &[field("name", Kind::Company), field("description", Kind::Text(30))],
    },
    Object {
        name: "satisfaction_ratings",
        key: Key::From(880),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("score", Kind::Pick(&["offered", "good", "bad", "unoffered"])),
            field("comment", Kind::Text(60)),
            field("ticket_id", Kind::Ref("tickets")),
            field("requester_id", Kind::Ref("users")),
        ],
    },
];
