//! Freshdesk's objects. Data only.
//!
//! Nothing is merged: a merged ticket stays, closed, and a merged contact looks like a deleted one.

use crate::schema::{Key, Kind, Object, field};

/// What the account holds.
pub(crate) const OBJECTS: &[Object] = &[
    Object {
        name: "tickets",
        key: Key::From(91),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("subject", Kind::Text(40)),
            field("description_text", Kind::Text(200)),
            field("type", Kind::Pick(&["Question", "Incident", "Problem", "Feature Request"])),
            field("status", Kind::Count(4)),
            field("priority", Kind::Count(4)),
            field("source", Kind::Count(9)),
            field("requester_id", Kind::Ref("contacts")),
            field("responder_id", Kind::Ref("agents")),
            field("company_id", Kind::Ref("companies")),
            field("group_id", Kind::Nothing),
            field("due_by", Kind::Moment),
            field("is_escalated", Kind::Flag),
        ],
    },
    Object {
        name: "contacts",
        key: Key::From(9_800),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::FullName),
            field("email", Kind::Email),
            field("phone", Kind::Phone),
            field("mobile", Kind::Phone),
            field("company_id", Kind::Ref("companies")),
            field("active", Kind::Flag),
            field("description", Kind::Text(80)),
        ],
    },
    Object {
        name: "companies",
        key: Key::From(97),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::Company),
            field("description", Kind::Text(120)),
            field("note", Kind::Nothing),
            field("health_score", Kind::Pick(&["At risk", "Doing okay", "Happy"])),
            field("account_tier", Kind::Pick(&["Basic", "Premium", "Enterprise"])),
            field("industry", Kind::Pick(&["Banking", "Farming", "Retail", "Education"])),
        ],
    },
    Object {
        name: "agents",
        key: Key::From(770),
        modified: "updated_at",
        merges: false,
        people: true,
        fields: &[
            field("name", Kind::FullName),
            field("email", Kind::Email),
            field("available", Kind::Flag),
            field("type", Kind::Pick(&["support_agent"])),
        ],
    },
];
