//! The fault matrix: in the place of every answer, everything that goes wrong outside.

use std::sync::Arc;

use super::baseline::{Baseline, Recorded, fetch, player_at};
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::wires::{Fault, Faulty, RETRY_AFTER_SECONDS};
use super::{checks, mutate, resume};
use crate::domain::outcome::Verdict;
use crate::domain::{CallError, Cursor, Outcome, Page, classify};
use crate::egress::Incoming;
use crate::kit::cassette::{Cassette, Exchange, play};
use crate::kit::reading::{Reading, Step, Table};

/// Exchanges of a call that are shown where it went wrong.
const SHOWN: usize = 4;

/// Pages that a reading may take to get over a fault.
const MOST_PAGES: u32 = 500;

pub(super) async fn judge(stage: &Stage<'_>, baseline: &Baseline, tally: &mut Tally) {
    let name = baseline.object.name.as_str();
    for recorded in baseline.tried() {
        let before = reading_before(baseline, recorded);
        for at in 0..recorded.exchanges {
            let previous = previous(baseline, recorded, at);
            for fault in Fault::ALL {
                if fault == Fault::Duplicate && previous.is_none() {
                    continue;
                }
                let place = Place { recorded, before: &before, at, previous: previous.as_ref() };
                let Some(tried) = attempt(stage, baseline, &place, fault).await else { continue };
                tally.case(fault.check(), name, tried.class);
                if let Some(swallowed) = tried.swallowed {
                    tally.case(checks::SWALLOWED_ERROR, name, swallowed);
                }
                if let Some(recovery) = tried.recovery {
                    tally.case(checks::RECOVERY, name, recovery);
                }
            }
        }
    }
}

/// Where an answer is replaced.
struct Place<'a> {
    /// The page.
    recorded: &'a Recorded,
    /// The reading as it stood before the page.
    before: &'a Reading,
    /// The request, from 0.
    at: usize,
    /// The answer before, where it could be taken for this one.
    previous: Option<&'a Incoming>,
}

/// What a fault came to, by the checks that it concerns.
struct Tried {
    class: Result<(), Failure>,
    swallowed: Option<Result<(), Failure>>,
    recovery: Option<Result<(), Failure>>,
}

/// Replaces one answer and looks at what comes of it; `None` where the request did not come.
async fn attempt(stage: &Stage<'_>, baseline: &Baseline, place: &Place<'_>, fault: Fault) -> Option<Tried> {
    let Place { recorded, at, .. } = *place;
    let player = player_at(baseline, recorded);
    let faulty = Arc::new(Faulty::new(Arc::clone(&player), at, fault, place.previous.cloned()));
    let (line, recorder) = stage.replay(Arc::clone(&faulty) as _, stage.moment).await.ok()?;
    let answer = fetch(&line, baseline, recorded.from.as_ref()).await;
    if !faulty.hit() {
        return None;
    }
    // Afterwards the fault is gone: the provider knows everything that the cassette holds.
    let exchanges = recorder.take();
    let lines: Vec<String> = exchanges.iter().skip(exchanges.len().saturating_sub(SHOWN)).map(mutate::shown).collect();
    let told = |reason: String| Failure::new(format!("request {}: {fault}: {reason}", at + 1)).seen(lines.clone());
    let error = match judged(place.before, answer) {
        Ok(page) if resume::same(&recorded.page, &page).is_ok() => {
            return Some(Tried { class: Ok(()), swallowed: Some(Ok(())), recovery: None });
        }
        Ok(page) => {
            let lossless = goes_on(stage, baseline, recorded, page).await.map_err(told);
            return Some(match fault {
                // A record may be gone when it is asked for by its id.
                Fault::Status(404) if asks_for_one(baseline, recorded, at) => {
                    Tried { class: Ok(()), swallowed: None, recovery: None }
                }
                // Nothing went wrong that could have been told: the answer was a good one, only not to this request.
                Fault::Duplicate => Tried { class: lossless, swallowed: None, recovery: None },
                _ => Tried { class: Ok(()), swallowed: Some(lossless), recovery: None },
            });
        }
        Err(error) => error,
    };
    let verdict = classify(error.clone(), true);
    let class = expected(fault, &verdict).map_err(|what| told(format!("{what} ({error})")));
    let recovery = match verdict {
        Verdict::Rewind(resume) => {
            let elsewhere = rewound(stage, baseline, recorded, resume.map(Cursor)).await;
            elsewhere
                .map(|lossless| lossless.map_err(|why| told(format!("sent back to another cursor, and then: {why}"))))
        }
        Verdict::End(_) | Verdict::GiveBack(_) => Some(
            resume::again_at(stage, baseline, recorded).await.map_err(|why| told(format!("gone, and then: {why}"))),
        ),
    };
    Some(Tried { class, swallowed: Some(Ok(())), recovery })
}

