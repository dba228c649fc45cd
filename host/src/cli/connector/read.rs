//! `syncline connector read`: pages of one object, printed and not stored.

use std::collections::HashSet;
use std::io::{IsTerminal as _, stdout};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{ConnectorReadArgs, open};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::human;
use crate::config::Config;
use crate::connector::CallReport;
use crate::domain::{Cursor, Interaction, RecordState};

#[derive(Serialize)]
struct Record<'a> {
    id: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<&'a str>,
    data: Data<'a>,
}

/// What the connector returned; text where it is not JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    None,
}

impl<'a> Record<'a> {
    fn of(interaction: &'a Interaction) -> Self {
        let (state, merged_into) = match &interaction.state {
            RecordState::Present => ("present", None),
            RecordState::Deleted => ("deleted", None),
            RecordState::MergedInto(id) => ("merged", Some(id.as_str())),
        };
        let data = match serde_json::from_str(&interaction.data) {
            Ok(json) => Data::Json(json),
            Err(_) if interaction.data.is_empty() => Data::None,
            Err(_) => Data::Text(&interaction.data),
        };
        let (version, updated_at) = (interaction.version.as_deref(), interaction.updated_at.as_deref());
        Self { id: &interaction.id, state, merged_into, version, updated_at, data }
    }
}

/// What a reading came to.
#[derive(Default, Serialize)]
struct Summary {
    records: u64,
    pages: u32,
    cursor: Option<String>,
    /// There is more to read at once.
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Used>,
}

#[derive(Default, Serialize)]
struct Used {
    cpu_ms: u64,
    wall_ms: u64,
    peak_memory_bytes: usize,
    requests: u64,
    retries: u64,
    bytes_in: u64,
    denied: u64,
}

impl Used {
    fn add(&mut self, report: CallReport) {
        self.cpu_ms += u64::try_from(report.cpu.as_millis()).unwrap_or(0);
        self.wall_ms += u64::try_from(report.wall.as_millis()).unwrap_or(0);
        self.peak_memory_bytes = self.peak_memory_bytes.max(report.peak_memory_bytes);
    }
}

pub(super) async fn run(args: &ConnectorReadArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let limit = args.limit.unwrap_or(u32::MAX);
    let page_size = config.retrieve.page_records.min(limit).max(1);
    let probe = open(&args.connector, &args.connection, page_size, config).await?;
    let mut cursor = match (&args.cursor, &args.cursor_file) {
        (Some(cursor), _) => Some(Cursor(cursor.clone())),
        (None, Some(path)) => read_cursor(path)?,
        (None, None) => None,
    };
    let mut seen: HashSet<Cursor> = cursor.iter().cloned().collect();
    let (mut summary, mut used) = (Summary::default(), Used::default());
    loop {
        let (page, report) = probe.fetch(&args.object, cursor.as_ref()).await?;
        used.add(report);
        summary.pages += 1;
        let room = usize::try_from(u64::from(limit) - summary.records).unwrap_or(usize::MAX);
        print(&page.interactions, room, context)?;
        summary.records += page.interactions.len().min(room) as u64;
        if args.diagnostics {
            let told = told(summary.pages, page.interactions.len(), report);
            context.output.note(&told)?;
        }
        if page.interactions.len() > room {
            summary.more = true;
            break;
        }
        if page.more && page.wait_seconds.is_none() && !seen.insert(page.cursor.clone()) {
            return Err(Failure::new(Exit::CheckFailed, "the cursor came before although there is more to read")
                .help("a host would end the run as `cursor-stalled`: the connector is at fault"));
        }
        summary.more = page.more;
        cursor = Some(page.cursor);
        let enough = summary.records >= u64::from(limit) || (args.pages > 0 && summary.pages >= args.pages);
        if !page.more || enough {
            break;
        }
        if let Some(seconds) = page.wait_seconds {
            context.output.note(&format!("the provider is preparing: waiting {seconds} s"))?;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    }
    if let (Some(path), Some(cursor)) = (&args.cursor_file, &cursor) {
        write_cursor(path, cursor)?;
    }
    summary.cursor = cursor.map(|cursor| cursor.0);
    if args.diagnostics {
        let stats = probe.line.session.stats();
        (used.requests, used.retries) = (stats.requests, stats.retries);
        (used.bytes_in, used.denied) = (stats.bytes_in, stats.denied);
        summary.diagnostics = Some(used);
    }
    finish(&summary, context)
}

fn print(interactions: &[Interaction], room: usize, context: &mut Context) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for interaction in interactions.iter().take(room) {
        serde_json::to_writer(&mut lines, &Record::of(interaction))?;
        lines.push(b'\n');
    }
    if lines.is_empty() {
        return Ok(());
    }
    // JSON may hold characters that some terminals act upon; a program gets every byte.
    if stdout().is_terminal() {
        return Ok(context.output.text(&String::from_utf8_lossy(&lines))?);
    }
    Ok(context.output.raw(&lines)?)
}

