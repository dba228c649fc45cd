//! The fakes' own endpoints, under `/_fake/` on every port: truth, counts, changes, faults. No authentication.

use std::sync::{Arc, atomic::Ordering};

use axum::{http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Shared, content,
    dataset::{State, World},
    faults::{Fault, Knobs},
    reply::{self, Call},
    schema::{Object, Provider},
};

/// Which records an action is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Target {
    tenant: Option<String>,
    provider: Option<Provider>,
    object: Option<String>,
    id: Option<String>,
    winner: Option<String>,
    loser: Option<String>,
    n: Option<u32>,
    count: Option<usize>,
    after_ms: Option<i64>,
    path: Option<String>,
}

/// A request to let time pass. It never goes back.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    advance_ms: u32,
}

/// A request to make things go wrong; every part may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Trouble {
    inject: Vec<Fault>,
    clear: bool,
    expire_tokens: bool,
    kill_locators: bool,
    kill_bulk_jobs: bool,
    knobs: Option<Value>,
}

/// Answers a request to the fakes themselves.
pub(super) async fn answer(shared: &Arc<Shared>, provider: Provider, call: &Call) -> Response {
    let answered = match (&call.method, call.path.as_str()) {
        (&Method::POST, "/_fake/warm") => warm(shared, call).await,
        (&Method::GET, path) => look(shared, provider, call, path),
        (&Method::POST, path) => act(shared, provider, call, path),
        _ => Err("only GET and POST".to_owned()),
    };
    match answered {
        Ok(value) => reply::json(200, &value),
        Err(text) => reply::json(400, &json!({ "error": text })),
    }
}

fn look(shared: &Shared, provider: Provider, call: &Call, path: &str) -> Result<Value, String> {
    let pairs = call.pairs();
    let tenant = || pairs.get("tenant").cloned().or_else(|| Some(shared.options.tenants.first()?.name.clone()));
    match path {
        "/_fake/truth" => {
            let (tenant, object) = (tenant().unwrap_or_default(), pairs.get("object").map_or("", String::as_str));
            let truth =
                shared.truth(Some(provider), &tenant, object).ok_or_else(|| format!("no {object:?} of {tenant:?}"))?;
            Ok(json!({ "tenant": tenant, "object": object, "settled": shared.settled(), "records": truth }))
        }
        "/_fake/stats" => {
            let stats = shared.stats.snapshot();
            let total = stats.total();
            Ok(json!({ "total": total, "tenants": stats.tenants, "peak_concurrency": stats.peak_concurrency }))
        }
        "/_fake/status" => Ok(json!({
            "now_ms": shared.now_ms(),
            "settled": shared.settled(),
            "paused": shared.paused.load(Ordering::Relaxed),
            "tenants": shared.options.tenants,
            "knobs": shared.faults.knobs(),
        })),
        _ => Err(format!("no such path: {path}")),
    }
}

fn act(shared: &Shared, provider: Provider, call: &Call, path: &str) -> Result<Value, String> {
    match path {
        "/_fake/faults" => return trouble(shared, body(call)?),
        "/_fake/pause" => shared.paused.store(true, Ordering::Relaxed),
        "/_fake/resume" => shared.paused.store(false, Ordering::Relaxed),
        "/_fake/stats/reset" => shared.stats.reset(),
        "/_fake/change" => {
            let target: Target = body(call)?;
            let made = shared.change(target.n.unwrap_or(1), target.tenant.as_deref(), target.provider);
            return Ok(json!({ "changes": made }));
        }
        "/_fake/clock" => {
            let clock: Clock = body(call)?;
            shared.advance(clock.advance_ms);
            return Ok(json!({ "now_ms": shared.now_ms() }));
        }
        _ => return edit(shared, provider, path.trim_start_matches("/_fake/"), &body(call)?),
    }
    Ok(json!({}))
}

fn body<T: for<'a> Deserialize<'a> + Default>(call: &Call) -> Result<T, String> {
    if call.body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&call.body).map_err(|error| error.to_string())
}

