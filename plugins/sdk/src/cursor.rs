//! Cursors as versioned, compact JSON.
//!
//! A cursor outlives the connector that wrote it: an older host may hold one for weeks. So each carries the version of
//! its layout, and what a connector cannot read is an expired cursor, never a guess.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The layout of a cursor.
pub trait Versioned: Serialize + DeserializeOwned {
    /// Raise it whenever an older cursor would be misread.
    const VERSION: u32;
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    v: u32,
    #[serde(flatten)]
    value: &'a T,
}

#[derive(Deserialize)]
struct Stamp {
    v: u32,
}

/// Writes a cursor: the value's own fields, and `v`.
pub fn encode<T: Versioned>(value: &T) -> String {
    // Serializing fails only for maps with keys that are no strings. An empty cursor would be refused by the host, and
    // decoding it gives an expired cursor: never a wrong position.
    serde_json::to_string(&Outgoing { v: T::VERSION, value }).unwrap_or_default()
}

/// Reads a cursor; an unknown version and garbage alike are [`Error::CursorExpired`].
pub fn decode<T: Versioned>(text: &str) -> Result<T, Error> {
    let expired = |_| Error::CursorExpired(None);
    let stamp: Stamp = serde_json::from_str(text).map_err(expired)?;
    if stamp.v != T::VERSION {
        return Err(Error::CursorExpired(None));
    }
    serde_json::from_str(text).map_err(expired)
}
