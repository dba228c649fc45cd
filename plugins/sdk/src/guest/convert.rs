//! Conversions by move: strings and bodies change their type, not their place.

use super::bindings::exports::syncline::connector::connector as exports;
use super::bindings::syncline::connector::{http, log, types};
use crate::{
    AuthKind, AuthScheme, DeleteMode, Error, HttpError, Interaction, Level, Manifest, Method, OAuth2, ObjectType, Page,
    RateHint, Request, Response, State, SyncMode,
};

impl From<Request> for http::Request {
    fn from(request: Request) -> Self {
        let Request { method, url, headers, body, idempotent, attributes } = request;
        Self { method: method.into(), url, headers, body, idempotent, attributes }
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Head => Self::Head,
            Method::Post => Self::Post,
            Method::Put => Self::Put,
            Method::Patch => Self::Patch,
            Method::Delete => Self::Delete,
            Method::Other(name) => Self::Other(name),
        }
    }
}

impl From<http::Response> for Response {
    fn from(response: http::Response) -> Self {
        let http::Response { status, headers, body, attributes } = response;
        Self { status, headers, body, attributes }
    }
}

impl From<http::HttpError> for HttpError {
    fn from(error: http::HttpError) -> Self {
        match error {
            http::HttpError::Denied(message) => Self::Denied(message),
            http::HttpError::BudgetSpent(message) => Self::BudgetSpent(message),
            http::HttpError::Unreachable(message) => Self::Unreachable(message),
            http::HttpError::Timeout(message) => Self::Timeout(message),
            http::HttpError::Truncated(message) => Self::Truncated(message),
            http::HttpError::TooLarge(message) => Self::TooLarge(message),
            http::HttpError::RateLimited(seconds) => Self::RateLimited(seconds),
            http::HttpError::Unauthorized(message) => Self::Unauthorized(message),
            http::HttpError::Other((code, message)) => Self::Other(code, message),
        }
    }
}

impl From<Level> for log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl From<Error> for exports::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthorized(message) => Self::Unauthorized(message),
            Error::Forbidden(message) => Self::Forbidden(message),
            Error::RateLimited(seconds) => Self::RateLimited(seconds),
            Error::Unavailable(message) => Self::Unavailable(message),
            Error::CursorExpired(cursor) => Self::CursorExpired(cursor),
            Error::InvalidConfig(message) => Self::InvalidConfig(message),
            Error::Unexpected(message) => Self::Unexpected(message),
            Error::Other { code, message } => Self::Other((code, message)),
        }
    }
}

impl From<Manifest> for exports::Manifest {
    fn from(manifest: Manifest) -> Self {
        let Manifest { name, version, title, config_schema, auth, hosts, rate, attributes } = manifest;
        let auth = auth.into_iter().map(Into::into).collect();
        let rate = rate.map(Into::into);
        Self { name, version, title, config_schema, auth, hosts, rate, attributes }
    }
}

impl From<RateHint> for types::RateHint {
    fn from(RateHint { requests, per_seconds, concurrency }: RateHint) -> Self {
        Self { requests, per_seconds, concurrency }
    }
}

impl From<AuthScheme> for types::AuthScheme {
    fn from(AuthScheme { name, kind, hosts }: AuthScheme) -> Self {
        Self { name, kind: kind.into(), hosts }
    }
}

impl From<AuthKind> for types::AuthKind {
    fn from(kind: AuthKind) -> Self {
        match kind {
            AuthKind::Bearer => Self::Bearer,
            AuthKind::Basic => Self::Basic,
            AuthKind::Header(name) => Self::Header(name),
            AuthKind::Query(name) => Self::Query(name),
            AuthKind::OAuth2(oauth2) => Self::Oauth2(oauth2.into()),
            AuthKind::Other(name) => Self::Other(name),
        }
    }
}

impl From<OAuth2> for types::Oauth2 {
    fn from(oauth2: OAuth2) -> Self {
        let OAuth2 { token_url, authorize_url, scopes, grants, attributes } = oauth2;
        Self { token_url, authorize_url, scopes, grants, attributes }
    }
}

impl From<ObjectType> for exports::ObjectType {
    fn from(object: ObjectType) -> Self {
        let ObjectType { name, interaction_type, schema, primary_key, mode, deletes, default_interval, attributes } =
            object;
        let mode = match mode {
            SyncMode::Incremental => types::SyncMode::Incremental,
            SyncMode::Full => types::SyncMode::Full,
        };
        let deletes = match deletes {
            DeleteMode::None => types::DeleteMode::None,
            DeleteMode::Tombstones => types::DeleteMode::Tombstones,
            DeleteMode::ByAbsence => types::DeleteMode::ByAbsence,
        };
        Self { name, interaction_type, schema, primary_key, mode, deletes, default_interval, attributes }
    }
}

impl From<Page> for exports::Page {
    fn from(page: Page) -> Self {
        let Page { interactions, cursor, more, wait, attributes } = page;
        let interactions = interactions.into_iter().map(Into::into).collect();
        Self { interactions, cursor, more, wait, attributes }
    }
}

impl From<Interaction> for types::Interaction {
    fn from(interaction: Interaction) -> Self {
        let Interaction { id, version, updated_at, state, data } = interaction;
        let state = match state {
            State::Present => types::RecordState::Present,
            State::Deleted => types::RecordState::Deleted,
            State::MergedInto(into) => types::RecordState::MergedInto(into),
        };
        Self { id, version, updated_at, state, data }
    }
}
