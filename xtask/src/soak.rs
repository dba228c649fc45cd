//! Three hosts, two hundred integrations, faults all along: what they hold must not grow.

use anyhow::Result;

use crate::chaos::{self, Long};
use crate::demo::Backend;

/// How long to soak.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Look for so many minutes; the first third of them counts as warming up.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// What every choice follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::PostgresSqs)]
    backend: Backend,
    /// Print one last line of JSON.
    #[arg(long)]
    json: bool,
}

/// Soaks.
pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { minutes, seed, backend, json } = *options;
    chaos::long_form(vec!["soak".to_owned()], &Long { minutes, seed, backend, json })
}
