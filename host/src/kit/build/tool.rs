//! Running a language's tools. What they say goes to standard error, as it comes: standard output is for data.

use std::io::ErrorKind;
use std::process::Stdio;

use tokio::process::Command;

use super::BuildError;

/// Runs a tool to its end.
pub(super) async fn run(command: &mut Command, missing: &'static str) -> Result<(), BuildError> {
    command.stdout(std::io::stderr());
    let status = command.stdin(Stdio::null()).kill_on_drop(true).status().await;
    let status = status.map_err(|source| start(command, source, missing))?;
    if status.success() { Ok(()) } else { Err(BuildError::Failed { tool: name(command), status }) }
}

/// Runs a tool to its end and answers with what it printed.
pub(super) async fn output(command: &mut Command, missing: &'static str) -> Result<String, BuildError> {
    // Not `output()`, which takes standard error too, whatever was set.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = match command.spawn() {
        Ok(child) => child.wait_with_output().await,
        Err(source) => Err(source),
    };
    let output = output.map_err(|source| start(command, source, missing))?;
    if !output.status.success() {
        return Err(BuildError::Failed { tool: name(command), status: output.status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn start(command: &Command, source: std::io::Error, help: &'static str) -> BuildError {
    let tool = program(command);
    if source.kind() == ErrorKind::NotFound {
        BuildError::Missing { tool, help }
    } else {
        BuildError::Start { tool, source }
    }
}

fn program(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}

fn name(command: &Command) -> String {
    let first = command.as_std().get_args().next().map(|argument| format!(" {}", argument.to_string_lossy()));
    program(command) + &first.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_that_is_not_there_is_told_with_what_to_install() {
        let error = run(&mut Command::new("no-such-tool-anywhere"), "install it").await.unwrap_err();
        assert!(matches!(&error, BuildError::Missing { help: "install it", .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_tool_that_fails_is_named_with_what_it_was_to_do() {
        let error = output(Command::new("sh").args(["-c", "exit 3"]), "").await.unwrap_err();
        assert_eq!(error.to_string(), "`sh -c` failed (exit status: 3): what it said is above");
    }
}
