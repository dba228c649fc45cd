//! What a listing leaves out of its records.
//!
//! A contact shows ten of its tags and ten of its companies; where there are more, the rest is read and put in their
//! place, in the same short form. A conversation comes without its parts; where they are wanted, each is read by id.
//! A record that is gone by then is left out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use syncline_sdk::{Error, Interaction};

use crate::api::Api;
use crate::config::Config;
use crate::model::{Listing, Row};
use crate::objects::Kind;

/// Requests that a page may spend on what its contacts lack, of the 20 that a call has.
const LOOKUPS: u64 = 12;

/// Conversations that a page reads by id.
const BY_ID: u32 = 15;

/// Companies of one contact that come at once.
const COMPANIES: u64 = 50;

/// What the host takes in a record is 1 MiB.
const RECORD_BYTES: usize = 1 << 20;

/// Rows that a page may have.
pub(crate) fn rows(kind: Kind, config: &Config) -> u32 {
    if kind == Kind::Conversations && config.conversation_parts() { BY_ID } else { u32::MAX }
}

/// The whole records of these rows; none if that takes more requests than a page has, unless `regardless`.
pub(crate) fn records(
    api: &Api<'_>,
    kind: Kind,
    config: &Config,
    rows: &[Row<'_>],
    regardless: bool,
) -> Result<Option<Vec<Interaction>>, Error> {
    match kind {
        Kind::Contacts => contacts(api, rows, regardless),
        Kind::Conversations if config.conversation_parts() => {
            let whole = rows.iter().filter_map(|row| conversation(api, row).transpose());
            whole.collect::<Result<_, _>>().map(Some)
        }
        Kind::Conversations | Kind::Tickets => Ok(Some(rows.iter().map(Row::present).collect())),
    }
}

/// The nested lists of a contact that end at ten.
#[derive(Debug, Deserialize)]
struct Lists {
    tags: Option<Nested>,
    companies: Option<Nested>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nested {
    has_more: bool,
    total_count: u64,
}

impl Lists {
    /// The names of the lists that go on, and how many requests each takes.
    fn unfinished(&self) -> Vec<(&'static str, u64)> {
        let more = |list: &Option<Nested>| list.as_ref().filter(|list| list.has_more).map(|list| list.total_count);
        let tags = more(&self.tags).map(|_| ("tags", 1));
        let companies = more(&self.companies).map(|total| ("companies", total.div_ceil(COMPANIES).max(1)));
        tags.into_iter().chain(companies).collect()
    }
}

fn contacts(api: &Api<'_>, rows: &[Row<'_>], regardless: bool) -> Result<Option<Vec<Interaction>>, Error> {
    let mut unfinished = Vec::with_capacity(rows.len());
    for row in rows {
        unfinished.push(row.part::<Lists>()?.unfinished());
    }
    let lookups: u64 = unfinished.iter().flatten().map(|(_, requests)| requests).sum();
    if lookups > LOOKUPS {
        if !regardless {
            return Ok(None);
        }
        api.ctx().warn("a contact with more companies than one page can read: it keeps the first ten");
        return Ok(Some(rows.iter().map(Row::present).collect()));
    }
    let mut records = Vec::with_capacity(rows.len());
    for (row, lists) in rows.iter().zip(unfinished) {
        if lists.is_empty() {
            records.push(row.present());
        } else if let Some(data) = completed(api, row, &lists)? {
            records.push(row.with_data(data));
        }
    }
    Ok(Some(records))
}

/// The text of a contact with these lists at full length; none if it is gone.
fn completed(api: &Api<'_>, row: &Row<'_>, lists: &[(&'static str, u64)]) -> Result<Option<String>, Error> {
    let mut fields: BTreeMap<String, Box<RawValue>> = row.part()?;
    for (name, _) in lists {
        let Some(items) = nested(api, row.id(), name)? else {
            return Ok(None);
        };
        let url = format!("/contacts/{}/{name}", row.id());
        let list = json!({"type": "list", "total_count": items.len(), "data": items, "url": url, "has_more": false});
        fields.insert((*name).to_owned(), to_raw_value(&list).map_err(unwritable)?);
    }
    serde_json::to_string(&fields).map(Some).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::other("record", error.to_string())
}

/// All items of a nested list in short form; none if the contact is gone. Tags come at once, companies in pages.
fn nested(api: &Api<'_>, contact: &str, name: &str) -> Result<Option<Vec<Value>>, Error> {
    #[derive(Deserialize)]
    struct Item {
        r#type: String,
    }
    let per_page = COMPANIES.to_string();
    let mut items: Vec<Value> = Vec::new();
    for page in 1..=LOOKUPS {
        let page = page.to_string();
        let paged = [("per_page", per_page.as_str()), ("page", page.as_str())];
        let query: &[_] = if name == "companies" { &paged } else { &[] };
        let Some(response) = api.of_contact(contact, name, query)? else {
            return Ok(None);
        };
        let listing = Listing::parse(&response)?;
        for row in listing.rows()? {
            let Item { r#type } = row.part()?;
            let item = json!({"type": r#type, "id": row.id(), "url": format!("/{name}/{}", row.id())});
            // What is attached meanwhile shifts the pages.
            if !items.contains(&item) {
                items.push(item);
            }
        }
        if !listing.has_next_page() {
            break;
        }
    }
    Ok(Some(items))
}

/// A conversation with its parts; none if it is gone.
fn conversation(api: &Api<'_>, row: &Row<'_>) -> Result<Option<Interaction>, Error> {
    let path = format!("/conversations/{}", row.id());
    let Some(response) = api.get_one(&path, &[("display_as", "plaintext")])? else {
        return Ok(None);
    };
    let whole: &RawValue = response.json()?;
    let whole = Row::parse(whole)?;
    if whole.id() != row.id() {
        return Err(Error::Unexpected(format!("asked for conversation {:?}, got {:?}", row.id(), whole.id())));
    }
    if whole.raw().get().len() > RECORD_BYTES {
        api.ctx().warn("a conversation that is too large with its parts is read without them");
        return Ok(Some(row.present()));
    }
    Ok(Some(whole.present()))
}
