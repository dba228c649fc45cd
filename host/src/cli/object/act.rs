//! What changes objects: trigger, pause, resume, set-interval, reset-cursor, record, confirm-deletes.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, stdin};

use serde_json::json;

use super::{
    ObjectConfirmArgs, ObjectIntervalArgs, ObjectRecordArgs, ObjectResetArgs, ObjectTriggerArgs, ObjectsArgs, health,
    id, one, within,
};
use crate::app;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{human, interval};
use crate::domain::{DeleteMode, ObjectId};
use crate::store::Store;
use crate::store::admin::{ObjectRow, Scope};

/// All objects that the addresses name, each once.
async fn named(store: &Store, args: &ObjectsArgs) -> Result<Vec<ObjectRow>, Failure> {
    let mut rows = BTreeMap::new();
    for address in &args.objects {
        rows.extend(within(store, address).await?.into_iter().map(|row| (row.id, row)));
    }
    if rows.is_empty() {
        return Err(Failure::new(Exit::NotFound, "there are no objects under these addresses"));
    }
    Ok(rows.into_values().collect())
}

fn addresses(rows: &[ObjectRow]) -> Vec<String> {
    rows.iter().map(|row| format!("{}/{}/{}", row.customer, row.integration, row.object)).collect()
}

pub(super) async fn trigger(args: &ObjectTriggerArgs, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    let rows = named(&store, &args.objects).await?;
    let ids: Vec<ObjectId> = rows.iter().map(id).collect();
    store.trigger(&ids, config.schedule.throttle, args.force).await?;
    let idle: Vec<ObjectRow> = rows.iter().filter(|row| row.state != "active").cloned().collect();
    for (row, address) in idle.iter().zip(addresses(&idle)) {
        context.output.note(&format!("{address} is {}: it runs once it is resumed", row.state))?;
    }
    let window = interval::show(config.schedule.throttle);
    let sentence = if args.force {
        format!("{} due now", human::count(rows.len(), "object"))
    } else {
        format!(
            "{} due now, or {window} after the last dispatch (--force does not wait)",
            human::count(rows.len(), "object")
        )
    };
    Ok(context.output.done(&json!({ "objects": addresses(&rows), "forced": args.force }), &sentence)?)
}

pub(super) async fn set_paused(args: &ObjectsArgs, paused: bool, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let rows = named(&store, args).await?;
    let ids: Vec<ObjectId> = rows.iter().map(id).collect();
    store.set_paused(&ids, paused, paused.then_some("paused by an operator")).await?;
    let state = if paused { "paused" } else { "active" };
    if !paused {
        let mut held: Vec<String> = Vec::new();
        for address in &args.objects {
            held.extend(
                within(&store, address)
                    .await?
                    .into_iter()
                    .filter(|row| row.state != "active")
                    .map(|row| format!("{}/{} is {}", row.customer, row.integration, row.state)),
            );
        }
        held.sort();
        held.dedup();
        for integration in held {
            context.output.note(&format!("{integration}: its objects wait for `syncline integration resume`"))?;
        }
    }
    let sentence = format!("{} {state}", human::count(rows.len(), "object"));
    Ok(context.output.done(&json!({ "objects": addresses(&rows), "state": state }), &sentence)?)
}

pub(super) async fn set_interval(args: &ObjectIntervalArgs, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    let row = one(&store, &args.object.object).await?;
    store.set_interval(Scope::Object(id(&row)), args.interval.0).await?;
    let changed = app::apply_intervals(&config, &store).await?;
    Ok(interval::report(&mut context.output, &args.object.object.to_string(), args.interval, changed)?)
}

pub(super) async fn reset_cursor(args: &ObjectResetArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let row = one(&store, &args.object.object).await?;
    if args.to.is_some() && row.deletes == DeleteMode::ByAbsence.as_str() {
        let what = format!("{} can only start from the very beginning", args.object.object);
        return Err(Failure::new(Exit::Usage, what)
            .help("what a complete pass does not show is deleted, and one that starts in the middle is not complete"));
    }
    let (present, _, _) = store.interaction_counts(id(&row)).await?;
    let from = args.to.as_ref().map_or_else(|| "the very beginning".to_owned(), |to| human::brief(to, 80));
    let running = if row.active == 1 { " The run that is going on is given up." } else { "" };
    let preview = format!(
        "{}: the next sync starts from {from}, not from {}. {present} records stay and are recognised.{running}",
        args.object.object,
        row.cursor.as_deref().map_or_else(|| "the very beginning".to_owned(), |cursor| human::brief(cursor, 80)),
    );
    confirm(context, &preview, &args.object.object.object, args.yes)?;
    store.reset_cursor(id(&row), args.to.as_deref()).await?;
    let sentence = format!("{} is due now and starts from {from}", args.object.object);
    let done = json!({ "object": args.object.object.to_string(), "before": row.cursor, "cursor": args.to });
    Ok(context.output.done(&done, &sentence)?)
}

pub(super) async fn record(args: &ObjectRecordArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let row = one(&store, &args.object.object).await?;
    let address = args.object.object.to_string();
    store.record_next(id(&row), !args.off).await?;
    let sentence = match (args.off, row.active, row.state.as_str()) {
        (true, ..) => format!("the next run of {address} is not recorded"),
        (false, 0, "active") => format!("the next run of {address}, {}, is recorded", health::next_run(&row)),
        (false, 0, state) => format!("{address} is {state}: its next run is recorded once it is resumed"),
        (false, ..) => format!("the next run of {address} that begins is recorded"),
    };
    Ok(context.output.done(&json!({ "object": address, "record_next": !args.off }), &sentence)?)
}

pub(super) async fn confirm_deletes(args: &ObjectConfirmArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let row = one(&store, &args.object.object).await?;
    let address = args.object.object.to_string();
    let deleted = match store.pending_sweep(id(&row)).await? {
        None => 0,
        Some((doomed, present)) => {
            let preview = format!(
                "{address}: the last complete pass did not show {doomed} of {present} records. They become deleted."
            );
            confirm(context, &preview, &args.object.object.object, args.yes)?;
            store.confirm_sweep(id(&row)).await?
        }
    };
    let sentence = if deleted == 0 {
        format!("{address} has no deletes that wait")
    } else {
        format!("{deleted} records of {address} are deleted")
    };
    Ok(context.output.done(&json!({ "object": address, "deleted": deleted }), &sentence)?)
}

/// Shows what would happen and asks for the name as a yes. Where nobody can be asked, `--yes` is needed.
fn confirm(context: &mut Context, preview: &str, name: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, preview).help("do it with --yes"));
    }
    context.output.note(preview)?;
    let terminal = console::Term::stderr();
    terminal.write_str(&format!("Type {name} to go on: "))?;
    if terminal.read_line()?.trim() == name { Ok(()) } else { Err(Failure::new(Exit::Failure, "nothing was changed")) }
}
