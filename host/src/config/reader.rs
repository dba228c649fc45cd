//! Picks each key's value from the layers, understands it, and remembers where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use serde_json::Value as Json;

use super::error::{ConfigError, ConfigErrors, Place};
use super::layers::{At, Entry, Layers, Source};
use super::schema::Key;
use super::value::{Invalid, Raw, Value};
use super::{Config, Loaded};

/// One key of a loaded configuration, for `config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `section.key`
    pub key: String,
    /// The value in force; null where nothing is set, masked where it is a secret.
    pub value: Json,
    /// Where it came from.
    pub source: Source,
}

/// Reads keys one by one and collects everything that is wrong.
pub(super) struct Reader {
    layers: Layers,
    data_dir: String,
    settings: Vec<Setting>,
    places: BTreeMap<String, At>,
    errors: Vec<ConfigError>,
}

impl Reader {
    pub(super) fn new(mut layers: Layers) -> Self {
        let errors = std::mem::take(&mut layers.errors);
        Self { layers, data_dir: "data".to_owned(), settings: Vec::new(), places: BTreeMap::new(), errors }
    }

    /// What `{data_dir}` in defaults stands for from now on.
    pub(super) fn set_data_dir(&mut self, path: &Path) {
        self.data_dir = path.display().to_string();
    }

    /// The names that stand for `<name>` in `parent.<name>.key`.
    pub(super) fn names_under(&self, parent: &str) -> BTreeSet<String> {
        let layers = [&self.layers.file, &self.layers.environment, &self.layers.options];
        let below = |path: &String| Some(path.strip_prefix(parent)?.strip_prefix('.')?.split_once('.')?.0.to_owned());
        layers.into_iter().flat_map(|layer| layer.keys().filter_map(below)).collect()
    }

    /// The value of a key, or `None` after reporting what is wrong with it.
    pub(super) fn value<T: Value>(&mut self, section: &str, key: &Key) -> Option<T> {
        let path = format!("{section}.{}", key.name);
        let Entry { raw, at } = self.entry(&path, key)?;
        let checked = T::parse(&raw).and_then(|value| in_range(&value, key).map(|()| value));
        match checked {
            Ok(value) => {
                self.settings.push(Setting { key: path.clone(), value: value.show(), source: self.source(&at) });
                self.places.insert(path, at);
                Some(value)
            }
            Err(Invalid { message, span }) => {
                let at = match (at, span) {
                    (At::File { key, .. }, Some(value)) => At::File { key, value },
                    (at, _) => at,
                };
                self.report(&at, format!("`{path}`: {message}"), None);
                None
            }
        }
    }

    /// Refuses a combination. Points at the first of the keys that somebody set.
    pub(super) fn refuse(&mut self, keys: &[&str], message: String, help: String) {
        let set = keys.iter().filter_map(|key| self.places.get(*key)).find(|at| !matches!(at, At::Default));
        let at = set.cloned().unwrap_or(At::Default);
        self.report(&at, message, Some(help));
    }

    pub(super) fn finish(mut self, config: Option<Config>) -> Result<Loaded, ConfigErrors> {
        match config {
            Some(config) if self.errors.is_empty() => {
                Ok(Loaded { config, settings: self.settings, file: self.layers.text.map(|file| file.path) })
            }
            _ => {
                self.errors.sort_by(|a, b| a.place.cmp(&b.place));
                Err(ConfigErrors(self.errors))
            }
        }
    }

    /// The entry of the highest layer that has the key, directly or by a file's name.
    fn entry(&mut self, path: &str, key: &Key) -> Option<Entry> {
        let by_file = format!("{path}_file");
        let layers = [&self.layers.options, &self.layers.environment, &self.layers.file];
        let found = layers.into_iter().find_map(|layer| {
            let named = if key.secret { layer.get(&by_file) } else { None };
            let direct = layer.get(path);
            (direct.is_some() || named.is_some()).then(|| (direct.cloned(), named.cloned()))
        });
        match found {
            Some((Some(_), Some(named))) => {
                let message = format!("both `{path}` and `{by_file}` are set");
                self.report(&named.at, message, Some("keep one of the two".to_owned()));
                None
            }
            Some((None, Some(named))) => self.read_secret(&by_file, named),
            Some((direct, None)) => direct,
            None => {
                let default = key.default.replace("{data_dir}", &self.data_dir);
                Some(Entry { raw: Raw::Word(default), at: At::Default })
            }
        }
    }

    /// Reads the file that a `_file` key names. Its last line end is not part of the secret.
    fn read_secret(&mut self, path: &str, named: Entry) -> Option<Entry> {
        let (Raw::Word(file) | Raw::Text(file)) = &named.raw else {
            self.report(&named.at, format!("`{path}`: expected a path in quotes"), None);
            return None;
        };
        match std::fs::read_to_string(file).map(Zeroizing::new) {
            Ok(text) => {
                let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.trim_end_matches('\r'));
                Some(Entry { raw: Raw::Word(text.to_owned()), at: named.at })
            }
            Err(error) => {
                self.report(&named.at, format!("`{path}`: the file {file} cannot be read: {error}"), None);
                None
            }
        }
    }

    fn report(&mut self, at: &At, message: String, help: Option<String>) {
        let place = match (at, &self.layers.text) {
            (At::File { value, .. }, Some(file)) => Place::Line(file.excerpt(value)),
            (At::Environment(name), _) => Place::Environment(name.clone()),
            (At::Option(key), _) => Place::Option(key.clone()),
            (At::File { .. } | At::Default, _) => Place::Default,
        };
        if matches!(&place, Place::Line(excerpt) if self.layers.broken_lines.contains(&excerpt.line)) {
            return;
        }
        self.errors.push(ConfigError { message, place, help });
    }

    fn source(&self, at: &At) -> Source {
        match (at, &self.layers.text) {
            (At::File { key, .. }, Some(file)) => {
                Source::File { path: file.path.clone(), line: file.excerpt(key).line }
            }
            (At::Environment(name), _) => Source::Environment(name.clone()),
            (At::Option(_), _) => Source::Option,
            (At::File { .. } | At::Default, _) => Source::Default,
        }
    }
}

fn in_range<T: Value>(value: &T, key: &Key) -> Result<(), Invalid> {
    let Some((min, max)) = key.range else { return Ok(()) };
    let bound = |text: &str| T::parse(&Raw::Word(text.to_owned())).map(|bound| bound.magnitude());
    match (value.magnitude(), bound(min)?, bound(max)?) {
        (Some(value), Some(low), Some(high)) if !(low..=high).contains(&value) => {
            Err(format!("must be from {min} to {max}").into())
        }
        _ => Ok(()),
    }
}
