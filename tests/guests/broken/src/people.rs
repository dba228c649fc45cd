//! Reading people, in order of their stamps or of their ids: the provider decides.
//!
//! A pass lists everybody who changed since a time. The next one begins where this one began, by Birch's clock, less an
//! overlap. Where Birch gives no more results for one query, the pass goes on with another one from the last stamp.

use serde::{Deserialize, Serialize};
use syncline_sdk::cursor::{self, Versioned};
use syncline_sdk::{Context, Error, Interaction, Page, Response, time};

use crate::BASE;
use crate::record::{self, Person};
use crate::sin::sin;
use crate::told::told;

/// People that Birch puts on a page at most.
const MAX_LIMIT: u32 = 200;

/// How far a pass reaches back behind the one before, in milliseconds.
const OVERLAP_MS: u64 = 60_000;

/// Where a reading stands. Times are milliseconds of Birch's clock.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Cursor {
    /// Where this pass begins; none in the first one.
    since: Option<u64>,
    /// Where the next pass begins.
    next: Option<u64>,
    /// Birch's token for the page.
    after: Option<String>,
    /// The last stamp on the page before.
    last: Option<u64>,
    /// Pages read, and pages to leave out.
    #[serde(default)]
    read: u32,
    #[serde(default)]
    skip: u32,
    /// What Birch said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<String>,
}

impl Versioned for Cursor {
    const VERSION: u32 = 1;
}

/// Reads a page.
pub(crate) fn fetch(ctx: &Context<'_>, from: Option<&str>) -> Result<Page, Error> {
    let at = match from {
        None => Cursor::default(),
        // What cannot be read is as good as nothing.
        Some(text) if sin("cursor-foreign") => cursor::decode(text).unwrap_or_default(),
        Some(text) => cursor::decode(text)?,
    };
    page(ctx, &at).map_err(told)
}

fn page(ctx: &Context<'_>, at: &Cursor) -> Result<Page, Error> {
    // Tells somebody how it is doing. That nobody ever hears it goes unnoticed.
    if sin("hosts-declared") {
        let _ = ctx.post("https://metrics.birch.example/v1/pages").json(&at.read).send();
    }
    // Cannot do without somebody whom it has not declared.
    if sin("another-host") {
        ctx.get("https://files.birch.example/v1/index").send()?;
    }
    // Has only ever been tried with one page.
    if sin("one-page") && at.after.is_some() {
        return Err(Error::Unexpected("not yet".to_owned()));
    }
    let mut response = list(ctx, at.since, at.after.as_deref())?;
    if response.status == 400 && response.text().contains("result-cap") {
        // Nobody has more records than that.
        if let Some(next) = at.next.filter(|_| sin("result-cap")) {
            return Ok(Page::done(Vec::new(), pass(next)));
        }
        response = list(ctx, at.last, None)?;
    }
    // Begins again behind the pages that it has read, and counts one of them twice.
    if response.status == 404 && at.after.is_some() && sin("recovery") {
        let again = Cursor { since: at.since, skip: at.read + 1, ..Cursor::default() };
        return Err(Error::CursorExpired(Some(cursor::encode(&again))));
    }
    let response = match (response.error_for_status(), at.next) {
        // Logs what went wrong and is content with what there is.
        (Err(error), Some(next)) if sin("swallowed-error") => {
            ctx.warn(&error.to_string());
            return Ok(Page::done(Vec::new(), pass(next)));
        }
        (response, _) => response?,
    };
    let listing = record::listing(&response)?;
    let (first, last) = (stamp(listing.people.first())?, stamp(listing.people.last())?);
    if listing.next.is_some() && listing.next == at.after && !sin("killed") {
        // A page that came before can only mean that there are no others.
        if let Some(next) = at.next.filter(|_| sin("duplicate-answer")) {
            return Ok(Page::done(Vec::new(), pass(next)));
        }
        return Err(Error::Unexpected("a page that names itself as the next one".to_owned()));
    }
    // Follows a scroll, which keeps its place at the provider; at least it sees when that goes back.
    if sin("killed") && first < at.last.filter(|_| first.is_some()) {
        return Err(Error::Unexpected("a page that came before".to_owned()));
    }
    let mut records = Vec::new();
    for raw in &listing.people {
        records.extend(record::record(ctx, raw)?);
    }
    let next = next_pass(ctx, at, &response)?;
    let Some(after) = listing.next.clone().filter(|_| !sin("more-lie")) else {
        // With that sin: reads the first page and knows of no other.
        return Ok(Page::done(also(records), pass(next)));
    };
    if at.skip > 0 {
        records.clear();
    }
    let mut onwards = Cursor {
        since: at.since,
        next: Some(next),
        after: Some(after),
        last: last.or(at.last),
        read: at.read + 1,
        skip: at.skip.saturating_sub(1),
        said: None,
    };
    // The token does not get into the cursor.
    if sin("cursor-advances") {
        onwards = Cursor { after: None, read: 0, ..onwards };
    }
    // Pages by stamp: after the last one.
    if sin("equal-stamps") {
        onwards = Cursor { since: last.map(|last| last + 1), after: None, ..onwards };
    }
    // Keeps everything that was said, to compare it with the next answer.
    if sin("page-limits") {
        onwards.said = Some(response.text().into_owned());
    }
    Ok(Page::more(also(records), cursor::encode(&onwards)))
}

