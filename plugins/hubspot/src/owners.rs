//! The owners: no filter and no search, so every run reads them all, the live ones and then the archived ones.
//!
//! The object says that deletes show by absence, because an owner can go without being archived. Archived owners come
//! as tombstones that keep their data, because records still name them. If HubSpot forgets the page, the read begins
//! again.

use syncline_sdk::{Error, Page, cursor};

use crate::api::{Api, List};
use crate::config::Config;
use crate::cursor::OwnersCursor;
use crate::model::{Listing, Row};

/// HubSpot's default, which every account takes.
const ROWS: u32 = 100;

/// Reads a page.
pub(crate) fn fetch(api: &Api<'_>, config: &Config, at: Option<&str>) -> Result<Page, Error> {
    let at: OwnersCursor = at.map_or_else(|| Ok(OwnersCursor::default()), cursor::decode)?;
    let list = List {
        archived: at.archived,
        properties: "",
        limit: config.limit(api.ctx(), ROWS),
        after: at.after.as_deref(),
        plain: false,
    };
    let response = api.owners(&list)?;
    let listing = Listing::parse_list(&response, at.archived)?;
    let record = if at.archived { Row::tombstone_with_data } else { Row::present };
    let records = listing.rows.iter().map(record).collect();

    let next = match listing.after {
        Some(after) => OwnersCursor { after: Some(after), ..at },
        None if at.archived => {
            return Ok(Page::done(records, cursor::encode(&OwnersCursor::default())).pass_complete());
        }
        None => OwnersCursor { archived: true, after: None },
    };
    Ok(Page::more(records, cursor::encode(&next)))
}
