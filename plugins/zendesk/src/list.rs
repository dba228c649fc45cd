//! Lists that every run reads as a whole, by Zendesk's cursor pagination: a place in the order of ids, which does not
//! shift, and has no end at 10,000 rows as page numbers have.

use syncline_sdk::{Error, Interaction, Page, cursor};

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
    let limit = config.limit(api.ctx(), ROWS);
    let (records, after) = match rows(api, object.path, object, limit, at.after.as_deref()) {
        Ok(page) => page,
        Err(Failure::Lost(_)) if at.after.is_some() => return Err(Error::CursorExpired(None)),
        Err(failure) => return Err(failure.into()),
    };
    Ok(match after {
        Some(after) => Page::more(records, cursor::encode(&List { after: Some(after) })),
        None => Page::done(records, cursor::encode(&List::default())).pass_complete(),
    })
}

/// A page of the list at this path, and the token of the next one; none on the last.
pub(crate) fn rows(
    api: &Api<'_>,
    path: &str,
    object: &Object,
    limit: u32,
    after: Option<&str>,
) -> Result<(Vec<Interaction>, Option<String>), Failure> {
    fitting(limit, |limit| {
        let response = Api::send(api.list(path, limit, after))?;
        let answer = Answer::parse(&response)?;
        let mut records = Vec::new();
        for row in answer.rows(object.key)? {
            (object.read)(row, &mut records)?;
        }
        Ok((records, answer.next()?))
    })
}
