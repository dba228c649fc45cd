//! How ids, stamps and places are spelled in a provider's JSON.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value as Json, json};

/// A place in a JSON object: names, one in the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member(Vec<String>);

impl Member {
    /// Puts a value there. What is on the way and is no object makes room.
    pub(super) fn put(&self, into: &mut Map<String, Json>, value: Json) {
        let Some((last, way)) = self.0.split_last() else { return };
        let mut at = into;
        for name in way {
            let next = at.entry(name).or_insert_with(|| json!({}));
            if !next.is_object() {
                *next = json!({});
            }
            let Some(next) = next.as_object_mut() else { return };
            at = next;
        }
        at.insert(last.clone(), value);
    }

    /// Whether one of the two is in the other, or they are the same.
    pub(super) fn collides(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl FromStr for Member {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            return Err(format!("expected a name such as \"id\" or \"paging.next\", found {text:?}"));
        }
        Ok(Self(names))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// How an id is made of a record's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdFormat {
    /// The number, from 1 on.
    Number,
    /// Text around it.
    Text {
        /// Before it.
        before: String,
        /// Digits at least.
        width: usize,
        /// Behind it.
        after: String,
    },
}

impl Default for IdFormat {
    fn default() -> Self {
        Self::Text { before: String::new(), width: 1, after: String::new() }
    }
}

impl IdFormat {
    /// The id as JSON holds it.
    pub(super) fn json(&self, number: u32) -> Json {
        match self {
            Self::Number => json!(number),
            Self::Text { .. } => json!(self.text(number)),
        }
    }

    /// The id as text.
    pub(super) fn text(&self, number: u32) -> String {
        match self {
            Self::Number => number.to_string(),
            Self::Text { before, width, after } => format!("{before}{number:0width$}{after}"),
        }
    }

    /// The number behind an id, if it could be one.
    pub(super) fn number(&self, text: &str) -> Option<u32> {
        let digits = match self {
            Self::Number => text,
            Self::Text { before, after, .. } => text.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?,
        };
        let number = digits.parse().ok()?;
        (self.text(number) == text).then_some(number)
    }
}

impl<'de> Deserialize<'de> for IdFormat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "number" {
            return Ok(Self::Number);
        }
        let expected = || {
            D::Error::custom(format!(
                "expected \"number\", or text with one run of # such as \"p-####\", found {text:?}"
            ))
        };
        let start = text.find('#').ok_or_else(expected)?;
        let (before, rest) = text.split_at(start);
        let after = rest.trim_start_matches('#');
        if after.contains('#') {
            return Err(expected());
        }
        let width = rest.len() - after.len();
        Ok(Self::Text { before: before.to_owned(), width, after: after.to_owned() })
    }
}

/// How a time is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Format {
    /// `2026-03-01T10:20:30.123Z`
    #[default]
    #[serde(rename = "rfc3339-ms")]
    Rfc3339Ms,
    /// `2026-03-01T10:20:30Z`
    #[serde(rename = "rfc3339")]
    Rfc3339,
    /// `2026-03-01 10:20:30`
    #[serde(rename = "datetime")]
    DateTime,
    /// `1772360430`
    #[serde(rename = "unix")]
    Unix,
    /// `1772360430123`
    #[serde(rename = "unix-ms")]
    UnixMs,
}

const DATETIME: &str = "%Y-%m-%d %H:%M:%S";

impl Format {
    /// The smallest difference that it shows, in milliseconds.
    pub(super) const fn grain_ms(self) -> i64 {
        match self {
            Self::Rfc3339Ms | Self::UnixMs => 1,
            Self::Rfc3339 | Self::DateTime | Self::Unix => 1_000,
        }
    }

    /// The time without what the format does not show.
    pub(super) const fn cut(self, ms: i64) -> i64 {
        ms - ms.rem_euclid(self.grain_ms())
    }

    /// The time as JSON holds it.
    pub(super) fn json(self, ms: i64) -> Json {
        let at: DateTime<Utc> = DateTime::from_timestamp_millis(ms).unwrap_or_default();
        match self {
            Self::Rfc3339Ms => json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            Self::Rfc3339 => json!(at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            Self::DateTime => json!(at.format(DATETIME).to_string()),
            Self::Unix => json!(ms.div_euclid(1_000)),
            Self::UnixMs => json!(ms),
        }
    }

    /// The time in a parameter; `None` if it is none, or not written so.
    pub(super) fn parse(self, text: &str) -> Option<i64> {
        match self {
            Self::Rfc3339Ms => DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis()),
            Self::Rfc3339 => {
                let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| !text.contains('.'));
                time.map(|time| time.timestamp_millis())
            }
            Self::DateTime => {
                NaiveDateTime::parse_from_str(text, DATETIME).ok().map(|time| time.and_utc().timestamp_millis())
            }
            Self::Unix => text.parse::<i64>().ok()?.checked_mul(1_000),
            Self::UnixMs => text.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(format: &str) -> IdFormat {
        serde_json::from_value(json!(format)).unwrap()
    }

    #[test]
    fn an_id_leads_back_to_its_number_and_nothing_else_does() {
        for (format, shown) in [("number", "17"), ("#", "17"), ("p-#####", "p-00017"), ("a##z", "a17z")] {
            assert_eq!(id(format).text(17), shown);
            assert_eq!(id(format).number(shown), Some(17));
        }
        assert_eq!(id("p-#####").number("p-17"), None, "another spelling is another id");
        assert_eq!(id("p-#####").number("17"), None);
        assert!(serde_json::from_value::<IdFormat>(json!("p")).is_err());
        assert!(serde_json::from_value::<IdFormat>(json!("#-#")).is_err());
    }

    #[test]
    fn every_format_reads_what_it_writes() {
        for format in [Format::Rfc3339Ms, Format::Rfc3339, Format::DateTime, Format::Unix, Format::UnixMs] {
            let ms = format.cut(1_772_360_430_123);
            let text = format.json(ms).as_str().map_or_else(|| format.json(ms).to_string(), str::to_owned);
            assert_eq!(format.parse(&text), Some(ms), "{text}");
        }
        assert_eq!(Format::Rfc3339.parse("2026-03-01T10:20:30.5Z"), None);
        assert_eq!(Format::Rfc3339Ms.parse("2026-03-01T11:20:30+01:00"), Some(1_772_360_430_000));
    }

    #[test]
    fn a_place_leads_into_objects_and_collides_with_what_is_in_it() {
        let member = |text: &str| text.parse::<Member>().unwrap();
        let mut record = Map::new();
        member("a.b").put(&mut record, json!(1));
        member("a.c").put(&mut record, json!(2));
        assert_eq!(Json::Object(record), json!({ "a": { "b": 1, "c": 2 } }));
        assert!(member("a").collides(&member("a.b")) && !member("a.b").collides(&member("a.c")));
        assert!("a..b".parse::<Member>().is_err());
    }
}
