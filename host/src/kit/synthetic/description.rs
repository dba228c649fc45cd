//! The words of a `provider.toml`, as types. How they are read and what fits together is in [`read`](super::read).
//!
//! `docs/reference/provider-toml.md` says what each key means.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use toml::Spanned;

use super::content::Kind;
use super::spelling::{Format, IdFormat, Member};
use super::words;
use crate::config::units::Rate;

/// A provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// What concerns all of it.
    pub provider: Head,
    /// Paths with one answer.
    #[serde(default, rename = "answer")]
    pub answers: Vec<Fixed>,
    /// Its objects.
    #[serde(default, rename = "object")]
    pub objects: Vec<Object>,
    /// Where it ends.
    #[serde(default)]
    pub limits: Limits,
    /// What makes it hard.
    #[serde(default)]
    pub hazards: Hazards,
}

/// `[provider]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What it is called.
    pub name: String,
    /// Its one account.
    #[serde(default = "account")]
    pub account: String,
    /// The credential that it wants.
    #[serde(default)]
    pub auth: Auth,
    /// How many records come at once.
    #[serde(default)]
    pub page_size: PageSize,
    /// Bodies of errors.
    #[serde(default = "error")]
    pub error: Json,
}

fn account() -> String {
    "acme".to_owned()
}

fn error() -> Json {
    json!({ "error": "{code}", "message": "{message}" })
}

/// A credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// A bearer token.
    Bearer(String),
    /// Basic authentication.
    Basic(User),
    /// A header.
    Header(Pair),
    /// A parameter.
    Query(Pair),
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// How many records come at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSize {
    /// The parameter that asks for another number.
    pub param: Option<String>,
    /// Without it.
    #[serde(default = "hundred")]
    pub default: usize,
    /// At most.
    pub max: Option<usize>,
    /// What happens beyond.
    #[serde(default)]
    pub above: Above,
}

impl Default for PageSize {
    fn default() -> Self {
        Self { param: None, default: hundred(), max: None, above: Above::Refuse }
    }
}

const fn hundred() -> usize {
    100
}

/// What happens to a page that is asked for too large.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Above {
    /// It is an error.
    #[default]
    Refuse,
    /// It is as large as it may be.
    Clamp,
}

/// `[[answer]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Where.
    pub path: Spanned<String>,
    /// How.
    #[serde(default = "get")]
    pub method: String,
    /// The status.
    #[serde(default = "ok")]
    pub status: u16,
    /// The answer.
    #[serde(default = "empty")]
    pub body: Json,
}

fn get() -> String {
    "GET".to_owned()
}

const fn ok() -> u16 {
    200
}

fn empty() -> Json {
    json!({})
}

/// `[[object]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// What it is called.
    pub name: Spanned<String>,
    /// The list.
    pub path: Spanned<String>,
    /// One record.
    pub one: Option<Spanned<String>>,
    /// How many there are at the start.
    #[serde(default = "records")]
    pub records: u32,
    /// Place of the list in the answer.
    pub envelope: Option<Member>,
    /// The id.
    #[serde(deserialize_with = "words::text_or_table")]
    pub id: IdField,
    /// The stamp of the last change.
    #[serde(deserialize_with = "words::text_or_table")]
    pub updated: StampField,
    /// The stamp of creation.
    #[serde(default, deserialize_with = "words::some")]
    pub created: Option<StampField>,
    /// Everything else.
    #[serde(default)]
    pub fields: BTreeMap<Member, Spanned<Kind>>,
    /// Order of the list.
    #[serde(default)]
    pub sort: Sort,
    /// How one gets on in it.
    pub paging: Spanned<Paging>,
    /// How many come at once; as everywhere else if none.
    pub page_size: Option<PageSize>,
    /// How one asks for what changed.
    pub since: Option<Since>,
    /// What becomes of deleted records.
    #[serde(default, deserialize_with = "words::text_or_table")]
    pub deletes: Deletes,
    /// Parameters that change nothing.
    #[serde(default)]
    pub ignores: Vec<String>,
}

const fn records() -> u32 {
    120
}

/// Where an id is and how it looks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdField {
    /// Where.
    pub field: Member,
    /// How.
    #[serde(default)]
    pub format: IdFormat,
}

/// Where a stamp is and how it looks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StampField {
    /// Where.
    pub field: Member,
    /// How.
    #[serde(default)]
    pub format: Format,
}

