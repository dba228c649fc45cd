//! Which objects and fields the fake providers have. Data only: no records and no behaviour.

use serde::{Deserialize, Serialize};

/// One of the two providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// HubSpot CRM v3.
    HubSpot,
    /// Salesforce REST and Bulk 2.0.
    Salesforce,
}

impl Provider {
    /// Both, in a fixed order.
    pub const ALL: [Self; 2] = [Self::HubSpot, Self::Salesforce];

    /// The objects that the provider has.
    pub fn objects(self) -> &'static [Object] {
        match self {
            Self::HubSpot => HUBSPOT,
            Self::Salesforce => SALESFORCE,
        }
    }
}

/// What a field holds. The value itself is made in `content` from the record's id and revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A given name; never changes.
    FirstName,
    /// A family name; never changes.
    LastName,
    /// Both names; never changes.
    FullName,
    /// A company name; never changes.
    Company,
    /// A web domain; never changes.
    Domain,
    /// An e-mail address, unique in the object; never changes.
    Email,
    /// A phone number, sometimes null.
    Phone,
    /// One of a list.
    Pick(&'static [&'static str]),
    /// An amount with two decimals, sometimes null.
    Money,
    /// A whole number below this.
    Count(u64),
    /// Prose of about this many bytes; now and then with quotes, commas, line breaks and emoji.
    Text(usize),
    /// A calendar day.
    Date,
    /// A point in time.
    Moment,
    /// The id of a record of another object that existed from the start.
    Ref(&'static str),
    /// A boolean.
    Flag,
    /// Always null.
    Nothing,
}

/// A field and what it holds.
#[derive(Debug)]
pub struct Field {
    /// The provider's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// An object (a table) of a provider.
#[derive(Debug)]
pub struct Object {
    /// The provider's name: `contacts`, `Contact`.
    pub name: &'static str,
    /// Salesforce: the three letters every id starts with. HubSpot: the first id.
    pub key: Key,
    /// HubSpot: the property that holds the last modification. Empty for owners.
    pub modified: &'static str,
    /// Records can be merged.
    pub merges: bool,
    /// Owners and users: few, never deleted, and outside the ordinary endpoints at HubSpot.
    pub people: bool,
    /// Everything but the system fields.
    pub fields: &'static [Field],
}

/// How ids of an object look.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// Whole numbers from this one on, with gaps.
    From(u64),
    /// 18 characters with this prefix.
    Prefix(&'static str),
}

/// Finds an object by its exact name; the names of the two providers never meet.
pub fn find(name: &str) -> Option<(Provider, &'static Object)> {
    Provider::ALL.into_iter().find_map(|provider| {
        provider.objects().iter().find(|object| object.name == name).map(|object| (provider, object))
    })
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

const INDUSTRIES: Kind = Kind::Pick(&["COMPUTER_SOFTWARE", "BANKING", "FARMING", "RETAIL", "EDUCATION"]);
const STAGES: Kind = Kind::Pick(&["subscriber", "lead", "opportunity", "customer"]);
const PRIORITY: Kind = Kind::Pick(&["LOW", "MEDIUM", "HIGH"]);
const OWNER: Field = field("hubspot_owner_id", Kind::Ref("owners"));
const SF_OWNER: Field = field("OwnerId", Kind::Ref("User"));

const HUBSPOT: &[Object] = &[
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

const SALESFORCE: &[Object] = &[
    Object {
        name: "Account",
        key: Key::Prefix("001"),
        modified: "",
        merges: true,
        people: false,
        fields: &[
            field("Name", Kind::Company),
            field("Website", Kind::Domain),
            field("Industry", Kind::Pick(&["Technology", "Banking", "Agriculture", "Retail", "Education"])),
            field("ParentId", Kind::Nothing),
            field("Type", Kind::Pick(&["Prospect", "Customer - Direct", "Partner"])),
            field("NumberOfEmployees", Kind::Count(9000)),
            field("AnnualRevenue", Kind::Money),
            field("Description", Kind::Text(160)),
            SF_OWNER,
        ],
    },
    Object {
        name: "Contact",
        key: Key::Prefix("003"),
        modified: "",
        merges: true,
        people: false,
        fields: &[
            field("FirstName", Kind::FirstName),
            field("LastName", Kind::LastName),
            field("Email", Kind::Email),
            field("Phone", Kind::Phone),
            field("Title", Kind::Pick(&["Buyer", "Engineer", "CFO", "Head of Sales"])),
            field("AccountId", Kind::Ref("Account")),
            field("Description", Kind::Text(200)),
            SF_OWNER,
        ],
    },
    Object {
        name: "Opportunity",
        key: Key::Prefix("006"),
        modified: "",
        merges: false,
        people: false,
        fields: &[
            field("Name", Kind::Company),
            field("AccountId", Kind::Ref("Account")),
            field("StageName", Kind::Pick(&["Prospecting", "Negotiation/Review", "Closed Won", "Closed Lost"])),
            field("Amount", Kind::Money),
            field("CloseDate", Kind::Date),
            field("IsWon", Kind::Flag),
            field("IsClosed", Kind::Flag),
            SF_OWNER,
        ],
    },
    Object {
        name: "Task",
        key: Key::Prefix("00T"),
        modified: "",
        merges: false,
        people: false,
        fields: &[
            field("Subject", Kind::Text(40)),
            field("Description", Kind::Text(120)),
            field("Status", Kind::Pick(&["Not Started", "In Progress", "Completed", "Deferred"])),
            field("Priority", Kind::Pick(&["High", "Normal", "Low"])),
            field("ActivityDate", Kind::Date),
            field("WhoId", Kind::Ref("Contact")),
            field("WhatId", Kind::Ref("Account")),
            field("AccountId", Kind::Ref("Account")),
            field("IsClosed", Kind::Flag),
            field("IsArchived", Kind::Flag),
            SF_OWNER,
        ],
    },
    Object {
        name: "Note",
        key: Key::Prefix("002"),
        modified: "",
        merges: false,
        people: false,
        fields: &[
            field("Title", Kind::Text(40)),
            field("Body", Kind::Text(400)),
            field("ParentId", Kind::Ref("Account")),
            SF_OWNER,
        ],
    },
    Object {
        name: "Invoice__c",
        key: Key::Prefix("a00"),
        modified: "",
        merges: false,
        people: false,
        fields: &[
            field("Name", Kind::Text(20)),
            field("Account__c", Kind::Ref("Account")),
            field("Amount__c", Kind::Money),
            field("Status__c", Kind::Pick(&["Draft", "Sent", "Paid"])),
            field("Due__c", Kind::Date),
            SF_OWNER,
        ],
    },
    Object {
        name: "User",
        key: Key::Prefix("005"),
        modified: "",
        merges: false,
        people: true,
        fields: &[
            field("Username", Kind::Email),
            field("Email", Kind::Email),
            field("Name", Kind::FullName),
            field("Title", Kind::Pick(&["Account Executive", "Manager", "Analyst"])),
        ],
    },
];
