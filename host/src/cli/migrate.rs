//! `syncline migrate`: bring the store's tables up to date.

use clap::Args;

/// Brings the store's tables up to date. Safe to repeat, and to run on several machines at once.
///
/// Migrations only add what the previous version does not know: hosts of both versions can run side by side.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline migrate
  syncline migrate --dry-run    what would be done, without doing it")]
pub struct MigrateArgs {
    /// Show which migrations would run, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}
