//! Admins and teams: one answer holds them all.

use syncline_sdk::{Error, Page, cursor};

use crate::api::Api;
use crate::cursor::{Listed, position};
use crate::model::{Listing, Row};

/// What the host takes in a page is 1,000 records and 8 MiB: a record of these is a few hundred bytes.
const PAGE_RECORDS: usize = 1_000;

/// Reads a page. An answer that holds more than a page is asked for again, and read on by id.
pub(crate) fn fetch(api: &Api<'_>, path: &str, at: Option<&str>) -> Result<Page, Error> {
    let at: Listed = position(at)?;
    let response = api.get(path, &[])?;
    let mut rows = Listing::parse(&response)?.rows()?;
    rows.retain(|row| at.after.as_deref().is_none_or(|after| row.id() > after));
    rows.sort_by(|a, b| a.id().cmp(b.id()));
    let rest = rows.len() > PAGE_RECORDS;
    rows.truncate(PAGE_RECORDS);
    let records = rows.iter().map(Row::present).collect();
    Ok(match rows.last().filter(|_| rest) {
        Some(last) => Page::more(records, cursor::encode(&Listed { after: Some(last.id().to_owned()) })),
        None => Page::done(records, cursor::encode(&Listed::default())).pass_complete(),
    })
}
