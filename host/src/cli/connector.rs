//! `syncline connector`: look into connectors and try them out. Needs no store; what is fetched is printed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::connection::ConnectionArgs;

/// Connectors: look into them and try them out, without a store.
#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
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
}

/// Lists the connectors in the configured folder: version, digest, objects that use them, why one is refused.
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
    /// Which connector.
    #[command(flatten)]
    pub connector: ConnectorInspectArgs,
    /// Configuration and credentials.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Fetches pages of one object and prints the records, one a line with --json; the last cursor goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector read plugins/crm.wasm contact --secret token=env:CRM_TOKEN
  syncline connector read crm contact --pages 0 --json --secret token=env:CRM_TOKEN > contacts.ndjson
  syncline connector read crm contact --cursor-file cursor.txt --secret token=env:CRM_TOKEN")]
pub struct ConnectorReadArgs {
    /// Which connector.
    #[command(flatten)]
    pub connector: ConnectorInspectArgs,
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
    /// Configuration and credentials.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}
