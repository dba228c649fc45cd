//! What a correct connector must have delivered by now, to compare a destination with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    content,
    dataset::{State, Table},
    hubspot, salesforce,
    schema::Provider,
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
    /// `updatedAt` or `SystemModstamp` as the JSON endpoints spell it; `None` for HubSpot's merged records, which no
    /// endpoint shows.
    pub stamp: Option<String>,
    /// The same in milliseconds.
    pub stamp_ms: Option<i64>,
    /// Every property: HubSpot's `properties` map, an owner's object, Salesforce's fields without `attributes`. A
    /// connector may ask for fewer. Empty for HubSpot's merged records.
    pub data: Map<String, Value>,
}

/// The truth about an object, by id. Purged records and invisible transactions are not in it.
pub fn of(table: &Table, provider: Provider, now: i64) -> BTreeMap<String, Truth> {
    table
        .views(now)
        .map(|record| {
            let hidden = provider == Provider::HubSpot && matches!(record.state, State::Merged { .. });
            let stamp = match provider {
                Provider::HubSpot => content::hubspot_time(record.stamp_ms),
                Provider::Salesforce => content::salesforce_time(record.stamp_ms),
            };
            let data = match provider {
                _ if hidden => Map::new(),
                Provider::HubSpot => hubspot::properties::all(table, record),
                Provider::Salesforce => salesforce::fields::all(table, record),
            };
            let fate = match record.state {
                // Users are deactivated: the record stays, a field of it changes.
                State::Deleted { .. } if table.object.people && provider == Provider::Salesforce => Fate::Present,
                State::Deleted { .. } | State::Purged => Fate::Deleted,
                State::Merged { into } => Fate::Merged { into: content::id(table.object, into) },
                State::Live => Fate::Present,
            };
            let truth =
                Truth { fate, stamp: (!hidden).then_some(stamp), stamp_ms: (!hidden).then_some(record.stamp_ms), data };
            (content::id(table.object, record.seq), truth)
        })
        .collect()
}
