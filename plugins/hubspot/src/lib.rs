//! HubSpot: companies, contacts, deals, tickets, tasks, notes and owners.
//!
//! | module | owns |
//! |---|---|
//! | `manifest`, `objects`, `config` | what the connector says and is told |
//! | `api`, `failure`, `model` | the requests, what a refusal means, the shape of an answer |
//! | `cursor` | the position, and everything the next call needs |
//! | `crm` | the life of a CRM object: full read, search windows, walks of the archived list |
//! | `properties` | asking for more properties than a URL or a search holds |
//! | `owners` | the two passes over the owners |

mod api;
mod config;
mod crm;
mod cursor;
mod failure;
mod manifest;
mod model;
mod objects;
mod owners;
mod properties;

use syncline_sdk::{Connector, Context, Error, Manifest, ObjectType, Page};

use crate::api::Api;
use crate::config::Config;

/// The connector.
#[derive(Debug, Default)]
pub struct HubSpot;

impl Connector for HubSpot {
    fn describe(&self) -> Manifest {
        manifest::manifest()
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        ctx.config::<Config>()?;
        match Api::new(ctx).probe() {
            // A token that lacks this one scope is still a token.
            Err(Error::Forbidden(message)) => {
                ctx.warn(&format!("the credentials are good but may not read contacts: {message}"));
                Ok(())
            }
            answer => answer,
        }
    }

    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        ctx.config::<Config>()?;
        Ok(objects::discover())
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let config: Config = ctx.config()?;
        let api = Api::new(ctx);
        if object == objects::OWNERS {
            return owners::fetch(&api, &config, cursor);
        }
        match objects::find(object) {
            Some(object) => crm::fetch(&api, object, &config, cursor),
            None => Err(Error::other("unknown-object", format!("HubSpot has no object {object:?} here"))),
        }
    }
}

syncline_sdk::export_connector!(HubSpot);
