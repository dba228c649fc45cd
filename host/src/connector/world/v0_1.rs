//! `syncline:connector@0.1`: the generated bindings, and the conversion to and from the host's own types.
//!
//! Nothing is judged here and nothing that a guest gave is unwrapped; `contract` and `manifest` judge.

use wasmtime::Store;
use wasmtime::component::{HasSelf, Linker};

use super::{Answer, Context, RawManifest};
use crate::connector::log::LogLevel;
use crate::connector::rows::Wish;
use crate::connector::state::State;
use crate::domain::http::{HttpError, Request};
use crate::domain::{self as to, Cursor, ProviderError};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1.0",
        world: "connector-world",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

use bindings::syncline::connector::{http, log, types};
pub(crate) use bindings::{ConnectorWorld as Instance, ConnectorWorldPre};

/// A component ready to be instantiated.
pub(crate) type Pre = ConnectorWorldPre<State>;

/// Links the world's imports, WASI 0.2 with nothing behind it, and `wasi:http` with the egress gate behind it.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Instance::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

pub(crate) async fn describe(guest: &Instance, store: &mut Store<State>) -> wasmtime::Result<RawManifest> {
    Ok(guest.syncline_connector_connector().call_describe(store).await?.into())
}

pub(crate) async fn check(guest: &Instance, store: &mut Store<State>, cx: &Context<'_>) -> Answer<()> {
    let answer = guest.syncline_connector_connector().call_check(store, &context(cx)).await?;
    Ok(answer.map_err(Into::into))
}

pub(crate) async fn discover(
    guest: &Instance,
    store: &mut Store<State>,
    cx: &Context<'_>,
) -> Answer<Vec<to::ObjectType>> {
    let answer = guest.syncline_connector_connector().call_discover(store, &context(cx)).await?;
    Ok(answer.map(|objects| objects.into_iter().map(Into::into).collect()).map_err(Into::into))
}

pub(crate) async fn fetch(
    guest: &Instance,
    store: &mut Store<State>,
    cx: &Context<'_>,
    object: &str,
    cursor: Option<&str>,
) -> Answer<to::Page> {
    let answer = guest.syncline_connector_connector().call_fetch(&mut *store, &context(cx), object, cursor).await?;
    let answer = answer.map(|page| {
        let mut page = to::Page::from(page);
        page.interactions = store.data().rows.give(page.interactions);
        page
    });
    Ok(answer.map_err(Into::into))
}

fn context(cx: &Context<'_>) -> types::Context {
    types::Context {
        config: cx.config.to_owned(),
        auth: cx.auth.to_owned(),
        attributes: vec![("page-size".to_owned(), cx.page_size.to_string())],
    }
}

impl types::Host for State {}

impl log::Host for State {
    async fn emit(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log.emit(level, &message, &fields);
        Ok(())
    }
}

impl http::Host for State {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::HttpError>> {
        self.requests = self.requests.saturating_add(1);
        let wish = Wish::of(|name| attribute(&request.attributes, name));
        let mut answer = match self.http.send(request.into()).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error.into())),
        };
        let mut attributes = Vec::new();
        if let Some(wish) = wish.filter(|_| (200..300).contains(&answer.status)) {
            match self.rows.keep(std::mem::take(&mut answer.body), wish) {
                Ok(cut) => (answer.body, attributes) = (cut.body, cut.attributes),
                Err(whole) => answer.body = whole,
            }
        }
        Ok(Ok(http::Response { attributes, ..answer.into() }))
    }
}

/// The value of a known attribute.
fn attribute<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

impl From<http::Request> for Request {
    fn from(request: http::Request) -> Self {
        let method = match request.method {
            http::Method::Get => "GET".to_owned(),
            http::Method::Head => "HEAD".to_owned(),
            http::Method::Post => "POST".to_owned(),
            http::Method::Put => "PUT".to_owned(),
            http::Method::Patch => "PATCH".to_owned(),
            http::Method::Delete => "DELETE".to_owned(),
            http::Method::Other(name) => name,
        };
        let statuses = attribute(&request.attributes, "accept-status").unwrap_or_default();
        Self {
            method,
            url: request.url,
            headers: request.headers,
            body: request.body.map(Into::into),
            idempotent: request.idempotent,
            timeout_ms: attribute(&request.attributes, "timeout-ms").and_then(|ms| ms.trim().parse().ok()),
            accept_status: statuses.split(',').filter_map(|status| status.trim().parse().ok()).collect(),
        }
    }
}

