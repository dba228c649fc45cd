//! What is measured, in which order, and with what.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use crate::database::Backend;
use crate::report::{self, Figure};
use crate::{calls, full, memory, page, quiet, sandbox, tick};

/// What to measure, with what.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directory of the programs `syncline`, `fake-providers` and this one.
    #[arg(long)]
    pub(crate) programs: PathBuf,
    /// Directory of connectors.
    #[arg(long)]
    pub(crate) plugins: PathBuf,
    /// Directory for databases and caches.
    #[arg(long)]
    pub(crate) scratch: PathBuf,
    /// A Postgres server; without one its figures are left out.
    #[arg(long)]
    pub(crate) postgres: Option<String>,
    /// An SQS server; without one its figures are left out.
    #[arg(long)]
    pub(crate) sqs: Option<String>,
    /// A Python that has what `benches/peers/requirements.txt` lists; without one the peers are left out.
    #[arg(long)]
    pub(crate) python: Option<PathBuf>,
    /// Records of a full sync.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) records: u64,
    /// Fewer rounds and smaller numbers: to see that everything works, not how fast.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Print one line of JSON instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Instantiation, and a connector in the sandbox against itself outside.
    Sandbox,
    /// A full sync against a native program.
    Full,
    /// What each stage of a page costs.
    Page,
    /// A sync that finds nothing new.
    Quiet,
    /// Memory with many runs in flight.
    Memory,
    /// The scheduler's tick, and its claim against a bare update.
    Tick,
    /// Calls to SQS for each job.
    Calls,
}

impl Options {
    /// The databases there are.
    pub(crate) fn backends(&self) -> Vec<Backend> {
        let postgres = self.postgres.as_ref().map(|_| Backend::Postgres);
        [Some(Backend::Sqlite), postgres].into_iter().flatten().collect()
    }

    /// A number, or a smaller one when in a hurry.
    pub(crate) const fn scaled(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }
}

/// Measures and prints. Answers whether every target is met; with `--quick` none counts.
pub(crate) async fn run(options: Options) -> Result<bool> {
    std::fs::create_dir_all(&options.scratch)?;
    let mut figures: Vec<Figure> = Vec::new();
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        eprintln!("==> Measuring: {}", part.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned()));
        let measured = match part {
            Part::Sandbox => sandbox::measure(&options).await,
            Part::Full => full::measure(&options).await,
            Part::Page => page::measure(&options).await,
            Part::Quiet => quiet::measure(&options).await,
            Part::Memory => memory::measure(&options).await,
            Part::Tick => tick::measure(&options).await,
            Part::Calls => calls::measure(&options).await,
        }?;
        for figure in &measured {
            eprintln!("    {}: {:.3} {}", figure.name, figure.value, figure.unit);
        }
        figures.extend(measured);
    }
    if options.json {
        println!("{}", json!({ "quick": options.quick, "records": options.records, "figures": figures }));
    } else {
        println!("{}", report::table(&figures));
    }
    let missed = figures.iter().filter(|figure| figure.met == Some(false)).count();
    if missed > 0 {
        eprintln!("{missed} of the targets are not met");
    }
    Ok(missed == 0 || options.quick)
}
