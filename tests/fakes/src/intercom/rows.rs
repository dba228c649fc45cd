//! Intercom's records as its answers show them.

use serde_json::{Map, Value, json};

use crate::{
    content::{id, mix, value},
    dataset::{Record, State, Table, World},
    schema::{Field, Kind, Object, Provider},
};

/// Items of a nested list that a record shows.
const SHOWN: usize = 10;

/// A record with its nested lists at full length.
pub fn whole(table: &Table, record: &Record) -> Map<String, Value> {
    row(table, record, usize::MAX)
}

/// The same as lists, searches and single reads show it: nested lists end at ten.
pub fn shown(table: &Table, record: &Record) -> Value {
    Value::Object(row(table, record, SHOWN))
}

fn row(table: &Table, record: &Record, items: usize) -> Map<String, Value> {
    let mut row: Map<String, Value> =
        table.object.fields.iter().map(|field| (field.name.to_owned(), table.value(field, record))).collect();
    let id = id(table.object, record.seq);
    let mut take = |name: &str| row.remove(name).unwrap_or_default();
    let more = match table.object.name {
        "contacts" => json!({
            "type": "contact",
            "workspace_id": "abc123",
            "custom_attributes": {},
            "tags": nested(table, record, "tags", items),
            "companies": nested(table, record, "companies", items),
        }),
        "companies" => json!({ "type": "company", "company_id": format!("c-{}", record.seq), "custom_attributes": {} }),
        "conversations" => json!({
            "type": "conversation",
            "source": { "type": "email", "delivered_as": "customer_initiated", "body": take("body") },
            "contacts": { "type": "contact.list", "contacts": [{ "type": "contact", "id": take("contact_id") }] },
            "tags": { "type": "tag.list", "tags": [] },
        }),
        "tickets" => json!({
            "type": "ticket",
            "ticket_attributes": {
                "_default_title_": take("_default_title_"),
                "_default_description_": take("_default_description_"),
            },
            "contacts": { "type": "contact.list", "contacts": [{ "type": "contact", "id": take("contact_id") }] },
        }),
        "notes" => json!({
            "type": "note",
            "contact": { "type": "contact", "id": take("contact_id") },
            "author": { "type": "admin", "id": take("author_id") },
        }),
        "admins" => json!({ "type": "admin" }),
        _ => json!({ "type": "team", "admin_ids": [] }),
    };
    if let Value::Object(more) = more {
        row.extend(more);
    }
    if !table.object.people {
        row.insert("created_at".to_owned(), json!(record.created_ms / 1_000));
    }
    if !table.object.modified.is_empty() {
        row.insert("updated_at".to_owned(), json!(record.stamp_ms / 1_000));
    }
    row.insert("id".to_owned(), json!(id));
    row
}

fn nested(table: &Table, record: &Record, name: &str, items: usize) -> Value {
    let all = attached(table, record, name);
    let url = format!("/contacts/{}/{name}", id(table.object, record.seq));
    let data: Vec<Value> = all.iter().take(items).map(short).collect();
    json!({ "type": "list", "total_count": all.len(), "has_more": all.len() > items, "url": url, "data": data })
}

/// Type, id and address of what is attached to a contact.
fn short(item: &(&str, String)) -> Value {
    let (name, id) = item;
    json!({ "type": singular(name), "id": id, "url": format!("/{name}/{id}") })
}

/// The type of the items of a list.
pub fn singular(name: &str) -> &'static str {
    if name == "tags" { "tag" } else { "company" }
}

/// What is attached to a contact: one contact in thirty has more than a record shows.
pub fn attached<'a>(table: &Table, record: &Record, name: &'a str) -> Vec<(&'a str, String)> {
    let hash = mix(&[table.seed, u64::from(record.seq), u64::from(record.revision), crate::content::number(name)]);
    let count = if hash.is_multiple_of(30) { 11 + (hash >> 8) % 70 } else { (hash >> 8) % 3 };
    let object = Provider::Intercom.object(name);
    let first = (hash >> 20) as u32 % 200;
    let item = |n: u64| {
        let seq = first + u32::try_from(n).unwrap_or(0);
        (name, object.map_or_else(|| (7_522_907 + seq).to_string(), |object| id(object, seq)))
    };
    (0..count).map(item).collect()
}

/// The living contact that a note belongs to: the survivor, where contacts were merged. A note goes with its contact.
pub fn owner<'a>(world: &'a World, note: &Record) -> Option<&'a Record> {
    let (notes, contacts) = (world.table("notes")?, world.table("contacts")?);
    let field: &Field = notes.object.fields.iter().find(|field| field.kind == Kind::Ref("contacts"))?;
    let text = value(Provider::Intercom, notes.seed, field, (note.seq, note.revision), notes.peers);
    let mut seq = crate::content::seq(contacts.object, text.as_str()?)?;
    loop {
        let record = contacts.rows.get(seq as usize)?;
        match record.state {
            State::Live => return Some(record),
            State::Merged { into } => seq = into,
            State::Deleted { .. } | State::Purged => return None,
        }
    }
}

/// The records of an object that an endpoint shows.
pub fn live(table: &Table) -> impl Iterator<Item = &Record> {
    table.rows.iter().filter(|record| record.state == State::Live)
}

/// A living record by its id.
pub fn find<'a>(table: &'a Table, wanted: &str) -> Option<&'a Record> {
    let object: &Object = table.object;
    table.live(crate::content::seq(object, wanted)?)
}
