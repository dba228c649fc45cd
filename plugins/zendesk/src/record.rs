//! From rows to records. Only what the connector acts on is parsed out of a row; the rest passes through as it came.

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_sdk::{Error, Interaction, time};

/// Appends the records of a row and says at which second Zendesk's own order has the row.
pub(crate) type Reader = fn(&RawValue, &mut Vec<Interaction>) -> Result<Option<u64>, Error>;

#[derive(Deserialize)]
struct Ticket {
    id: u64,
    status: Option<String>,
    updated_at: Option<String>,
    generated_timestamp: Option<u64>,
}

/// A ticket. The export orders by `generated_timestamp`: what the system does to a ticket moves it and leaves
/// `updated_at` alone. Also a ticket erased for good ("SCRUBBED") has the status of a deleted one.
pub(crate) fn ticket(raw: &RawValue, records: &mut Vec<Interaction>) -> Result<Option<u64>, Error> {
    let ticket: Ticket = parse(raw)?;
    let mut record = state(ticket.id, raw, ticket.status.as_deref() == Some("deleted"));
    record.version = ticket.generated_timestamp.map(|at| at.to_string());
    record.updated_at = ticket.updated_at;
    records.push(record);
    Ok(ticket.generated_timestamp)
}

#[derive(Deserialize)]
struct User {
    id: u64,
    active: Option<bool>,
    permanently_deleted: Option<bool>,
    updated_at: Option<String>,
}

/// A user. A deleted one, and the loser of a merge, is not active.
pub(crate) fn user(raw: &RawValue, records: &mut Vec<Interaction>) -> Result<Option<u64>, Error> {
    let user: User = parse(raw)?;
    let gone = user.active == Some(false) || user.permanently_deleted == Some(true);
    Ok(push(records, state(user.id, raw, gone), user.updated_at))
}

#[derive(Deserialize)]
struct Organization {
    id: u64,
    updated_at: Option<String>,
    deleted_at: Option<String>,
}

/// An organization.
pub(crate) fn organization(raw: &RawValue, records: &mut Vec<Interaction>) -> Result<Option<u64>, Error> {
    let organization: Organization = parse(raw)?;
    let record = state(organization.id, raw, organization.deleted_at.is_some());
    Ok(push(records, record, organization.updated_at.or(organization.deleted_at)))
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    deleted: Option<bool>,
    updated_at: Option<String>,
}

/// A row of a list.
pub(crate) fn listed(raw: &RawValue, records: &mut Vec<Interaction>) -> Result<Option<u64>, Error> {
    let listed: Listed = parse(raw)?;
    Ok(push(records, state(listed.id, raw, listed.deleted == Some(true)), listed.updated_at))
}

#[derive(Deserialize)]
struct Event<'a> {
    ticket_id: u64,
    timestamp: Option<u64>,
    #[serde(borrow, default)]
    child_events: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Child {
    event_type: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A ticket event: of all that it tells, the comments.
pub(crate) fn event(raw: &RawValue, records: &mut Vec<Interaction>) -> Result<Option<u64>, Error> {
    let event: Event<'_> = parse(raw)?;
    for child in event.child_events.unwrap_or_default() {
        let Child { event_type, kind } = parse(child)?;
        if event_type.or(kind).as_deref() == Some("Comment") {
            records.push(comment(child, event.ticket_id, event.timestamp)?);
        }
    }
    Ok(event.timestamp)
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    ticket_id: Option<u64>,
    created_at: Option<String>,
}

/// A comment, which does not say itself what ticket it belongs to. A comment never changes, so its only stamp is that
/// of its creation, or of the event that it came with (in seconds).
pub(crate) fn comment(raw: &RawValue, ticket: u64, second: Option<u64>) -> Result<Interaction, Error> {
    let comment: Comment = parse(raw)?;
    let record = match (comment.ticket_id, raw.get().strip_prefix('{')) {
        (None, Some(rest)) => Interaction::present(comment.id.to_string(), format!(r#"{{"ticket_id":{ticket},{rest}"#)),
        _ => Interaction::present(comment.id.to_string(), raw),
    };
    let second = second.map(|second| time::format_rfc3339_ms(second.saturating_mul(1_000)));
    Ok(stamped(record, comment.created_at.or(second)))
}

/// What is needed of a ticket to look for its comments.
#[derive(Deserialize)]
pub(crate) struct Commented {
    pub(crate) id: u64,
    status: Option<String>,
    created_at: Option<String>,
}

impl Commented {
    /// Parses a row of the tickets' export.
    pub(crate) fn parse(raw: &RawValue) -> Result<Self, Error> {
        parse(raw)
    }

    /// Whether the ticket can have a comment of this second. A deleted one shows none.
    pub(crate) fn at(&self, second: u64) -> bool {
        let created = self.created_at.as_deref().and_then(seconds);
        self.status.as_deref() != Some("deleted") && created.is_none_or(|created| created <= second)
    }
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get()).map_err(|error| Error::Unexpected(format!("a row that is no record: {error}")))
}

fn state(id: u64, raw: &RawValue, gone: bool) -> Interaction {
    let id = id.to_string();
    if gone { Interaction::deleted(id) } else { Interaction::present(id, raw) }
}

fn push(records: &mut Vec<Interaction>, record: Interaction, at: Option<String>) -> Option<u64> {
    let second = at.as_deref().and_then(seconds);
    records.push(stamped(record, at));
    second
}

fn stamped(record: Interaction, at: Option<String>) -> Interaction {
    match at {
        Some(at) => record.version(at.as_str()).updated_at(at),
        None => record,
    }
}

fn seconds(text: &str) -> Option<u64> {
    time::parse_rfc3339_ms(text).map(|ms| ms / 1_000)
}
