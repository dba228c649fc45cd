//! The notes: Intercom has them by contact only, so every run pages through the contacts and asks each one that has
//! notes for them. A contact that is gone by then has none.

use serde::Deserialize;
use syncline_sdk::{Error, Interaction, Page, cursor};

use crate::api::Api;
use crate::config::Config;
use crate::cursor::{Notes, more, position, resume};
use crate::model::{Listing, Row};

/// Requests of one page, of the 20 that a call has.
const REQUESTS: usize = 16;

/// Notes that come at once.
const PER_PAGE: usize = 50;

/// A page this large is given away before it grows beyond what the host takes.
const ENOUGH_BYTES: usize = 2 << 20;

/// What a contact tells of its notes.
#[derive(Debug, Deserialize)]
struct Contact {
    notes: Option<Count>,
}

#[derive(Debug, Deserialize)]
struct Count {
    total_count: Option<u64>,
}

/// Reads a page.
pub(crate) fn fetch(api: &Api<'_>, config: &Config, at: Option<&str>) -> Result<Page, Error> {
    let mut at: Notes = position(at)?;
    let mut records: Vec<Interaction> = Vec::new();
    for request in 0..REQUESTS {
        if at.listed && at.contacts.is_empty() {
            return Ok(Page::done(records, cursor::encode(&Notes::default())).pass_complete());
        }
        match step(api, config, &mut at, &mut records) {
            // What has been read is given away; the next call meets the fault.
            Err(_) if request > 0 => break,
            step => step?,
        }
        if records.iter().map(|record| record.data.len()).sum::<usize>() > ENOUGH_BYTES {
            break;
        }
    }
    Ok(more(records, &at))
}

/// One request: the next notes, or the next contacts.
fn step(api: &Api<'_>, config: &Config, at: &mut Notes, records: &mut Vec<Interaction>) -> Result<(), Error> {
    let Some(contact) = at.contacts.first() else {
        return list(api, config, at);
    };
    if read(api, contact, at.pages + 1, records)? {
        at.pages += 1;
    } else {
        at.contacts.remove(0);
        at.pages = 0;
    }
    Ok(())
}

/// Adds the next contacts that may have notes.
fn list(api: &Api<'_>, config: &Config, at: &mut Notes) -> Result<(), Error> {
    let response = api
        .contacts(config.rows(api.ctx()), at.after.as_deref())
        .map_err(|error| resume(error, || Notes { restarts: at.restarts + 1, ..Notes::default() }))?;
    let listing = Listing::parse(&response)?;
    for row in listing.rows()? {
        let contact: Contact = row.part()?;
        if contact.notes.and_then(|notes| notes.total_count) != Some(0) {
            at.contacts.push(row.id().to_owned());
        }
    }
    at.after = listing.after()?;
    at.listed = at.after.is_none();
    Ok(())
}

/// Reads a page of a contact's notes; says whether there are more.
fn read(api: &Api<'_>, contact: &str, page: u64, records: &mut Vec<Interaction>) -> Result<bool, Error> {
    let query = [("per_page", PER_PAGE.to_string()), ("page", page.to_string())];
    let query = query.each_ref().map(|(key, value)| (*key, value.as_str()));
    let Some(response) = api.of_contact(contact, "notes", &query)? else {
        return Ok(false);
    };
    let listing = Listing::parse(&response)?;
    records.extend(listing.rows()?.iter().map(Row::present));
    Ok(listing.has_next_page())
}