/// The reading that a page belongs to, as it stood before that page.
fn reading_before(baseline: &Baseline, recorded: &Recorded) -> Reading {
    let mut reading = Reading::new(&baseline.object.name, None);
    for earlier in baseline.pages.iter().take_while(|page| page.call < recorded.call) {
        if earlier.page.ends() {
            reading = Reading::new(&baseline.object.name, Some(earlier.page.cursor.clone()));
        } else {
            // Their judgement is told elsewhere.
            let _ = reading.take(Ok(earlier.page.clone()));
        }
    }
    reading
}

/// The page as the host sees it, which knows the cursors of this reading.
fn judged(before: &Reading, answer: Result<Page, CallError>) -> Result<Page, CallError> {
    let error = answer.as_ref().err().cloned();
    match before.clone().take(answer) {
        Step::Page(page) => Ok(page),
        Step::Ended(_, error) => Err(error),
        Step::Rewound => Err(error.unwrap_or_else(|| CallError::Host("a rewind without an error".to_owned()))),
    }
}

/// Goes on from the cursor that the connector itself asked for; `None` where a cassette cannot tell, because it does not
/// hold what is then asked.
async fn rewound(
    stage: &Stage<'_>,
    baseline: &Baseline,
    recorded: &Recorded,
    resume: Option<Cursor>,
) -> Option<Result<(), String>> {
    let run = baseline.run_of(recorded);
    let player = player_of(baseline, run);
    let (line, _) = stage.replay(Arc::clone(&player) as _, stage.moment).await.ok()?;
    let mut landed = Table::default();
    run.iter().take_while(|page| page.call < recorded.call).for_each(|page| landed.land(&page.page));
    let mut reading = Reading::new(&baseline.object.name, resume);
    while reading.pages < MOST_PAGES {
        let step = reading.step(&line).await.0;
        if !player.misses().is_empty() {
            return None;
        }
        match step {
            Step::Page(page) => {
                landed.land(&page);
                if page.ends() {
                    break;
                }
            }
            Step::Rewound => {}
            Step::Ended(..) => return Some(Ok(())),
        }
    }
    let mut wanted = Table::default();
    run.iter().for_each(|page| wanted.land(&page.page));
    Some(lost(&wanted, &landed).map_or(Ok(()), |ids| Err(format!("the reading ended as a success without {ids}"))))
}

/// A player of one reading only: another one was answered at another time.
fn player_of(baseline: &Baseline, run: &[Recorded]) -> Arc<play::Player> {
    let calls = run.iter().filter_map(|page| baseline.cassette.calls.get(page.call)).cloned().collect();
    Arc::new(play::Player::new(Arc::new(Cassette { calls, ..baseline.cassette.without_calls() })))
}

/// The first few records that did not arrive.
fn lost(wanted: &Table, landed: &Table) -> Option<String> {
    let lost: Vec<&str> =
        wanted.rows.keys().filter(|id| !landed.rows.contains_key(*id)).map(String::as_str).take(5).collect();
    (!lost.is_empty()).then(|| lost.join(", "))
}

/// Goes on from another page than the recorded one: does everything arrive all the same?
async fn goes_on(stage: &Stage<'_>, baseline: &Baseline, recorded: &Recorded, page: Page) -> Result<(), String> {
    let mut wanted = Table::default();
    let run = baseline.run_of(recorded);
    for page in run.iter().skip_while(|page| page.call < recorded.call) {
        wanted.land(&page.page);
    }
    let mut landed = Table::default();
    landed.land(&page);
    let mut ended = page.ends();
    let player = player_of(baseline, run);
    let opened = stage.replay(Arc::clone(&player) as _, stage.moment).await;
    let (line, _) = opened.map_err(|error| error.to_string())?;
    let mut reading = Reading::new(&baseline.object.name, Some(page.cursor));
    while !ended && reading.pages < MOST_PAGES {
        player.begin(
            crate::kit::cassette::Function::Fetch,
            Some(&baseline.object.name),
            reading.cursor.as_ref().map(|cursor| cursor.0.as_str()),
        );
        match reading.step(&line).await.0 {
            Step::Page(page) => {
                landed.land(&page);
                ended = page.ends();
            }
            Step::Rewound => {}
            // The reading ends, and not as a success: nobody is told that it is complete.
            Step::Ended(..) => return Ok(()),
        }
    }
    lost(&wanted, &landed)
        .map_or(Ok(()), |ids| Err(format!("became a page, and the reading ended as a success without {ids}")))
}

