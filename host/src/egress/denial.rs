//! What the gate says when it refuses: which rule, about which host, and the line that would allow it.

use crate::domain::http::HttpError;

/// The rule that refused a request; the label of the metric `syncline_egress_denied_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The URL does not parse, is too long, or carries user information.
    Url,
    /// Not https.
    Scheme,
    /// Host or port not declared by the connector.
    Host,
    /// The operator's list of refused hosts.
    Operator,
    /// The host has an address that is not public.
    Address,
    /// Method not allowed.
    Method,
    /// A header or query parameter that is the host's to write, or too many of them.
    Header,
    /// A body where there must be none, or too large a one.
    Body,
    /// A redirect that must not be followed.
    Redirect,
    /// A replay met a request that its cassette does not hold.
    Cassette,
}

impl Rule {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Operator => "operator",
            Self::Address => "address",
            Self::Method => "method",
            Self::Header => "header",
            Self::Body => "body",
            Self::Redirect => "redirect",
            Self::Cassette => "cassette",
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denial {
    /// Which rule.
    pub rule: Rule,
    /// For people: host, reason, remedy.
    pub message: String,
}

impl Denial {
    pub(super) fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }
}

impl From<Denial> for HttpError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial.message)
    }
}
