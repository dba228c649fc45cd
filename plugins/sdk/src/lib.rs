//! What a Syncline connector is written against.
//!
//! A connector is a type that implements [`Connector`] and is named in [`export_connector!`]. Everything it may do goes
//! through the [`Context`] of a call: read its configuration, ask the host for HTTP, log a line. It holds no
//! credentials and keeps nothing between calls but the cursor it returns with each [`Page`].
//!
//! The contract with the host is the WIT package `syncline:connector`; the types here are its friendlier twins and are
//! converted at the edge, in [`guest`](mod@guest) only. Off wasm32 nothing of the edge is reached, so a connector's
//! tests are ordinary `cargo test`s against the fakes in [`testing`].

#[doc(hidden)]
pub mod guest;

mod asked;
mod connector;
mod context;
pub mod cursor;
mod error;
mod log;
mod manifest;
mod object;
mod page;
mod request;
mod response;
mod rows;
pub mod testing;
pub mod time;

pub use connector::Connector;
pub use context::{Clock, Context};
pub use error::{Error, HttpError};
pub use log::{Level, Log};
pub use manifest::{AuthKind, AuthScheme, Manifest, OAuth2, RateHint};
pub use object::{DeleteMode, ObjectType, SyncMode};
pub use page::{Data, Interaction, Page, State};
pub use request::{Http, Method, Request, RequestBuilder};
pub use response::Response;
pub use rows::{PlainRow, PlainRows, Row, RowData, Rows};

/// A provider-independent name and value; keys are lower case with dashes.
pub type Attribute = (String, String);

/// The value of a known attribute.
fn attribute<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
