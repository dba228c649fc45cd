//! The control protocol under `/_fake/`: what is true, and the strings one can pull. No credentials.
//!
//! `docs/reference/synthetic-providers.md` lists the requests; [`control`](crate::kit::control) is their other side.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use super::content::{below, mix};
use super::data::Table;
use super::description::Deletes;
use super::faults::Fault;
use super::reply::{Answer, Ask};
use super::state::{Knobs, State};

/// Where it begins.
pub(super) const PREFIX: &str = "/_fake/";

/// Records of one creation at most: more is a slip.
const MOST: usize = 1_000_000;

/// Which records an action is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Target {
    tenant: Option<String>,
    /// For fakes with several providers; this one is alone.
    provider: Option<String>,
    object: Option<String>,
    id: Option<String>,
    winner: Option<String>,
    loser: Option<String>,
    n: Option<u32>,
    count: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    advance_ms: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Faults {
    knobs: Map<String, Json>,
    inject: Vec<Fault>,
    clear: bool,
}

/// Answers a request to the provider itself.
pub(super) fn serve(state: &mut State, ask: &Ask, real_ms: i64) -> Answer {
    let what = ask.path.strip_prefix(PREFIX).unwrap_or_default();
    let answered = match (ask.method.as_str(), what) {
        ("GET", "status") => Ok(json!({
            "now_ms": state.now(real_ms),
            "settled": state.settled(state.now(real_ms)),
            "paused": state.paused,
            "tenants": [{ "name": state.description.provider.account }],
            "knobs": state.knobs,
        })),
        ("GET", "truth") => truth(state, ask, real_ms),
        ("GET", "stats") => Ok(json!({ "total": state.counts })),
        ("POST", "pause") => Ok(pause(state, true)),
        ("POST", "resume") => Ok(pause(state, false)),
        ("POST", "clock") => body(ask).map(|Clock { advance_ms }| {
            state.advance(advance_ms);
            json!({ "now_ms": state.now(real_ms) })
        }),
        ("POST", "faults") => body(ask).and_then(|faults| turn(state, faults)),
        ("POST", "change") => body(ask).and_then(|target| change(state, &target, real_ms)),
        ("POST", action) => body(ask).and_then(|target| act(state, action, &target, real_ms)),
        _ => Err(format!("no such request: {} {}", ask.method, ask.path)),
    };
    match answered {
        Ok(value) => Answer::json(200, &value),
        Err(text) => Answer::json(400, &json!({ "error": text })),
    }
}

