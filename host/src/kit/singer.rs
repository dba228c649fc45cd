//! Records as Singer messages, so that what a connector reads can be piped into any of the many Singer targets.
//!
//! One JSON message a line: SCHEMA before the first record, RECORD for each, STATE after each page with the cursor in it.
//! The format is that of the Singer specification, <https://hub.meltano.com/singer/spec>. A target that understands
//! `_sdc_deleted_at` hears of deletions; others see the record with that member set.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use crate::domain::{Cursor, Interaction, ObjectType, RecordState};

/// The member that says when a record was deleted, by the convention of Singer taps.
const DELETED_AT: &str = "_sdc_deleted_at";

/// Writes the messages of one object.
pub struct Singer<'a> {
    object: &'a ObjectType,
    /// The one property that is the key, where the schema has exactly that one; `id` is added otherwise.
    key: Option<&'a str>,
}

#[derive(Serialize)]
struct RecordMessage<'a> {
    r#type: &'static str,
    stream: &'a str,
    record: &'a RawValue,
}

impl<'a> Singer<'a> {
    /// For an object as `discover` lists it.
    #[must_use]
    pub fn new(object: &'a ObjectType) -> Self {
        let key = match object.primary_key.as_slice() {
            [key] => Some(key.as_str()),
            _ => None,
        };
        Self { object, key }
    }

    /// The SCHEMA message.
    #[must_use]
    pub fn schema(&self) -> String {
        let mut schema: Map<String, Json> = serde_json::from_str(&self.object.schema).unwrap_or_default();
        schema.entry("type").or_insert_with(|| json!("object"));
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert(DELETED_AT.to_owned(), json!({ "type": ["null", "string"], "format": "date-time" }));
            let key = self.key.unwrap_or("id");
            properties.entry(key).or_insert_with(|| json!({ "type": ["string", "integer"] }));
        }
        // A tombstone has its key and nothing else.
        schema.insert("required".to_owned(), json!([self.key.unwrap_or("id")]));
        json!({
            "type": "SCHEMA", "stream": self.object.name, "schema": schema,
            "key_properties": [self.key.unwrap_or("id")],
        })
        .to_string()
    }

    /// The RECORD message of an interaction; none where its data is no JSON object, which no target could take.
    #[must_use]
    pub fn record(&self, interaction: &Interaction) -> Option<String> {
        let deleted_at = match interaction.state {
            RecordState::Present => None,
            RecordState::Deleted | RecordState::MergedInto(_) => {
                Some(interaction.updated_at.as_deref().unwrap_or("1970-01-01T00:00:00Z"))
            }
        };
        let data = if interaction.data.is_empty() { "{}" } else { interaction.data.as_str() };
        let raw: &RawValue = serde_json::from_str(data).ok()?;
        let inner = raw.get().strip_prefix('{')?.strip_suffix('}')?.trim();
        let mut members: Vec<String> = Vec::new();
        if !inner.is_empty() {
            members.push(inner.to_owned());
        }
        let key = self.key.unwrap_or("id");
        let known: Map<String, Json> = serde_json::from_str(data).unwrap_or_default();
        if !known.contains_key(key) {
            members.push(format!("{}:{}", json!(key), json!(interaction.id)));
        }
        if let Some(at) = deleted_at {
            members.push(format!("{}:{}", json!(DELETED_AT), json!(at)));
        }
        let record = RawValue::from_string(format!("{{{}}}", members.join(","))).ok()?;
        let message = RecordMessage { r#type: "RECORD", stream: &self.object.name, record: &record };
        serde_json::to_string(&message).ok()
    }

    /// The STATE message after a page: hand it back as `--cursor` to continue there.
    #[must_use]
    pub fn state(&self, cursor: &Cursor) -> String {
        json!({ "type": "STATE", "value": { "bookmarks": { &self.object.name: { "cursor": cursor.0 } } } }).to_string()
    }
}

/// The cursor of an object in a STATE message or in its value alone.
#[must_use]
pub fn cursor(state: &str, object: &str) -> Option<Cursor> {
    let state: Json = serde_json::from_str(state).ok()?;
    let value = state.get("value").unwrap_or(&state);
    let cursor = value.get("bookmarks")?.get(object)?.get("cursor")?.as_str()?;
    Some(Cursor(cursor.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeleteMode, SyncMode};

    fn object() -> ObjectType {
        ObjectType {
            name: "people".to_owned(),
            interaction_type: "contact".to_owned(),
            schema: r#"{"type":"object","required":["id","name"],"properties":{"id":{"type":"string"}}}"#.to_owned(),
            primary_key: vec!["id".to_owned()],
            mode: SyncMode::Incremental,
            deletes: DeleteMode::Tombstones,
            default_interval_seconds: None,
        }
    }

    fn record(state: RecordState, data: &str) -> Interaction {
        let updated_at = Some("2026-01-01T00:00:00Z".to_owned());
        Interaction { id: "p-1".to_owned(), version: None, updated_at, state, data: data.to_owned() }
    }

    #[test]
    fn a_record_keeps_its_bytes_and_a_tombstone_has_its_key_and_time() {
        let object = object();
        let singer = Singer::new(&object);
        let line = singer.record(&record(RecordState::Present, r#"{"id":"p-1","n":12345678901234567890}"#)).unwrap();
        assert_eq!(line, r#"{"type":"RECORD","stream":"people","record":{"id":"p-1","n":12345678901234567890}}"#);
        let line = singer.record(&record(RecordState::Deleted, "")).unwrap();
        assert_eq!(
            line,
            r#"{"type":"RECORD","stream":"people","record":{"id":"p-1","_sdc_deleted_at":"2026-01-01T00:00:00Z"}}"#
        );
        assert!(singer.record(&record(RecordState::Present, "[1]")).is_none());
    }

    #[test]
    fn a_state_leads_back_to_its_cursor_and_a_schema_asks_for_the_key_alone() {
        let object = object();
        let singer = Singer::new(&object);
        let state = singer.state(&Cursor("{\"v\":1}".to_owned()));
        assert_eq!(cursor(&state, "people"), Some(Cursor("{\"v\":1}".to_owned())));
        assert_eq!(cursor(&state, "others"), None);
        let schema: Json = serde_json::from_str(&singer.schema()).unwrap();
        assert_eq!(schema["schema"]["required"], json!(["id"]));
        assert_eq!(schema["key_properties"], json!(["id"]));
    }
}
