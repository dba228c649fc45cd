//! The trait a connector implements.

use crate::{Context, Error, Manifest, ObjectType, Page};

/// One provider's connector.
///
/// The host gives every call of [`fetch`](Connector::fetch) a fresh instance, so the type holds no state: whatever the
/// next call needs goes into the cursor.
pub trait Connector {
    /// Says what the connector is. No HTTP, no configuration, always the same answer.
    fn describe(&self) -> Manifest;

    /// Proves configuration and credentials with one cheap call.
    fn check(&self, ctx: &Context<'_>) -> Result<(), Error>;

    /// Lists what can be read with this configuration and these credentials.
    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error>;

    /// Reads one page of an object. No cursor means from the very beginning.
    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error>;
}
