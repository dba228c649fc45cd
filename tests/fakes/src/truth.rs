//! What a correct connector must have delivered by now, to compare a destination with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    api::Leaving,
    content,
    dataset::{Record, State, Table},
};

/// What has become of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Fate {
    /// It exists.
    Present,
    /// It was deleted or archived.
    Deleted,
    /// It was merged.
    Merged {
        /// Id of the record it was merged into.
        into: String,
    },
}

/// A record as of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// What has become of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// The time of the last change as the endpoints spell it; `None` for merged records that no endpoint shows
    /// (HubSpot).
    pub stamp: Option<String>,
    /// The same in milliseconds.
    pub stamp_ms: Option<i64>,
    /// Every property: HubSpot's `properties` map, an owner's object, Salesforce's fields without `attributes`. A
    /// connector may ask for fewer. Empty for HubSpot's merged records.
    pub data: Map<String, Value>,
}

/// The truth about an object, by id. Purged records and invisible transactions are not in it.
pub fn of(table: &Table, now: i64) -> BTreeMap<String, Truth> {
    let (api, people) = (table.provider.api(), table.object.people);
    let habits = api.habits();
    let of_one = |record: &Record| {
        let fate = match record.state {
            State::Deleted { .. } if people && habits.leaving == Leaving::Deactivated => Fate::Present,
            State::Deleted { .. } | State::Purged => Fate::Deleted,
            State::Merged { into } => Fate::Merged { into: content::id(table.object, into) },
            State::Live => Fate::Present,
        };
        if habits.losers_vanish && matches!(record.state, State::Merged { .. }) {
            return Truth { fate, stamp: None, stamp_ms: None, data: Map::new() };
        }
        let stamp = Some(api.stamp(record.stamp_ms));
        Truth { fate, stamp, stamp_ms: Some(record.stamp_ms), data: api.data(table, record) }
    };
    table.views(now).map(|record| (content::id(table.object, record.seq), of_one(record))).collect()
}
