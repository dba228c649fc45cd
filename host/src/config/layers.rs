//! The layers as they were written: which text stands for which key, and where it came from.
//!
//! Names are checked here, values are not: see [`super::reader`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::excerpt::FileText;
use super::schema::{Meaning, meaning};
use super::value::{Raw, Spanned};

/// What a variable of ours begins with.
const PREFIX: &str = "SYNCLINE__";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// `-o` on the command line.
    Option,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Option => f.write_str("option -o"),
        }
    }
}

/// Where an entry stands, precisely enough to point at it.
#[derive(Clone)]
pub(super) enum At {
    File { key: Range<usize>, value: Range<usize> },
    Environment(String),
    Option(String),
    Default,
}

/// One key in one layer.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) raw: Raw,
    pub(super) at: At,
}

/// All layers, keys by dotted path.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) options: BTreeMap<String, Entry>,
    pub(super) environment: BTreeMap<String, Entry>,
    pub(super) file: BTreeMap<String, Entry>,
    pub(super) text: Option<FileText>,
    pub(super) errors: Vec<ConfigError>,
    /// Lines whose syntax is wrong: what was recovered from them means nothing.
    pub(super) broken_lines: Vec<usize>,
}

impl Layers {
    pub(super) fn add_file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("the configuration file cannot be read: {error}");
                self.errors.push(ConfigError { message, place: Place::File(path.to_owned()), help: None });
                return;
            }
        };
        let (root, problems) = DeTable::parse_recoverable(&text);
        let mut file = FileText { path: path.to_owned(), text: text.clone(), hidden: Vec::new() };
        hide_secrets(root.get_ref(), "", &mut file.hidden);
        let spans: Vec<_> = problems.iter().map(|problem| problem.span().unwrap_or_default()).collect();
        spans.iter().for_each(|span| file.hide_broken_line(span));
        for (problem, span) in problems.iter().zip(&spans) {
            let excerpt = file.excerpt(span);
            self.broken_lines.push(excerpt.line);
            let message = problem.message().replace('\n', ", ");
            self.errors.push(ConfigError { message, place: Place::Line(excerpt), help: None });
        }
        self.add_table(&file, root.get_ref(), "");
        self.text = Some(file);
    }

    fn add_table(&mut self, file: &FileText, table: &DeTable<'_>, parent: &str) {
        for (name, value) in table {
            let path = join(parent, name.get_ref());
            let refused = |message: String, help| {
                let place = Place::Line(file.excerpt(&name.span()));
                ConfigError { message, place, help }
            };
            match (meaning(&path), value.get_ref()) {
                (Meaning::Key { .. }, _) => {
                    let at = At::File { key: name.span(), value: value.span() };
                    self.file.insert(path, Entry { raw: raw(value.get_ref()), at });
                }
                (Meaning::Section, DeValue::Table(inner)) => self.add_table(file, inner, &path),
                (Meaning::Section, _) => {
                    self.errors.push(refused(format!("`{path}` is a section"), Some(format!("write [{path}]"))));
                }
                (Meaning::Unknown { nearest }, inner) => {
                    let what = if matches!(inner, DeValue::Table(_)) { "section" } else { "key" };
                    let place = if parent.is_empty() { String::new() } else { format!(" in [{parent}]") };
                    let message = format!("unknown {what} `{}`{place}", name.get_ref());
                    self.errors.push(refused(message, nearest.map(|nearest| hint(&nearest, parent))));
                }
            }
        }
    }

    /// Takes the variables that are ours and leaves the others alone.
    pub(super) fn add_environment(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let path = name.trim_start_matches(PREFIX).to_lowercase().replace("__", ".");
            let place = Place::Environment(name.to_owned());
            let Ok(value) = value.into_string() else {
                self.errors.push(ConfigError { message: "the value is not UTF-8".to_owned(), place, help: None });
                continue;
            };
            match meaning(&path) {
                Meaning::Key { .. } => {
                    let entry = Entry { raw: Raw::Word(value), at: At::Environment(name.to_owned()) };
                    self.environment.insert(path, entry);
                }
                Meaning::Section | Meaning::Unknown { nearest: None } => {
                    self.errors.push(ConfigError { message: format!("unknown key `{path}`"), place, help: None });
                }
                Meaning::Unknown { nearest: Some(nearest) } => {
                    let help = Some(format!("did you mean {}?", variable(&nearest)));
                    self.errors.push(ConfigError { message: format!("unknown key `{path}`"), place, help });
                }
            }
        }
    }

    pub(super) fn add_options(&mut self, options: &[String]) {
        for option in options {
            let Some((path, value)) = option.split_once('=') else {
                // The text itself may be a secret: it is not repeated.
                let message = "expected section.key=value".to_owned();
                self.errors.push(ConfigError { message, place: Place::Option(String::new()), help: None });
                continue;
            };
            let path = path.trim();
            match meaning(path) {
                Meaning::Key { .. } => {
                    let entry = Entry { raw: Raw::Word(value.to_owned()), at: At::Option(path.to_owned()) };
                    self.options.insert(path.to_owned(), entry);
                }
                Meaning::Section | Meaning::Unknown { .. } => {
                    let help = match meaning(path) {
                        Meaning::Unknown { nearest } => nearest.map(|nearest| format!("did you mean `{nearest}`?")),
                        _ => None,
                    };
                    let place = Place::Option(path.to_owned());
                    self.errors.push(ConfigError { message: format!("unknown key `{path}`"), place, help });
                }
            }
        }
    }
}

/// The environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

fn hint(nearest: &str, parent: &str) -> String {
    match nearest.rsplit_once('.') {
        Some((section, name)) if section != parent => format!("`{name}` is a key of [{section}]"),
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("did you mean `{nearest}`?"),
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Collects where secrets stand. What has an unknown name may be a secret with a slip in its name.
fn hide_secrets(table: &DeTable<'_>, parent: &str, hidden: &mut Vec<Range<usize>>) {
    for (name, value) in table {
        let path = join(parent, name.get_ref());
        match (meaning(&path), value.get_ref()) {
            (Meaning::Key { secret: false }, _) => {}
            (Meaning::Section | Meaning::Unknown { .. }, DeValue::Table(inner)) => hide_secrets(inner, &path, hidden),
            _ => hidden.push(value.span()),
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            Raw::Integer(decimal.map_or_else(|_| number.to_string(), |number| number.to_string()))
        }
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Array(items) => {
            Raw::List(items.iter().map(|item| Spanned { raw: raw(item.get_ref()), span: item.span() }).collect())
        }
        DeValue::Table(items) => Raw::Table(
            items
                .iter()
                .map(|(name, item)| {
                    (name.get_ref().to_string(), Spanned { raw: raw(item.get_ref()), span: item.span() })
                })
                .collect(),
        ),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
    }
}
