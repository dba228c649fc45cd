//! Asking an OAuth 2.0 token endpoint for a new access token.
//!
//! The endpoint is dialled like any other host, except that the manifest's `token_url` is itself the declaration.

use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, RequestTokenError,
    Scope, TokenResponse as _, TokenUrl,
};
use secrecy::SecretString;
use serde_json::Value;

use super::breakers::Breakers;
use super::credentials::{Credentials, field};
use super::denial::Denial;
use super::pace::now_ms;
use super::patterns::{self, PatternError};
use super::policy::Operator;
use super::target::Target;
use super::wire::{Errand, Outgoing, Wire, WireError};
use crate::domain::OAuth2;
use crate::domain::http::HttpError;

/// An endpoint and what it takes, with the configuration filled in.
#[derive(Debug)]
pub(super) struct Grant {
    endpoint: Target,
    scopes: Vec<String>,
    refresh_token: bool,
    client_credentials: bool,
}

/// The manifest's token endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// A placeholder cannot be filled in.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The policy refuses it.
    #[error(transparent)]
    Denied(#[from] Denial),
}

/// Why there is no new token.
#[derive(Debug)]
pub(super) enum GrantError {
    /// The provider refuses these credentials: somebody has to connect again.
    Refused(String),
    /// It did not work this time.
    Failed(HttpError),
}

impl Grant {
    pub(super) fn new(oauth: &OAuth2, config: &Value, operator: &Operator) -> Result<Self, EndpointError> {
        let endpoint = Target::parse(&patterns::substitute(&oauth.token_url, config)?)?;
        operator.check(&endpoint)?;
        let takes = |grant: &str| oauth.grants.iter().any(|name| name == grant);
        Ok(Self {
            endpoint,
            scopes: oauth.scopes.clone(),
            refresh_token: oauth.grants.is_empty() || takes("refresh-token"),
            client_credentials: takes("client-credentials"),
        })
    }

    /// Gets a token and says which fields change. Nothing is repeated here: a refresh token that works only once may
    /// have been used up by a request whose answer got lost.
    pub(super) async fn request(
        &self,
        wire: &dyn Wire,
        breakers: &Breakers,
        credentials: &Credentials,
    ) -> Result<Vec<(String, SecretString)>, GrantError> {
        let missing = |name: &str| GrantError::Refused(format!("credential field {name:?} is missing"));
        let client_id = credentials.get(field::CLIENT_ID).ok_or_else(|| missing(field::CLIENT_ID))?;
        let token_url = TokenUrl::new(self.endpoint.url().to_string())
            .map_err(|_| GrantError::Refused("the token endpoint is not a URL".to_owned()))?;
        let mut client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(token_url);
        if let Some(secret) = credentials.get(field::CLIENT_SECRET) {
            client = client.set_client_secret(ClientSecret::new(secret.to_owned()));
        }
        let status = AtomicU16::new(0);
        let http = Client { endpoint: &self.endpoint, wire, breakers, status: &status };
        let refresh_token = credentials.get(field::REFRESH_TOKEN).filter(|_| self.refresh_token);
        let answer = match refresh_token {
            Some(token) => {
                let token = RefreshToken::new(token.to_owned());
                client.exchange_refresh_token(&token).request_async(&http).await
            }
            None if self.client_credentials => {
                let scopes = self.scopes.iter().cloned().map(Scope::new);
                client.exchange_client_credentials().add_scopes(scopes).request_async(&http).await
            }
            None => return Err(missing(field::REFRESH_TOKEN)),
        };
        answer.map(|token| changes(&token)).map_err(|error| self.explain(error, status.load(Ordering::Relaxed)))
    }

    /// Of the provider's own words only the error code is used: descriptions repeat what was sent.
    fn explain(&self, error: RequestTokenError<WireError, BasicErrorResponse>, status: u16) -> GrantError {
        let endpoint = self.endpoint.authority();
        let code = match error {
            RequestTokenError::Request(error) => return GrantError::Failed(error.into()),
            RequestTokenError::ServerResponse(response) => {
                let code: String = response.error().as_ref().chars().filter(|c| !c.is_control()).take(60).collect();
                format!("{status} {code}")
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => format!("{status}, not understood"),
        };
        let text = format!("token endpoint {endpoint} answered {code}");
        // Anything but a clear no may pass.
        if matches!(status, 400..=403) {
            GrantError::Refused(text)
        } else {
            GrantError::Failed(HttpError::Unreachable(text))
        }
    }
}

/// The wire as the OAuth library wants it.
struct Client<'a> {
    endpoint: &'a Target,
    wire: &'a dyn Wire,
    breakers: &'a Breakers,
    /// Where the status of the answer is left: the library keeps it to itself.
    status: &'a AtomicU16,
}

impl<'c> AsyncHttpClient<'c> for Client<'_> {
    type Error = WireError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WireError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let (headers, body) = (head.headers, body.into());
            let outgoing = Outgoing {
                method: &head.method,
                headers: &headers,
                body: Some(&body),
                errand: Errand::Token,
                target: self.endpoint,
                credential: None,
            };
            let under_way = self.breakers.admit(self.endpoint, None)?;
            let answer = self.wire.send(outgoing).await;
            under_way.answered(&answer, &[]);
            let incoming = answer?;
            self.status.store(incoming.status.as_u16(), Ordering::Relaxed);
            let mut response = HttpResponse::new(incoming.body.to_vec());
            *response.status_mut() = incoming.status;
            *response.headers_mut() = incoming.headers;
            Ok(response)
        })
    }
}

fn changes(token: &BasicTokenResponse) -> Vec<(String, SecretString)> {
    let expires_at = token
        .expires_in()
        .map_or(0, |lifetime| now_ms().saturating_add(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX)));
    let mut changes = vec![
        (field::ACCESS_TOKEN.to_owned(), SecretString::from(token.access_token().secret().as_str())),
        (field::ACCESS_TOKEN_EXPIRES_AT.to_owned(), SecretString::from(expires_at.to_string())),
    ];
    if let Some(rotated) = token.refresh_token() {
        changes.push((field::REFRESH_TOKEN.to_owned(), SecretString::from(rotated.secret().as_str())));
    }
    changes
}
