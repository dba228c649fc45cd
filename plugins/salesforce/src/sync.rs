//! One page of an object: by its cursor, an export or a pass; without one, the choice between them.

use syncline_sdk::cursor::decode;
use syncline_sdk::{Error, Page};

use crate::api::Api;
use crate::cursor::{Cursor, Pass, Selection};
use crate::export;
use crate::failure::Failure;
use crate::objects::Object;
use crate::pass;
use crate::soql;

/// Reads one page.
pub(crate) fn page(api: &Api<'_>, object: &Object, cursor: Option<&str>) -> Result<Page, Error> {
    let page = match cursor.map(decode::<Cursor>).transpose()? {
        None => start(api, object, 0),
        Some(Cursor::Start { attempts }) => start(api, object, attempts),
        Some(Cursor::Export(export)) => export::page(api, object, export),
        Some(Cursor::Pass(pass)) => resume(api, object, pass),
    };
    Ok(page?)
}

/// The visible fields of an object; says in the log what did not fit.
pub(crate) fn select(api: &Api<'_>, object: &Object) -> Result<Selection, Failure> {
    let (described, described_ms) = api.describe(&object.name)?;
    let choice =
        described.choose(object).map_err(|why| Error::Forbidden(format!("{} cannot be read: {why}", object.name)))?;
    if choice.left_out > 0 {
        api.ctx.warn(&format!("{}: {} fields do not fit into a query and are left out", object.name, choice.left_out));
    }
    Ok(Selection { fields: choice.fields, described_ms })
}

/// The first sync: by a bulk job where that pays and works, else by a pass over everything.
fn start(api: &Api<'_>, object: &Object, attempts: u32) -> Result<Page, Failure> {
    let selection = select(api, object)?;
    if attempts < export::MAX_ATTEMPTS && is_large(api, object, &selection)? {
        match export::start(api, object, selection.clone(), attempts) {
            Err(Failure::NoBulk(why)) => api.ctx.info(&format!("{} is read without a bulk job: {why}", object.name)),
            result => return result,
        }
    }
    pass::page(api, object, Pass::initial(selection, 0))
}

fn is_large(api: &Api<'_>, object: &Object, selection: &Selection) -> Result<bool, Failure> {
    match api.count(&soql::count(&object.name), selection.fields.keeps_deleted()) {
        Ok(rows) => Ok(rows > api.config.bulk_above),
        // More rows than Salesforce can count in two minutes.
        Err(Failure::TooMuch(_)) => Ok(true),
        // Some objects cannot be counted; without knowing, the way that works for all of them.
        Err(Failure::StaleFields(_)) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Goes on with a pass, with fresh fields where the old ones are a day old or no longer valid.
fn resume(api: &Api<'_>, object: &Object, mut pass: Pass) -> Result<Page, Failure> {
    if let Some(job) = pass.served_job.take() {
        api.delete_job(&job);
    }
    let why = match pass::page(api, object, pass.clone()) {
        Err(Failure::OldFields) => {
            let selection = select(api, object)?;
            return pass::page(api, object, Pass { selection, ..pass });
        }
        Err(Failure::StaleFields(why)) => why,
        result => return result,
    };
    let fresh = select(api, object)?;
    if fresh.fields == pass.selection.fields {
        return Err(Error::Unexpected(format!("{} is refused with fields it describes: {why}", object.name)).into());
    }
    api.ctx.warn(&format!("{}: described again: {why}", object.name));
    pass::page(api, object, Pass { selection: fresh, ..pass })
}
