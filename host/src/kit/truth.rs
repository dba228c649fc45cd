//! What would have landed against what a synthetic provider holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::control::{Fate, Truth};
use super::reading::{Landed, Table};
use crate::domain::{DeleteMode, RecordState};

/// Differences named at most.
const NAMED: usize = 5;

/// How a table differs from the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Records the provider holds that did not land.
    pub missing: usize,
    /// Records that landed in another state than the provider's latest.
    pub stale: usize,
    /// Ids of both.
    pub ids: BTreeSet<String>,
    /// The first few, in words.
    pub examples: Vec<String>,
}

impl Differences {
    /// Whether there are none.
    #[must_use]
    pub const fn none(&self) -> bool {
        self.missing + self.stale == 0
    }
}

impl std::fmt::Display for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} missing, {} stale: {}", self.missing, self.stale, self.examples.join("; "))
    }
}

/// Compares what landed with the truth. `deletes` says whether deletions can be known at all.
#[must_use]
pub fn compare(table: &Table, truth: &BTreeMap<String, Truth>, deletes: DeleteMode) -> Differences {
    let mut found = Differences::default();
    let mut note = |id: &str, text: String| {
        found.ids.insert(id.to_owned());
        if found.examples.len() < NAMED {
            found.examples.push(format!("{id} {text}"));
        }
    };
    let (mut missing, mut stale) = (0, 0);
    for (id, truth) in truth {
        match table.rows.get(id) {
            None if truth.fate == Fate::Present => {
                missing += 1;
                note(id, format!("is missing (changed at {:?})", truth.stamp_ms));
            }
            // Deleted before it was ever read: nothing to say about it.
            None => {}
            Some(row) => {
                if let Some(difference) = difference(truth, row, deletes) {
                    stale += 1;
                    note(id, difference);
                }
            }
        }
    }
    for (id, row) in &table.rows {
        if !truth.contains_key(id) && row.state == RecordState::Present && deletes != DeleteMode::None {
            stale += 1;
            note(id, "landed, and the provider does not have it".to_owned());
        }
    }
    found.missing = missing;
    found.stale = stale;
    found
}

fn difference(truth: &Truth, row: &Landed, deletes: DeleteMode) -> Option<String> {
    let as_it_should = match (&truth.fate, &row.state) {
        (Fate::Present, RecordState::Present) => true,
        (Fate::Deleted | Fate::Merged { .. }, _) if deletes == DeleteMode::None => true,
        (Fate::Deleted, RecordState::Deleted) => true,
        (Fate::Merged { into }, RecordState::MergedInto(id)) => into == id,
        // By absence nobody sees why a record is gone.
        (Fate::Merged { .. }, RecordState::Deleted) => deletes == DeleteMode::ByAbsence,
        _ => false,
    };
    if !as_it_should {
        return Some(format!("is {:?}, and should be {:?}", row.state, truth.fate));
    }
    if truth.fate != Fate::Present {
        return None;
    }
    let landed_ms = row.updated_at.as_deref().and_then(stamp_ms);
    if let (Some(landed), Some(right)) = (landed_ms, truth.stamp_ms)
        && landed != right
    {
        return Some(format!("has the stamp {:?}, and was last changed at {right} ms", row.updated_at));
    }
    wrong_field(&row.data, &truth.data)
}

/// In words, the first field of what landed, a JSON object, that is another than the truth's field of that name. A
/// connector may land fewer fields, and fields that the truth does not speak of.
#[must_use]
pub fn wrong_field(landed: &str, truth: &Map<String, Json>) -> Option<String> {
    let data: Map<String, Json> = serde_json::from_str(landed).unwrap_or_default();
    // Some providers keep a record's fields in an object of their own.
    let fields = data.get("properties").and_then(Json::as_object).unwrap_or(&data);
    let (name, value) =
        fields.iter().find(|(name, value)| truth.get(*name).is_some_and(|right| !same(value, right)))?;
    Some(format!("has {name} = {value}, and should have {:?}", truth.get(name)))
}

/// Values agree, or are two spellings of one time.
fn same(landed: &Json, right: &Json) -> bool {
    landed == right
        || match (landed.as_str().and_then(stamp_ms), right.as_str().and_then(stamp_ms)) {
            (Some(landed), Some(right)) => landed == right,
            _ => false,
        }
}

/// A time as providers spell it, in milliseconds since 1970; none if it is no time.
#[must_use]
pub fn stamp_ms(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text)
        .or_else(|_| chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Cursor, Interaction, Page};

    fn table(records: &[(&str, RecordState, &str)]) -> Table {
        let interactions = records
            .iter()
            .map(|(id, state, data)| Interaction {
                id: (*id).to_owned(),
                version: None,
                updated_at: Some("1970-01-01T00:00:01Z".to_owned()),
                state: state.clone(),
                data: (*data).to_owned(),
            })
            .collect();
        let cursor = Cursor("c".to_owned());
        let page = Page { interactions, cursor, more: false, wait_seconds: None, pass_complete: false };
        let mut table = Table::default();
        table.land(&page);
        table
    }

    fn truth(records: Json) -> BTreeMap<String, Truth> {
        serde_json::from_value(records).unwrap()
    }

    #[test]
    fn what_is_missing_or_stale_is_named() {
        let truth = truth(json!({
            "a": {"state": "present", "stamp_ms": 1000, "data": {"name": "Ann"}},
            "b": {"state": "present", "stamp_ms": 2000},
            "c": {"state": "deleted", "stamp_ms": null},
            "d": {"state": "merged", "into": "a", "stamp_ms": null},
            "e": {"state": "present", "stamp_ms": 1000},
            "f": {"state": "deleted", "stamp_ms": null},
        }));
        let right = table(&[
            ("a", RecordState::Present, r#"{"name": "Ann", "more": 1}"#),
            ("c", RecordState::Deleted, ""),
            ("d", RecordState::MergedInto("a".to_owned()), ""),
            ("e", RecordState::Present, "{}"),
        ]);
        let found = compare(&right, &truth, DeleteMode::Tombstones);
        assert_eq!((found.missing, found.stale), (1, 0), "{found}");
        assert!(found.examples[0].starts_with("b is missing"), "{found}");

        let wrong = table(&[
            ("a", RecordState::Present, r#"{"name": "Bo"}"#),
            ("b", RecordState::Present, "{}"),
            ("c", RecordState::Present, "{}"),
            ("e", RecordState::Deleted, ""),
            ("x", RecordState::Present, "{}"),
        ]);
        let found = compare(&wrong, &truth, DeleteMode::Tombstones);
        assert_eq!((found.missing, found.stale), (0, 5), "{found}");
        let found = compare(&wrong, &truth, DeleteMode::None);
        assert_eq!((found.missing, found.stale), (0, 3), "{found}");
    }

    #[test]
    fn what_a_complete_reading_did_not_meet_is_gone() {
        let mut table = table(&[("a", RecordState::Present, "{}")]);
        table.pass_ends(true);
        assert_eq!(table.rows["a"].state, RecordState::Present);
        table.pass_ends(true);
        assert_eq!(table.rows["a"].state, RecordState::Deleted);
    }
}
