//! Unusual data in ordinary answers: what nobody knew, what is not there, what does not fit into a double.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::baseline::{Baseline, Recorded, fetch, player_at};
use super::mutate::{self, DIFFICULT, EXACT, NUMBERS, UNICODE};
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::wires::{Change, Mutated};
use super::{checks, resume};
use crate::domain::{CallError, Interaction, Page};
use crate::kit::cassette::members::Members;

pub(super) async fn judge(stage: &Stage<'_>, baseline: &Baseline, tally: &mut Tally) {
    let name = baseline.object.name.as_str();
    let (mut texts, mut numbers) = (0, 0);
    for recorded in baseline.tried() {
        let (answer, lines) = changed(stage, baseline, recorded, Box::new(mutate::with_unknown)).await;
        let told = |why: String| Failure::new(why).seen(lines.clone());
        let page = match answer {
            Ok(page) => page,
            Err(error) => {
                let why = format!("with fields that nobody knew the page ended with {error}");
                tally.case(checks::UNKNOWN_FIELDS, name, Err(told(why)));
                continue;
            }
        };
        tally.case(checks::UNKNOWN_FIELDS, name, same_records(baseline, recorded, &page).map_err(told));
        for record in &page.interactions {
            for (text, number) in members(record) {
                if let Some(text) = text {
                    texts += 1;
                    tally.holds(checks::UNICODE, name, text == DIFFICULT, || {
                        told(format!("record {:?}: {DIFFICULT:?} became {text:?}", record.id))
                    });
                }
                if let Some(number) = number {
                    numbers += 1;
                    tally.holds(checks::EXACT_NUMBERS, name, number == EXACT, || {
                        told(format!("record {:?}: {EXACT} became {number}", record.id))
                    });
                }
            }
        }
    }
    let why = "records hold only fields that the connector knows";
    if texts == 0 {
        tally.skip(checks::UNICODE, name, why);
    }
    if numbers == 0 {
        tally.skip(checks::EXACT_NUMBERS, name, why);
    }
    for recorded in baseline.tried().filter(|recorded| !recorded.page.interactions.is_empty()) {
        let ids: Vec<String> = recorded.page.interactions.iter().map(|record| record.id.clone()).collect();
        let change: Change = Box::new(move |body| mutate::with_nulls(body, &ids));
        let (answer, lines) = changed(stage, baseline, recorded, change).await;
        let outcome = match answer {
            Ok(page) => same_records(baseline, recorded, &page),
            Err(error) => Err(format!("with fields that are null the page ended with {error}")),
        };
        tally.case(checks::NULLS, name, outcome.map_err(|why| Failure::new(why).seen(lines)));
    }
}

/// Reads a page with changed answers.
async fn changed(
    stage: &Stage<'_>,
    baseline: &Baseline,
    recorded: &Recorded,
    change: Change,
) -> (Result<Page, CallError>, Vec<String>) {
    let wire = Arc::new(Mutated { player: player_at(baseline, recorded), change });
    match stage.replay(wire, stage.moment).await {
        Ok((line, recorder)) => {
            let answer = fetch(&line, baseline, recorded.from.as_ref()).await;
            (answer, recorder.take().iter().map(mutate::shown).collect())
        }
        Err(error) => (Err(super::stage::not_opened(&error)), Vec::new()),
    }
}

/// The same records in the same state, whatever is in them. The cursor may remember what they looked like, and a record
/// that a connector knows by its text from the page before comes once more where the text is another.
fn same_records(baseline: &Baseline, recorded: &Recorded, page: &Page) -> Result<(), String> {
    let bare = |record: &Interaction| Interaction { data: String::new(), ..record.clone() };
    let bare_page = |page: &Page| Page {
        interactions: page.interactions.iter().map(bare).collect(),
        cursor: recorded.page.cursor.clone(),
        ..page.clone()
    };
    let (wanted, mut found) = (bare_page(&recorded.page), bare_page(page));
    let earlier = baseline.pages.iter().take_while(|page| page.call < recorded.call);
    let known: Vec<Interaction> = earlier.flat_map(|page| &page.page.interactions).map(bare).collect();
    found.interactions.retain(|record| wanted.interactions.contains(record) || !known.contains(record));
    resume::same(&wanted, &found)
}

/// The added text and numbers wherever they are in a record.
fn members(record: &Interaction) -> Vec<(Option<String>, Option<String>)> {
    let mut found = Vec::new();
    if let Ok(raw) = serde_json::from_str::<&RawValue>(&record.data) {
        collect(raw.get(), &mut found);
    }
    found
}

fn collect(text: &str, found: &mut Vec<(Option<String>, Option<String>)>) {
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
        items.iter().for_each(|item| collect(item.get(), found));
    }
    let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(text) else { return };
    for (name, value) in members {
        match name.as_str() {
            UNICODE => found.push((Some(serde_json::from_str(value.get()).unwrap_or_default()), None)),
            NUMBERS => {
                let spaceless: String = value.get().chars().filter(|char| !char.is_whitespace()).collect();
                found.push((None, Some(spaceless)));
            }
            _ => collect(value.get(), found),
        }
    }
}
