//! Intercom: contacts, companies, conversations, tickets, notes, admins and teams.
//!
//! | module | owns |
//! |---|---|
//! | `manifest`, `objects`, `config` | what the connector says and is told |
//! | `api`, `failure`, `model` | the requests, what a refusal means, the shape of an answer |
//! | `cursor` | the positions, and everything the next call needs |
//! | `search` | contacts, conversations and tickets: first reading, search windows, whole passes |
//! | `details` | what a listing leaves out of a record: long nested lists, the parts of a conversation |
//! | `scroll` | companies: the one scroll that a workspace may have |
//! | `notes` | notes: contact by contact |
//! | `lists` | admins and teams: one answer with everything |

mod api;
mod config;
mod cursor;
mod details;
mod failure;
mod lists;
mod manifest;
mod model;
mod notes;
mod objects;
mod scroll;
mod search;

use syncline_sdk::{Connector, Context, Error, Manifest, ObjectType, Page};

use crate::api::Api;
use crate::config::Config;
use crate::objects::Object;

/// The connector.
#[derive(Debug, Default)]
pub struct Intercom;

impl Connector for Intercom {
    fn describe(&self) -> Manifest {
        manifest::manifest()
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        let config: Config = ctx.config()?;
        match Api::new(ctx, &config).region()? {
            Some(region) if !region.eq_ignore_ascii_case(config.region()) => Err(Error::InvalidConfig(format!(
                "the workspace is in region {region:?}, the configuration says {:?}",
                config.region()
            ))),
            _ => Ok(()),
        }
    }

    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        Ok(objects::discover(&ctx.config()?))
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let config: Config = ctx.config()?;
        let api = Api::new(ctx, &config);
        match objects::find(object) {
            Some(Object::Searched(kind)) => search::fetch(&api, kind, &config, cursor),
            Some(Object::Companies) => scroll::fetch(&api, cursor),
            Some(Object::Notes) => notes::fetch(&api, &config, cursor),
            Some(Object::Listed(path)) => lists::fetch(&api, path, cursor),
            None => Err(Error::other("unknown-object", format!("Intercom has no object {object:?} here"))),
        }
    }
}

syncline_sdk::export_connector!(Intercom);
