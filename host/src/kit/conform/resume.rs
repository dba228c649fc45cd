//! Any page can be continued by anybody: in a fresh instance, at another time, after a kill at any request.

use std::sync::Arc;

use super::baseline::{Baseline, Recorded, fetch, player_at};
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::wires::Cut;
use super::{checks, mutate};
use crate::domain::Page;

pub(super) async fn judge(stage: &Stage<'_>, baseline: &Baseline, tally: &mut Tally) {
    let name = baseline.object.name.as_str();
    for recorded in baseline.tried() {
        let outcome = again(stage, baseline, recorded).await;
        tally.case(checks::PAGE_BOUNDARY, name, outcome);
    }
    for recorded in baseline.tried() {
        for at in 0..recorded.exchanges {
            for after in [false, true] {
                let outcome = killed(stage, baseline, recorded, at, after).await;
                tally.case(checks::KILLED, name, outcome);
            }
        }
    }
}

/// Reads a page again, elsewhere and later.
async fn again(stage: &Stage<'_>, baseline: &Baseline, recorded: &Recorded) -> Result<(), Failure> {
    let player = player_at(baseline, recorded);
    let opened = stage.replay(Arc::clone(&player) as _, stage.elsewhen()).await;
    let (line, recorder) = opened.map_err(|error| Failure::new(error.to_string()))?;
    let answer = fetch(&line, baseline, recorded.from.as_ref()).await;
    let lines = || recorder.take().iter().map(mutate::shown).collect();
    if let Some(miss) = player.misses().first() {
        return Err(Failure::new(format!("another time, another request: {miss}")).seen(lines()));
    }
    match answer {
        Ok(page) => same(&recorded.page, &page).map_err(|why| Failure::new(why).seen(lines())),
        Err(error) => Err(Failure::new(format!("the same page ended with {error}")).seen(lines())),
    }
}

/// Kills a call at one of its requests and begins again from the cursor that is durable.
async fn killed(
    stage: &Stage<'_>,
    baseline: &Baseline,
    recorded: &Recorded,
    at: usize,
    after: bool,
) -> Result<(), Failure> {
    let cut = Arc::new(Cut::new(player_at(baseline, recorded), at, after));
    let (line, _) =
        stage.replay(Arc::clone(&cut) as _, stage.moment).await.map_err(|error| Failure::new(error.to_string()))?;
    // Whichever comes first: the request that is cut, or an end without it. The call is then dropped where it stands.
    tokio::select! {
        () = cut.reached.notified() => {}
        _ = fetch(&line, baseline, recorded.from.as_ref()) => {}
    }
    drop(line);
    again_at(stage, baseline, recorded).await.map_err(|why| {
        let when = if after { "after it was answered" } else { "before it was answered" };
        Failure::new(format!("killed at request {} of the page, {when}: {why}", at + 1))
    })
}

/// Reads a page again at the same time.
pub(super) async fn again_at(stage: &Stage<'_>, baseline: &Baseline, recorded: &Recorded) -> Result<(), String> {
    let player = player_at(baseline, recorded);
    let (line, _) = stage.replay(player, stage.moment).await.map_err(|error| error.to_string())?;
    match fetch(&line, baseline, recorded.from.as_ref()).await {
        Ok(page) => same(&recorded.page, &page),
        Err(error) => Err(format!("the page then ended with {error}")),
    }
}

/// Whether two pages are the same.
pub(super) fn same(recorded: &Page, page: &Page) -> Result<(), String> {
    if recorded.cursor != page.cursor {
        return Err(format!("the cursor is another one: first {}, then {}", recorded.cursor, page.cursor));
    }
    if (recorded.more, recorded.wait_seconds) != (page.more, page.wait_seconds) {
        return Err(format!("`more` was {}, then {}", recorded.more, page.more));
    }
    if recorded.interactions.len() != page.interactions.len() {
        let (first, then) = (recorded.interactions.len(), page.interactions.len());
        return Err(format!("first {first} records came, then {then}"));
    }
    let differing = recorded.interactions.iter().zip(&page.interactions).find(|(a, b)| a != b);
    match differing {
        Some((a, b)) => Err(format!("record {:?} differs: first {}, then {}", a.id, a.data, b.data)),
        None => Ok(()),
    }
}
