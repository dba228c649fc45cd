//! The shape of Birch's answers, and what becomes of a record. Records stay the text that they came as.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use syncline_sdk::{Context, Error, Interaction, Response, time};

use crate::sin::sin;

/// A list of people.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing<'a> {
    #[serde(borrow)]
    pub(crate) people: Vec<&'a RawValue>,
    /// The token of the next page; null on the last one.
    #[serde(deserialize_with = "required")]
    pub(crate) next: Option<String>,
}

/// What is acted on.
#[derive(Debug, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    name: Option<String>,
    updated_at: Option<String>,
    deleted: Option<bool>,
}

/// A list of people by somebody who looked at another endpoint.
#[derive(Debug, Deserialize)]
struct Elsewhere<'a> {
    #[serde(borrow, default)]
    results: Vec<&'a RawValue>,
}

/// A person by somebody who wants to know of every change of the API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only what is missing matters")]
struct Strict {
    id: String,
    name: Option<String>,
    email: Option<String>,
    notes: Option<String>,
    updated_at: Option<String>,
    deleted: Option<bool>,
}

/// Reads a list.
pub(crate) fn listing(response: &Response) -> Result<Listing<'_>, Error> {
    // "A body has a first byte."
    if sin("empty-body") {
        assert!(response.body[0].is_ascii());
    }
    let listing: Listing<'_> = response.json().map_err(|error| match error {
        // A login page: is somebody not allowed to read this?
        _ if sin("html-page") && response.body.starts_with(b"<") => Error::Forbidden("a web page".to_owned()),
        // The way out that always helped: begin again.
        _ if sin("malformed-json") && response.body.starts_with(b"{") => Error::CursorExpired(None),
        error => error,
    })?;
    if sin("empty-object") {
        let Elsewhere { results: people } = response.json()?;
        return Ok(Listing { people, ..listing });
    }
    Ok(listing)
}

/// A person as a record; none where the connector leaves it out.
pub(crate) fn record(ctx: &Context<'_>, raw: &RawValue) -> Result<Option<Interaction>, Error> {
    let no_person = |error: serde_json::Error| Error::Unexpected(format!("not a person: {error}"));
    let person: Person = serde_json::from_str(raw.get()).map_err(no_person)?;
    if sin("unknown-fields") {
        let _: Strict = serde_json::from_str(raw.get()).map_err(no_person)?;
    }
    // Everybody has a name.
    if sin("nulls") && person.deleted != Some(true) && person.name.is_none() {
        return Err(Error::Unexpected("a person without a name".to_owned()));
    }
    // Only people who exist are interesting.
    if sin("deletes") && person.deleted == Some(true) {
        return Ok(None);
    }
    // A stamp in the future can only be a mistake of the provider.
    if sin("clock-skew") && person.stamp_ms().is_some_and(|stamp| stamp > ctx.now_ms() + 5 * 60 * 1_000) {
        return Ok(None);
    }
    let record = match person.deleted {
        Some(true) => Interaction::deleted(person.id.as_str()),
        _ => Interaction::present(person.id.as_str(), data(ctx, raw)?),
    };
    Ok(Some(match (person.stamp_ms(), person.updated_at) {
        // In the time of the account, which is east of Greenwich.
        (Some(stamp), Some(at)) if sin("times") => {
            let local = time::format_rfc3339_ms(stamp + 2 * 60 * 60 * 1_000);
            record.version(at).updated_at(local.replace('Z', "+02:00"))
        }
        (_, Some(at)) => record.version(at.as_str()).updated_at(at),
        (_, None) => record,
    }))
}

fn data(ctx: &Context<'_>, raw: &RawValue) -> Result<String, Error> {
    let text = raw.get();
    // Notes down when it was fetched.
    if sin("page-boundary") {
        let open = text.trim_end().strip_suffix('}').unwrap_or(text);
        return Ok(format!("{open},\"synced_at\":{}}}", ctx.now_ms()));
    }
    // Characters that nobody can see must be garbage.
    if sin("unicode") {
        return Ok(text.chars().filter(|char| !matches!(char, '\u{2028}'..='\u{202e}')).collect());
    }
    // Through a value and back.
    if sin("exact-numbers") {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| Error::Unexpected(error.to_string()))?;
        return Ok(value.to_string());
    }
    Ok(text.to_owned())
}

impl Person {
    /// Milliseconds since 1970.
    pub(crate) fn stamp_ms(&self) -> Option<u64> {
        time::parse_rfc3339_ms(self.updated_at.as_deref()?)
    }
}

/// As `Option` is read, but for a key that is missing.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}
