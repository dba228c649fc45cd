//! Syncline connector for Salesforce: the REST query API, and Bulk API 2.0 for a first sync of a large object.
//!
//! The map: [`config`](mod@config) and [`manifest`](mod@manifest) say what the connector is; [`objects`](mod@objects)
//! and [`fields`](mod@fields) what is read; [`api`](mod@api) speaks HTTP and [`failure`](mod@failure) says what an
//! answer means; [`sync`](mod@sync) decides by the [`cursor`](mod@cursor) between an [`export`](mod@export) and a
//! keyset [`pass`](mod@pass).
//!
//! The rules everything else serves:
//! 1. A position in a pass is the pair (`SystemModstamp`, `Id`), never a timestamp alone: a mass update gives thousands
//!    of rows one second.
//! 2. A pass never reads past `hi`, which comes from Salesforce's clock, and the next pass starts before it, because a
//!    transaction may commit rows whose stamp is older than rows already read.
//! 3. Rows of an export are unsorted, so no stamp of theirs is ever a position.
//! 4. A cursor alone is enough to continue, also when everything Salesforce kept for us is gone.

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod api;
mod config;
mod cursor;
mod export;
mod failure;
mod fields;
mod limits;
mod manifest;
mod model;
mod objects;
mod pass;
mod rows;
mod soql;
mod stamp;
mod sync;

use syncline_sdk::{Connector, Context, Error, Manifest, ObjectType, Page};

use crate::api::Api;
use crate::config::Config;
use crate::failure::Failure;

/// The connector.
#[derive(Debug, Default, Clone, Copy)]
pub struct Salesforce;

syncline_sdk::export_connector!(Salesforce);

impl Connector for Salesforce {
    fn describe(&self) -> Manifest {
        manifest::manifest()
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        let config = Config::of(ctx)?;
        Api::new(ctx, &config).probe()
    }

    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        let config = Config::of(ctx)?;
        let api = Api::new(ctx, &config);
        let mut found = Vec::new();
        for object in config.objects() {
            match sync::select(&api, &object) {
                Ok(selection) => found.push(manifest::object_type(&object, &selection.fields)),
                // One object out of sight must not hide the others.
                Err(Failure::Final(Error::Forbidden(why))) => ctx.warn(&format!("{} is left out: {why}", object.name)),
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(found)
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let config = Config::of(ctx)?;
        let object = config.object(object)?;
        sync::page(&Api::new(ctx, &config), &object, cursor)
    }
}
