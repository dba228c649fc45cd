//! From stored batches to rows that are fit to land: ids and JSON are checked, the newest of each id wins, the rest is
//! rejected with the reason. Pure.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

use super::shape::Shape;
use crate::domain::batch::{self, Record, State};
use crate::domain::{BatchId, IntegrationId, MAX_ID_BYTES, ObjectId};
use crate::store::landing::{CommittedBatch, Landing, LandingObject, Reject, Row, version};

/// Validators kept in memory at most; they are cheap to make again.
const MAX_VALIDATORS: usize = 10_000;

/// What a record's data has to look like.
pub enum Validator {
    /// Any JSON object.
    AnyObject,
    /// A JSON object that matches the schema.
    Schema(Box<Compiled>),
}

/// A schema, ready to check with.
pub struct Compiled {
    /// Says yes quickly, for simple schemas.
    shape: Option<Shape>,
    whole: jsonschema::Validator,
}

/// The validators of the objects that land here.
#[derive(Default)]
pub struct Validators(Mutex<HashMap<ObjectId, (u64, Arc<Validator>)>>);

impl Validators {
    /// The validator for an object's schema. A schema that does not compile lets every object pass: it was checked when
    /// the object was added.
    pub fn of(&self, object: ObjectId, schema: &str) -> Arc<Validator> {
        let mut hasher = DefaultHasher::new();
        schema.hash(&mut hasher);
        let hash = hasher.finish();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known_hash, validator)) = known.get(&object)
            && *known_hash == hash
        {
            return Arc::clone(validator);
        }
        if known.len() >= MAX_VALIDATORS {
            known.clear();
        }
        let validator = Arc::new(validator(schema));
        known.insert(object, (hash, Arc::clone(&validator)));
        validator
    }
}

/// Compiles a schema; one that only asks for an object needs no parsed value to check.
#[must_use]
pub fn validator(schema: &str) -> Validator {
    let Ok(schema) = serde_json::from_str::<serde_json::Value>(schema) else { return Validator::AnyObject };
    let asks = schema.as_object().is_some_and(|schema| {
        schema.keys().any(|key| {
            !matches!(key.as_str(), "type" | "$schema" | "$id" | "title" | "description" | "additionalProperties")
        }) || schema.get("additionalProperties").is_some_and(|more| more != true)
            || schema.get("type").is_some_and(|kind| kind != "object")
    });
    if !asks {
        return Validator::AnyObject;
    }
    let Ok(whole) = jsonschema::validator_for(&schema) else { return Validator::AnyObject };
    Validator::Schema(Box::new(Compiled { shape: Shape::of(&schema), whole }))
}

/// Prepares the landing of a set of batches.
#[must_use]
pub fn landing<'a>(
    object: ObjectId,
    known: &LandingObject,
    batches: &'a [CommittedBatch],
    validator: &Validator,
    sweep_guard: f64,
) -> Landing<'a> {
    let mut landing = Landing {
        object,
        integration: IntegrationId(known.integration_id),
        batches: batches.iter().map(|batch| BatchId(batch.id)).collect(),
        last_seq: batches.last().map_or(0, |batch| batch.seq),
        rows: Vec::new(),
        rejected: Vec::new(),
        sweep_seq: batches.iter().filter_map(|batch| batch.sweep_seq).max(),
        sweep_guard,
    };
    let mut places: HashMap<&'a str, usize> = HashMap::new();
    for stored in batches {
        let id = BatchId(stored.id);
        let records = match batch::decode(stored.payload.as_deref().unwrap_or_default()) {
            Ok(records) => records,
            Err(reason) => {
                landing.rejected.push(Reject { batch: id, position: 0, external_id: String::new(), reason, data: "" });
                continue;
            }
        };
        for (position, record) in records.into_iter().enumerate() {
            match row(record, validator, version(stored.seq, position), id) {
                Ok(row) => {
                    // The later of two states is the one that counts.
                    match places.entry(row.external_id) {
                        std::collections::hash_map::Entry::Occupied(place) => {
                            if let Some(earlier) = landing.rows.get_mut(*place.get()) {
                                *earlier = row;
                            }
                        }
                        std::collections::hash_map::Entry::Vacant(place) => {
                            place.insert(landing.rows.len());
                            landing.rows.push(row);
                        }
                    }
                }
                Err((record, reason)) => landing.rejected.push(Reject {
                    batch: id,
                    position,
                    external_id: record.id.replace('\0', "\u{fffd}").chars().take(MAX_ID_BYTES).collect(),
                    reason,
                    data: record.data,
                }),
            }
        }
    }
    landing
}

fn row<'a>(
    record: Record<'a>,
    validator: &Validator,
    version: i64,
    batch: BatchId,
) -> Result<Row<'a>, (Record<'a>, String)> {
    if let Err(reason) = check(&record, validator) {
        return Err((record, reason));
    }
    let (state, merged_into) = match record.state {
        State::Present => ("present", None),
        State::Deleted => ("deleted", None),
        State::MergedInto(id) => ("merged", Some(id)),
    };
    // Records are short: processors with instructions for it hash them several times faster this way than by blake3.
    let mut hasher = Sha256::new();
    for part in [state, "\0", merged_into.unwrap_or_default(), "\0", record.data] {
        hasher.update(part);
    }
    Ok(Row {
        external_id: record.id,
        version,
        state,
        merged_into,
        provider_version: record.version,
        provider_updated_at: record.updated_at,
        data: Some(record.data).filter(|data| !data.is_empty()),
        content_hash: hasher.finalize().into(),
        batch,
    })
}

