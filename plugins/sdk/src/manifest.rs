//! What a connector says about itself.

use crate::Attribute;

/// What a connector is. Static: the same for every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Lower-case name, `[a-z][a-z0-9-]*`, at most 64 bytes.
    pub name: String,
    /// Semantic version of the connector.
    pub version: String,
    /// Name for people.
    pub title: String,
    /// JSON Schema (draft 2020-12) of the configuration. Credentials never belong in it.
    pub config_schema: String,
    /// Ways to authenticate; the first is the default.
    pub auth: Vec<AuthScheme>,
    /// Hosts the connector talks to: `api.example.com`, `*.example.com`, `{subdomain}.example.com`.
    pub hosts: Vec<String>,
    /// The provider's published limit.
    pub rate: Option<RateHint>,
    /// Reserved for later facts.
    pub attributes: Vec<Attribute>,
}

impl Manifest {
    /// A manifest with an empty configuration, no authentication and no hosts.
    pub fn new(name: impl Into<String>, version: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            title: title.into(),
            config_schema: r#"{"type":"object","additionalProperties":false}"#.to_owned(),
            auth: Vec::new(),
            hosts: Vec::new(),
            rate: None,
            attributes: Vec::new(),
        }
    }

    /// Sets the JSON Schema of the configuration.
    #[must_use]
    pub fn config_schema(mut self, schema: impl Into<String>) -> Self {
        self.config_schema = schema.into();
        self
    }

    /// Adds a way to authenticate; the first one added is the default.
    #[must_use]
    pub fn auth(mut self, scheme: AuthScheme) -> Self {
        self.auth.push(scheme);
        self
    }

    /// Adds a host pattern.
    #[must_use]
    pub fn host(mut self, pattern: impl Into<String>) -> Self {
        self.hosts.push(pattern.into());
        self
    }

    /// Sets the rate hint: so many requests in so many seconds, so many at once (0 for the host's default).
    #[must_use]
    pub fn rate(mut self, requests: u32, per_seconds: u32, concurrency: u32) -> Self {
        self.rate = Some(RateHint { requests, per_seconds, concurrency });
        self
    }
}

/// What the provider allows, as a starting point for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateHint {
    /// Requests in `per_seconds`.
    pub requests: u32,
    /// Length of the window in seconds, at least 1.
    pub per_seconds: u32,
    /// Requests in flight at once; 0 for the host's default.
    pub concurrency: u32,
}

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthScheme {
    /// Name an integration picks the scheme by.
    pub name: String,
    /// What the host does with the credentials.
    pub kind: AuthKind,
    /// Hosts that may see this credential; empty for every declared host.
    pub hosts: Vec<String>,
}

impl AuthScheme {
    /// A scheme whose credential every declared host may see.
    pub fn new(name: impl Into<String>, kind: AuthKind) -> Self {
        Self { name: name.into(), kind, hosts: Vec::new() }
    }

    /// `Authorization: Bearer <token>`.
    pub fn bearer(name: impl Into<String>) -> Self {
        Self::new(name, AuthKind::Bearer)
    }

    /// OAuth 2.0.
    pub fn oauth2(name: impl Into<String>, oauth2: OAuth2) -> Self {
        Self::new(name, AuthKind::OAuth2(oauth2))
    }

    /// Restricts the credential to a host pattern.
    #[must_use]
    pub fn only_host(mut self, pattern: impl Into<String>) -> Self {
        self.hosts.push(pattern.into());
        self
    }
}

/// How the host authenticates requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthKind {
    /// `Authorization: Bearer <token>`; credential field `token`.
    Bearer,
    /// HTTP basic; credential fields `username` and `password`.
    Basic,
    /// A header of this name; credential field `key`.
    Header(String),
    /// A query parameter of this name; credential field `key`.
    Query(String),
    /// OAuth 2.0; credential fields `client-id`, `client-secret`, `refresh-token`.
    OAuth2(OAuth2),
    /// A scheme this version of the contract does not know.
    Other(String),
}

/// An OAuth 2.0 provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OAuth2 {
    /// Token endpoint; may name config values, as in `https://{domain}/services/oauth2/token`.
    pub token_url: String,
    /// Authorization endpoint, if the provider has one.
    pub authorize_url: Option<String>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Grants the token endpoint accepts: `refresh-token`, `client-credentials`.
    pub grants: Vec<String>,
    /// Reserved for later facts.
    pub attributes: Vec<Attribute>,
}

impl OAuth2 {
    /// A token endpoint with no grants yet.
    pub fn new(token_url: impl Into<String>) -> Self {
        Self { token_url: token_url.into(), ..Self::default() }
    }

    /// Sets the authorization endpoint.
    #[must_use]
    pub fn authorize_url(mut self, url: impl Into<String>) -> Self {
        self.authorize_url = Some(url.into());
        self
    }

    /// Adds a scope to ask for.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Adds a grant: `refresh-token` or `client-credentials`.
    #[must_use]
    pub fn grant(mut self, grant: impl Into<String>) -> Self {
        self.grants.push(grant.into());
        self
    }
}
