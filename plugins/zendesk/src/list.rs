//! Lists that every run reads as a whole, by Zendesk's cursor pagination: a place in the order of ids, which does not
//! shift, and has no end at 10,000 rows as page numbers have.

use syncline_sdk::{Error, Page, cursor};

use crate::answer::Answer;
use crate::api::Api;
use crate::config::Config;
use crate::cursor::List;
use crate::failure::Failure;
use crate::fitting::fitting;
use crate::objects::Object;

/// Rows of a page.
pub(crate) const ROWS: u32 = 100;

/// Reads a page. Where Zendesk forgot the place, the read begins again.
pub(crate) fn fetch(api: &Api<'_>, object: &Object, config: &Config, at: Option<&str>) -> Result<Page, Error> {
    let at: List = at.map_or_else(|| Ok(List::default()), cursor::decode)?;
    let page = fitting(config.limit(api.ctx(), ROWS), |limit| {
        let request = api.get(object.path).query("page[size]", limit.to_string());
        let response = Api::send(match &at.after {
            Some(after) => request.query("page[after]", after),
            None => request,
        })?;
        let answer = Answer::parse(&response)?;
        let mut records = Vec::new();
        for row in answer.rows(object.key)? {
            (object.read)(row, &mut records)?;
        }
        Ok((records, answer.next()?))
    });
    let (records, after) = match page {
        Ok(page) => page,
        Err(Failure::Lost(_)) if at.after.is_some() => return Err(Error::CursorExpired(None)),
        Err(failure) => return Err(failure.into()),
    };
    Ok(match after {
        Some(after) => Page::more(records, cursor::encode(&List { after: Some(after) })),
        None => Page::done(records, cursor::encode(&List::default())).pass_complete(),
    })
}