impl From<to::http::Response> for http::Response {
    fn from(response: to::http::Response) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body.into(), attributes: Vec::new() }
    }
}

impl From<HttpError> for http::HttpError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(text) => Self::Denied(text),
            HttpError::BudgetSpent(text) => Self::BudgetSpent(text),
            HttpError::Unreachable(text) => Self::Unreachable(text),
            HttpError::Timeout(text) => Self::Timeout(text),
            HttpError::Truncated(text) => Self::Truncated(text),
            HttpError::TooLarge(text) => Self::TooLarge(text),
            HttpError::RateLimited(seconds) => Self::RateLimited(seconds),
            HttpError::Unauthorized(text) => Self::Unauthorized(text),
        }
    }
}

impl From<types::Error> for ProviderError {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Unauthorized(text) => Self::Unauthorized(text),
            types::Error::Forbidden(text) => Self::Forbidden(text),
            types::Error::RateLimited(seconds) => Self::RateLimited(seconds),
            types::Error::Unavailable(text) => Self::Unavailable(text),
            types::Error::CursorExpired(resume) => Self::CursorExpired(resume),
            types::Error::InvalidConfig(text) => Self::InvalidConfig(text),
            types::Error::Unexpected(text) => Self::Unexpected(text),
            types::Error::Other((code, text)) => Self::Other(code, text),
        }
    }
}

impl From<types::Page> for to::Page {
    fn from(page: types::Page) -> Self {
        Self {
            pass_complete: attribute(&page.attributes, "pass-complete") == Some("true"),
            interactions: page.interactions.into_iter().map(Into::into).collect(),
            cursor: Cursor(page.cursor),
            more: page.more,
            wait_seconds: page.wait,
        }
    }
}

impl From<types::Interaction> for to::Interaction {
    fn from(record: types::Interaction) -> Self {
        let state = match record.state {
            types::RecordState::Present => to::RecordState::Present,
            types::RecordState::Deleted => to::RecordState::Deleted,
            types::RecordState::MergedInto(id) => to::RecordState::MergedInto(id),
        };
        Self { id: record.id, version: record.version, updated_at: record.updated_at, state, data: record.data }
    }
}

impl From<types::ObjectType> for to::ObjectType {
    fn from(object: types::ObjectType) -> Self {
        let mode = match object.mode {
            types::SyncMode::Incremental => to::SyncMode::Incremental,
            types::SyncMode::Full => to::SyncMode::Full,
        };
        let deletes = match object.deletes {
            types::DeleteMode::None => to::DeleteMode::None,
            types::DeleteMode::Tombstones => to::DeleteMode::Tombstones,
            types::DeleteMode::ByAbsence => to::DeleteMode::ByAbsence,
        };
        Self {
            name: object.name,
            interaction_type: object.interaction_type,
            schema: object.schema,
            primary_key: object.primary_key,
            mode,
            deletes,
            default_interval_seconds: object.default_interval,
        }
    }
}

impl From<types::Manifest> for RawManifest {
    fn from(manifest: types::Manifest) -> Self {
        let rate = |rate: types::RateHint| to::RateHint {
            requests: rate.requests,
            per_seconds: rate.per_seconds,
            concurrency: rate.concurrency,
        };
        Self {
            name: manifest.name,
            version: manifest.version,
            title: manifest.title,
            config_schema: manifest.config_schema,
            auth: manifest.auth.into_iter().map(Into::into).collect(),
            hosts: manifest.hosts,
            rate: manifest.rate.map(rate),
        }
    }
}

impl From<types::AuthScheme> for to::AuthScheme {
    fn from(scheme: types::AuthScheme) -> Self {
        let kind = match scheme.kind {
            types::AuthKind::Bearer => to::AuthKind::Bearer,
            types::AuthKind::Basic => to::AuthKind::Basic,
            types::AuthKind::Header(name) => to::AuthKind::Header(name),
            types::AuthKind::Query(name) => to::AuthKind::Query(name),
            types::AuthKind::Oauth2(oauth2) => to::AuthKind::OAuth2(to::OAuth2 {
                token_url: oauth2.token_url,
                authorize_url: oauth2.authorize_url,
                scopes: oauth2.scopes,
                grants: oauth2.grants,
            }),
            types::AuthKind::Other(name) => to::AuthKind::Other(name),
        };
        Self { name: scheme.name, kind, hosts: scheme.hosts }
    }
}
