//! What the contract says in words, looked at in everything that was read.

use std::collections::HashSet;
use std::sync::Arc;

use super::baseline::{Baseline, Recorded};
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::{checks, mutate};
use crate::domain::{
    CallError, Cursor, DeleteMode, FaultKind, Interaction, ObjectType, Progress, ProviderError, RecordState, check_id,
};
use crate::kit::cassette::play::Player;
use crate::kit::cassette::{Cassette, Function};
use crate::kit::reading::PATIENCE;

/// A name that no provider has.
const NO_OBJECT: &str = "syncline-no-such-object";

/// A cursor that no connector wrote.
const NO_CURSOR: &str = "syncline: not a cursor of yours";

/// The manifest, asked for three times.
pub(super) async fn manifest(stage: &Stage<'_>, tally: &mut Tally) {
    let connector = &stage.subject.connector;
    for moment in [stage.moment, stage.elsewhen()] {
        let (again, report) = connector.describe(Some(moment)).await;
        let outcome = match again {
            Ok(manifest) if manifest == connector.manifest => Ok(()),
            Ok(manifest) => Err(Failure::new("`describe` gave another manifest at another time")
                .seen(vec![format!("first: {:?}", connector.manifest), format!("then:  {manifest:?}")])),
            Err(error) => Err(Failure::new(format!("`describe` failed: {}", crate::domain::chain(&error)))),
        };
        tally.case(checks::DESCRIBE_STABLE, "", outcome);
        tally.holds(checks::DESCRIBE_SILENT, "", report.requests == 0, || {
            Failure::new(format!("`describe` tried to send {} requests", report.requests))
        });
    }
}

/// `check` and `discover`, from a cassette.
pub(super) async fn calls(stage: &Stage<'_>, cassette: &Arc<Cassette>, tally: &mut Tally) {
    if !cassette.calls.iter().any(|call| call.call == Function::Discover) {
        tally.skip(checks::DISCOVER_STABLE, "", "the cassette holds no `discover`");
        return;
    }
    let mut lists: Vec<Vec<ObjectType>> = Vec::new();
    for moment in [stage.moment, stage.elsewhen()] {
        let player = Arc::new(Player::new(Arc::clone(cassette)));
        player.begin(Function::Discover, None, None);
        let Ok((line, recorder)) = stage.replay(player, moment).await else { return };
        match line.discover().await.0 {
            Ok(list) => lists.push(list),
            Err(error) => {
                let failure = Failure::new(format!("`discover` failed: {error}"));
                let failure = failure.seen(recorder.take().iter().map(mutate::shown).collect());
                // Only where it worked before is it unstable.
                if lists.is_empty() {
                    tally.skip(checks::DISCOVER_STABLE, "", "`discover` failed, see SY-1105");
                    tally.case(checks::OBJECTS_FETCHABLE, "", Err(failure));
                } else {
                    tally.case(checks::DISCOVER_STABLE, "", Err(failure));
                }
                return;
            }
        }
    }
    let [first, second] = lists.as_slice() else { return };
    tally.holds(checks::DISCOVER_STABLE, "", first == second, || {
        let differing = first.iter().zip(second).find(|(a, b)| a != b);
        let lines = differing.map(|(a, b)| vec![format!("first: {a:?}"), format!("then:  {b:?}")]);
        Failure::new("`discover` listed something else at another time").seen(lines.unwrap_or_default())
    });
}

/// Everything that pages and records must be.
pub(super) fn pages(baseline: &Baseline, tally: &mut Tally) {
    let name = baseline.object.name.as_str();
    whole(baseline, tally);
    let validator = serde_json::from_str(&baseline.object.schema)
        .ok()
        .and_then(|schema: serde_json::Value| jsonschema::draft202012::new(&schema).ok());
    let mut progress = Progress::new(None, PATIENCE);
    for recorded in &baseline.pages {
        let page = &recorded.page;
        if recorded.from.is_none() {
            progress = Progress::new(None, PATIENCE);
        }
        let judged = progress.judge(page).map_err(|error| Failure::new(error.to_string()).seen(vec![place(recorded)]));
        tally.case(checks::CURSOR_ADVANCES, name, judged);
        if page.ends() {
            // Each reading is judged by itself: what follows is another run.
            progress = Progress::new(Some(&page.cursor), PATIENCE);
        }
        let mut seen = HashSet::new();
        for record in &page.interactions {
            let told = || vec![place(recorded), format!("record: {}", shown(record))];
            let has_id = check_id(&record.id).map_err(|why| Failure::new(format!("a record cannot be kept: {why}")));
            tally.case(checks::ID_PRESENT, name, has_id.map_err(|failure| failure.seen(told())));
            tally.holds(checks::ID_UNIQUE, name, seen.insert(record.id.as_str()), || {
                Failure::new(format!("id {:?} comes twice in one page", record.id)).seen(told())
            });
            tally.case(checks::TIMES, name, time(record).map_err(|why| Failure::new(why).seen(told())));
            let declared = state(record, baseline.object.deletes);
            tally.case(checks::DELETES_DECLARED, name, declared.map_err(|why| Failure::new(why).seen(told())));
            let fits = schema(record, validator.as_ref());
            tally.case(checks::SCHEMA, name, fits.map_err(|why| Failure::new(why).seen(told())));
        }
    }
}

