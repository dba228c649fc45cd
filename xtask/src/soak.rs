//! Three hosts, two hundred integrations, faults all along: what they hold must not grow. The first third of the time
//! counts as warming up.

use anyhow::Result;

use crate::chaos::Long;
use crate::demo::Backend;

/// How long to soak.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    long: Long,
    /// What stores and queues.
    #[arg(long, value_enum, default_value_t = Backend::PostgresSqs)]
    backend: Backend,
}

/// Soaks.
pub(crate) fn run(options: &Options) -> Result<()> {
    options.long.start(options.backend, vec!["soak".to_owned()])
}
