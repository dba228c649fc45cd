//! `syncline connector build`: once, or after every save.

use std::sync::Arc;

use serde::Serialize;

use super::target::TargetArgs;
use super::{ConnectorBuildArgs, ConnectorReadArgs, ReadFormat, read};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{human, probe};
use crate::config::Config;
use crate::connector::Engine;
use crate::kit::build::watch::Sources;
use crate::kit::build::{BuildError, Built, build};
use crate::kit::project::Project;

#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    version: String,
    file: String,
    digest: String,
    size_bytes: u64,
    contract: String,
    imports: &'a [String],
}

pub(super) async fn run(args: ConnectorBuildArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let engine = probe::engine(config)?;
    if !args.watch {
        return once(&args, &engine, config, context).await;
    }
    loop {
        // Before the build: what is saved meanwhile is not in it.
        let mut sources = Sources::of(&args.dir);
        if let Err(failure) = once(&args, &engine, config, context).await {
            context.output.failure(&failure);
            if failure.reader_gone {
                return Err(failure);
            }
        }
        context.output.note("\nwaiting for changes; Ctrl-C ends")?;
        sources.changed().await;
    }
}

async fn once(
    args: &ConnectorBuildArgs,
    engine: &Arc<Engine>,
    config: &Config,
    context: &mut Context,
) -> Result<(), Failure> {
    let project = Project::open(&args.dir).map_err(Failure::config)?;
    let built = build(&project, engine).await.map_err(|error| failure(&error))?;
    tell(&built, context)?;
    let Some(object) = &args.read else { return Ok(()) };
    let args = ConnectorReadArgs {
        connector: args.dir.clone(),
        object: object.clone(),
        cursor: None,
        cursor_file: None,
        pages: 1,
        limit: None,
        diagnostics: false,
        format: ReadFormat::Jsonl,
        target: TargetArgs { provider: None, connection: args.connection.clone() },
    };
    read::run(&args, config, context).await
}

fn tell(built: &Built, context: &mut Context) -> Result<(), Failure> {
    let connector = &built.connector;
    let told = Told {
        name: &connector.manifest.name,
        version: connector.manifest.version.to_string(),
        file: built.path.display().to_string(),
        digest: connector.pin().to_string(),
        size_bytes: connector.size_bytes,
        contract: connector.contract.to_string(),
        imports: &connector.imports,
    };
    let fields = [
        ("connector", format!("{} {}", told.name, told.version)),
        ("file", told.file.clone()),
        ("size", human::bytes(told.size_bytes)),
        ("digest", told.digest.clone()),
        ("contract", told.contract.clone()),
        ("imports", told.imports.join(", ")),
    ];
    Ok(context.output.item(&told, &fields)?)
}

fn failure(error: &BuildError) -> Failure {
    let failure = |exit| Failure::new(exit, error.to_string()).caused_by(error);
    match error {
        BuildError::Missing { help, .. } => failure(Exit::Failure).help(*help),
        BuildError::Refused(_) => failure(Exit::CheckFailed),
        BuildError::Start { .. } | BuildError::Failed { .. } | BuildError::Nothing { .. } | BuildError::File { .. } => {
            failure(Exit::Failure)
        }
    }
}