fn body<T: DeserializeOwned>(ask: &Ask) -> Result<T, String> {
    let bytes = if ask.body.is_empty() { b"{}".as_slice() } else { &ask.body };
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

fn pause(state: &mut State, paused: bool) -> Json {
    state.paused = paused;
    json!({})
}

fn account(state: &State, tenant: Option<&str>) -> Result<(), String> {
    let account = &state.description.provider.account;
    match tenant.filter(|tenant| tenant != account) {
        Some(tenant) => Err(format!("no account {tenant:?}; there is {account:?}")),
        None => Ok(()),
    }
}

fn truth(state: &State, ask: &Ask, real_ms: i64) -> Result<Json, String> {
    account(state, ask.param("tenant"))?;
    let name = ask.param("object").ok_or("object is missing")?;
    let table = state.table(name).ok_or_else(|| format!("no object {name:?}"))?;
    let now = state.now(real_ms);
    let records = table.records().filter_map(|record| {
        let version = record.shown(now)?;
        let stamp_ms = version.stamp_ms;
        let truth = if version.deleted {
            json!({ "state": "deleted", "stamp_ms": stamp_ms })
        } else {
            json!({ "state": "present", "stamp_ms": stamp_ms, "data": table.json(record, version) })
        };
        Some((table.object.id.format.text(record.number), truth))
    });
    let records: Map<String, Json> = records.collect();
    let account = &state.description.provider.account;
    Ok(json!({ "tenant": account, "object": name, "settled": state.settled(now), "records": records }))
}

fn turn(state: &mut State, faults: Faults) -> Result<Json, String> {
    // Knobs that are not named stay where they are.
    let mut knobs = serde_json::to_value(&state.knobs).map_err(|error| error.to_string())?;
    if let Some(all) = knobs.as_object_mut() {
        all.extend(faults.knobs);
    }
    let turned: Knobs = serde_json::from_value(knobs).map_err(|error| error.to_string())?;
    state.knobs = turned;
    if faults.clear {
        state.faults.clear();
    }
    state.faults.extend(faults.inject);
    Ok(json!({ "knobs": state.knobs }))
}

fn act(state: &mut State, action: &str, target: &Target, real_ms: i64) -> Result<Json, String> {
    account(state, target.tenant.as_deref())?;
    let name = target.object.as_deref().ok_or("object is missing")?;
    let lag_ms = state.knobs.index_lag_ms;
    let table = state.table_mut(name).ok_or_else(|| format!("no object {name:?}"))?;
    match action {
        "create" => {
            let count = target.count.unwrap_or(1);
            if count > MOST {
                return Err(format!("at most {MOST} at once"));
            }
            let mut ids = Vec::with_capacity(count);
            for _ in 0..count {
                let now = state.tick(real_ms);
                let table = state.table_mut(name).ok_or("the object is gone")?;
                let number = table.create(now, lag_ms);
                ids.push(table.object.id.format.text(number));
            }
            Ok(json!({ "ids": ids }))
        }
        "update" => write(state, name, target, false, real_ms),
        "delete" | "archive" => write(state, name, target, true, real_ms),
        "purge" => {
            let number = chosen(table, target.id.as_deref())?;
            table.purge(number);
            Ok(json!({ "ids": [table.object.id.format.text(number)] }))
        }
        "mass-update" => {
            let now = state.tick(real_ms);
            let table = state.table_mut(name).ok_or("the object is gone")?;
            Ok(json!({ "changed": table.mass_update(target.count.unwrap_or(200), now, lag_ms) }))
        }
        "merge" => Err("a described provider has no merges".to_owned()),
        _ => Err(format!("no such action: {action:?}")),
    }
}

fn write(state: &mut State, name: &str, target: &Target, deleted: bool, real_ms: i64) -> Result<Json, String> {
    let (now, lag_ms) = (state.tick(real_ms), state.knobs.index_lag_ms);
    let table = state.table_mut(name).ok_or_else(|| format!("no object {name:?}"))?;
    if deleted && matches!(table.object.deletes, Deletes::None) {
        return Err(format!("{name} cannot be deleted"));
    }
    let number = chosen(table, target.id.as_deref())?;
    let id = table.object.id.format.text(number);
    if table.write(number, deleted, now, lag_ms) {
        Ok(json!({ "ids": [id] }))
    } else {
        Err(format!("{id} is no live record"))
    }
}

/// The record of an id, or some live record.
fn chosen(table: &mut Table, id: Option<&str>) -> Result<u32, String> {
    let Some(id) = id else { return table.any().ok_or_else(|| "no live record".to_owned()) };
    let number = table.object.id.format.number(id).filter(|number| table.record(*number).is_some());
    number.ok_or_else(|| format!("no record {id:?}"))
}

fn change(state: &mut State, target: &Target, real_ms: i64) -> Result<Json, String> {
    account(state, target.tenant.as_deref())?;
    let made: Vec<Json> = (0..target.n.unwrap_or(1)).map(|_| step(state, real_ms)).collect();
    Ok(json!({ "changes": made }))
}

/// Makes one change as people make them; seed and number of the change decide which.
pub(super) fn step(state: &mut State, real_ms: i64) -> Json {
    state.changes += 1;
    let dice = |purpose: u64| mix(&[state.seed, state.changes, purpose]);
    let names: Vec<&String> = state.description.objects.iter().map(|object| object.name.get_ref()).collect();
    let object = names.get(below(dice(1), names.len())).map(|name| (*name).clone());
    let action = match dice(2) % 100 {
        0..35 => "create",
        35..80 => "update",
        80..93 => "delete",
        _ => "mass-update",
    };
    let count = (action == "mass-update").then(|| below(dice(3), 20) + 2);
    let target = Target { object, count, ..Target::default() };
    // What cannot be deleted is changed instead.
    let done = act(state, action, &target, real_ms).or_else(|_| act(state, "update", &target, real_ms));
    json!({ "object": target.object, "action": action, "done": done.is_ok() })
}
