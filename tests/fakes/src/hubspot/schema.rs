//! HubSpot's objects. Data only.

use crate::schema::{Field, Key, Kind, Object, field};

const INDUSTRIES: Kind = Kind::Pick(&["COMPUTER_SOFTWARE", "BANKING", "FARMING", "RETAIL", "EDUCATION"]);
const STAGES: Kind = Kind::Pick(&["subscriber", "lead", "opportunity", "customer"]);
const PRIORITY: Kind = Kind::Pick(&["LOW", "MEDIUM", "HIGH"]);
const OWNER: Field = field("hubspot_owner_id", Kind::Ref("owners"));

/// What the account holds.
pub(crate) const OBJECTS: &[Object] = &[
    Object {
        name: "companies",
        key: Key::From(907),
        modified: "hs_lastmodifieddate",
        merges: true,
        people: false,
        fields: &[
            field("name", Kind::Company),
            field("domain", Kind::Domain),
            field("industry", INDUSTRIES),
            field("lifecyclestage", STAGES),
            field("numberofemployees", Kind::Count(9000)),
            field("annualrevenue", Kind::Money),
            field("description", Kind::Text(160)),
            OWNER,
        ],
    },
    Object {
        name: "contacts",
        key: Key::From(95),
        modified: "lastmodifieddate",
        merges: true,
        people: false,
        fields: &[
            field("email", Kind::Email),
            field("firstname", Kind::FirstName),
            field("lastname", Kind::LastName),
            field("phone", Kind::Phone),
            field("jobtitle", Kind::Pick(&["Buyer", "Engineer", "CFO", "Head of Sales", "Office Manager"])),
            field("associatedcompanyid", Kind::Ref("companies")),
            field("lifecyclestage", STAGES),
            field("message", Kind::Text(200)),
            OWNER,
        ],
    },
    Object {
        name: "deals",
        key: Key::From(990),
        modified: "hs_lastmodifieddate",
        merges: true,
        people: false,
        fields: &[
            field("dealname", Kind::Company),
            field("amount", Kind::Money),
            field(
                "dealstage",
                Kind::Pick(&["appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost"]),
            ),
            field("pipeline", Kind::Pick(&["default"])),
            field("closedate", Kind::Moment),
            field("hs_is_closed", Kind::Flag),
            OWNER,
        ],
    },
    Object {
        name: "tickets",
        key: Key::From(9_400),
        modified: "hs_lastmodifieddate",
        merges: true,
        people: false,
        fields: &[
            field("subject", Kind::Text(40)),
            field("content", Kind::Text(300)),
            field("hs_pipeline", Kind::Pick(&["0"])),
            field("hs_pipeline_stage", Kind::Pick(&["1", "2", "3", "4"])),
            field("hs_ticket_priority", PRIORITY),
            field("closed_date", Kind::Nothing),
            OWNER,
        ],
    },
    Object {
        name: "tasks",
        key: Key::From(88_000),
        modified: "hs_lastmodifieddate",
        merges: false,
        people: false,
        fields: &[
            field("hs_task_subject", Kind::Text(40)),
            field("hs_task_body", Kind::Text(120)),
            field("hs_task_status", Kind::Pick(&["NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"])),
            field("hs_task_priority", PRIORITY),
            field("hs_task_type", Kind::Pick(&["TODO", "CALL", "EMAIL"])),
            field("hs_timestamp", Kind::Moment),
            OWNER,
        ],
    },
    Object {
        name: "notes",
        key: Key::From(99_990),
        modified: "hs_lastmodifieddate",
        merges: false,
        people: false,
        fields: &[
            field("hs_note_body", Kind::Text(400)),
            field("hs_timestamp", Kind::Moment),
            field("hs_attachment_ids", Kind::Nothing),
            OWNER,
        ],
    },
    Object {
        name: "owners",
        key: Key::From(41_629_770),
        modified: "",
        merges: false,
        people: true,
        fields: &[
            field("email", Kind::Email),
            field("firstName", Kind::FirstName),
            field("lastName", Kind::LastName),
            field("type", Kind::Pick(&["PERSON"])),
            field("userId", Kind::Count(9_999_999)),
        ],
    },
];
