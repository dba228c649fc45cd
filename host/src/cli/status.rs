//! `syncline status`: how objects, queues and hosts are doing.

use std::time::Duration;

use clap::Args;

use crate::config::units::parse_duration;

/// Shows how objects, queues and hosts are doing: healthy, late, failing, waiting for credentials, paused.
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
