//! The shape of an answer: an object in which one property holds the rows and the others say where to go on.
//!
//! Rows stay text. What must be there and is not makes the answer one that is not understood: never an empty page, and
//! never the end.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use syncline_sdk::{Error, Response};

/// An answer, its properties by name.
#[derive(Debug)]
pub(crate) struct Answer<'a>(BTreeMap<String, &'a RawValue>);

/// Where a list goes on.
#[derive(Debug, Deserialize)]
struct Meta {
    has_more: bool,
    after_cursor: Option<String>,
}

impl<'a> Answer<'a> {
    /// Parses an answer.
    pub(crate) fn parse(response: &'a Response) -> Result<Self, Error> {
        response.json().map(Self)
    }

    /// The rows.
    pub(crate) fn rows(&self, key: &str) -> Result<Vec<&'a RawValue>, Error> {
        let raw = self.0.get(key).ok_or_else(|| missing(key))?;
        serde_json::from_str(raw.get()).map_err(|error| Error::Unexpected(format!("{key} of an answer: {error}")))
    }

    /// A property; none where it is null or left out.
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(raw) = self.0.get(key) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|error| Error::Unexpected(format!("{key} of an answer: {error}")))
    }

    /// A property that must be there.
    pub(crate) fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T, Error> {
        self.get(key)?.ok_or_else(|| missing(key))
    }

    /// The token of a list's next page; none on the last.
    pub(crate) fn next(&self) -> Result<Option<String>, Error> {
        let meta: Meta = self.require("meta")?;
        match (meta.has_more, meta.after_cursor) {
            (false, _) => Ok(None),
            (true, Some(after)) => Ok(Some(after)),
            (true, None) => Err(Error::Unexpected("a list that has more and does not say where".to_owned())),
        }
    }
}

fn missing(key: &str) -> Error {
    Error::Unexpected(format!("an answer without {key}"))
}
