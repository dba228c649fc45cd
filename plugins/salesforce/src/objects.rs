//! The objects the connector knows by name.

/// An sObject to read.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// API name: `Account`, `Invoice__c`.
    pub(crate) name: String,
    /// Syncline's name for the kind.
    pub(crate) interaction_type: &'static str,
    /// Fields that are selected first when an object has more than fit into a query.
    pub(crate) preferred: &'static [&'static str],
}

type Row = (&'static str, &'static str, &'static [&'static str]);

/// Offered to every integration: API name, interaction type, preferred fields.
pub(crate) const STANDARD: &[Row] = &[
    (
        "Account",
        "account",
        &["Name", "Website", "Industry", "OwnerId", "ParentId", "Type", "NumberOfEmployees", "AnnualRevenue"],
    ),
    ("Contact", "contact", &["FirstName", "LastName", "Name", "Email", "Phone", "Title", "AccountId", "OwnerId"]),
    (
        "Opportunity",
        "opportunity",
        &["Name", "AccountId", "StageName", "Amount", "CloseDate", "IsWon", "IsClosed", "OwnerId"],
    ),
    (
        "Task",
        "task",
        &[
            "Subject",
            "Status",
            "Priority",
            "ActivityDate",
            "WhoId",
            "WhatId",
            "AccountId",
            "OwnerId",
            "IsClosed",
            "IsArchived",
        ],
    ),
    ("Note", "note", &["Title", "Body", "ParentId", "OwnerId"]),
    ("User", "user", &["Username", "Email", "Name", "IsActive"]),
];

/// Known when an operator lists them among the custom objects.
const KNOWN: &[Row] = &[
    (
        "Case",
        "ticket",
        &["CaseNumber", "Subject", "Status", "Priority", "AccountId", "ContactId", "OwnerId", "ClosedDate"],
    ),
    ("EmailMessage", "conversation", &["ParentId", "Subject", "FromAddress", "ToAddress", "TextBody", "MessageDate"]),
    ("CaseComment", "conversation", &["ParentId", "CommentBody"]),
];

impl Object {
    pub(crate) fn named(name: &str) -> Self {
        let known = STANDARD.iter().chain(KNOWN).find(|(known, ..)| *known == name);
        let (interaction_type, preferred) = known.map_or(("custom", [].as_slice()), |(_, kind, fields)| (kind, fields));
        Self { name: name.to_owned(), interaction_type, preferred }
    }
}

pub(crate) fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|(standard, ..)| *standard == name)
}

/// Whether this may stand in a query or a path as it is: a letter, then letters, digits and underscores.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 80
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
