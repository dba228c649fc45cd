//! `syncline interactions export`: a stream of records or changes, read page by page.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{ExportFormat, InteractionsExportArgs, PAGE};
use crate::cli::address::Address;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{human, object, output};
use crate::domain::{IntegrationId, ObjectId};
use crate::store::Store;
use crate::store::feed::InteractionRow;

const COLUMNS: [&str; 9] = [
    "object",
    "id",
    "state",
    "merged_into",
    "provider_version",
    "provider_updated_at",
    "change_seq",
    "changed_at",
    "data",
];

pub(super) async fn run(args: &InteractionsExportArgs, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let mut sink = Sink::open(args, context.output.quiet())?;
    if args.changes {
        changes(args, &store, &mut sink).await?;
    } else {
        records(args, &store, &mut sink).await?;
    }
    let (written, last_change) = sink.close()?;
    let written = human::count(usize::try_from(written).unwrap_or(usize::MAX), "record");
    let go_on = if args.changes {
        format!("; go on with --changes --after {}", last_change.max(args.after))
    } else {
        String::new()
    };
    Ok(context.output.note(&format!("{written} written{go_on}"))?)
}

async fn records(args: &InteractionsExportArgs, store: &Store, sink: &mut Sink) -> Result<(), Failure> {
    let from_ms = args.selection.earliest_ms(store).await?;
    let objects = object::within(store, &args.within).await?;
    if let Address::Object(_) = &args.within
        && let Some(object) = objects.first()
    {
        let (present, gone, _) = store.interaction_counts(ObjectId(object.id)).await?;
        sink.expect(present + if args.selection.deleted { gone } else { 0 });
    }
    for object in objects {
        let mut after = String::new();
        loop {
            let rows = store.interactions(ObjectId(object.id), &after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.id);
            for row in rows.iter().filter(|row| args.selection.fits(row, from_ms)) {
                if !sink.write(row)? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

async fn changes(args: &InteractionsExportArgs, store: &Store, sink: &mut Sink) -> Result<(), Failure> {
    let (customer, Some(integration)) = (args.within.customer(), args.within.integration()) else {
        return Err(Failure::new(Exit::Usage, "a change feed belongs to an integration")
            .help("name one, such as acme/salesforce"));
    };
    object::exists(store, &args.within).await?;
    let integration = IntegrationId(store.integration(customer, integration).await?.id);
    let from_ms = args.selection.earliest_ms(store).await?;
    let mut after = args.after;
    loop {
        let rows = store.changes(integration, after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.change_seq;
        for row in &rows {
            let wanted = row.changed_at >= from_ms && args.within.object().is_none_or(|object| row.object == object);
            if wanted && !sink.write(row)? {
                return Ok(());
            }
        }
    }
}

/// Where records go.
struct Sink {
    out: Box<dyn Write + Send>,
    terminal: bool,
    format: ExportFormat,
    limit: u64,
    written: u64,
    last_change: i64,
    bar: ProgressBar,
}

impl Sink {
    fn open(args: &InteractionsExportArgs, quiet: bool) -> Result<Self, Failure> {
        let out: Box<dyn Write + Send> = match &args.out {
            Some(path) => Box::new(File::create(path).map_err(|error| {
                Failure::new(Exit::Failure, "the file cannot be written")
                    .at(path.display().to_string())
                    .caused_by(&error)
            })?),
            None => Box::new(stdout()),
        };
        let mut out: Box<dyn Write + Send> = Box::new(BufWriter::with_capacity(1 << 16, out));
        if args.format == ExportFormat::Csv {
            writeln!(out, "{}", COLUMNS.join(","))?;
        }
        // Records on the same terminal would tear the bar apart.
        let watched = stderr().is_terminal() && !quiet && (args.out.is_some() || !stdout().is_terminal());
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        style(&bar, "{spinner} {human_pos} records, {per_sec}");
        bar.enable_steady_tick(Duration::from_millis(200));
        let terminal = args.out.is_none() && stdout().is_terminal();
        Ok(Self {
            out,
            terminal,
            format: args.format,
            limit: args.limit.unwrap_or(u64::MAX),
            written: 0,
            last_change: 0,
            bar,
        })
    }

    fn expect(&self, records: i64) {
        style(&self.bar, "{bar:40} {human_pos}/{human_len} records, {per_sec}, {eta} left");
        self.bar.set_length(records.unsigned_abs());
    }

    /// Writes a record; `false` once there are enough.
    fn write(&mut self, row: &InteractionRow) -> Result<bool, Failure> {
        if self.written >= self.limit {
            return Ok(false);
        }
        let line = match self.format {
            ExportFormat::Ndjson => serde_json::to_string(row)?,
            ExportFormat::Csv => csv(row),
        };
        // A program gets every byte; a terminal none that it would act upon.
        let line = if self.terminal { output::clean(&line) } else { line };
        writeln!(self.out, "{line}")?;
        self.written += 1;
        self.last_change = self.last_change.max(row.change_seq);
        self.bar.inc(1);
        Ok(true)
    }

    fn close(mut self) -> Result<(u64, i64), Failure> {
        self.out.flush()?;
        self.bar.finish_and_clear();
        Ok((self.written, self.last_change))
    }
}

fn style(bar: &ProgressBar, template: &str) {
    // The templates are constants; if one were wrong, the bar would only look different.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

fn csv(row: &InteractionRow) -> String {
    let (seq, changed) = (row.change_seq.to_string(), row.changed_at.to_string());
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        row.object.clone(),
        row.id.clone(),
        row.state.clone(),
        optional(&row.merged_into),
        optional(&row.provider_version),
        optional(&row.provider_updated_at),
        seq,
        changed,
        row.data.as_str().unwrap_or_default().to_owned(),
    ];
    cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",")
}

/// A cell as RFC 4180 has it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_with_commas_quotes_or_line_ends_is_quoted() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted(r#"{"a":1,"b":2}"#), r#""{""a"":1,""b"":2}""#);
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }
}
