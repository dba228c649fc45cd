//! The shape of HubSpot's answers. Records stay text: only what the connector acts on is parsed out of them.

use std::borrow::Cow;

use serde::Deserialize;
use syncline_sdk::{Error, Interaction, PlainRow, RequestBuilder, Response, RowData, Rows};

/// A page of a list, of a search or of a batch.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    /// The rows, each with its text.
    pub(crate) rows: Vec<Row<'a>>,
    /// Search only: how many rows match, these included.
    pub(crate) total: Option<u64>,
    /// The token of the next page; none on the last.
    pub(crate) after: Option<String>,
}

/// What an answer says beside its rows.
#[derive(Debug, Deserialize)]
struct Rest {
    paging: Option<Paging>,
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Debug, Deserialize)]
struct Next {
    after: String,
}

/// The key of the rows.
const ROWS: &str = "results";

/// The record of a row that says nothing else: what [`Row::present`] makes of it.
const PLAIN: PlainRow = PlainRow { id: "id", version: Some("updatedAt"), updated_at: Some("updatedAt") };

impl Rest {
    fn after(self) -> Option<String> {
        self.paging.and_then(|paging| paging.next).map(|next| next.after)
    }
}

impl<'a> Listing<'a> {
    /// Says in a request that its answer will be a listing.
    pub(crate) fn of(request: RequestBuilder<'_>) -> RequestBuilder<'_> {
        request.rows_of::<Known<'_>>(ROWS)
    }

    /// Says in a request that its answer will be a listing of which nothing but the records is wanted.
    pub(crate) fn plain(request: RequestBuilder<'_>) -> RequestBuilder<'_> {
        request.plain_rows_of::<Known<'_>>(ROWS, &PLAIN)
    }

    /// Parses an answer.
    pub(crate) fn parse(response: &'a Response) -> Result<Self, Error> {
        let (rows, rest): (Vec<_>, Rest) = response.rows(ROWS)?;
        Ok(Self { rows: rows.into_iter().map(Row::of).collect(), total: rest.total, after: rest.after() })
    }

    /// Parses the list of live records, or of the archived ones. A row that says that it belongs to the other one is of
    /// another question's answer.
    pub(crate) fn parse_list(response: &'a Response, archived: bool) -> Result<Self, Error> {
        let listing = Self::parse(response)?;
        listing.rows.iter().try_for_each(|row| row.belongs(archived))?;
        Ok(listing)
    }
}

/// Parses the list of live records, asked for with [`Listing::plain`]: the records, and the token of the next page.
pub(crate) fn list_of_records(response: &Response) -> Result<(Vec<Interaction>, Option<String>), Error> {
    let (rows, rest): (Vec<_>, Rest) = response.plain_rows(ROWS, &PLAIN)?;
    let (mut records, mut losers) = (Vec::with_capacity(rows.len()), Vec::new());
    for rows in rows {
        match rows {
            Rows::Plain(rows) => records.push(rows.records()),
            Rows::One(row) => {
                let row = Row::of(row);
                row.belongs(false)?;
                records.push(row.present());
                losers.extend(row.losers());
            }
        }
    }
    records.append(&mut losers);
    Ok((records, rest.after()))
}

/// A record.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    data: RowData<'a>,
    known: Known<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    updated_at: Option<String>,
    archived: Option<bool>,
    archived_at: Option<String>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
struct Properties {
    hs_merged_object_ids: Option<String>,
    hs_calculated_merged_vids: Option<String>,
}

impl<'a> Row<'a> {
    fn of(row: syncline_sdk::Row<'a, Known<'a>>) -> Self {
        Self { data: row.data(), known: row.known }
    }

    /// Refuses a row that says that it is of the other list: of the archived ones, or of the live ones.
    fn belongs(&self, archived: bool) -> Result<(), Error> {
        if self.known.archived.is_none_or(|says| says == archived) {
            return Ok(());
        }
        let id = self.id();
        Err(Error::Unexpected(format!("{id} is archived: {}, in a list of those that are not so", !archived)))
    }

    /// HubSpot's id, as text.
    pub(crate) fn id(&self) -> &str {
        &self.known.id
    }

    /// The id as the number it is: "9" comes before "10".
    pub(crate) fn number(&self) -> Result<u64, Error> {
        let id = &self.known.id;
        id.parse().map_err(|_| Error::Unexpected(format!("an id that is no number: {id:?}")))
    }

    /// When it was archived.
    pub(crate) fn archived_at(&self) -> Option<&str> {
        self.known.archived_at.as_deref()
    }

    /// The record as it is.
    pub(crate) fn present(&self) -> Interaction {
        stamped(Interaction::present(self.id(), self.data), self.known.updated_at.as_deref())
    }

    /// The tombstone of an archived record. Archiving need not move `updatedAt`, so its own stamp counts.
    pub(crate) fn tombstone(&self) -> Interaction {
        let stamp = self.archived_at().or(self.known.updated_at.as_deref());
        stamped(Interaction::deleted(self.id()), stamp)
    }

    /// The tombstone of an archived record that others still refer to: it keeps its data.
    pub(crate) fn tombstone_with_data(&self) -> Interaction {
        self.tombstone().data(self.data)
    }

    /// The tombstones of the records that were merged into this one. HubSpot shows a merge nowhere else: the loser is
    /// in no list, not even in the archived one.
    pub(crate) fn losers(&self) -> Vec<Interaction> {
        let properties = &self.known.properties;
        let lists = [&properties.hs_merged_object_ids, &properties.hs_calculated_merged_vids];
        let mut ids: Vec<&str> = Vec::new();
        for entry in lists.into_iter().flatten().flat_map(|list| list.split(';')) {
            // The older property writes `id:timestamp`, and names the survivor too.
            let id = entry.split(':').next().unwrap_or_default().trim();
            let number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
            if number && id != self.id() && !ids.contains(&id) {
                ids.push(id);
            }
        }
        let at = self.known.updated_at.as_deref();
        ids.into_iter().map(|id| stamped(Interaction::merged(id, self.id()), at)).collect()
    }
}

fn stamped(record: Interaction, at: Option<&str>) -> Interaction {
    match at {
        Some(at) => record.version(at).updated_at(at),
        None => record,
    }
}

/// The records of these rows, and after them the losers of merges: where a search still shows a loser, the tombstone
/// is the later word.
pub(crate) fn records(rows: &[Row<'_>]) -> Vec<Interaction> {
    let present = rows.iter().map(Row::present);
    present.chain(rows.iter().flat_map(Row::losers)).collect()
}
