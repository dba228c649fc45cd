//! What one provider must tell the rest of the crate. Everything that all of them share is elsewhere and asks here.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Map, Value};

use crate::{
    Shared, Tenant,
    dataset::{Record, Table, World},
    reply::Call,
    schema::Object,
    truth::Truth,
};

/// What becomes of an owner or user who leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The record is deleted like any other.
    Deleted,
    /// Archived, and its stamp does not move (HubSpot).
    Archived,
    /// Deactivated: the record stays and a field of it changes (Salesforce).
    Deactivated,
}

/// What happens to the records of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// They change; some are deleted or merged from the start.
    Full,
    /// They change; all of the first day live.
    Young,
    /// They are created and never change.
    Fixed,
}

/// How the data of a provider behaves over time.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Stamps are cut to multiples of this.
    pub grain_ms: i64,
    /// Writes reach search late: `Knobs::index_lag_ms`, `Record::indexed`.
    pub index_lag: bool,
    /// Some transactions are seen late: `Knobs::late_commit_ms`, `Record::view`.
    pub late_commits: bool,
    /// The loser of a merge is shown by no endpoint; only the survivor names it.
    pub losers_vanish: bool,
    /// Writes are not shown before they are this old.
    pub hold_back_ms: i64,
    /// Owners and users.
    pub leaving: Leaving,
    /// Refresh tokens work once, if the options say so.
    pub rotates: bool,
    /// What a 429 without `Retry-After` asks the client to wait.
    pub implied_wait_ms: i64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            grain_ms: 1000,
            index_lag: false,
            late_commits: false,
            losers_vanish: false,
            hold_back_ms: 0,
            leaving: Leaving::Deleted,
            rotates: false,
            implied_wait_ms: 0,
        }
    }
}

/// A provider's own behaviour: one implementation in one module each.
pub(crate) trait Api: Sync {
    /// The host name that clients believe they talk to, as a pattern (`*.my.salesforce.com`).
    fn host(&self) -> &'static str;

    /// Its objects.
    fn objects(&self) -> &'static [Object];

    /// How its data behaves.
    fn habits(&self) -> Habits;

    /// What happens to the records of an object.
    fn life(&self, _object: &Object) -> Life {
        Life::Full
    }

    /// The record that is stamped whenever this one is created, as a ticket is with a comment: object and number.
    fn stamps(&self, _table: &Table, _record: &Record) -> Option<(&'static str, u32)> {
        None
    }

    /// The credential a tenant has from the start and for ever; `None` if there are only issued ones.
    fn credential(&self, tenant: &Tenant) -> Option<String> {
        Some(tenant.token.clone())
    }

    /// The credential in a request: a bearer token unless the provider looks elsewhere (`Call::basic`, a header, the
    /// query).
    fn presented(&self, call: &Call) -> Option<String> {
        call.bearer().map(str::to_owned)
    }

    /// The spelling of an issued access token.
    fn issued(&self, opaque: String) -> String {
        opaque
    }

    /// The kind of request for the counts (`hubspot.list`), and the limit it falls under (`all` unless there are more).
    fn kind(&self, call: &Call) -> (&'static str, &'static str);

    /// The answer. `Shared::caller` says who asks.
    fn answer(&self, shared: &Shared, call: &Call, now: i64) -> Response;

    /// An injected status with the body that the provider would send.
    fn trouble(&self, status: u16) -> Response;

    /// A time as the endpoints spell it.
    fn stamp(&self, ms: i64) -> String;

    /// Everything the endpoints can say of a record, as a connector delivers it.
    fn data(&self, table: &Table, record: &Record) -> Map<String, Value>;

    /// Corrects the truth about an object where it depends on another one.
    fn amend(&self, _world: &World, _object: &str, _truth: &mut BTreeMap<String, Truth>) {}
}
