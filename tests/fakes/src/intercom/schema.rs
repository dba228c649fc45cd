//! Intercom's objects. Data only.

use crate::schema::{Field, Key, Kind, Object, field};

const ADMIN: Field = field("admin_assignee_id", Kind::Ref("admins"));
const TEAM: Field = field("team_assignee_id", Kind::Ref("teams"));
const OPEN: Field = field("open", Kind::Flag);

/// What the workspace holds.
pub(crate) const OBJECTS: &[Object] = &[
    Object {
        name: "contacts",
        key: Key::Prefix("676"),
        modified: "updated_at",
        merges: true,
        people: false,
        fields: &[
            field("email", Kind::Email),
            field("name", Kind::FullName),
            field("phone", Kind::Phone),
            field("role", Kind::Pick(&["user", "lead"])),
            field("owner_id", Kind::Ref("admins")),
            field("unsubscribed_from_emails", Kind::Flag),
        ],
    },
    Object {
        name: "companies",
        key: Key::Prefix("5f4"),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::Company),
            field("website", Kind::Domain),
            field("industry", Kind::Pick(&["Technology", "Banking", "Agriculture"])),
            field("monthly_spend", Kind::Money),
            field("session_count", Kind::Count(9_000)),
            field("user_count", Kind::Count(400)),
        ],
    },
    Object {
        name: "conversations",
        key: Key::From(515),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("title", Kind::Nothing),
            field("body", Kind::Text(200)),
            field("state", Kind::Pick(&["open", "closed", "snoozed"])),
            field("contact_id", Kind::Ref("contacts")),
            OPEN,
            ADMIN,
            TEAM,
        ],
    },
    Object {
        name: "tickets",
        key: Key::From(97),
        modified: "updated_at",
        merges: false,
        people: false,
        fields: &[
            field("ticket_id", Kind::Count(9_000)),
            field("category", Kind::Pick(&["Customer", "Back-office", "Tracker"])),
            field("_default_title_", Kind::Text(30)),
            field("_default_description_", Kind::Text(160)),
            field("contact_id", Kind::Ref("contacts")),
            OPEN,
            ADMIN,
            TEAM,
        ],
    },
    Object {
        name: "notes",
        key: Key::From(29),
        modified: "",
        merges: false,
        people: false,
        fields: &[
            field("body", Kind::Text(120)),
            field("contact_id", Kind::Ref("contacts")),
            field("author_id", Kind::Ref("admins")),
        ],
    },
    Object {
        name: "admins",
        key: Key::From(991_267_685),
        modified: "",
        merges: false,
        people: true,
        fields: &[
            field("name", Kind::FullName),
            field("email", Kind::Email),
            field("job_title", Kind::Pick(&["Support", "Sales", "Success"])),
            field("away_mode_enabled", Kind::Flag),
        ],
    },
    Object {
        name: "teams",
        key: Key::From(814_865),
        modified: "",
        merges: false,
        people: true,
        fields: &[field("name", Kind::Company), field("distribution_method", Kind::Pick(&["manual", "round_robin"]))],
    },
];
