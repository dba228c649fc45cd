//! The shape of Birch's answers. Records stay the text that they came as: only what the connector acts on is parsed.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use syncline_sdk::{Error, Interaction};

/// A page of people.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing<'a> {
    #[serde(borrow)]
    people: Vec<&'a RawValue>,
    /// The token of the next page; null on the last one. An answer without it is not one of Birch's.
    #[serde(deserialize_with = "required")]
    pub(crate) next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Person {
    id: String,
    updated_at: Option<String>,
    deleted: Option<bool>,
}

impl Listing<'_> {
    /// The people on the page. The deleted are told in every reading, the first one included: one that begins anew
    /// because its cursor expired must still take away what is gone.
    pub(crate) fn records(&self) -> Result<Vec<Interaction>, Error> {
        self.people.iter().map(|raw| record(raw)).collect()
    }
}

fn record(raw: &RawValue) -> Result<Interaction, Error> {
    let person: Person =
        serde_json::from_str(raw.get()).map_err(|error| Error::Unexpected(format!("not a person: {error}")))?;
    let record = match person.deleted {
        Some(true) => Interaction::deleted(person.id),
        _ => Interaction::present(person.id, raw),
    };
    Ok(match person.updated_at {
        Some(at) => record.version(at.as_str()).updated_at(at),
        None => record,
    })
}

/// As `Option` is read, but for a key that is missing.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}
