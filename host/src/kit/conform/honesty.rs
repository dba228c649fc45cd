//! Nothing is green that is incomplete: readings that end although there is more, answers that hold records while pages
//! hold none.

use serde_json::Value as Json;

use super::baseline::{Baseline, Recorded};
use super::report::{Failure, Tally};
use super::{checks, mutate};
use crate::kit::cassette::Exchange;
use crate::kit::truth;

/// Names of members that say whether there is more, in whatever case and with or without dashes.
const MORE: [&str; 6] = ["hasmore", "hasnextpage", "morerecords", "moreitemsincollection", "moreitems", "moreresults"];

/// Names of members that say that there is no more, whatever else is there.
const END: [&str; 2] = ["endofstream", "islastpage"];

/// Names of members that say where it is.
const NEXT: [&str; 7] = ["next", "nextpage", "nextcursor", "nexturl", "nextrecordsurl", "nextlink", "nextpagetoken"];

pub(super) fn judge(baseline: &Baseline, tally: &mut Tally) {
    let (name, truth) = (baseline.object.name.as_str(), baseline.truth.as_ref());
    // Where the truth is known and everything arrived, an answer that sounds like more did not mean it.
    let complete =
        truth.is_some_and(|truth| truth::compare(&baseline.table, truth, baseline.object.deletes).missing == 0);
    for ending in baseline.pages.iter().filter(|page| page.page.ends()) {
        let Some(last) = exchanges(baseline, ending).last() else { continue };
        let said = if complete { None } else { says_more(last) };
        tally.holds(checks::MORE_LIE, name, said.is_none(), || {
            let said = said.clone().unwrap_or_default();
            Failure::new(format!("the reading ended, and the last answer said that there is more: {said}"))
                .seen(vec![mutate::shown(last)])
        });
    }
    let records = baseline.pages.iter().map(|page| page.page.interactions.len()).sum::<usize>();
    let held =
        baseline.pages.iter().flat_map(|page| exchanges(baseline, page)).find(|exchange| holds_records(exchange));
    let exists = truth.is_none_or(|truth| !truth.is_empty());
    match held {
        Some(exchange) if exists => tally.holds(checks::EMPTY_OBJECT, name, records > 0, || {
            Failure::new("answers held records, and no page did").seen(vec![mutate::shown(exchange)])
        }),
        _ if records > 0 => tally.holds(checks::EMPTY_OBJECT, name, true, || Failure::new("")),
        _ => tally.skip(checks::EMPTY_OBJECT, name, "no answer held any records"),
    }
}

fn exchanges<'b>(baseline: &'b Baseline, recorded: &Recorded) -> impl Iterator<Item = &'b Exchange> {
    baseline.cassette.calls.get(recorded.call).into_iter().flat_map(|call| &call.exchanges)
}

/// Where an answer says that there is more.
fn says_more(exchange: &Exchange) -> Option<String> {
    let answer = exchange.response.as_ref()?;
    let link = answer.headers.iter().find(|(name, value)| name == "link" && value.contains("rel=\"next\""));
    if let Some((_, value)) = link {
        return Some(format!("Link: {value}"));
    }
    let body: Json = serde_json::from_str(answer.body.text()?).ok()?;
    in_json(&body, 0)
}

fn in_json(value: &Json, depth: usize) -> Option<String> {
    let members = value.as_object().filter(|_| depth < 4)?;
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // A link to what will be there some day is no promise.
    let ends = members.iter().any(|(name, value)| {
        let name = plain(name);
        (END.contains(&name.as_str()) && *value == Json::Bool(true))
            || (MORE.contains(&name.as_str()) && *value == Json::Bool(false))
    });
    if ends {
        return None;
    }
    for (name, value) in members {
        let plain = plain(name);
        let more = MORE.contains(&plain.as_str()) && *value == Json::Bool(true);
        let next = NEXT.contains(&plain.as_str())
            && match value {
                Json::String(text) => !text.is_empty(),
                Json::Number(_) => true,
                Json::Object(members) => !members.is_empty(),
                Json::Null | Json::Bool(_) | Json::Array(_) => false,
            };
        if more || next {
            return Some(format!("{name:?}: {value}"));
        }
    }
    // Records have members of their own that may be called anything: only what is beside them counts.
    members.values().find_map(|value| in_json(value, depth + 1))
}

/// Whether an answer holds a list of objects.
fn holds_records(exchange: &Exchange) -> bool {
    fn in_json(value: &Json, depth: usize) -> bool {
        match value {
            Json::Array(items) => items.first().is_some_and(Json::is_object),
            Json::Object(members) if depth < 3 => members.values().any(|value| in_json(value, depth + 1)),
            _ => false,
        }
    }
    let body = exchange.response.as_ref().filter(|answer| answer.status == 200).and_then(|answer| answer.body.text());
    body.and_then(|text| serde_json::from_str::<Json>(text).ok()).is_some_and(|json| in_json(&json, 0))
}
