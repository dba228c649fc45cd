//! Records as Freshdesk spells them. Ids are numbers, times are whole seconds.

use serde_json::{Map, Value, json};

use crate::{
    content::{self, mix, numeric_id},
    dataset::{Record, State, Table},
    schema::Kind,
};

/// A time.
pub(super) fn stamp(ms: i64) -> String {
    content::hubspot_time(ms - ms.rem_euclid(1000))
}

/// Whether a record is in the bin.
pub(super) fn is_deleted(record: &Record) -> bool {
    matches!(record.state, State::Deleted { .. })
}

/// Whether a ticket is spam: one in twelve, and another one after a change.
pub(super) fn is_spam(table: &Table, record: &Record) -> bool {
    mix(&[table.seed, u64::from(record.seq), u64::from(record.revision), 12]).is_multiple_of(12)
}

/// A record with everything that a list can say of it.
pub(super) fn all(table: &Table, record: &Record) -> Map<String, Value> {
    let fields = table.object.fields.iter();
    let mut row: Map<String, Value> = fields
        .map(|field| (field.name.to_owned(), typed(field.name, field.kind, table.value(field, record))))
        .collect();
    let id = numeric_id(table.object, record.seq);
    match table.object.name {
        "tickets" => {
            row.insert("spam".to_owned(), json!(is_spam(table, record)));
            row.insert("tags".to_owned(), json!(["renewal"]));
            // Beyond what a double can hold.
            row.insert("custom_fields".to_owned(), json!({ "cf_order": 9_007_199_254_740_993_u64 + id, "cf_x": null }));
        }
        "companies" => {
            row.insert("domains".to_owned(), json!([format!("firm-{}.test", record.seq)]));
            row.insert("custom_fields".to_owned(), json!({}));
        }
        "agents" => {
            let of = |row: &mut Map<String, Value>, name| row.remove(name).unwrap_or_default();
            let (name, email) = (of(&mut row, "name"), of(&mut row, "email"));
            row.insert("ticket_scope".to_owned(), json!(1));
            row.insert("contact".to_owned(), json!({ "active": true, "name": name, "email": email }));
        }
        _ => {
            row.insert("tags".to_owned(), json!([]));
            row.insert("custom_fields".to_owned(), json!({}));
        }
    }
    if is_deleted(record) {
        row.insert("deleted".to_owned(), json!(true));
    }
    row.insert("id".to_owned(), json!(id));
    row.insert("created_at".to_owned(), json!(stamp(record.created_ms)));
    row.insert("updated_at".to_owned(), json!(stamp(record.stamp_ms)));
    row
}

/// A ticket as a list shows it to those who ask for these parts.
pub(super) fn ticket(table: &Table, record: &Record, include: &[&str]) -> Map<String, Value> {
    let mut row = all(table, record);
    if include.contains(&"description") {
        let html = format!("<div>{}</div>", row.get("description_text").and_then(Value::as_str).unwrap_or_default());
        row.insert("description".to_owned(), json!(html));
    } else {
        row.remove("description_text");
    }
    if include.contains(&"stats") {
        row.insert("stats".to_owned(), json!({ "resolved_at": null, "first_responded_at": null }));
    }
    for (part, key) in [("requester", "requester_id"), ("company", "company_id")] {
        if include.contains(&part) {
            row.insert(part.to_owned(), json!({ "id": row.get(key) }));
        }
    }
    row
}

fn typed(name: &str, kind: Kind, value: Value) -> Value {
    match (kind, name) {
        (Kind::Ref(_), _) => value.as_str().and_then(|id| id.parse::<u64>().ok()).map_or(Value::Null, Value::from),
        // 2 is open, 5 is closed; 1 is low, 4 is urgent.
        (Kind::Count(_), "status") => json!(value.as_u64().unwrap_or(0) + 2),
        (Kind::Count(_), _) => json!(value.as_u64().unwrap_or(0) + 1),
        _ => value,
    }
}
