//! What a connector says of itself, in the host's own types: no version of the contract is visible here.

use serde::{Deserialize, Serialize};

/// What a connector is: the answer of `describe`, validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Lower-case name; what integrations call the provider.
    pub name: String,
    /// Semantic version of the connector.
    pub version: semver::Version,
    /// Name for people.
    pub title: String,
    /// JSON Schema of the configuration, as text.
    pub config_schema: String,
    /// Ways to authenticate; the first is the default.
    pub auth: Vec<AuthScheme>,
    /// Host patterns the connector may talk to.
    pub hosts: Vec<String>,
    /// The provider's published limit.
    pub rate: Option<RateHint>,
}

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthScheme {
    /// Name an integration picks it by.
    pub name: String,
    /// What the host does with the credentials.
    pub kind: AuthKind,
    /// Host patterns that may see the credential; empty means every declared host.
    pub hosts: Vec<String>,
}

/// What the host does with the credentials of a scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    /// `Authorization: Bearer`; field `token`.
    Bearer,
    /// HTTP basic; fields `username`, `password`.
    Basic,
    /// A header of this name; field `key`.
    Header(String),
    /// A query parameter of this name; field `key`.
    Query(String),
    /// OAuth 2.0; fields `client-id`, `client-secret`, `refresh-token`.
    #[serde(rename = "oauth2")]
    OAuth2(OAuth2),
    /// Unknown to this host: an integration cannot pick it.
    Other(String),
}

impl AuthKind {
    /// Credential fields that an operator must supply for this kind.
    #[must_use]
    pub fn required_fields(&self) -> &'static [&'static str] {
        match self {
            Self::Bearer => &["token"],
            Self::Basic => &["username", "password"],
            Self::Header(_) | Self::Query(_) => &["key"],
            Self::OAuth2(_) => &["client-id", "client-secret"],
            Self::Other(_) => &[],
        }
    }
}

/// An OAuth 2.0 provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth2 {
    /// Token endpoint; may name config values.
    pub token_url: String,
    /// Authorization endpoint for the consent page.
    pub authorize_url: Option<String>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Grants the endpoint accepts: `refresh-token`, `client-credentials`.
    pub grants: Vec<String>,
}

/// What the provider allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateHint {
    /// Requests in one window.
    pub requests: u32,
    /// Length of the window in seconds, at least 1.
    pub per_seconds: u32,
    /// Requests in flight at once; 0 means the host's default.
    pub concurrency: u32,
}

/// How an object can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncMode {
    /// The provider can tell what changed since a cursor.
    Incremental,
    /// Every pass reads everything.
    Full,
}

/// How the deletion of a record shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteMode {
    /// It does not show.
    None,
    /// As an interaction whose state is deleted or merged.
    Tombstones,
    /// The record is missing from a complete pass.
    ByAbsence,
}

macro_rules! as_text {
    ($name:ident { $($case:ident = $text:literal),+ }) => {
        impl $name {
            /// The stored and printed spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $text),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$case),)+
                    other => Err(format!("{other:?} is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

pub(crate) use as_text;

as_text!(SyncMode { Incremental = "incremental", Full = "full" });
as_text!(DeleteMode { None = "none", Tombstones = "tombstones", ByAbsence = "by-absence" });

/// A kind of data that the provider has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectType {
    /// The provider's name for it.
    pub name: String,
    /// Syncline's name: account, contact, ticket, ..., custom.
    pub interaction_type: String,
    /// JSON Schema of a record's data, as text.
    pub schema: String,
    /// Names of the properties that make the id.
    pub primary_key: Vec<String>,
    /// How it is read.
    pub mode: SyncMode,
    /// How deletes show.
    pub deletes: DeleteMode,
    /// Interval in seconds to use instead of the host's default.
    pub default_interval_seconds: Option<u64>,
}
