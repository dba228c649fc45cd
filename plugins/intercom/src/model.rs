//! The shape of Intercom's answers. Records stay text: only what the connector acts on is parsed out of them.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use syncline_sdk::{Error, Interaction, Response, time};

/// A list of records, whatever the endpoint calls it.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing<'a> {
    #[serde(
        borrow,
        alias = "conversations",
        alias = "tickets",
        alias = "companies",
        alias = "notes",
        alias = "admins",
        alias = "teams"
    )]
    data: Vec<&'a RawValue>,
    pages: Option<Pages>,
    total_count: Option<u64>,
    /// The scroll's own token.
    pub(crate) scroll_param: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Pages {
    /// An object with the place of the next page; a URL where pages have numbers.
    next: Option<Value>,
    page: Option<u64>,
    total_pages: Option<u64>,
}

impl<'a> Listing<'a> {
    /// Parses an answer.
    pub(crate) fn parse(response: &'a Response) -> Result<Self, Error> {
        response.json()
    }

    /// The records, each with its text.
    pub(crate) fn rows(&self) -> Result<Vec<Row<'a>>, Error> {
        self.data.iter().map(|raw| Row::parse(raw)).collect()
    }

    /// The place of the next page; none on the last.
    pub(crate) fn after(&self) -> Result<Option<String>, Error> {
        let Some(next) = self.pages.as_ref().and_then(|pages| pages.next.as_ref()) else {
            return Ok(None);
        };
        match next.get("starting_after").and_then(Value::as_str) {
            Some(after) => Ok(Some(after.to_owned())),
            None => Err(Error::Unexpected(format!("a next page without its place: {next}"))),
        }
    }

    /// Whether pages with numbers go on.
    pub(crate) fn has_next_page(&self) -> bool {
        let of = |pages: &Pages| Some(pages.page? < pages.total_pages?);
        self.pages.as_ref().and_then(of).unwrap_or(false)
    }

    /// How many records there are in all, where the endpoint says so.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total_count
    }
}

/// A record.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    raw: &'a RawValue,
    known: Known,
}

#[derive(Debug, Deserialize)]
struct Known {
    id: String,
    updated_at: Option<u64>,
}

impl<'a> Row<'a> {
    /// Reads what is known of a record.
    pub(crate) fn parse(raw: &'a RawValue) -> Result<Self, Error> {
        Ok(Self { raw, known: part_of(raw)? })
    }

    /// Intercom's id.
    pub(crate) fn id(&self) -> &str {
        &self.known.id
    }

    /// When it last changed, in seconds.
    pub(crate) fn stamp(&self) -> Option<u64> {
        self.known.updated_at
    }

    /// The text it came as.
    pub(crate) fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// Parses further fields out of it.
    pub(crate) fn part<T: Deserialize<'a>>(&self) -> Result<T, Error> {
        part_of(self.raw)
    }

    /// The record as it is.
    pub(crate) fn present(&self) -> Interaction {
        self.with_data(self.raw.get().to_owned())
    }

    /// The record with other data than it came with.
    pub(crate) fn with_data(&self, data: String) -> Interaction {
        let record = Interaction::present(self.id(), data);
        match self.stamp() {
            Some(at) => record.version(at.to_string()).updated_at(time::format_rfc3339_ms(at.saturating_mul(1_000))),
            None => record,
        }
    }
}

fn part_of<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get()).map_err(|error| Error::Unexpected(format!("a row that is no record: {error}")))
}
