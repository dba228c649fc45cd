//! `docs/configuration.md`, written from the table of keys.

use std::fmt::Write as _;

use super::layers::variable;
use super::schema::{Key, SECTIONS, SectionInfo};

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from the table of keys in host/src/config/sections.rs: UPDATE_DOCS=1 cargo test -p syncline reference -->

Nothing has to be configured: without a file Syncline keeps its state in SQLite under `data/`.

Values come in layers; the later wins:

1. the defaults below;
2. a TOML file: `--config <path>`, else the path in `SYNCLINE_CONFIG`, else `syncline.toml` in the working directory if
   it exists;
3. environment variables: `SYNCLINE__SECTION__KEY`, two underscores between the parts, as in
   `SYNCLINE__QUEUE__SQS__REGION=eu-central-1`; lists are separated by commas, tables are `name=value` pairs separated
   by commas;
4. options on the command line: `-o section.key=value`.

Durations are written `500ms`, `30s`, `180m`, `2h`, `1d`; sizes `512KiB`, `64MiB`; rates `10/s`, `100/m`; shares `1%`.
Relative paths start at the working directory.

A secret can be given by the name of a file that holds it: add `_file` to its key or `_FILE` to its variable. Setting
both in one layer is an error. `syncline config show --sources` prints every value in force and where it came from, with
secrets masked; `syncline config validate` prints everything that is wrong, with file, line and column. Unknown keys are
errors. A configuration that is refused ends the process with exit code 78.
";

/// The reference page.
#[must_use]
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        write_section(&mut page, &section);
    }
    page
}

fn write_section(page: &mut String, section: &SectionInfo) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## `[{}]`\n\n{}\n", section.path, prose(section.doc));
    page.push_str("\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n");
    for key in section.keys {
        let name = if key.secret { format!("`{0}`, `{0}_file`", key.name) } else { format!("`{}`", key.name) };
        let range = key.range.map(|(min, max)| format!("`{min}` to `{max}`")).unwrap_or_default();
        let meaning = prose(key.doc).replace('|', "\\|");
        let _ = writeln!(page, "| {name} | {} | {} | {range} | {meaning} |", (key.kind)(), default(key));
    }
    if let Some(first) = section.keys.first() {
        let path = format!("{}.{}", section.path, first.name);
        let _ = writeln!(page, "\nFrom the environment: `{}` and so on.", variable(&path));
    }
}

fn default(key: &Key) -> String {
    match key.default {
        "" if (key.kind)().starts_with("list") || (key.kind)().starts_with("table") => "none".to_owned(),
        "" => "not set".to_owned(),
        text => format!("`{}`", text.replace("{data_dir}", "<data_dir>")),
    }
}

/// A key's default, as another page shows it.
#[cfg(test)]
pub(crate) fn default_of(section: &str, key: &str) -> String {
    let section = SECTIONS.iter().find(|info| info.path == section).unwrap();
    default(section.keys.iter().find(|info| info.name == key).unwrap())
}

fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_repository_is_the_one_the_table_says() {
        crate::reference::kept("configuration.md", &markdown());
    }

    #[test]
    fn every_key_has_a_meaning() {
        for section in SECTIONS {
            assert!(!prose(section.doc).is_empty(), "{}", section.path);
            for key in section.keys {
                assert!(!prose(key.doc).is_empty(), "{}.{}", section.path, key.name);
            }
        }
    }
}