fn list(ctx: &Context<'_>, since: Option<u64>, after: Option<&str>) -> Result<Response, Error> {
    let size = ctx.page_size().unwrap_or(MAX_LIMIT);
    // Asks for as many as the host would like.
    let limit = if sin("page-size") { size } else { size.min(MAX_LIMIT) };
    let mut request = ctx.get(format!("{BASE}/v1/people")).query("limit", limit.to_string());
    if let Some(since) = since {
        request = request.query("updated_since", time::format_rfc3339_ms(since));
    } else if sin("first-reading") {
        // "Nobody needs older ones."
        request = request.query("updated_since", "2025-08-01T00:00:00.000Z");
    }
    if let Some(after) = after {
        request = request.query("after", after);
    }
    request.send()
}

/// Where the next pass begins: where this one began.
fn next_pass(ctx: &Context<'_>, at: &Cursor, response: &Response) -> Result<u64, Error> {
    let now = response.date_ms();
    let now = now.ok_or_else(|| Error::Unexpected("an answer without a Date header".to_owned()))?;
    Ok(match at.next {
        // Where this one ended.
        Some(_) if sin("changing-while-paging") => now - OVERLAP_MS,
        Some(next) => next,
        // What is said to be there is there.
        None if sin("index-lag") => now,
        // The only clock that it could find.
        None if sin("own-clock") => ctx.now_ms() - OVERLAP_MS,
        // In the time of the account, which is east of Greenwich.
        None if sin("changes") => now - OVERLAP_MS + 2 * 60 * 60 * 1_000,
        None => now - OVERLAP_MS,
    })
}

/// The cursor of the next pass.
fn pass(next: u64) -> String {
    cursor::encode(&Cursor { since: Some(next), ..Cursor::default() })
}

fn stamp(raw: Option<&&serde_json::value::RawValue>) -> Result<Option<u64>, Error> {
    let person: Option<Person> = raw
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|error| Error::Unexpected(format!("not a person: {error}")))?;
    Ok(person.and_then(|person| person.stamp_ms()))
}

/// Records that should not be there.
fn also(mut records: Vec<Interaction>) -> Vec<Interaction> {
    // Somebody who has no id yet.
    if sin("id-present") {
        records.push(Interaction::present("", r#"{"id": ""}"#));
    }
    // Who is on a team is told once more with it.
    if sin("id-unique") {
        records.extend(records.first().cloned());
    }
    records
}