fn told(page: u32, records: usize, report: CallReport) -> String {
    format!(
        "page {page}: {}, {} ms of processor in {} ms, {} of memory, {}",
        human::count(records, "record"),
        report.cpu.as_millis(),
        report.wall.as_millis(),
        human::bytes(report.peak_memory_bytes as u64),
        human::count(report.requests as usize, "request"),
    )
}

fn finish(summary: &Summary, context: &mut Context) -> Result<(), Failure> {
    if context.output.json() {
        return Ok(context.output.note(&serde_json::to_string(summary)?)?);
    }
    let records = human::count(usize::try_from(summary.records).unwrap_or(usize::MAX), "record");
    let pages = human::count(summary.pages as usize, "page");
    let more = if summary.more { "there is more" } else { "that is all for now" };
    context.output.note(&format!("{records} on {pages}, {more}"))?;
    if let Some(used) = &summary.diagnostics {
        let (memory, bytes) = (human::bytes(used.peak_memory_bytes as u64), human::bytes(used.bytes_in));
        context.output.note(&format!(
            "used: {} ms of processor in {} ms, {memory} of memory at most, {} requests ({} of them retries), {bytes} received",
            used.cpu_ms, used.wall_ms, used.requests, used.retries
        ))?;
    }
    if let Some(cursor) = &summary.cursor {
        context.output.note(&format!("cursor: {cursor}"))?;
    }
    Ok(())
}

fn read_cursor(path: &Path) -> Result<Option<Cursor>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\n', '\r']))
            .filter(|text| !text.is_empty())
            .map(|text| Cursor(text.to_owned()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn write_cursor(path: &Path, cursor: &Cursor) -> Result<(), Failure> {
    std::fs::write(path, format!("{cursor}\n")).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, "the cursor's file cannot be used").at(path.display().to_string()).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_printed_as_it_came() {
        let record = |state, data: &str| {
            let data = data.to_owned();
            let interaction = Interaction { id: "1".to_owned(), version: None, updated_at: None, state, data };
            serde_json::to_string(&Record::of(&interaction)).unwrap()
        };
        assert_eq!(
            record(RecordState::Present, r#"{"n":1e400}"#),
            r#"{"id":"1","state":"present","data":{"n":1e400}}"#
        );
        assert_eq!(record(RecordState::Deleted, ""), r#"{"id":"1","state":"deleted","data":null}"#);
        let merged = record(RecordState::MergedInto("2".to_owned()), "no json");
        assert_eq!(merged, r#"{"id":"1","state":"merged","merged_into":"2","data":"no json"}"#);
    }

    #[test]
    fn a_cursor_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        assert_eq!(read_cursor(&path).unwrap(), None);
        write_cursor(&path, &Cursor("{\"a\": 1}".to_owned())).unwrap();
        assert_eq!(read_cursor(&path).unwrap(), Some(Cursor("{\"a\": 1}".to_owned())));
    }
}
