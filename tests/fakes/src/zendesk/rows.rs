//! Records as Zendesk spells them. Ids are numbers.

use serde_json::{Map, Value, json};

use crate::{
    content::{self, numeric_id},
    dataset::{Record, State, Table},
    schema::Kind,
};

/// A time: whole seconds.
pub(super) fn stamp(ms: i64) -> String {
    content::hubspot_time(ms - ms.rem_euclid(1000))
}

/// The second that an export has a record at.
pub(super) fn second(record: &Record) -> i64 {
    record.stamp_ms / 1000
}

/// The number of the ticket that a comment belongs to.
pub(super) fn ticket_of(table: &Table, record: &Record) -> Option<u32> {
    let tickets = table.provider.object("tickets")?;
    let field = table.object.fields.iter().find(|field| field.name == "ticket_id")?;
    content::seq(tickets, table.value(field, record).as_str()?)
}

/// A record with everything that its endpoints say of it; for a comment, its ticket besides.
pub(super) fn all(table: &Table, record: &Record) -> Map<String, Value> {
    let gone = matches!(record.state, State::Deleted { .. });
    let id = numeric_id(table.object, record.seq);
    let mut row: Map<String, Value> = table
        .object
        .fields
        .iter()
        .map(|field| (field.name.to_owned(), typed(field.kind, table.value(field, record))))
        .collect();
    let mut set = |name: &str, value: Value| row.insert(name.to_owned(), value);
    set("id", json!(id));
    match table.object.name {
        "ticket_comments" => {
            set("type", json!("Comment"));
            set("created_at", json!(stamp(record.stamp_ms)));
            return row;
        }
        "tickets" => {
            // What the system does to a ticket is exported, but leaves this stamp alone.
            set("updated_at", json!(stamp(record.modified_ms)));
            set("generated_timestamp", json!(second(record)));
            set("via", json!({ "channel": "email", "source": { "from": {}, "to": {}, "rel": null } }));
            set("tags", json!(["renewal"]));
            set("custom_fields", json!([]));
            set("satisfaction_rating", json!({ "score": "unoffered" }));
            if gone {
                set("status", json!("deleted"));
            }
        }
        "users" => {
            set("active", json!(!gone));
            set("permanently_deleted", json!(false));
        }
        "organizations" => {
            set("deleted_at", if gone { json!(stamp(record.stamp_ms)) } else { Value::Null });
            set("domain_names", json!([]));
            set("organization_fields", json!({ "tier": "gold" }));
        }
        "groups" => {
            set("deleted", json!(gone));
        }
        _ => {}
    }
    set("url", json!(format!("https://fake.zendesk.com/api/v2/{}/{id}.json", table.object.name)));
    set("created_at", json!(stamp(record.created_ms)));
    if !row.contains_key("updated_at") {
        row.insert("updated_at".to_owned(), json!(stamp(record.stamp_ms)));
    }
    row
}

/// A comment as it is told: it does not say itself what ticket it belongs to.
pub(super) fn comment(table: &Table, record: &Record) -> Map<String, Value> {
    let mut row = all(table, record);
    row.remove("ticket_id");
    row
}

/// The event that a comment came with. The comment itself is told only to those who ask for it.
pub(super) fn event(table: &Table, record: &Record, comments: bool) -> Value {
    let id = numeric_id(table.object, record.seq);
    let mut children = vec![json!({ "id": id + 1, "event_type": "Change", "status": "open", "previous_value": "new" })];
    if comments {
        let mut child = comment(table, record);
        child.insert("event_type".to_owned(), json!("Comment"));
        children.push(Value::Object(child));
    }
    json!({
        "id": id + 2, "ticket_id": all(table, record).get("ticket_id"), "timestamp": second(record),
        "created_at": stamp(record.stamp_ms), "event_type": "Audit", "child_events": children,
    })
}

/// A value of the data set as Zendesk types it.
fn typed(kind: Kind, value: Value) -> Value {
    let number = |text: &str| text.parse::<u64>().map_or(Value::Null, |id| json!(id));
    match (kind, &value) {
        (Kind::Ref(_), Value::String(text)) => number(text),
        _ => value,
    }
}
