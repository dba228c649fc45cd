//! `syncline connector new`: a project to begin with.

use std::path::PathBuf;

use serde_json::json;

use super::ConnectorNewArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::kit::new::{NewError, create};
use crate::kit::project::Language;

pub(super) fn run(args: ConnectorNewArgs, context: &mut Context) -> Result<(), Failure> {
    let ConnectorNewArgs { name, lang, dir } = args;
    let dir = dir.unwrap_or_else(|| PathBuf::from(name.kebab()));
    let files = create(&name, lang, &dir).map_err(|error| {
        let failure = Failure::new(Exit::Failure, "no project was made").caused_by(&error);
        match error {
            NewError::Occupied { .. } => failure.help("--dir names another folder"),
            NewError::Write { .. } => failure,
        }
    })?;
    let shown = dir.display();
    let tests = match lang {
        Language::Rust => "cargo test",
        Language::Js => "node --test",
        Language::Python => "python3 -m unittest",
    };
    let done = json!({ "name": name.kebab(), "language": lang.as_str(), "dir": shown.to_string(), "files": files });
    let sentence = format!(
        "{shown}: a connector in {lang}\n\n  cd {shown}\n  {tests}\n  syncline connector build\n  syncline connector \
         test\n\nREADME.md says where \
         to begin."
    );
    Ok(context.output.done(&done, &sentence)?)
}
