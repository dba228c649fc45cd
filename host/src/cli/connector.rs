//! `syncline connector`: look into connectors and try them out. Needs no store; what is fetched is printed.

mod build;
mod fake;
mod inspect;
mod new;
mod read;
mod record;
mod target;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

pub use fake::ConnectorFakeArgs;

use super::connection::ConnectionArgs;
use super::context::Context;
use super::exit::Failure;
use super::output::Row;
use crate::config::Config;
use crate::domain::ObjectType;
use crate::kit::new::Name;
use crate::kit::project::Language;
use target::{Target, TargetArgs};

/// Connectors: look into them and try them out, without a store.
#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// Begin a new connector: a project that builds, with one object and its tests
    New(ConnectorNewArgs),
    /// Build the connector in a folder into dist/NAME.wasm
    Build(ConnectorBuildArgs),
    /// List the connectors in the configured folder
    List(ConnectorListArgs),
    /// Show what a connector says of itself, and what it imports
    Inspect(ConnectorInspectArgs),
    /// Prove configuration and credentials with the provider
    Check(ConnectorCheckArgs),
    /// List the objects that a connection offers
    Discover(ConnectorCheckArgs),
    /// Fetch pages of one object and print the records
    Read(ConnectorReadArgs),
    /// Prove it: contract, resuming, faults, paging, limits, honesty
    Test(test::ConnectorTestArgs),
    /// Write what it asks and is answered into a cassette
    Record(record::ConnectorRecordArgs),
    /// Play a cassette to it and print the records
    Replay(record::ConnectorReplayArgs),
    /// Serve a provider that a provider.toml describes, with data that is made up
    Fake(ConnectorFakeArgs),
}

/// Writes a new project: a connector that builds and reads one object, with its tests.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector new acme-crm
  syncline connector new acme-crm --lang python --dir connectors/acme")]
pub struct ConnectorNewArgs {
    /// What integrations will call the provider, such as `acme-crm`
    pub name: Name,
    /// What to write it in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = Language::Rust)]
    pub lang: Language,
    /// The folder to make; one of the connector's name unless said
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
}

/// Builds a connector with its language's own tools, and refuses what the host would refuse.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector build
  syncline connector build connectors/acme --watch
  syncline connector build --watch --read people")]
