//! `syncline object show`: one object with what it holds and its last runs.

use serde::Serialize;

use super::{Listed, ObjectArgs, health, id, one};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::human;
use crate::cli::runs::Run;
use crate::store::admin::RunFilter;

/// Runs shown with an object.
const RUNS: u32 = 5;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    object: Listed,
    records: Records,
    /// Records that a refused sweep would delete.
    pending_deletes: Option<i64>,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Records {
    present: i64,
    gone: i64,
    rejected: i64,
}

pub(super) async fn run(args: &ObjectArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let row = one(&store, &args.object).await?;
    let (present, gone, rejected) = store.interaction_counts(id(&row)).await?;
    let pending_deletes = store.pending_sweep(id(&row)).await?.map(|(doomed, _)| doomed);
    let filter = RunFilter {
        customer: Some(row.customer.clone()),
        integration: Some(row.integration.clone()),
        object: Some(row.object.clone()),
        limit: RUNS,
        ..RunFilter::default()
    };
    let now = row.now;
    let runs = store.runs(&filter).await?.into_iter().map(|run| Run::new(run, now)).collect();
    let records = Records { present, gone, rejected };
    let shown = Shown { object: Listed::from(row), records, pending_deletes, runs };
    context.output.item(&shown, &fields(&shown))?;
    if !context.output.json() && !shown.runs.is_empty() {
        context.output.raw(b"\n")?;
        context.output.rows(&shown.runs, "")?;
    }
    Ok(())
}

fn fields(shown: &Shown) -> Vec<(&'static str, String)> {
    let Shown { object: Listed { address, health, row }, records, pending_deletes, .. } = shown;
    let mut fields = vec![("object", address.clone()), ("health", health.as_str().to_owned())];
    let mut some = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    some("why", health::why(row));
    some("what to do", health::what_to_do(row));
    some("last success", Some(human::ago_or_never(row.synced_at, row.now)));
    some("next run", Some(health::next_run(row)));
    some("interval", Some(human::interval(row.effective_interval_ms)));
    some("last outcome", row.last_outcome.clone());
    some("last error", row.last_error.as_deref().map(|error| human::brief(error, 300)));
    let Records { present, gone, rejected } = records;
    some("records", Some(format!("{present} present, {gone} deleted or merged, {rejected} rejected")));
    some("deletes waiting", pending_deletes.map(|count| format!("{count} of {present} records")));
    some("pages", Some(format!("{} fetched, {} landed", row.cursor_seq, row.landed_seq)));
    some(
        "cursor",
        Some(row.cursor.as_deref().map_or_else(|| "at the very beginning".to_owned(), |c| human::brief(c, 120))),
    );
    some(
        "kind",
        Some(format!("{} from {}, {}, deletes: {}", row.interaction_type, row.provider, row.mode, row.deletes)),
    );
    some("running on", row.lease_owner.clone());
    some("recording", (row.record_next == 1).then(|| "the next run that begins".to_owned()));
    fields
}
