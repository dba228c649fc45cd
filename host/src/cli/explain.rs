//! `syncline explain`: the page about a check of the conformance suite, offline.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::output::Row;
use crate::kit::conform::checks::{self, Check};

/// Explains a check of `syncline connector test` by its code or name; lists all of them without one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline explain SY-1301
  syncline explain page-boundary
  syncline explain                  every check, a line each")]
pub struct ExplainArgs {
    /// Code or name of the check
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

#[derive(serde::Serialize)]
struct Listed {
    code: &'static str,
    name: &'static str,
    family: &'static str,
    promise: &'static str,
}

impl From<&Check> for Listed {
    fn from(check: &Check) -> Self {
        Self { code: check.code, name: check.name, family: check.family.title(), promise: check.promise }
    }
}

impl Row for Listed {
    const HEADERS: &'static [&'static str] = &["code", "check", "about", "promise"];

    fn cells(&self) -> Vec<String> {
        [self.code, self.name, self.family, self.promise].map(str::to_owned).to_vec()
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when there is no such check.
pub fn run(args: &ExplainArgs, context: &mut Context) -> Result<(), Failure> {
    let Some(code) = &args.code else {
        let rows: Vec<Listed> = checks::ALL.iter().map(|check| Listed::from(*check)).collect();
        return Ok(context.output.rows(&rows, "there are no checks")?);
    };
    let Some(check) = checks::find(code) else {
        let known = checks::ALL.iter().flat_map(|check| [check.code, check.name]);
        return Err(Failure::not_found("check", code, known).help("`syncline explain` lists them"));
    };
    if context.output.json() {
        let fields = serde_json::json!({ "check": Listed::from(check), "page": check.page });
        return Ok(context.output.item(&fields, &[])?);
    }
    Ok(context.output.text(check.page)?)
}