/// Whether the object could be read at all, and what stood in the way.
fn whole(baseline: &Baseline, tally: &mut Tally) {
    let name = baseline.object.name.as_str();
    let denied = baseline.denied.first();
    tally.holds(checks::HOSTS_DECLARED, name, denied.is_none(), || {
        Failure::new("the egress gate refused a request").seen(baseline.denied.clone())
    });
    let limits = match &baseline.broke {
        Some((CallError::Fault(FaultKind::Output | FaultKind::Contract, why), lines)) => {
            Err(Failure::new(why.clone()).seen(lines.clone()))
        }
        _ => Ok(()),
    };
    tally.case(checks::PAGE_LIMITS, name, limits);
    let read = match &baseline.broke {
        // The gate's refusal, and a broken limit, are told where they belong.
        Some((CallError::Fault(FaultKind::Output | FaultKind::Contract, _), _)) => return,
        Some(_) if denied.is_some() => return,
        Some((error, lines)) => Err(Failure::new(format!("reading failed: {error}")).seen(lines.clone())),
        None if baseline.pages.is_empty() => Err(Failure::new("no page of it was read")),
        None => Ok(()),
    };
    tally.case(checks::OBJECTS_FETCHABLE, name, read);
}

fn time(record: &Interaction) -> Result<(), String> {
    let Some(text) = &record.updated_at else { return Ok(()) };
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) if time.offset().local_minus_utc() == 0 => Ok(()),
        Ok(_) => Err(format!("`updated-at` {text:?} is not in UTC")),
        Err(error) => Err(format!("`updated-at` {text:?} is not RFC 3339: {error}")),
    }
}

fn state(record: &Interaction, deletes: DeleteMode) -> Result<(), String> {
    match (&record.state, deletes) {
        (RecordState::Present, _) | (_, DeleteMode::Tombstones) => Ok(()),
        // Whoever is told of some deletes passes them on; absence tells of the others.
        (RecordState::Deleted, DeleteMode::ByAbsence) => Ok(()),
        (state, mode) => Err(format!("a record is {state:?}, and deletes of the object are `{}`", mode.as_str())),
    }
}

fn schema(record: &Interaction, validator: Option<&jsonschema::Validator>) -> Result<(), String> {
    if record.data.is_empty() {
        return match record.state {
            RecordState::Present => Err("a record that is present has no data".to_owned()),
            RecordState::Deleted | RecordState::MergedInto(_) => Ok(()),
        };
    }
    let data: serde_json::Value =
        serde_json::from_str(&record.data).map_err(|error| format!("`data` is not JSON: {error}"))?;
    if !data.is_object() {
        return Err("`data` is not a JSON object".to_owned());
    }
    match (validator, &record.state) {
        // A tombstone shows what is left of a record.
        (Some(validator), RecordState::Present) => validator.validate(&data).map_err(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the record".to_owned() } else { place };
            format!("{place}: {error}")
        }),
        _ => Ok(()),
    }
}

/// An object and a cursor that nobody knows.
pub(super) async fn strangers(stage: &Stage<'_>, baseline: &Baseline, tally: &mut Tally) {
    let name = baseline.object.name.as_str();
    let player = || Arc::new(Player::new(Arc::clone(&baseline.cassette)));
    if let Ok((line, _)) = stage.replay(player(), stage.moment).await {
        let outcome = match line.fetch(NO_OBJECT, None).await.0 {
            Ok(page) => Err(Failure::new(format!(
                "fetching {NO_OBJECT:?} gave a page with {} records",
                page.interactions.len()
            ))),
            Err(CallError::Provider(_)) => Ok(()),
            Err(error) => Err(Failure::new(format!("fetching {NO_OBJECT:?} ended with {error}"))),
        };
        tally.case(checks::UNKNOWN_OBJECT, "", outcome);
    }
    if baseline.pages.is_empty() {
        tally.skip(checks::CURSOR_FOREIGN, name, "no page of it could be read");
        return;
    }
    if let Ok((line, _)) = stage.replay(player(), stage.moment).await {
        let outcome = match line.fetch(name, Some(&Cursor(NO_CURSOR.to_owned()))).await.0 {
            Err(CallError::Provider(ProviderError::CursorExpired(_))) => Ok(()),
            Ok(page) => Err(format!("gave a page with {} records", page.interactions.len())),
            Err(error) => Err(format!("ended with {error}")),
        };
        let outcome = outcome.map_err(|what| {
            Failure::new(format!("the cursor {NO_CURSOR:?} {what}; `cursor-expired` says that it cannot be read"))
        });
        tally.case(checks::CURSOR_FOREIGN, name, outcome);
    }
}

fn place(recorded: &Recorded) -> String {
    let from = recorded.from.as_ref().map_or("the very beginning", |cursor| cursor.0.as_str());
    format!("page from {from}, next cursor {}", recorded.page.cursor)
}

fn shown(record: &Interaction) -> String {
    format!("{:?} {:?} {:?} {}", record.id, record.state, record.updated_at, record.data)
}
