//! `syncline status`: how objects, queues and hosts are doing.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Failure;
use super::object::Listed;
use super::{human, output};
use crate::config::units::parse_duration;
use crate::store::admin::ObjectFilter;
use crate::store::status::Overview;
use crate::store::{Store, StoreError};

/// Objects shown that need a look, at most.
const UNWELL: u32 = 20;

/// Shows how objects and queues are doing, and the objects that need a look: late, failing, waiting for credentials,
/// paused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline status
  syncline status --watch --every 1s
  syncline status --json | jq .objects")]
pub struct StatusArgs {
    /// Show it again and again until Ctrl-C
    #[arg(long, short)]
    pub watch: bool,
    /// How often, with --watch
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    pub every: Duration,
}

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    overview: Overview,
    /// Objects that need a look.
    unwell: Vec<Listed>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the store fails; with `--watch`, only where trying again does not help.
pub async fn run(args: &StatusArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    if !args.watch {
        let status = read(&store).await?;
        if context.output.json() {
            context.output.item(&status, &[])?;
        } else {
            context.output.text(&render(&status))?;
        }
        return Ok(());
    }
    loop {
        match read(&store).await {
            Ok(status) if context.output.json() => context.output.event(&status, "")?,
            Ok(status) => {
                if stdout().is_terminal() {
                    // Cursor home, and what is below it away: no flicker, as clearing the whole screen first would make.
                    context.output.raw(b"\x1b[H\x1b[J")?;
                }
                context.output.text(&render(&status))?;
            }
            Err(error) if error.is_transient() => context.output.note(&format!("not now: {error}"))?,
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(args.every) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

async fn read(store: &Store) -> Result<Status, StoreError> {
    let overview = store.overview().await?;
    let filter = ObjectFilter { unwell: true, limit: Some(UNWELL), ..ObjectFilter::default() };
    let unwell = store.objects(&filter).await?.into_iter().map(Listed::from).collect();
    Ok(Status { overview, unwell })
}

fn render(status: &Status) -> String {
    let Status { overview: all, unwell } = status;
    let some = |parts: &[(i64, &str)]| {
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
    };
    let objects = some(&[
        (all.late, "late"),
        (all.failing, "failing"),
        (all.paused, "paused or held"),
        (all.quarantined, "quarantined"),
        (all.never_synced, "never synced"),
    ]);
    let integrations = some(&[(all.needs_auth, "need credentials"), (all.rate_limited, "rate-limited")]);
    let waiting = human::bytes(all.unlanded_bytes.unsigned_abs());
    let lines = [
        ("customers", all.customers.to_string()),
        ("integrations", format!("{}{integrations}", all.integrations)),
        ("objects", format!("{}{objects}", all.objects)),
        ("runs", format!("{} running, {} queued", all.running, all.dispatched)),
        ("landing", format!("{} batches wait ({waiting}), {} records rejected", all.unlanded_batches, all.rejected)),
        ("outbox", format!("{} messages", all.outbox)),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:12}  {value}");
    }
    if !unwell.is_empty() {
        let _ = write!(text, "\n{}", output::table(unwell));
        if unwell.len() >= UNWELL as usize {
            let _ = writeln!(text, "and more: syncline object list --state failing,late,needs-auth,paused,quarantined");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::object::tests::row;

    #[test]
    fn the_status_is_numbers_and_what_needs_a_look() {
        let mut failing = row();
        failing.fails = 2;
        failing.last_error = Some("unavailable: status 503".to_owned());
        let overview =
            Overview { customers: 1, integrations: 2, objects: 13, failing: 1, running: 2, ..Overview::default() };
        let status = Status { overview, unwell: vec![Listed::from(failing)] };
        insta::assert_snapshot!(render(&status), @r"
        customers     1
        integrations  2
        objects       13: 1 failing
        runs          2 running, 0 queued
        landing       0 batches wait (0 B), 0 records rejected
        outbox        0 messages

        OBJECT            HEALTH   LAST SUCCESS  NEXT RUN  INTERVAL  WHY
        acme/crm/Account  failing  4m 40s ago    in 12m    1h        2 failures in a row: unavailable: status 503
        ");
        assert_eq!(serde_json::to_value(&status).unwrap()["unwell"][0]["health"], "failing");
    }
}
