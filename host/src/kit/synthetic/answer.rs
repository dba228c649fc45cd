//! One request to the described API, from credentials to the answer.

use super::description::{Bin, Deletes, Object};
use super::faults::{self, Trouble};
use super::list::List;
use super::reply::{Answer, Ask, Refusal};
use super::state::State;

/// What happens before an answer is there, and the answer.
pub(super) struct Served {
    pub(super) answer: Answer,
    pub(super) delay: std::time::Duration,
}

/// Answers a request.
pub(super) fn serve(state: &mut State, ask: &Ask, real_ms: i64) -> Served {
    let trouble = faults::take(&mut state.faults, &ask.path);
    let mut delay = std::time::Duration::from_millis(state.knobs.latency_ms);
    state.counts.requests += 1;
    let answer = match &trouble {
        Some(trouble) => {
            delay += trouble.delay();
            hit(state, ask, trouble, real_ms)
        }
        None => honest(state, ask, real_ms),
    };
    *state.counts.statuses.entry(answer.status).or_default() += 1;
    Served { answer, delay }
}

fn hit(state: &mut State, ask: &Ask, trouble: &Trouble, real_ms: i64) -> Answer {
    match trouble {
        Trouble::Status { status, retry_after } => {
            let refusal = Refusal::new(*status, "injected", format!("a fault was asked for: {status}"));
            let answer = refusal.answer(&state.description.provider.error);
            match retry_after {
                Some(seconds) => answer.with("retry-after", seconds.to_string()),
                None => answer,
            }
        }
        Trouble::Timeout { .. } => Answer::html(504),
        Trouble::Empty => Answer { body: String::new(), ..honest(state, ask, real_ms) },
        Trouble::Malformed => {
            let mut answer = honest(state, ask, real_ms);
            let half = (0..=answer.body.len() / 2).rev().find(|at| answer.body.is_char_boundary(*at));
            answer.body.truncate(half.unwrap_or(0));
            answer
        }
        Trouble::Html => Answer { status: 200, ..Answer::html(503) },
    }
}

fn honest(state: &mut State, ask: &Ask, real_ms: i64) -> Answer {
    let error = |refusal: &Refusal| refusal.answer(&state.description.provider.error);
    if !ask.carries(&state.description.provider.auth) {
        return error(&Refusal::new(401, "unauthorized", "the credential is missing or wrong"));
    }
    if let Err(wait_s) = admit(state, real_ms) {
        let description = &state.description;
        let answer = Refusal::new(429, "rate-limited", "too many requests").answer(&description.provider.error);
        return match description.limits.wait.as_str() {
            "none" => answer,
            header => answer.with(header, wait_s.to_string()),
        };
    }
    find(state, ask, real_ms).unwrap_or_else(|refusal| refusal.answer(&state.description.provider.error))
}

/// Lets a request in.
///
/// # Errors
/// The seconds to wait.
fn admit(state: &mut State, real_ms: i64) -> Result<(), i64> {
    let (now, limits) = (state.now(real_ms), &state.description.limits);
    let Some(most) = state.knobs.rate else { return Ok(()) };
    let window_ms = limits.rate.map_or(1_000, |rate| i64::try_from(rate.per.as_millis()).unwrap_or(i64::MAX));
    while state.recent.front().is_some_and(|first| *first <= now.saturating_sub(window_ms)) {
        state.recent.pop_front();
    }
    if state.recent.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
        let wait_ms = state.recent.front().map_or(window_ms, |first| first.saturating_add(window_ms) - now);
        return Err(wait_ms.div_euclid(1_000) + i64::from(wait_ms.rem_euclid(1_000) > 0));
    }
    state.recent.push_back(now);
    Ok(())
}

fn find(state: &mut State, ask: &Ask, real_ms: i64) -> Result<Answer, Refusal> {
    let description = std::sync::Arc::clone(&state.description);
    let fixed = description.answers.iter().filter(|fixed| *fixed.path.get_ref() == ask.path);
    if let Some(fixed) = fixed.clone().find(|fixed| fixed.method.eq_ignore_ascii_case(&ask.method)) {
        return Ok(Answer::json(fixed.status, &fixed.body));
    }
    let place = description.objects.iter().find_map(|object| Some((object, place(object, &ask.path)?)));
    let Some((object, place)) = place else {
        return Err(match fixed.count() {
            0 => Refusal::new(404, "not-found", format!("there is nothing at {}", ask.path)),
            _ => Refusal::new(405, "method", format!("not with {}", ask.method)),
        });
    };
    if ask.method != "GET" {
        return Err(Refusal::new(405, "method", format!("not with {}", ask.method)));
    }
    let name = object.name.get_ref();
    let now = state.now(real_ms);
    let table = state.table(name).ok_or_else(|| Refusal::new(404, "not-found", "no such object"))?;
    let (answer, count) = match place {
        Place::List { bin } => {
            let (head, limits, result_cap) = (&description.provider, &description.limits, state.knobs.result_cap);
            List { head, limits, table, ask, bin, result_cap, now }.answer()?
        }
        Place::One(id) => {
            let missing = || Refusal::new(404, "not-found", format!("there is no {name} {id:?}"));
            let record = object.id.format.number(&id).and_then(|number| table.record(number)).ok_or_else(missing)?;
            let latest = record.latest().ok_or_else(missing)?;
            if latest.deleted && !matches!(object.deletes, Deletes::Tombstones { .. }) {
                return Err(missing());
            }
            (Answer::json(200, &table.json(record, latest).into()), 1)
        }
    };
    *state.counts.records.entry(name.clone()).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
    Ok(answer)
}

enum Place {
    List { bin: bool },
    One(String),
}

/// What of the object is at this path.
fn place(object: &Object, path: &str) -> Option<Place> {
    if object.path.get_ref() == path {
        return Some(Place::List { bin: false });
    }
    if let Deletes::List { at: Bin::Path(bin), .. } = &object.deletes
        && bin == path
    {
        return Some(Place::List { bin: true });
    }
    let (before, after) = object.one.as_ref()?.get_ref().split_once("{id}")?;
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    (!id.is_empty() && !id.contains('/')).then(|| Place::One(id.to_owned()))
}
