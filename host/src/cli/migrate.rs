//! `syncline migrate`: bring the store's tables up to date.

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Failure;
use super::human;
use crate::app;
use crate::store::StoreError;

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

#[derive(Serialize)]
struct Migrated {
    before: i64,
    after: i64,
    migrations: Vec<Migration>,
    dry_run: bool,
}

#[derive(Serialize)]
struct Migration {
    version: i64,
    name: &'static str,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the store cannot be reached, its schema is newer than this program, or a migration fails.
pub async fn run(args: &MigrateArgs, context: &mut Context) -> Result<(), Failure> {
    let config = context.load_config()?.config;
    context.start_quiet_logging(&config)?;
    let store = app::connect(&config).await?;
    let migrations: Vec<Migration> =
        store.pending_migrations().await?.into_iter().map(|(version, name)| Migration { version, name }).collect();
    let names = migrations.iter().map(|m| format!("{:04} {}", m.version, m.name)).collect::<Vec<_>>().join(", ");
    let (before, after) = if args.dry_run {
        if let Err(error @ StoreError::SchemaNew { .. }) = store.check_schema().await {
            return Err(error.into());
        }
        let before = store.schema_version().await?;
        (before, before)
    } else {
        store.migrate().await?
    };
    let sentence = match (migrations.len(), args.dry_run) {
        (0, _) => format!("nothing to do: the store has schema {after}"),
        (some, true) => format!("{} would run: {names}", human::count(some, "migration")),
        (some, false) => format!("{} ran, the store has schema {after}: {names}", human::count(some, "migration")),
    };
    store.close().await;
    Ok(context.output.done(&Migrated { before, after, migrations, dry_run: args.dry_run }, &sentence)?)
}
