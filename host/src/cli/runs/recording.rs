//! `syncline runs recording`: takes what was recorded of a run away in one file, to be replayed elsewhere.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::human;
use crate::domain::RunId;
use crate::kit::cassette::{Cassette, CassetteError, parts, scrub};
use crate::store::admin::RunRow;

/// Writes the recording of a run into a cassette: one readable file, without credentials, with the customer's data.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline object record acme/hubspot/contacts       the next run is recorded
  syncline runs recording 4711 --out run.json
  syncline runs recording 4711 --out run.json --scrub email,phone
  syncline connector replay run.json                 on any machine")]
pub struct RunsRecordingArgs {
    /// Number of the run, as listed
    #[arg(value_name = "RUN")]
    pub run: RunId,
    /// The cassette to write
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Names of fields whose values are to be replaced, in bodies and queries
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub scrub: Vec<String>,
}

pub(super) async fn run(args: &RunsRecordingArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let run = store.run(args.run).await?;
    let stored = store.recording(args.run).await?;
    let unpacked: Vec<Cassette> = stored
        .iter()
        .map(|part| parts::unpack(&part.payload))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(Exit::Failure, "the recording is damaged").caused_by(&error))?;
    let mut cassette = parts::join(unpacked).ok_or_else(|| nothing(&run))?;
    scrub::scrub(&mut cassette, &args.scrub);
    let unwritten = |error: &CassetteError| {
        Failure::new(Exit::Failure, "the recording cannot be written")
            .at(args.out.display().to_string())
            .caused_by(error)
    };
    cassette.write(&args.out).map_err(|error| unwritten(&error))?;
    for remark in remarks(&run, &cassette) {
        context.output.note(&remark)?;
    }
    let (calls, exchanges) = (cassette.calls.len(), cassette.exchanges());
    let done = json!({
        "run": run.id, "object": run.object, "cassette": args.out, "calls": calls, "exchanges": exchanges,
        "left_out": cassette.left_out,
    });
    let sentence = format!(
        "{} in {} of run {} written to {}",
        human::count(exchanges, "exchange"),
        human::count(calls, "call"),
        run.id,
        args.out.display()
    );
    Ok(context.output.done(&done, &sentence)?)
}

/// In what the recording is not the whole run.
fn remarks(run: &RunRow, cassette: &Cassette) -> Vec<String> {
    let mut found = Vec::new();
    if run.finished_at.is_none() {
        found.push("the run is still going on: what comes later is not in it".to_owned());
    }
    if cassette.left_out > 0 {
        let calls = human::count(usize::try_from(cassette.left_out).unwrap_or(usize::MAX), "call");
        found.push(format!("{calls} left out: the recording was full"));
    }
    // Pages that were fetched by a host that died, and parts that made room for newer ones.
    let is_page = |outcome: &serde_json::Value| outcome.get("records").is_some();
    let recorded = cassette.calls.iter().filter(|call| call.outcome.as_ref().is_some_and(is_page)).count();
    let recorded = i64::try_from(recorded).unwrap_or(i64::MAX);
    if recorded < run.pages {
        found.push(format!("{recorded} of the run's {} are in it", human::count(pages(run), "page")));
    }
    found
}

fn pages(run: &RunRow) -> usize {
    usize::try_from(run.pages).unwrap_or(0)
}

/// Why there is nothing to write.
fn nothing(run: &RunRow) -> Failure {
    let why = match (run.recorded, run.finished_at) {
        (1, None) => "the first part of it is there when its first slice is over",
        (1, Some(_)) => "it made no call, or that was more than a week ago, or it could not be kept",
        _ => "nobody had asked for one before the run began",
    };
    let help = match (run.recorded, run.finished_at) {
        (1, None) => "try again later".to_owned(),
        _ => format!("record the next one: syncline object record {}", run.object),
    };
    Failure::new(Exit::NotFound, format!("run {} has no recording", run.id)).because(why).help(help)
}

/// What `runs show` says of a recording.
pub(super) fn shown(run: &RunRow) -> Option<String> {
    match (run.recorded, run.recording_parts, run.finished_at) {
        (1, 0, None) => Some("in progress".to_owned()),
        (1, 0, Some(_)) => Some("nothing there".to_owned()),
        (1, parts, _) => {
            let parts = human::count(usize::try_from(parts).unwrap_or(0), "part");
            Some(format!("{parts}: syncline runs recording {} --out run-{}.json", run.id, run.id))
        }
        _ => None,
    }
}
