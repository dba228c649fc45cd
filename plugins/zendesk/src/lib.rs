//! Zendesk Support: tickets, users, organizations, ticket comments, groups and satisfaction ratings.
//!
//! | module | owns |
//! |---|---|
//! | `manifest`, `objects`, `config` | what the connector says and is told |
//! | `api`, `failure` | the requests, and what a refusal means |
//! | `answer`, `record` | the shape of an answer, and of what is in it |
//! | `cursor` | the position, and everything the next call needs |
//! | `export` | exports by cursor: tickets and users |
//! | `since` | exports by time: organizations and ticket comments |
//! | `crowd` | the way past a second that holds more rows than an export by time can show |
//! | `list` | what every run reads as a whole |
//! | `fitting` | asking for fewer rows when they are too large |

mod answer;
mod api;
mod config;
mod crowd;
mod cursor;
mod export;
mod failure;
mod fitting;
mod list;
mod manifest;
mod objects;
mod record;
mod since;

use syncline_sdk::{Connector, Context, Error, Manifest, ObjectType, Page};

use crate::api::Api;
use crate::config::Config;
use crate::objects::How;

/// The connector.
#[derive(Debug, Default)]
pub struct Zendesk;

impl Connector for Zendesk {
    fn describe(&self) -> Manifest {
        manifest::manifest()
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        Api::new(ctx, &Config::of(ctx)?).probe()
    }

    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        Config::of(ctx)?;
        Ok(objects::discover())
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let config = Config::of(ctx)?;
        let api = Api::new(ctx, &config);
        let Some(object) = objects::find(object) else {
            return Err(Error::other("unknown-object", format!("Zendesk has no object {object:?} here")));
        };
        match &object.how {
            How::Export => export::fetch(&api, object, &config, cursor),
            How::Since(way_out) => since::fetch(&api, object, *way_out, &config, cursor),
            How::List => list::fetch(&api, object, &config, cursor),
        }
    }
}

syncline_sdk::export_connector!(Zendesk);
