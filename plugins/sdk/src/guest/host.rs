//! The host's side of a call, on wasm32: its imports as [`Http`], [`Log`] and [`Clock`], and the exported functions.

use std::marker::PhantomData;
use std::time::{SystemTime, UNIX_EPOCH};

use super::bindings::exports::syncline::connector::connector as exports;
use super::bindings::syncline::connector::{http, log};
use crate::{Clock, Connector, Context, Http, HttpError, Level, Log, Request, Response};

/// The imports, and the clock of the sandbox.
struct Host;

impl Http for Host {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let request = request.into();
        http::send(&request).map(Response::from).map_err(HttpError::from)
    }
}

impl Log for Host {
    fn emit(&self, level: Level, message: &str) {
        log::emit(level.into(), message, &[]);
    }
}

impl Clock for Host {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A connector behind the exported functions.
pub struct Exported<C>(PhantomData<C>);

impl<C: Connector + Default> exports::Guest for Exported<C> {
    fn describe() -> exports::Manifest {
        C::default().describe().into()
    }

    fn check(context: exports::Context) -> Result<(), exports::Error> {
        C::default().check(&lend(&context)).map_err(Into::into)
    }

    fn discover(context: exports::Context) -> Result<Vec<exports::ObjectType>, exports::Error> {
        let objects = C::default().discover(&lend(&context)).map_err(exports::Error::from)?;
        Ok(objects.into_iter().map(Into::into).collect())
    }

    fn fetch(
        context: exports::Context,
        object: String,
        cursor: Option<String>,
    ) -> Result<exports::Page, exports::Error> {
        let page = C::default().fetch(&lend(&context), &object, cursor.as_deref());
        page.map(Into::into).map_err(Into::into)
    }
}

fn lend(context: &exports::Context) -> Context<'_> {
    Context::new(&Host, &Host, &Host, &context.config, &context.auth, &context.attributes)
}
