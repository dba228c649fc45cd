//! The reading that everything else is compared with: recorded once, replayed to the byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::report::{Failure, Tally};
use super::stage::{Stage, not_opened};
use super::{ConformError, calls_of, checks};
use crate::domain::{CallError, Cursor, DeleteMode, ObjectType, Page};
use crate::kit::cassette::play::Player;
use crate::kit::cassette::record::Recorder;
use crate::kit::cassette::{Cassette, Function};
use crate::kit::control::{Control, Truth};
use crate::kit::line::Line;
use crate::kit::reading::Table;
use crate::kit::recording::Recording;

/// Pages of one reading; more are not needed to prove anything, and a lying connector has no end.
const MOST_PAGES: u32 = 400;

/// Pages that are looked at in each of the checks that try everything.
pub(super) const MOST_PAGES_EACH: usize = 24;

/// Time between two readings of a synthetic provider, in milliseconds: longer than what connectors hold back.
pub(super) const BETWEEN_MS: u64 = 2 * 60 * 60 * 1_000;

/// What was true at the end of a recording, by object and id.
pub(super) type Truths = BTreeMap<String, BTreeMap<String, Truth>>;

/// A page as it was read.
pub(super) struct Recorded {
    /// Its place in the cassette.
    pub(super) call: usize,
    /// Where it began.
    pub(super) from: Option<Cursor>,
    /// What came.
    pub(super) page: Page,
    /// Requests that it took.
    pub(super) exchanges: usize,
}

/// An object as a cassette tells it.
pub(super) struct Baseline {
    pub(super) object: ObjectType,
    pub(super) cassette: Arc<Cassette>,
    pub(super) pages: Vec<Recorded>,
    /// Why the reading went no further, if it did not end by itself.
    pub(super) broke: Option<(CallError, Vec<String>)>,
    /// What landed.
    pub(super) table: Table,
    /// What was true at the end of the recording.
    pub(super) truth: Option<BTreeMap<String, Truth>>,
    /// Requests that the policy refused.
    pub(super) denied: Vec<String>,
}

impl Baseline {
    pub(super) fn requests(&self) -> usize {
        self.pages.iter().map(|page| page.exchanges).sum()
    }

    /// The pages of the reading that a page belongs to.
    pub(super) fn run_of(&self, recorded: &Recorded) -> &[Recorded] {
        let ends = |page: &Recorded| page.page.ends();
        let place = self.pages.iter().position(|page| page.call == recorded.call).unwrap_or(0);
        let begin = self.pages.get(..place).unwrap_or_default().iter().rposition(ends).map_or(0, |before| before + 1);
        let end = self.pages.iter().skip(place).position(ends).map_or(self.pages.len(), |after| place + after + 1);
        self.pages.get(begin..end).unwrap_or_default()
    }

    /// The pages that are tried one by one: all, or the first ones and the last ones of a long reading.
    pub(super) fn tried(&self) -> impl Iterator<Item = &Recorded> {
        let (all, half) = (self.pages.len(), MOST_PAGES_EACH / 2);
        let few = all <= MOST_PAGES_EACH;
        self.pages
            .iter()
            .enumerate()
            .filter(move |(place, _)| few || *place < half || *place >= all - half)
            .map(|(_, page)| page)
    }
}

