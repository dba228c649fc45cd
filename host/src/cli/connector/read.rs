//! `syncline connector read`: pages of one object, printed and not stored.

use std::io::{IsTerminal as _, stdout};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::target::Target;
use super::{ConnectorReadArgs, ReadFormat};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::human;
use crate::cli::output::Row;
use crate::cli::probe::Probe;
use crate::config::Config;
use crate::connector::CallReport;
use crate::domain::{CallError, Cursor, FaultKind, Interaction, ObjectType, RecordState};
use crate::kit::reading::{Reading, Step};
use crate::kit::singer::{self, Singer};

/// Characters of a record's data in a table.
const DATA_CHARS: usize = 80;

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
    let target = Target::find(&args.connector, &args.target, config, context).await?;
    let probe = target.probe(config, page_size, None).await?;
    let cursor = match (&args.cursor, &args.cursor_file) {
        (Some(cursor), _) => Some(singer::cursor(cursor, &args.object).unwrap_or_else(|| Cursor(cursor.clone()))),
        (None, Some(path)) => read_cursor(path)?,
        (None, None) => None,
    };
    let object = match args.format {
        ReadFormat::Singer => Some(described(&probe, &args.object).await?),
        ReadFormat::Jsonl | ReadFormat::Table => None,
    };
    let mut printer = Printer::begin(args.format, object.as_ref(), context)?;
    let mut reading = Reading::new(&args.object, cursor);
    let (mut summary, mut used) = (Summary::default(), Used::default());
    loop {
        let before = reading.cursor.clone();
        let (step, report) = reading.step(&probe.line).await;
        used.add(report);
        let page = match step {
            Step::Page(page) => page,
            Step::Rewound => {
                context.output.note("the provider no longer knows the cursor: reading on from another one")?;
                continue;
            }
            Step::Ended(_, CallError::Fault(FaultKind::Stalled, why)) => {
                return Err(Failure::new(Exit::CheckFailed, why)
                    .help("a host would end the run as `cursor-stalled`: the connector is at fault"));
            }
            Step::Ended(_, error) => return Err(probe.failures().of("fetch", &error)),
        };
        summary.pages += 1;
        let room = usize::try_from(u64::from(limit) - summary.records).unwrap_or(usize::MAX);
        printer.page(&page.interactions, room, context)?;
        summary.records += page.interactions.len().min(room) as u64;
        if args.diagnostics {
            let received = probe.line.session.stats().bytes_in;
            let records = human::count(page.interactions.len(), "record");
            let what = format!("page {}, {records}", summary.pages);
            context.output.note(&told(&what, report, received - used.bytes_in))?;
            used.bytes_in = received;
        }
        if page.interactions.len() > room {
            summary.more = true;
            reading.cursor = before;
            break;
        }
        printer.state(&page.cursor, context)?;
        summary.more = !page.ends();
        let enough = summary.records >= u64::from(limit) || (args.pages > 0 && summary.pages >= args.pages);
        if page.ends() || enough {
            break;
        }
        if let Some(seconds) = page.wait_seconds {
            context.output.note(&format!("the provider is preparing: waiting {seconds} s"))?;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    }
    printer.end(context)?;
    if let (Some(path), Some(cursor)) = (&args.cursor_file, &reading.cursor) {
        write_cursor(path, cursor)?;
    }
    summary.cursor = reading.cursor.map(|cursor| cursor.0);
    if args.diagnostics {
        let stats = probe.line.session.stats();
        (used.requests, used.retries) = (stats.requests, stats.retries);
        (used.bytes_in, used.denied) = (stats.bytes_in, stats.denied);
        summary.diagnostics = Some(used);
    }
    finish(&summary, context)
}

/// The object as `discover` lists it.
async fn described(probe: &Probe, name: &str) -> Result<ObjectType, Failure> {
    let listed = probe.discover().await?.0;
    let known = || listed.iter().map(|object| object.name.as_str());
    listed.iter().find(|object| object.name == name).cloned().ok_or_else(|| Failure::not_found("object", name, known()))
}

/// Prints records in one of the formats.
struct Printer<'o> {
    format: ReadFormat,
    singer: Option<Singer<'o>>,
    rows: Vec<Shown>,
}

/// A record as a row of a table.
#[derive(Serialize)]
struct Shown {
    id: String,
    state: &'static str,
    updated_at: String,
    data: String,
}

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &["id", "state", "updated at", "data"];

    fn cells(&self) -> Vec<String> {
        vec![self.id.clone(), self.state.to_owned(), self.updated_at.clone(), human::brief(&self.data, DATA_CHARS)]
    }
}

impl<'o> Printer<'o> {
    fn begin(format: ReadFormat, object: Option<&'o ObjectType>, context: &mut Context) -> Result<Self, Failure> {
        let singer = object.map(Singer::new);
        if let Some(singer) = &singer {
            context.output.raw(format!("{}\n", singer.schema()).as_bytes())?;
        }
        Ok(Self { format, singer, rows: Vec::new() })
    }

    fn page(&mut self, interactions: &[Interaction], room: usize, context: &mut Context) -> Result<(), Failure> {
        let printed = interactions.iter().take(room);
        match (self.format, &self.singer) {
            (ReadFormat::Table, _) => {
                self.rows.extend(printed.map(|interaction| Shown {
                    id: interaction.id.clone(),
                    state: Record::of(interaction).state,
                    updated_at: interaction.updated_at.clone().unwrap_or_default(),
                    data: interaction.data.clone(),
                }));
                Ok(())
            }
            (ReadFormat::Singer, Some(singer)) => {
                let lines: String =
                    printed.filter_map(|record| singer.record(record)).map(|line| line + "\n").collect();
                Ok(context.output.raw(lines.as_bytes())?)
            }
            (ReadFormat::Jsonl | ReadFormat::Singer, _) => print(interactions, room, context),
        }
    }

    /// After a page whose records have all been printed.
    fn state(&self, cursor: &Cursor, context: &mut Context) -> Result<(), Failure> {
        match &self.singer {
            Some(singer) => Ok(context.output.raw(format!("{}\n", singer.state(cursor)).as_bytes())?),
            None => Ok(()),
        }
    }

    fn end(self, context: &mut Context) -> Result<(), Failure> {
        match self.format {
            ReadFormat::Table => Ok(context.output.rows(&self.rows, "no records")?),
            ReadFormat::Jsonl | ReadFormat::Singer => Ok(()),
        }
    }
}

/// Prints records, one JSON object a line.
pub(super) fn print(interactions: &[Interaction], room: usize, context: &mut Context) -> Result<(), Failure> {
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

/// What a call used, in words.
pub(super) fn told(what: &str, report: CallReport, bytes: u64) -> String {
    format!(
        "{what}: {} ms of processor in {} ms, {} of memory, {}, {} received",
        report.cpu.as_millis(),
        report.wall.as_millis(),
        human::bytes(report.peak_memory_bytes as u64),
        human::count(report.requests as usize, "request"),
        human::bytes(bytes),
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