/// Order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Sort {
    /// By id.
    #[default]
    #[serde(rename = "id")]
    Id,
    /// By id, the last one first.
    #[serde(rename = "-id")]
    IdDown,
    /// By the stamp of the last change.
    #[serde(rename = "updated")]
    Updated,
    /// By the stamp of the last change, the newest first.
    #[serde(rename = "-updated")]
    UpdatedDown,
    /// By the stamp of creation.
    #[serde(rename = "created")]
    Created,
    /// By the stamp of creation, the newest first.
    #[serde(rename = "-created")]
    CreatedDown,
}

/// How one gets on in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// By what.
    pub style: Style,
    /// The parameter that asks for the next page.
    pub param: String,
    /// Place of what `param` is to be next.
    pub next: Option<Member>,
    /// Place of the URL of the next page.
    pub next_url: Option<Member>,
    /// Header `Link`.
    #[serde(default)]
    pub link: bool,
    /// Place of a boolean: there is more.
    pub more: Option<Member>,
    /// Place of the number of all records.
    pub total: Option<Member>,
    /// What is at `next` and `next_url` on the last page.
    #[serde(default)]
    pub last: Last,
    /// Number of the first page.
    pub first: Option<usize>,
    /// How long a token is known.
    #[serde(default, deserialize_with = "words::some_duration")]
    pub lifetime: Option<Duration>,
}

/// How one gets on in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// By a token.
    Cursor,
    /// By the last id.
    Keyset,
    /// By the number of records before.
    Offset,
    /// By the number of the page.
    Page,
}

/// What stands for "no next page".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Last {
    /// Null.
    #[default]
    Null,
    /// Nothing at all.
    Absent,
}

/// How one asks for what changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The parameter.
    pub param: String,
    /// At or after, not only after.
    #[serde(default = "yes")]
    pub inclusive: bool,
    /// The parameter for the other end.
    pub until: Option<String>,
    /// How both are written; as the stamp if none.
    pub format: Option<Format>,
}

const fn yes() -> bool {
    true
}

/// What becomes of deleted records.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "words::RawDeletes")]
pub enum Deletes {
    /// They are gone.
    #[default]
    Absence,
    /// There are none.
    None,
    /// They stay, and say so.
    Tombstones {
        /// Where they say it.
        field: Member,
        /// What is there.
        value: Json,
        /// What is there in all others.
        live: Json,
        /// Nothing else is in them.
        blank: bool,
    },
    /// They are in a list of their own.
    List {
        /// Which.
        at: Bin,
        /// Where they say it, if they do.
        field: Option<Member>,
    },
}

impl Deletes {
    /// Whether one can still see what was deleted.
    #[must_use]
    pub const fn leaves_traces(&self) -> bool {
        matches!(self, Self::Tombstones { .. } | Self::List { .. })
    }
}

/// The list of the deleted.
#[derive(Debug, Clone)]
pub enum Bin {
    /// The list itself, with a parameter.
    Param {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
    },
    /// A path.
    Path(String),
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Results of one query.
    pub result_cap: Option<usize>,
    /// For paging by key too.
    pub capped: bool,
    /// Requests.
    #[serde(deserialize_with = "words::some_rate")]
    pub rate: Option<Rate>,
    /// The header that says how long to wait.
    pub wait: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self { result_cap: None, capped: false, rate: None, wait: "retry-after".to_owned() }
    }
}

/// `[hazards]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hazards {
    /// Lists show changes late.
    #[serde(deserialize_with = "words::ms")]
    pub index_lag: i64,
    /// The `Date` header is wrong.
    #[serde(deserialize_with = "words::ms")]
    pub clock_skew: i64,
    /// Answers take their time.
    #[serde(deserialize_with = "words::ms")]
    pub latency: i64,
    /// Records with one stamp.
    pub ties: u32,
    /// Percent of the records that are deleted at the start.
    pub deleted: u8,
}

impl Default for Hazards {
    fn default() -> Self {
        Self { index_lag: 0, clock_skew: 0, latency: 0, ties: 0, deleted: 3 }
    }
}

impl words::FromText for IdField {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { field: text.parse()?, format: IdFormat::default() })
    }
}

impl words::FromText for StampField {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { field: text.parse()?, format: Format::default() })
    }
}

impl words::FromText for Deletes {
    fn from_text(text: &str) -> Result<Self, String> {
        words::RawDeletes::named(text)
    }
}