fn check(record: &Record<'_>, validator: &Validator) -> Result<(), String> {
    record.check()?;
    if record.data.is_empty() {
        return Ok(());
    }
    match (validator, record.state) {
        (Validator::Schema(schema), State::Present) => {
            if schema.shape.as_ref().is_some_and(|shape| shape.fits(record.data)) {
                return Ok(());
            }
            let value: serde_json::Value =
                serde_json::from_str(record.data).map_err(|error| format!("its data is not JSON: {error}"))?;
            if let Err(error) = schema.whole.validate(&value) {
                let place = error.instance_path().to_string();
                return Err(format!(
                    "it breaks its schema at {:?}: {error}",
                    if place.is_empty() { "/" } else { &place }
                ));
            }
            serde_json::from_str::<Sound>(record.data).map(|_| ()).map_err(|error| error.to_string())
        }
        // What is left of a deleted record need not match the schema.
        (Validator::AnyObject | Validator::Schema(_), _) => {
            if !record.data.trim_start().starts_with('{') {
                return Err("its data is not a JSON object".to_owned());
            }
            serde_json::from_str::<Sound>(record.data)
                .map(|_| ())
                .map_err(|error| format!("its data is not sound JSON: {error}"))
        }
    }
}

/// JSON that both databases can hold: well formed, no deeper than 128, whole unicode, no NUL. Allocates nothing.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;

        impl<'de> Visitor<'de> for Walk {
            type Value = Sound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sound JSON")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Sound, E> {
                Ok(Sound)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Sound, E> {
                Ok(Sound)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Sound, E> {
                Ok(Sound)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Sound, E> {
                Ok(Sound)
            }

            fn visit_unit<E>(self) -> Result<Sound, E> {
                Ok(Sound)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sound, E> {
                if text.contains('\0') { Err(E::custom("a text contains NUL")) } else { Ok(Sound) }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sound, A::Error> {
                while items.next_element::<Sound>()?.is_some() {}
                Ok(Sound)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Sound, A::Error> {
                while entries.next_key::<Sound>()?.is_some() {
                    entries.next_value::<Sound>()?;
                }
                Ok(Sound)
            }
        }

        deserializer.deserialize_any(Walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(data: &str) -> Option<String> {
        let record = Record { id: "1", version: None, updated_at: None, state: State::Present, data };
        check(&record, &Validator::AnyObject).err()
    }

    #[test]
    fn what_a_database_cannot_hold_is_told() {
        assert_eq!(reason(r#"{"id":12345678901234567890123,"n":[1.5,null,true,{"a":"ü"}]}"#), None);
        assert!(reason(r#"{"a":"\u0000"}"#).unwrap().contains("NUL"));
        assert!(reason(r#"{"a\u0000":1}"#).unwrap().contains("NUL"));
        assert!(reason(r#"{"a":"\ud800"}"#).is_some());
        assert!(reason(r#"{"a":NaN}"#).is_some());
        assert!(reason(r#"[1]"#).unwrap().contains("not a JSON object"));
        assert!(reason("").unwrap().contains("no data"));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(reason(&deep).unwrap().contains("recursion limit"));
    }

    #[test]
    fn a_record_that_breaks_its_schema_is_told_where() {
        let validator = validator(r#"{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}"#);
        assert!(matches!(validator, Validator::Schema(_)));
        let check =
            |data, state| check(&Record { id: "1", version: None, updated_at: None, state, data }, &validator).err();
        assert_eq!(check(r#"{"name":"Birch"}"#, State::Present), None);
        assert!(check(r#"{"name":5}"#, State::Present).unwrap().contains("/name"));
        assert_eq!(check(r#"{"gone":true}"#, State::Deleted), None);
        assert!(matches!(super::validator(r#"{"type":"object"}"#), Validator::AnyObject));
    }

    #[test]
    fn ids_that_cannot_be_keys_are_told() {
        let check = |id: &str| {
            let record = Record { id, version: None, updated_at: None, state: State::Present, data: "{}" };
            check(&record, &Validator::AnyObject).err()
        };
        assert!(check("").unwrap().contains("no id"));
        assert!(check(&"x".repeat(513)).unwrap().contains("512"));
        assert!(check("a\0b").unwrap().contains("NUL"));
        assert_eq!(check(&"x".repeat(512)), None);
    }

    #[test]
    fn the_last_of_two_records_with_one_id_counts() {
        use crate::domain::{Interaction, RecordState};
        let interaction = |data: &str| Interaction {
            id: "7".to_owned(),
            version: None,
            updated_at: None,
            state: RecordState::Present,
            data: data.to_owned(),
        };
        let payload = batch::encode(&[interaction(r#"{"n":1}"#), interaction(r#"{"n":2}"#)]);
        let batches = [CommittedBatch { id: 1, seq: 4, payload, sweep_seq: None }];
        let known = LandingObject { integration_id: 1, record_schema: "{}".to_owned() };
        let landing = landing(ObjectId(1), &known, &batches, &Validator::AnyObject, 0.5);
        assert_eq!(landing.rows.len(), 1);
        assert_eq!(landing.rows[0].data, Some(r#"{"n":2}"#));
        assert_eq!(landing.rows[0].version, version(4, 1));
    }
}
