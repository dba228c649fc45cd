//! Running the tests, with what they need around them.

use std::time::Duration;

use anyhow::Result;

use crate::servers::{Postgres, Sqs};
use crate::tools::{cargo, step};
use crate::{natively, plugins, proc, venv};

/// Where tests find Postgres, the SQS server and the built connectors.
pub(crate) const POSTGRES: &str = "SYNCLINE_TEST_POSTGRES";
pub(crate) const SQS: &str = "SYNCLINE_TEST_SQS";
pub(crate) const PLUGINS: &str = "SYNCLINE_TEST_PLUGINS";
/// Where tests find a Singer target.
const TARGET_JSONL: &str = "SYNCLINE_TEST_TARGET_JSONL";

/// Builds connectors and tests, starts the servers, runs the tests, stops the servers.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let plugins = plugins::build_all()?;
    if arguments.is_empty() {
        natively::test()?;
    } else {
        natively::ready()?;
    }
    let singer = venv::target_jsonl()?;
    step("Building tests");
    let (for_cargo, for_tests) = split(arguments);
    proc::run(cargo_test(for_cargo).arg("--no-run"))?;

    step("Starting Postgres and SQS");
    let (postgres, sqs) = (Postgres::start()?, Sqs::start()?);
    step("Running tests");
    let mut command = cargo_test(for_cargo);
    command.args(for_tests).env(POSTGRES, postgres.url()).env(SQS, sqs.url()).env(PLUGINS, plugins);
    command.env(TARGET_JSONL, singer);
    proc::run(&mut command)
}

/// Keeps the servers until interrupted, and prints how tests find them.
pub(crate) fn servers() -> Result<()> {
    let (postgres, sqs) = (Postgres::start()?, Sqs::start()?);
    println!("export {POSTGRES}='{}'", postgres.url());
    println!("export {SQS}='{}'", sqs.url());
    loop {
        proc::pause(Duration::from_secs(60))?;
    }
}

/// What a change must pass: formatting, lints, tests.
pub(crate) fn ci() -> Result<()> {
    step("Checking the formatting");
    proc::run(cargo().args(["fmt", "--all", "--check"]))?;
    if proc::output(cargo().args(["clippy", "--version"]).stderr(std::process::Stdio::null())).is_ok() {
        step("Running clippy");
        proc::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    } else {
        step("Leaving out clippy: `rustup component add clippy` installs it");
    }
    test(&[])
}

/// The arguments for cargo, and those behind `--` for the test programs.
fn split(arguments: &[String]) -> (&[String], &[String]) {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.split_at(end)
}

/// `cargo test` of the whole workspace, unless the arguments choose packages.
fn cargo_test(arguments: &[String]) -> std::process::Command {
    let chosen = |argument: &String| argument.starts_with("-p") || argument.starts_with("--package");
    let mut command = cargo();
    command.arg("test");
    if !arguments.iter().any(chosen) {
        command.arg("--workspace");
    }
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn cargo_arguments(text: &str) -> String {
        let arguments = words(text);
        let command = cargo_test(split(&arguments).0);
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        arguments.join(" ")
    }

    #[test]
    fn the_whole_workspace_is_tested_unless_a_package_is_named() {
        assert_eq!(cargo_arguments(""), "test --workspace");
        assert_eq!(cargo_arguments("queue -- --nocapture"), "test --workspace queue");
        assert_eq!(cargo_arguments("-p syncline --lib queue"), "test -p syncline --lib queue");
        assert_eq!(cargo_arguments("--package=syncline"), "test --package=syncline");
    }

    #[test]
    fn what_stands_behind_the_dashes_is_for_the_test_programs() {
        assert_eq!(split(&words("queue -- --nocapture")).1, words("-- --nocapture"));
        assert!(split(&words("queue")).1.is_empty());
    }
}
