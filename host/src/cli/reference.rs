//! `docs/reference/cli.md`, written from what the commands say of themselves.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

const INTRODUCTION: &str = "\
# The command line

<!-- Written from the commands in host/src/cli: UPDATE_DOCS=1 cargo test -p syncline reference -->

What `syncline help` prints, on one page. Every command has the global options as well, which are shown once, here.
";

const GLOBAL: &str = "\nGlobal options:";

/// The reference page.
fn markdown() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut page = INTRODUCTION.to_owned();
    write(&mut page, &mut command, "syncline");
    page
}

fn write(page: &mut String, command: &mut Command, name: &str) {
    let mut help = command.render_help().to_string();
    if let Some((own, rest)) = help.split_once(GLOBAL).filter(|_| name != "syncline") {
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        help = format!("{}\n\n{after}", own.trim_end());
    }
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n"));
    for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
        let name = format!("{name} {}", below.get_name());
        write(page, below, &name);
    }
}

#[test]
fn the_page_in_the_repository_is_the_one_the_commands_say() {
    crate::reference::kept("reference/cli.md", &markdown());
}
