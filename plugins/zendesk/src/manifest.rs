//! What the connector says about itself.

use syncline_sdk::{AuthScheme, Manifest, OAuth2};

use crate::config;

/// The account's own address. A host-mapped domain is another host and never sees the credentials.
const HOST: &str = "{subdomain}.zendesk.com";

pub(crate) fn manifest() -> Manifest {
    let oauth = OAuth2::new("https://{subdomain}.zendesk.com/oauth/tokens")
        .authorize_url("https://{subdomain}.zendesk.com/oauth/authorizations/new")
        .grant("refresh-token")
        .scope("read");
    Manifest::new("zendesk", env!("CARGO_PKG_VERSION"), "Zendesk Support")
        .config_schema(config::SCHEMA)
        // The user name is `{email}/token`, the password the API token.
        .auth(AuthScheme::new("api-token", syncline_sdk::AuthKind::Basic))
        .auth(AuthScheme::oauth2("oauth", oauth))
        // A token from before they expired.
        .auth(AuthScheme::bearer("oauth-token"))
        .host(HOST)
        // The lowest plan. The exports together allow ten a minute; Zendesk says so with a 429 and how long to wait.
        .rate(200, 60, 2)
}