fn trouble(shared: &Shared, trouble: Trouble) -> Result<Value, String> {
    if let Some(Value::Object(changes)) = trouble.knobs {
        // Knobs that are not named stay where they are.
        let mut knobs = serde_json::to_value(shared.faults.knobs()).map_err(|error| error.to_string())?;
        knobs.as_object_mut().map(|all| all.extend(changes)).ok_or("knobs must be an object")?;
        let turned: Knobs = serde_json::from_value(knobs).map_err(|error| error.to_string())?;
        shared.turn(|knobs| *knobs = turned);
    }
    if trouble.clear {
        shared.faults.clear();
    }
    trouble.inject.into_iter().for_each(|fault| shared.faults.inject(fault));
    if trouble.expire_tokens {
        shared.tokens.expire_all();
    }
    if trouble.kill_locators {
        shared.kill_locators();
    }
    if trouble.kill_bulk_jobs {
        shared.kill_bulk_jobs();
    }
    Ok(json!({ "knobs": shared.faults.knobs() }))
}

/// A change to named records, or to the first that can be changed so.
fn edit(shared: &Shared, port: Provider, action: &str, target: &Target) -> Result<Value, String> {
    if shared.options.raw {
        return Err("the data is fixed in raw mode".to_owned());
    }
    let name = target.object.as_deref().ok_or("object is missing")?;
    let (provider, object) =
        shared.find(target.provider.or(Some(port)), name).ok_or_else(|| format!("no object {name:?}"))?;
    let account = match &target.tenant {
        Some(tenant) => shared.account(tenant),
        None => shared.accounts.first(),
    };
    let mut world = account.ok_or("no such tenant")?.world(provider).ok_or("the provider does not run")?;
    let (now, id) = (shared.now_ms(), |seq| content::id(object, seq));
    let done = |done: bool| done.then_some(()).ok_or_else(|| format!("{action} did not apply"));
    match action {
        "create" => {
            let count = target.count.unwrap_or(1);
            let made: Vec<String> = (0..count).filter_map(|_| world.create(name, now)).map(id).collect();
            Ok(json!({ "ids": made }))
        }
        "late" => {
            let after_ms = target.after_ms.unwrap_or(5_000);
            let seq = world.create_late(name, now, after_ms).ok_or("late did not apply")?;
            Ok(json!({ "ids": [id(seq)] }))
        }
        "mass-update" => {
            let changed = world.mass_update(name, target.count.unwrap_or(200), 0, now);
            Ok(json!({ "changed": changed }))
        }
        "update" | "archive" | "delete" | "purge" => {
            let seq = chosen(&world, object, target.id.as_deref(), 0)?;
            done(match action {
                "update" => world.update(name, seq, now),
                "purge" => world.purge(name, seq),
                _ => world.delete(name, seq, now),
            })?;
            Ok(json!({ "ids": [id(seq)] }))
        }
        "merge" => {
            let winner = chosen(&world, object, target.winner.as_deref(), 0)?;
            let loser = chosen(&world, object, target.loser.as_deref(), 1)?;
            done(world.merge(name, winner, loser, now))?;
            Ok(json!({ "winner": id(winner), "loser": id(loser) }))
        }
        _ => Err(format!("no such action: {action}")),
    }
}

/// The record of an id, or the live record at this place.
fn chosen(world: &World, object: &Object, id: Option<&str>, place: usize) -> Result<u32, String> {
    if let Some(id) = id {
        return content::seq(object, id).ok_or_else(|| format!("{id:?} is no id of {}", object.name));
    }
    let rows = world.table(object.name).map(|table| table.rows.as_slice()).unwrap_or_default();
    let mut live = rows.iter().filter(|record| record.state == State::Live);
    live.nth(place).map(|record| record.seq).ok_or_else(|| "no live record".to_owned())
}

/// Renders all list pages from a path on, so that a benchmark finds them ready.
async fn warm(shared: &Arc<Shared>, call: &Call) -> Result<Value, String> {
    let target: Target = body(call)?;
    let (first, tenant) = (target.path.ok_or("path is missing")?, shared.options.tenants.first().ok_or("no tenant")?);
    let token = format!("Bearer {}", tenant.hubspot_token);
    let (mut next, mut pages) = (Some(first.clone()), 0);
    while let Some(path) = next.take() {
        let request = axum::extract::Request::get(&path).header("authorization", &token);
        let request = request.body(axum::body::Body::empty()).map_err(|error| error.to_string())?;
        let call = Call::read(request).await.ok_or("the path is not valid")?;
        let response = Provider::HubSpot.api().answer(shared, &call, shared.now_ms());
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.map_err(|error| error.to_string())?;
        let page: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        pages += 1;
        let after = page.pointer("/paging/next/after").and_then(Value::as_str);
        next = after.map(|after| format!("{first}&after={after}"));
        tokio::task::yield_now().await;
    }
    shared.stats.reset();
    Ok(json!({ "pages": pages }))
}
