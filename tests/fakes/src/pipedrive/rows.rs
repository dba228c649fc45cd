//! Pipedrive's records in JSON, and which of them a list shows.

use serde_json::{Map, Value, json};

use crate::{
    content::{self, numeric_id},
    dataset::{Record, State, Table},
    schema::Kind,
};

/// Deleted deals can be seen for so long.
const DELETED_MS: i64 = 30 * 86_400_000;
/// A custom field goes by a hash.
const CUSTOM_KEY: &str = "9dc80c50d78a15643bfc4ca79d76156a73a1ca0e";

/// `2026-03-01T10:20:30Z`.
pub(super) fn v2_time(ms: i64) -> String {
    // All stamps are whole seconds, and those are written without a fraction.
    content::hubspot_time(ms)
}

/// `2026-03-01 10:20:30`, in UTC without saying so.
pub(super) fn v1_time(ms: i64) -> String {
    v2_time(ms).replace('T', " ").replace('Z', "")
}

/// A record as its endpoint shows it.
pub(super) fn row(table: &Table, record: &Record) -> Map<String, Value> {
    let name = table.object.name;
    let time = if matches!(name, "notes" | "leads" | "users") { v1_time } else { v2_time };
    let mut row: Map<String, Value> = table
        .object
        .fields
        .iter()
        .map(|field| {
            let value = table.value(field, record);
            let value = match (field.name, field.kind) {
                ("custom_fields", _) if record.seq.is_multiple_of(7) => Value::Null,
                ("custom_fields", _) => json!({ CUSTOM_KEY: value }),
                // Ids are numbers here.
                (_, Kind::Ref(_)) => {
                    value.as_str().and_then(|id| id.parse::<u64>().ok()).map_or(Value::Null, |id| json!(id))
                }
                _ => value,
            };
            (field.name.to_owned(), value)
        })
        .collect();
    let id = numeric_id(table.object, record.seq);
    // Leads alone go by a text.
    row.insert("id".to_owned(), if name == "leads" { json!(id.to_string()) } else { json!(id) });
    let live = record.state == State::Live;
    if name == "users" {
        row.insert("created".to_owned(), json!(time(record.created_ms)));
        row.insert("modified".to_owned(), json!(time(record.stamp_ms)));
        row.insert("active_flag".to_owned(), json!(live));
        return row;
    }
    row.insert("add_time".to_owned(), json!(time(record.created_ms)));
    row.insert("update_time".to_owned(), json!(time(record.stamp_ms)));
    if !matches!(name, "notes" | "leads") {
        row.insert("is_deleted".to_owned(), json!(!live));
    }
    if name == "deals" {
        row.insert("status".to_owned(), status(table, record));
    }
    row
}

/// The status of a deal: one that is gone is deleted, whatever its field says.
fn status(table: &Table, record: &Record) -> Value {
    if record.state == State::Live { table.named("status", record) } else { json!("deleted") }
}

/// What a list is asked for beside its order and its bounds.
pub(super) struct Wanted<'a> {
    /// The list of archived deals.
    pub(super) archived: bool,
    /// Statuses of deals.
    pub(super) status: Vec<&'a str>,
    /// Only these ids.
    pub(super) ids: Option<Vec<u64>>,
}

impl Wanted<'_> {
    /// Whether a list shows the record at this time.
    pub(super) fn shows(&self, table: &Table, record: &Record, now: i64) -> bool {
        if self.ids.as_ref().is_some_and(|ids| !ids.contains(&numeric_id(table.object, record.seq))) {
            return false;
        }
        if table.object.name != "deals" {
            return record.state == State::Live;
        }
        let archived = table.named("is_archived", record) == json!(true);
        let status = status(table, record);
        let listed = self.status.iter().any(|wanted| status == json!(wanted));
        let forgotten = matches!(record.state, State::Deleted { at_ms } if at_ms < now - DELETED_MS);
        archived == self.archived && listed && !forgotten
    }
}
