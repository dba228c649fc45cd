//! `syncline config`: check the configuration, or show it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value as Json;

use super::context::Context;
use super::exit::Failure;
use crate::config::Setting;

/// Check the configuration, or show it.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and print everything that is wrong
    Validate(ValidateArgs),
    /// Show every value in force; secrets are masked
    Show(ShowArgs),
}

/// Checks file, environment and options together, exactly as `run` does, and prints everything that is wrong with file,
/// line and column. Exit code 78 if anything is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline config validate
  syncline config validate /etc/syncline/new.toml")]
pub struct ValidateArgs {
    /// File to check instead of the one that would be read
    #[arg(value_name = "PATH")]
    pub file: Option<PathBuf>,
}

/// Shows every value in force, as TOML keys; secrets are masked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline config show --sources
  syncline config show schedule
  syncline config show egress.rate --json")]
pub struct ShowArgs {
    /// Only this section or key
    #[arg(value_name = "SECTION[.KEY]")]
    pub within: Option<String>,
    /// Say where each value came from
    #[arg(long)]
    pub sources: bool,
}

#[derive(Serialize)]
struct Valid {
    valid: bool,
    file: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the configuration is wrong or printing fails.
pub fn run(command: ConfigCommand, context: &mut Context) -> Result<(), Failure> {
    match command {
        ConfigCommand::Validate(args) => validate(args, context),
        ConfigCommand::Show(args) => show(&args, context),
    }
}

fn validate(args: ValidateArgs, context: &mut Context) -> Result<(), Failure> {
    if let Some(file) = args.file {
        context.global.config = Some(file);
    }
    let file = context.load_config()?.file;
    let sentence = match &file {
        Some(path) => format!("the configuration is right ({})", path.display()),
        None => "the configuration is right (no file, defaults and environment only)".to_owned(),
    };
    Ok(context.output.done(&Valid { valid: true, file }, &sentence)?)
}

fn show(args: &ShowArgs, context: &mut Context) -> Result<(), Failure> {
    let all = context.load_config()?.settings;
    let inside = |key: &str| args.within.as_deref().is_none_or(|within| is_inside(key, within));
    let shown: Vec<&Setting> = all.iter().filter(|setting| inside(&setting.key)).collect();
    if shown.is_empty() {
        let within = args.within.as_deref().unwrap_or_default();
        let sections = all.iter().filter_map(|setting| Some(setting.key.rsplit_once('.')?.0));
        let known: Vec<&str> = all.iter().map(|setting| setting.key.as_str()).chain(sections).collect();
        return Err(Failure::not_found("section or key", within, known));
    }
    if context.output.json() {
        return Ok(context.output.item(&shown, &[])?);
    }
    let lines: Vec<String> =
        shown.iter().map(|setting| format!("{} = {}", setting.key, toml(&setting.value))).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for (line, setting) in lines.iter().zip(&shown) {
        if args.sources {
            text.push_str(&format!("{line:width$}  # {}\n", setting.source));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    Ok(context.output.raw(text.as_bytes())?)
}

fn is_inside(key: &str, within: &str) -> bool {
    key.strip_prefix(within).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A value as TOML; what is not set is shown as empty text, which means the same.
fn toml(value: &Json) -> String {
    match value {
        Json::Null => "\"\"".to_owned(),
        Json::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Json::Object(items) => {
            let items: Vec<_> =
                items.iter().map(|(name, value)| format!("{} = {}", Json::from(name.as_str()), toml(value))).collect();
            if items.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", items.join(", ")) }
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) => value.to_string(),
    }
}