pub struct ConnectorBuildArgs {
    /// The connector's folder, with its connector.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Build again whenever something is saved, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Read the first page of this object after each build
    #[arg(long, value_name = "OBJECT")]
    pub read: Option<String>,
    /// Configuration and credentials for reading.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Lists the connectors in the configured folder: version, digest, size, why one is refused.
#[derive(Debug, Args)]
pub struct ConnectorListArgs {}

/// A connector: a file, or the name of one in the configured folder.
#[derive(Debug, Args)]
pub struct ConnectorInspectArgs {
    /// Path of a .wasm file, or the name of a connector in the configured folder
    #[arg(value_name = "FILE|NAME")]
    pub connector: PathBuf,
}

/// A connector with a connection.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector check plugins/crm.wasm --set domain=acme --secret token=env:CRM_TOKEN
  syncline connector discover crm --secret token=@token.txt --json

Against a server on this machine: -o egress.allow_http=true -o 'egress.routes=*.crm.com=http://127.0.0.1:9000'")]
pub struct ConnectorCheckArgs {
    /// Path of a .wasm file, the name of a connector in the configured folder, or the folder of a project
    #[arg(value_name = "FILE|NAME|FOLDER")]
    pub connector: PathBuf,
    /// Tell what the call used: processor, memory, requests, bytes
    #[arg(long)]
    pub diagnostics: bool,
    /// What to try it with.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Fetches pages of one object and prints the records, one JSON object a line; the last cursor goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector read plugins/crm.wasm contact --secret token=env:CRM_TOKEN
  syncline connector read crm contact --pages 0 --secret token=env:CRM_TOKEN > contacts.ndjson
  syncline connector read crm contact --limit 5 --diagnostics --secret token=env:CRM_TOKEN
  syncline connector read crm contact --cursor-file cursor.txt --secret token=env:CRM_TOKEN
  syncline connector read . people                                  a project, from its synthetic provider
  syncline connector read crm contact --pages 0 --format singer --secret token=env:CRM_TOKEN | target-jsonl")]
pub struct ConnectorReadArgs {
    /// Path of a .wasm file, the name of a connector in the configured folder, or the folder of a project
    #[arg(value_name = "FILE|NAME|FOLDER")]
    pub connector: PathBuf,
    /// Name of the object, as `discover` lists it
    #[arg(value_name = "OBJECT")]
    pub object: String,
    /// Continue from this cursor; from the very beginning unless said
    #[arg(long, value_name = "CURSOR", conflicts_with = "cursor_file")]
    pub cursor: Option<String>,
    /// Continue from the cursor in this file, if it exists, and write the last cursor into it
    #[arg(long, value_name = "PATH")]
    pub cursor_file: Option<PathBuf>,
    /// Stop after so many pages; 0 goes on to the end
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub pages: u32,
    /// Stop after so many records; the cursor stays before a page that is not printed in full
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u32>,
    /// Tell what each page used: processor, memory, requests, bytes
    #[arg(long)]
    pub diagnostics: bool,
    /// How to print records: `jsonl`, a `table` for people, or messages of Singer for its many targets
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReadFormat::Jsonl)]
    pub format: ReadFormat,
    /// What to try it with.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadFormat {
    /// One JSON object a line
    Jsonl,
    /// A table: id, state, time, and the beginning of the data
    Table,
    /// SCHEMA, RECORD and STATE messages of the Singer specification
    Singer,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the connector cannot be used, the connection does not fit it, or the provider refuses.
pub async fn run(command: ConnectorCommand, context: &mut Context) -> Result<(), Failure> {
    let config = context.load_config()?.config;
    let level = match &command {
        // What the suite provokes is told in its report.
        ConnectorCommand::Test(_) => "error",
        _ => "warn",
    };
    context.start_logging_from(level, &config)?;
    match command {
        ConnectorCommand::New(args) => new::run(args, context),
        ConnectorCommand::Build(args) => build::run(args, &config, context).await,
        ConnectorCommand::List(ConnectorListArgs {}) => inspect::list(&config, context).await,
        ConnectorCommand::Inspect(args) => inspect::inspect(&args, &config, context).await,
        ConnectorCommand::Check(args) => check(&args, &config, context).await,
        ConnectorCommand::Discover(args) => discover(&args, &config, context).await,
        ConnectorCommand::Read(args) => read::run(&args, &config, context).await,
        ConnectorCommand::Test(args) => test::run(&args, &config, context).await,
        ConnectorCommand::Record(args) => record::record(args, &config, context).await,
        ConnectorCommand::Replay(args) => record::replay(&args, &config, context).await,
        ConnectorCommand::Fake(args) => fake::run(args, context).await,
    }
}

async fn check(args: &ConnectorCheckArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let target = Target::find(&args.connector, &args.target, config, context).await?;
    let probe = target.probe(config, config.retrieve.page_records, None).await?;
    let report = probe.check().await?;
    if args.diagnostics {
        context.output.note(&read::told("check", report, probe.line.session.stats().bytes_in))?;
    }
    let manifest = &probe.connector().manifest;
    let done = json!({
        "connector": manifest.name, "version": manifest.version, "ok": true, "requests": report.requests,
        "wall_ms": u64::try_from(report.wall.as_millis()).unwrap_or(u64::MAX),
    });
    let sentence = format!("{} {}: configuration and credentials are right", manifest.name, manifest.version);
    Ok(context.output.done(&done, &sentence)?)
}

async fn discover(args: &ConnectorCheckArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let target = Target::find(&args.connector, &args.target, config, context).await?;
    let probe = target.probe(config, config.retrieve.page_records, None).await?;
    let (objects, report) = probe.discover().await?;
    if args.diagnostics {
        context.output.note(&read::told("discover", report, probe.line.session.stats().bytes_in))?;
    }
    Ok(context.output.rows(&objects, "the provider offers no objects")?)
}

impl Row for ObjectType {
    const HEADERS: &'static [&'static str] = &["object", "type", "mode", "deletes", "key"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.interaction_type.clone(),
            self.mode.as_str().to_owned(),
            self.deletes.as_str().to_owned(),
            self.primary_key.join(", "),
        ]
    }
}
