//! Properties of a HubSpot record: every value is a string or null.

use serde_json::{Map, Value, json};

use crate::{
    content::{hubspot_time, id, value},
    dataset::{Record, State, Table},
    schema::Object,
};

/// All property names of an object.
pub fn names(object: &Object) -> Vec<&'static str> {
    let mut names = vec!["hs_object_id", "createdate", object.modified];
    if object.merges {
        names.push("hs_merged_object_ids");
    }
    if object.name == "contacts" {
        names.push("hs_calculated_merged_vids");
    }
    names.extend(object.fields.iter().map(|field| field.name));
    names
}

/// A property; `None` if the object has none of that name.
pub fn one(table: &Table, record: &Record, name: &str) -> Option<Value> {
    let object = table.object;
    let ids = || record.losers.iter().map(|loser| id(object, *loser));
    let joined = |list: Vec<String>| {
        if list.is_empty() { Value::Null } else { json!(list.join(";")) }
    };
    Some(match name {
        "hs_object_id" => json!(id(object, record.seq)),
        "createdate" => json!(hubspot_time(record.created_ms)),
        _ if name == object.modified => json!(hubspot_time(record.stamp_ms)),
        "hs_merged_object_ids" if object.merges => joined(ids().collect()),
        "hs_calculated_merged_vids" if object.name == "contacts" => {
            joined(ids().map(|id| format!("{id}:{}", record.stamp_ms)).collect())
        }
        _ => {
            let field = object.fields.iter().find(|field| field.name == name)?;
            text(table.value(field, record))
        }
    })
}

/// All properties; for an owner the whole object.
pub fn all(table: &Table, record: &Record) -> Map<String, Value> {
    if table.object.people {
        return owner(table, record);
    }
    let names = names(table.object);
    names.into_iter().filter_map(|name| Some((name.to_owned(), one(table, record, name)?))).collect()
}

/// What an answer holds: three that always come, and those asked for that exist. Without a list, a small default.
pub fn shown(table: &Table, record: &Record, asked: &[String]) -> Map<String, Value> {
    let always = ["hs_object_id", "createdate", table.object.modified].into_iter();
    let default = table.object.fields.iter().map(|field| field.name).take(3);
    let rest: Vec<&str> = if asked.is_empty() { default.collect() } else { asked.iter().map(String::as_str).collect() };
    always.chain(rest).filter_map(|name| Some((name.to_owned(), one(table, record, name)?))).collect()
}

fn owner(table: &Table, record: &Record) -> Map<String, Value> {
    let fields = table.object.fields.iter().map(|field| {
        // Whoever is renamed or moved keeps the number.
        let revision = if field.name == "userId" { 0 } else { record.revision };
        (field.name.to_owned(), value(table.provider, table.seed, field, (record.seq, revision), table.peers))
    });
    let mut owner: Map<String, Value> = fields.collect();
    owner.insert("id".into(), json!(id(table.object, record.seq)));
    owner.insert("createdAt".into(), json!(hubspot_time(record.created_ms)));
    owner.insert("updatedAt".into(), json!(hubspot_time(record.stamp_ms)));
    owner.insert("archived".into(), json!(record.state != State::Live));
    let team = record.revision % 3 + 1;
    owner.insert("teams".into(), json!([{ "id": team.to_string(), "name": format!("Team {team}"), "primary": true }]));
    owner
}

fn text(value: Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => json!(value.to_string()),
        other => other,
    }
}