/// Whether a request names a record that an earlier answer of the reading told of: its path has that id in it.
fn asks_for_one(baseline: &Baseline, recorded: &Recorded, at: usize) -> bool {
    let calls = |page: &Recorded| baseline.cassette.calls.get(page.call);
    let Some(this) = calls(recorded).and_then(|call| call.exchanges.get(at)) else { return false };
    let path = this.request.url.split('?').next().unwrap_or_default();
    let ids: Vec<&str> =
        path.split('/').skip(3).filter(|part| part.bytes().any(|byte| byte.is_ascii_digit())).collect();
    let earlier = baseline.run_of(recorded).iter().take_while(|page| page.call <= recorded.call);
    let told =
        earlier.filter_map(calls).flat_map(|call| &call.exchanges).filter_map(|exchange| exchange.response.as_ref());
    let mut texts = told.filter_map(|answer| answer.body.text());
    texts.any(|text| ids.iter().any(|id| text.contains(&format!("\"{id}\"")) || text.contains(&format!(":{id},"))))
}

/// The answer before a request, where it was asked of the same place in the same reading: what came hours ago, or from
/// another resource, nobody could tell from the right one.
fn previous(baseline: &Baseline, recorded: &Recorded, at: usize) -> Option<Incoming> {
    let here = baseline.cassette.calls.get(recorded.call)?;
    let run = baseline.run_of(recorded);
    let before = run.iter().rev().find(|page| page.call < recorded.call);
    let before = before.and_then(|page| baseline.cassette.calls.get(page.call));
    let previous = match at.checked_sub(1) {
        Some(place) => here.exchanges.get(place),
        None => before.and_then(|call| call.exchanges.last()),
    };
    let previous = previous.filter(|previous| {
        let place = |exchange: &Exchange| exchange.request.url.split('?').next().map(str::to_owned);
        here.exchanges.get(at).is_some_and(|this| place(this) == place(previous))
    })?;
    previous.response.as_ref().map(play::incoming)
}

/// Whether a fault was told as what it is.
fn expected(fault: Fault, verdict: &Verdict) -> Result<(), String> {
    let (told, class) = match verdict {
        Verdict::End(Outcome::NeedsAuth { class, .. }) if class == "unauthorized" => ("needs-auth", ""),
        Verdict::End(Outcome::Forbidden { .. }) => ("forbidden", ""),
        Verdict::End(Outcome::RateLimited { retry_after_ms }) => {
            let right = retry_after_ms.map(|ms| ms.unsigned_abs()) == Some(RETRY_AFTER_SECONDS * 1_000);
            ("rate-limited", if right { "after" } else { "" })
        }
        Verdict::End(Outcome::Partial { class, .. } | Outcome::Failed { class, .. }) => ("failed", class.as_str()),
        Verdict::End(outcome) => (outcome.state(), ""),
        Verdict::Rewind(_) => ("cursor-expired", ""),
        Verdict::GiveBack(_) => ("host", ""),
    };
    let any_error = matches!((told, class), ("failed", "unavailable" | "unexpected" | "other") | ("needs-auth", _));
    let (right, should) = match fault {
        Fault::Status(401) => (told == "needs-auth", "needs-auth (unauthorized)"),
        Fault::Status(403) => (told == "forbidden", "forbidden"),
        Fault::Status(404) => (
            matches!((told, class), ("forbidden" | "cursor-expired", _) | ("failed", "unexpected" | "other")),
            "unexpected, other, forbidden or cursor-expired",
        ),
        Fault::TooManyAfter => {
            ((told, class) == ("rate-limited", "after"), "rate-limited, with the seconds of Retry-After")
        }
        Fault::Status(429) => (told == "rate-limited", "rate-limited"),
        Fault::Status(503) => (class == "unavailable" || told == "rate-limited", "unavailable or rate-limited"),
        Fault::Status(_) | Fault::Timeout | Fault::CutBody => (class == "unavailable", "unavailable"),
        Fault::EmptyBody | Fault::MalformedJson | Fault::HtmlPage | Fault::Redirect => {
            (any_error, "an error: unexpected, unavailable or other")
        }
        Fault::Duplicate => (
            any_error || matches!((told, class), ("failed", "cursor-stalled") | ("cursor-expired", _)),
            "an error, or a page that loses nothing",
        ),
    };
    if right {
        return Ok(());
    }
    let what = match (fault, told) {
        (Fault::TooManyAfter, "rate-limited") => "rate-limited for another time, or for none",
        (_, "failed") => class,
        _ => told,
    };
    Err(format!("was told as {what}, and should be {should}"))
}
