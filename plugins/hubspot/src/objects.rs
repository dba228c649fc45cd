//! What can be read.

use syncline_sdk::{DeleteMode, ObjectType};

/// The name of the object that has its own endpoint and no search.
pub(crate) const OWNERS: &str = "owners";

/// An object of the CRM endpoints.
#[derive(Debug)]
pub(crate) struct CrmObject {
    /// HubSpot's name, as in the URL.
    pub(crate) name: &'static str,
    interaction_type: &'static str,
    /// The property that search windows filter by. Contacts have it without the prefix.
    pub(crate) modified: &'static str,
    /// What is read without being asked for; the properties in `NEEDED` come on top.
    properties: &'static [&'static str],
}

const MODIFIED: &str = "hs_lastmodifieddate";

/// Names the losers of merges, separated by semicolons.
const MERGED: &str = "hs_merged_object_ids";

/// The same for contacts, in the older spelling.
const MERGED_VIDS: &str = "hs_calculated_merged_vids";

const OBJECTS: [CrmObject; 6] = [
    CrmObject {
        name: "companies",
        interaction_type: "account",
        modified: MODIFIED,
        properties: &["name", "domain", "industry", "hubspot_owner_id", "lifecyclestage", "createdate", MERGED],
    },
    CrmObject {
        name: "contacts",
        interaction_type: "contact",
        modified: "lastmodifieddate",
        properties: &[
            "email",
            "firstname",
            "lastname",
            "phone",
            "jobtitle",
            "lifecyclestage",
            "hubspot_owner_id",
            "associatedcompanyid",
            "createdate",
            MERGED,
            MERGED_VIDS,
        ],
    },
    CrmObject {
        name: "deals",
        interaction_type: "opportunity",
        modified: MODIFIED,
        properties: &[
            "dealname",
            "amount",
            "dealstage",
            "pipeline",
            "closedate",
            "hs_is_closed",
            "hubspot_owner_id",
            "createdate",
            MERGED,
        ],
    },
    CrmObject {
        name: "tickets",
        interaction_type: "ticket",
        modified: MODIFIED,
        properties: &[
            "subject",
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_priority",
            "closed_date",
            "hubspot_owner_id",
            "createdate",
            MERGED,
        ],
    },
    CrmObject {
        name: "tasks",
        interaction_type: "task",
        modified: MODIFIED,
        properties: &[
            "hs_task_subject",
            "hs_task_body",
            "hs_task_status",
            "hs_task_priority",
            "hs_task_type",
            "hs_timestamp",
            "hubspot_owner_id",
            "hs_createdate",
        ],
    },
    CrmObject {
        name: "notes",
        interaction_type: "note",
        modified: MODIFIED,
        properties: &["hs_note_body", "hs_timestamp", "hs_attachment_ids", "hubspot_owner_id", "hs_createdate"],
    },
];

const CRM_SCHEMA: &str = r#"{"type":"object","required":["id","properties"],"properties":{"id":{"type":"string"},"properties":{"type":"object"},"createdAt":{"type":"string"},"updatedAt":{"type":"string"},"archived":{"type":"boolean"}}}"#;

const OWNER_SCHEMA: &str = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"email":{"type":["string","null"]},"firstName":{"type":["string","null"]},"lastName":{"type":["string","null"]},"archived":{"type":"boolean"}}}"#;

/// The CRM object of that name.
pub(crate) fn find(name: &str) -> Option<&'static CrmObject> {
    OBJECTS.iter().find(|object| object.name == name)
}

/// Everything that can be read.
pub(crate) fn discover() -> Vec<ObjectType> {
    let crm = OBJECTS.iter().map(|object| {
        ObjectType::incremental(object.name, object.interaction_type).schema(CRM_SCHEMA).deletes(DeleteMode::Tombstones)
    });
    // By absence: an owner who is gone altogether is in neither pass. Archived ones come as tombstones besides, because
    // records still name them.
    let owners = ObjectType::full(OWNERS, "user").schema(OWNER_SCHEMA).deletes(DeleteMode::ByAbsence);
    crm.chain([owners]).collect()
}

impl CrmObject {
    /// Those of its properties that name the losers of merges.
    pub(crate) fn merges(&self) -> impl Iterator<Item = &'static str> {
        self.properties.iter().copied().filter(|name| [MERGED, MERGED_VIDS].contains(name))
    }

    /// The properties to read: ours, then what the configuration adds, each once.
    pub(crate) fn properties<'a>(&self, extra: &'a [String]) -> Vec<&'a str> {
        let mut names: Vec<&'a str> = vec![self.modified];
        names.extend(self.properties);
        for name in extra {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}
