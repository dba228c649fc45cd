//! From the text of a `connector.toml` to a project, or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use serde_json::{Map, Number, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Language, Project, Trial};
use crate::config::excerpt::FileText;
use crate::config::nearest::nearest;
use crate::config::{ConfigError, ConfigErrors, Place};

/// The keys of `[test]`.
const TRIAL: [&str; 7] = ["config", "auth", "secrets", "objects", "provider", "index_lag_ms", "cassettes"];

/// A value and where it stands.
type Item<'a> = Spanned<DeValue<'a>>;

pub(super) fn read(dir: &Path, path: PathBuf, text: String) -> Result<Project, ConfigErrors> {
    let mut reader = Reader { file: FileText { path, text: text.clone(), hidden: Vec::new() }, errors: Vec::new() };
    let (root, problems) = DeTable::parse_recoverable(&text);
    for problem in problems {
        let message = problem.message().replace('\n', ", ");
        reader.refuse(problem.span().unwrap_or_default(), message, None);
    }
    if !reader.errors.is_empty() {
        // What was recovered from a broken file means nothing.
        return Err(ConfigErrors(reader.errors));
    }
    let root = root.get_ref();
    reader.known("the file", root, &["build", "test"]);
    let language = reader.language(root);
    let trial = reader.section(root, "test").map_or_else(Trial::default, |test| reader.trial(dir, test));
    reader.errors.sort_by(|a, b| a.place.cmp(&b.place));
    match language {
        Some(language) if reader.errors.is_empty() => Ok(Project { dir: dir.to_owned(), language, trial }),
        _ => Err(ConfigErrors(reader.errors)),
    }
}

struct Reader {
    file: FileText,
    errors: Vec<ConfigError>,
}

impl Reader {
    fn refuse(&mut self, at: Range<usize>, message: String, help: Option<String>) {
        let place = Place::Line(self.file.excerpt(&at));
        self.errors.push(ConfigError { message, place, help });
    }

    fn mismatch(&mut self, key: &str, item: &Item<'_>, expected: &str) {
        let message = format!("`{key}`: expected {expected}, found {}", kind(item.get_ref()));
        self.refuse(item.span(), message, None);
    }

    /// Refuses every key that is none of these.
    fn known(&mut self, place: &str, table: &DeTable<'_>, keys: &[&str]) {
        for (name, _) in table {
            let name_text: &str = name.get_ref();
            if !keys.contains(&name_text) {
                let help = nearest(name_text, keys.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                self.refuse(name.span(), format!("unknown key `{name_text}` in {place}"), help);
            }
        }
    }

    fn section<'t, 'i>(&mut self, root: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
        let item = root.get(name)?;
        if let DeValue::Table(table) = item.get_ref() {
            return Some(table);
        }
        self.refuse(item.span(), format!("`{name}` is a section"), Some(format!("write [{name}]")));
        None
    }

    fn language(&mut self, root: &DeTable<'_>) -> Option<Language> {
        let known: Vec<&str> = Language::value_variants().iter().map(|language| language.as_str()).collect();
        let missing = |reader: &mut Self| {
            let place = Place::File(reader.file.path.clone());
            let help = Some(format!("write [build] and language = {}", one_of(&known)));
            reader.errors.push(ConfigError { message: "`build.language` is missing".to_owned(), place, help });
        };
        if !root.contains_key("build") {
            missing(self);
            return None;
        }
        let build = self.section(root, "build")?;
        self.known("[build]", build, &["language"]);
        let Some(item) = build.get("language") else {
            missing(self);
            return None;
        };
        let text = self.text("build.language", item)?;
        let language = Language::value_variants().iter().find(|language| language.as_str() == text);
        if language.is_none() {
            let help = nearest(&text, known.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
            self.refuse(item.span(), format!("`build.language`: expected {}", one_of(&known)), help);
        }
        language.copied()
    }

    fn trial(&mut self, dir: &Path, table: &DeTable<'_>) -> Trial {
        self.known("[test]", table, &TRIAL);
        let mut trial = Trial::default();
        for (name, item) in table {
            let key = format!("test.{}", name.get_ref());
            match &**name.get_ref() {
                "config" => trial.config = self.json(&key, item).unwrap_or_default(),
                "auth" => trial.auth = self.text(&key, item),
                "secrets" => trial.secrets = self.texts_by_name(&key, item),
                "objects" => trial.objects = self.texts(&key, item),
                "provider" => trial.provider = self.text(&key, item).map(|path| dir.join(path)),
                "index_lag_ms" => trial.index_lag_ms = self.milliseconds(&key, item).unwrap_or_default(),
                "cassettes" => {
                    trial.cassettes = self.texts(&key, item).into_iter().map(|path| dir.join(path)).collect();
                }
                _ => {}
            }
        }
        trial
    }

    fn text(&mut self, key: &str, item: &Item<'_>) -> Option<String> {
        match item.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                self.refuse(item.span(), format!("`{key}` is empty"), None);
                None
            }
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.mismatch(key, item, "text in quotes");
                None
            }
        }
    }

    fn milliseconds(&mut self, key: &str, item: &Item<'_>) -> Option<u64> {
        let number = match item.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.refuse(item.span(), format!("`{key}`: expected milliseconds, a whole number"), None);
        }
        number
    }

    fn texts(&mut self, key: &str, item: &Item<'_>) -> Vec<String> {
        let DeValue::Array(items) = item.get_ref() else {
            self.mismatch(key, item, "a list of texts");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text(key, item)).collect()
    }

    fn texts_by_name(&mut self, key: &str, item: &Item<'_>) -> BTreeMap<String, String> {
        let DeValue::Table(items) = item.get_ref() else {
            self.mismatch(key, item, "a table of texts");
            return BTreeMap::new();
        };
        let texts = items.iter().filter_map(|(name, item)| {
            let name = name.get_ref().to_string();
            let text = self.text(&format!("{key}.{name}"), item)?;
            Some((name, text))
        });
        texts.collect()
    }

    fn json(&mut self, key: &str, item: &Item<'_>) -> Option<Map<String, Json>> {
        if !matches!(item.get_ref(), DeValue::Table(_)) {
            self.mismatch(key, item, "a table");
            return None;
        }
        match self.json_value(key, item)? {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    fn json_value(&mut self, key: &str, item: &Item<'_>) -> Option<Json> {
        Some(match item.get_ref() {
            DeValue::String(text) => Json::from(text.to_string()),
            DeValue::Boolean(value) => Json::from(*value),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Json::from(number),
                Err(_) => return self.no_json(key, item, "a whole number of at most 64 bits"),
            },
            DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Json::Number(number),
                None => return self.no_json(key, item, "a finite number"),
            },
            DeValue::Datetime(time) => Json::from(time.to_string()),
            DeValue::Array(items) => {
                items.iter().map(|item| self.json_value(key, item)).collect::<Option<Vec<_>>>()?.into()
            }
            DeValue::Table(items) => {
                let pair = |(name, item): (&Spanned<_>, &Item<'_>)| {
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    Some((name.to_string(), self.json_value(key, item)?))
                };
                items.iter().map(pair).collect::<Option<Map<_, _>>>()?.into()
            }
        })
    }

    fn no_json(&mut self, key: &str, item: &Item<'_>, expected: &str) -> Option<Json> {
        self.refuse(item.span(), format!("`{key}`: expected {expected}"), None);
        None
    }
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(" or ")
}
