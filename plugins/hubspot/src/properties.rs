//! Which properties to ask for, and asking for more of them than a URL or a search holds.
//!
//! HubSpot returns only the properties that are named. A list names them in its URL, a search in a body of at most
//! 3,000 characters. Where they do not fit, the list or the search only says which records there are, and the records
//! themselves are read by id, a hundred at once, with the names in a body that has no such limit.

use serde_json::Value;
use syncline_sdk::{Error, Interaction};

use crate::api::Api;
use crate::model::{Listing, Row, records};
use crate::objects::CrmObject;

/// Encoded characters of a `properties` parameter; somewhat above it HubSpot answers 414.
const URL_CHARACTERS: usize = 15_000;

/// Characters of a search body.
const SEARCH_CHARACTERS: usize = 3_000;

/// Ids of one batch.
pub(crate) const BATCH: usize = 100;

/// Stands for "none of them": an empty list of names means HubSpot's default set.
const ID_ONLY: &str = "hs_object_id";

/// The properties of an object that are to be read.
pub(crate) struct Properties<'a> {
    names: Vec<&'a str>,
}

/// How one request names them.
pub(crate) struct Asked<T> {
    /// What goes into the request.
    pub(crate) with: T,
    /// The rows come without their properties: read them by id.
    pub(crate) by_id: bool,
}

impl<'a> Properties<'a> {
    pub(crate) fn new(names: Vec<&'a str>) -> Self {
        Self { names }
    }

    /// The `properties` parameter of a list.
    pub(crate) fn in_url(&self) -> Asked<String> {
        let with = self.names.join(",");
        // A comma takes three characters in a URL; the names need no encoding.
        if with.len() + 2 * self.names.len() <= URL_CHARACTERS {
            Asked { with, by_id: false }
        } else {
            Asked { with: ID_ONLY.to_owned(), by_id: true }
        }
    }

    /// A search body, made from a list of names.
    pub(crate) fn in_search(&self, body: impl Fn(&[&str]) -> Value) -> Asked<Value> {
        let with = body(&self.names);
        if with.to_string().len() <= SEARCH_CHARACTERS {
            Asked { with, by_id: false }
        } else {
            Asked { with: body(&[ID_ONLY]), by_id: true }
        }
    }

    /// The records of rows that came without their properties, read by id. A record that is gone by then is left out: its
    /// tombstone comes by the archived list or by the survivor of its merge.
    pub(crate) fn records(
        &self,
        api: &Api<'_>,
        object: &CrmObject,
        rows: &[Row<'_>],
    ) -> Result<Vec<Interaction>, Error> {
        let mut found = Vec::with_capacity(rows.len());
        for some in rows.chunks(BATCH) {
            let ids: Vec<&str> = some.iter().map(Row::id).collect();
            let response = api.batch(object.name, &self.names, &ids)?;
            found.extend(records(&Listing::parse(&response)?.rows));
        }
        Ok(found)
    }
}
