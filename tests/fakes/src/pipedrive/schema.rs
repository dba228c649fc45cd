//! Pipedrive's objects. Data only.

use crate::schema::{Field, Key, Kind, Object, field};

const OWNER: Field = field("owner_id", Kind::Ref("users"));
const VISIBLE: Field = field("visible_to", Kind::Count(8));
const CUSTOM: Field = field("custom_fields", Kind::Pick(&["gold", "silver", "bronze"]));

/// What the account holds.
pub(crate) const OBJECTS: &[Object] = &[
    Object {
        name: "deals",
        key: Key::From(8),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[
            field("title", Kind::Company),
            field("person_id", Kind::Ref("persons")),
            field("org_id", Kind::Ref("organizations")),
            field("pipeline_id", Kind::Ref("pipelines")),
            field("stage_id", Kind::Ref("stages")),
            field("value", Kind::Money),
            field("currency", Kind::Pick(&["EUR", "USD", "SEK"])),
            field("status", Kind::Pick(&["open", "won", "lost"])),
            // An update may archive a deal, or bring it back.
            field("is_archived", Kind::Flag),
            field("probability", Kind::Nothing),
            field("expected_close_date", Kind::Date),
            field("lost_reason", Kind::Text(40)),
            OWNER,
            VISIBLE,
            CUSTOM,
        ],
    },
    Object {
        name: "organizations",
        key: Key::From(40),
        modified: "update_time",
        merges: true,
        people: false,
        fields: &[field("name", Kind::Company), field("website", Kind::Domain), OWNER, VISIBLE, CUSTOM],
    },
    Object {
        name: "persons",
        key: Key::From(95),
        modified: "update_time",
        merges: true,
        people: false,
        fields: &[
            field("name", Kind::FullName),
            field("first_name", Kind::FirstName),
            field("last_name", Kind::LastName),
            field("email", Kind::Email),
            field("phone", Kind::Phone),
            field("org_id", Kind::Ref("organizations")),
            OWNER,
            VISIBLE,
            CUSTOM,
        ],
    },
    Object {
        name: "activities",
        key: Key::From(300),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[
            field("subject", Kind::Text(30)),
            field("type", Kind::Pick(&["call", "meeting", "task", "email"])),
            field("done", Kind::Flag),
            field("due_date", Kind::Date),
            field("deal_id", Kind::Ref("deals")),
            field("note", Kind::Text(160)),
            OWNER,
        ],
    },
    Object {
        name: "products",
        key: Key::From(1),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::Company),
            field("unit", Kind::Pick(&["piece", "hour"])),
            field("tax", Kind::Count(25)),
            OWNER,
            CUSTOM,
        ],
    },
    Object {
        name: "notes",
        key: Key::From(500),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[
            field("content", Kind::Text(200)),
            field("deal_id", Kind::Ref("deals")),
            field("user_id", Kind::Ref("users")),
            field("pinned_to_deal_flag", Kind::Flag),
        ],
    },
    Object {
        name: "leads",
        key: Key::From(700),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[
            field("title", Kind::Company),
            field("person_id", Kind::Ref("persons")),
            field("organization_id", Kind::Ref("organizations")),
            field("is_archived", Kind::Flag),
            OWNER,
        ],
    },
    Object {
        name: "pipelines",
        key: Key::From(1),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[field("name", Kind::Company), field("order_nr", Kind::Count(20))],
    },
    Object {
        name: "stages",
        key: Key::From(1),
        modified: "update_time",
        merges: false,
        people: false,
        fields: &[
            field("name", Kind::Company),
            field("pipeline_id", Kind::Ref("pipelines")),
            field("order_nr", Kind::Count(20)),
        ],
    },
    Object {
        name: "users",
        key: Key::From(7),
        modified: "modified",
        merges: false,
        people: true,
        fields: &[
            field("name", Kind::FullName),
            field("email", Kind::Email),
            field("lang", Kind::Count(30)),
            field("is_admin", Kind::Flag),
        ],
    },
];
