//! Reading the values of a `provider.toml` that are more than one TOML value: texts that stand for tables, durations,
//! rates, deletes.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::description::{Bin, Deletes};
use super::spelling::Member;
use crate::config::nearest::nearest;
use crate::config::units::{Rate, parse_duration};

/// A table that may be written as one text.
pub(super) trait FromText: Sized {
    /// The table that the text stands for.
    fn from_text(text: &str) -> Result<Self, String>;
}

struct TextOrTable<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + FromText> Visitor<'de> for TextOrTable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a table")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

pub(super) fn text_or_table<'de, T: Deserialize<'de> + FromText, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(TextOrTable(PhantomData))
}

pub(super) fn some<'de, T: Deserialize<'de> + FromText, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    text_or_table(from).map(Some)
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map(Some).map_err(D::Error::custom)
}

pub(super) fn some_rate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Rate>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

/// A duration in milliseconds, which may be negative.
pub(super) fn ms<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    let (sign, amount) = text.strip_prefix('-').map_or((1, text.as_str()), |amount| (-1, amount));
    let duration = parse_duration(amount).map_err(D::Error::custom)?;
    i64::try_from(duration.as_millis()).map(|ms| sign * ms).map_err(|_| D::Error::custom("the duration is too long"))
}

/// `deletes` as a table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeletes {
    style: String,
    field: Option<Member>,
    value: Option<Json>,
    live: Option<Json>,
    blank: Option<bool>,
    param: Option<String>,
    path: Option<String>,
}

impl RawDeletes {
    /// `deletes` as a text.
    pub(super) fn named(text: &str) -> Result<Deletes, String> {
        const STYLES: [&str; 4] = ["absence", "none", "tombstones", "list"];
        match text {
            "absence" => Ok(Deletes::Absence),
            "none" => Ok(Deletes::None),
            "tombstones" => Err("tombstones need a field: { style = \"tombstones\", field = \"deleted\" }".to_owned()),
            "list" => {
                Err("a list needs a parameter or a path: { style = \"list\", param = .., value = .. }".to_owned())
            }
            _ => {
                let hint = nearest(text, STYLES).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(format!("expected \"absence\", \"none\" or a table with a style, found {text:?}{hint}"))
            }
        }
    }
}

impl TryFrom<RawDeletes> for Deletes {
    type Error = String;

    fn try_from(raw: RawDeletes) -> Result<Self, String> {
        let RawDeletes { style, field, value, live, blank, param, path } = raw;
        let none = |what: &str, there: bool| {
            if there { Err(format!("`{what}` does not go with style {style:?}")) } else { Ok(()) }
        };
        match style.as_str() {
            "tombstones" => {
                none("param", param.is_some())?;
                none("path", path.is_some())?;
                Ok(Self::Tombstones {
                    field: field.ok_or("tombstones need a `field`")?,
                    value: value.unwrap_or(Json::Bool(true)),
                    live: live.unwrap_or(Json::Bool(false)),
                    blank: blank.unwrap_or(true),
                })
            }
            "list" => {
                none("live", live.is_some())?;
                none("blank", blank.is_some())?;
                let at = match (param, value, path) {
                    (Some(name), Some(Json::String(value)), None) => Bin::Param { name, value },
                    (None, None, Some(path)) => Bin::Path(path),
                    _ => return Err("a list needs either `param` and a text as `value`, or `path`".to_owned()),
                };
                Ok(Self::List { at, field })
            }
            _ => {
                none("field", field.is_some())?;
                RawDeletes::named(&style)
            }
        }
    }
}