/// Reads everything live: `check`, `discover`, and of each object a first reading, changes, and a second reading.
pub(super) async fn record(
    stage: &Stage<'_>,
    control: &Control,
    tally: &mut Tally,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(Cassette, Truths), ConformError> {
    let recorder = Arc::new(Recorder::default());
    let line = stage.live(stage.moment, stage.page_size(), Some(Arc::clone(&recorder) as _)).await?;
    let mut recording = Recording::new(line, recorder, stage.moment.now_ms, stage.config().clone(), stage.auth());
    let mut truths = Truths::new();
    let checked = recording.check().await;
    tally.case(checks::CHECK_PASSES, "", checked.map_err(|error| Failure::new(format!("`check` failed: {error}"))));
    let discovered = recording.discover().await;
    if let Err(error) = &discovered {
        tally.case(checks::OBJECTS_FETCHABLE, "", Err(Failure::new(format!("`discover` failed: {error}"))));
    }
    let listed = discovered.as_deref().map_or(Ok(Vec::new()), |listed| chosen(listed, &stage.subject.objects))?;
    for object in listed {
        tell(&format!("{}: recording", object.name));
        let mut cursor = None;
        for reading in 0..2 {
            if reading == 1 {
                if change(control, object).await.is_err() {
                    break;
                }
                control.advance(BETWEEN_MS).await?;
            }
            let (next, _) = recording
                .reading(&object.name, cursor, MOST_PAGES, async |seconds| {
                    // If that fails the provider is gone, and the next request says so.
                    let _ = control.advance(seconds * 1_000).await;
                })
                .await;
            cursor = next;
        }
        // A provider that does not know the truth about an object cannot be compared with.
        if let Ok(truth) = control.truth(&object.name).await {
            truths.insert(object.name.clone(), truth);
        }
    }
    Ok((recording.finish(), truths))
}

/// The objects to look at.
fn chosen<'o>(listed: &'o [ObjectType], wanted: &[String]) -> Result<Vec<&'o ObjectType>, ConformError> {
    if wanted.is_empty() {
        return Ok(listed.iter().collect());
    }
    let find = |name: &String| {
        listed.iter().find(|object| object.name == *name).ok_or_else(|| ConformError::UnknownObject {
            name: name.clone(),
            known: listed.iter().map(|object| object.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    };
    wanted.iter().map(find).collect()
}

/// Some of everything that happens between two readings.
async fn change(control: &Control, object: &ObjectType) -> Result<(), ConformError> {
    control.act("create", &object.name, json!({ "count": 3 })).await?;
    for _ in 0..4 {
        // Some objects have records that never change.
        if control.act("update", &object.name, json!({})).await.is_err() {
            break;
        }
    }
    if object.deletes != DeleteMode::None {
        // Some objects have no deletes although others of the provider do.
        let _ = control.act("delete", &object.name, json!({})).await;
    }
    Ok(())
}

/// Replays every object of a cassette.
pub(super) async fn objects(
    stage: &Stage<'_>,
    cassette: &Arc<Cassette>,
    wanted: &[String],
    truths: &mut Truths,
) -> Vec<Baseline> {
    let player = Arc::new(Player::new(Arc::clone(cassette)));
    let listed = match stage.replay(Arc::clone(&player) as _, stage.moment).await {
        Ok((line, _)) => {
            player.begin(Function::Discover, None, None);
            line.discover().await.0.unwrap_or_default()
        }
        Err(_) => Vec::new(),
    };
    let mut found = Vec::new();
    for name in cassette.objects() {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let object = listed.iter().find(|object| object.name == name).cloned().unwrap_or_else(|| unlisted(name));
        let truth = truths.remove(name);
        found.push(Baseline { truth, ..replay(stage, cassette, object).await });
    }
    found
}

/// An object of a cassette that does not hold `discover`.
fn unlisted(name: &str) -> ObjectType {
    ObjectType {
        name: name.to_owned(),
        interaction_type: "custom".to_owned(),
        schema: "{}".to_owned(),
        primary_key: Vec::new(),
        mode: crate::domain::SyncMode::Incremental,
        deletes: DeleteMode::Tombstones,
        default_interval_seconds: None,
    }
}

async fn replay(stage: &Stage<'_>, cassette: &Arc<Cassette>, object: ObjectType) -> Baseline {
    let player = Arc::new(Player::new(Arc::clone(cassette)));
    let mut baseline = Baseline {
        object,
        cassette: Arc::clone(cassette),
        pages: Vec::new(),
        broke: None,
        table: Table::default(),
        truth: None,
        denied: Vec::new(),
    };
    let name = baseline.object.name.clone();
    let (line, recorder) = match stage.replay(Arc::clone(&player) as _, stage.moment).await {
        Ok(opened) => opened,
        Err(error) => {
            baseline.broke = Some((not_opened(&error), Vec::new()));
            return baseline;
        }
    };
    for (place, call) in calls_of(cassette, &name) {
        let from = call.cursor.clone().map(Cursor);
        player.begin(Function::Fetch, Some(&name), call.cursor.as_deref());
        let (denied, missed) = (line.session.stats().denied, player.misses().len());
        let (answer, _) = line.fetch(&name, from.as_ref()).await;
        let exchanges = recorder.take();
        if let Some(miss) = player.misses().get(missed) {
            // What a cassette does not hold nobody can judge; that it asks something else the second time can be.
            baseline.broke.get_or_insert((CallError::Host(miss.to_string()), Vec::new()));
            continue;
        }
        match answer {
            Ok(page) => {
                baseline.table.take(&page, &baseline.object);
                baseline.pages.push(Recorded { call: place, from, page, exchanges: exchanges.len() });
            }
            Err(error) => {
                let lines = exchanges.iter().map(super::mutate::shown).collect();
                baseline.broke.get_or_insert((error, lines));
            }
        }
        if line.session.stats().denied > denied {
            let told = line.call.log.lines().iter().map(|line| line.text.clone()).collect::<Vec<_>>().join("; ");
            baseline.denied.push(told);
        }
    }
    baseline
}

/// A line that repeats one recorded page over a player, from its beginning.
pub(super) fn player_at(baseline: &Baseline, recorded: &Recorded) -> Arc<Player> {
    let player = Player::new(Arc::clone(&baseline.cassette));
    player.seek(recorded.call);
    Arc::new(player)
}

/// Reads one recorded page again over a line.
pub(super) async fn fetch(line: &Line, baseline: &Baseline, from: Option<&Cursor>) -> Result<Page, CallError> {
    line.fetch(&baseline.object.name, from).await.0
}
