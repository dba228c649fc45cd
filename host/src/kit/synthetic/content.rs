//! What is in a field: a pure function of seed, field, record and how often the record was changed.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value as Json, json};

use super::spelling::Format;
use crate::config::nearest::nearest;

const FIRST: [&str; 12] =
    ["Ana", "Bo", "Chloé", "Dmitri", "Esra", "Femi", "Göran", "Hana", "Iñigo", "Jun", "Kofi", "Lena"];
const LAST: [&str; 11] = ["Birch", "Fir", "Rowan", "O'Neil", "Åkerman", "Oak", "Larch", "Yew", "Ñandú", "Elm", "Alder"];
const FIRMS: [&str; 8] = ["Labs", "Foods", "Freight", "Optics", "Mills", "Analytics", "& Sons", "Werke"];
const WORDS: [&str; 20] = [
    "invoice", "follow", "up", "the", "quarter", "asked", "about", "renewal", "and", "seats", "pricing", "next",
    "meeting", "moved", "to", "contract", "legal", "review", "pending", "team",
];
const KINDS: [&str; 17] = [
    "first-name",
    "last-name",
    "full-name",
    "company",
    "domain",
    "email",
    "phone",
    "money",
    "text",
    "pick",
    "count",
    "big",
    "flag",
    "date",
    "moment",
    "ref",
    "null",
];

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it; docs/reference/provider-toml.md has the table")]
pub enum Kind {
    FirstName,
    LastName,
    FullName,
    Company,
    Domain,
    Email,
    Phone,
    Money,
    /// Of so many bytes.
    Text(usize),
    /// One of these.
    Pick(Vec<String>),
    /// Below this.
    Count(u64),
    Big,
    Flag,
    Date,
    Moment,
    /// A record of this object.
    Ref(String),
    Null,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, more) = text.split_once(':').map_or((text, None), |(name, more)| (name, Some(more)));
        let number = |example: &str| {
            let number = more.and_then(|more| more.parse::<u64>().ok()).filter(|number| *number > 0);
            number.ok_or_else(|| format!("expected a number from 1 on behind it, as in {example:?}"))
        };
        let kind = match name {
            "text" => return number("text:200").map(|bytes| Self::Text(usize::try_from(bytes).unwrap_or(usize::MAX))),
            "count" => return number("count:9000").map(Self::Count),
            "pick" => {
                let choices: Vec<String> =
                    more.unwrap_or_default().split(',').map(|one| one.trim().to_owned()).collect();
                let empty = choices.iter().any(String::is_empty);
                return if empty {
                    Err("expected choices behind it, as in \"pick:open,won\"".to_owned())
                } else {
                    Ok(Self::Pick(choices))
                };
            }
            "ref" => {
                let object = more.filter(|object| !object.is_empty());
                return object
                    .map(|object| Self::Ref(object.to_owned()))
                    .ok_or_else(|| "expected the name of an object behind it, as in \"ref:people\"".to_owned());
            }
            "first-name" => Self::FirstName,
            "last-name" => Self::LastName,
            "full-name" => Self::FullName,
            "company" => Self::Company,
            "domain" => Self::Domain,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "money" => Self::Money,
            "big" => Self::Big,
            "flag" => Self::Flag,
            "date" => Self::Date,
            "moment" => Self::Moment,
            "null" => Self::Null,
            _ => {
                let near = nearest(name, KINDS).map(|near| format!("; did you mean `{near}`?"));
                let known = near.unwrap_or_else(|| format!("; there are {}", KINDS.join(", ")));
                return Err(format!("no kind of field is called {name:?}{known}"));
            }
        };
        if more.is_some() {
            return Err(format!("nothing goes behind {name:?}"));
        }
        Ok(kind)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Mixes numbers into one that looks random: `SplitMix64`, chained.
pub(super) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A number for a text (FNV-1a), to mix names in.
pub(super) fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A number below `count`; 0 if that is 0.
pub(super) fn below(hash: u64, count: usize) -> usize {
    usize::try_from(hash % (count.max(1) as u64)).unwrap_or(0)
}

fn pick<T: AsRef<str>>(list: &[T], hash: u64) -> &str {
    list.get(below(hash, list.len())).map_or("", AsRef::as_ref)
}

/// Which value is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// Of all content.
    pub(super) seed: u64,
    /// The field's name.
    pub(super) field: &'a str,
    /// The record's number, from 1 on.
    pub(super) record: u32,
    /// How often it was changed.
    pub(super) revision: u32,
    /// How the provider writes times.
    pub(super) moments: Format,
}

/// The value of a field. References are not made here: they need the other object.
pub(super) fn value(kind: &Kind, at: At<'_>) -> Json {
    let record = at.record;
    // Names share a hash that no change touches, so that a person's names and address agree for ever.
    let person = mix(&[at.seed, u64::from(record)]);
    let hash = mix(&[at.seed, number(at.field), u64::from(record), u64::from(at.revision)]);
    match kind {
        Kind::FirstName => json!(pick(&FIRST, person)),
        Kind::LastName => json!(pick(&LAST, person >> 8)),
        Kind::FullName => json!(format!("{} {}", pick(&FIRST, person), pick(&LAST, person >> 8))),
        Kind::Company => json!(format!("{} {} {record}", pick(&LAST, person >> 8), pick(&FIRMS, person >> 16))),
        Kind::Domain => json!(format!("firm-{record}.test")),
        Kind::Email => json!(format!("person{record}.{}@firm.test", person % 97)),
        Kind::Phone if hash.is_multiple_of(5) => Json::Null,
        Kind::Phone => json!(format!("+49 30 {:07}", hash % 10_000_000)),
        Kind::Money if hash.is_multiple_of(9) => Json::Null,
        Kind::Money => json!((hash % 100_000_000) as f64 / 100.0),
        Kind::Text(bytes) => json!(prose(hash, *bytes)),
        Kind::Pick(choices) => json!(pick(choices, hash)),
        Kind::Count(below) => json!(hash % below),
        Kind::Big => json!((1_u64 << 53) + 1 + 2 * (hash % (1 << 60))),
        Kind::Flag => json!(hash.is_multiple_of(3)),
        Kind::Date => json!(Format::Rfc3339.json(moment(hash)).as_str().and_then(|text| text.get(..10))),
        Kind::Moment => at.moments.json(at.moments.cut(moment(hash))),
        Kind::Ref(_) | Kind::Null => Json::Null,
    }
}

fn moment(hash: u64) -> i64 {
    1_735_689_600_000 + i64::try_from(hash % 94_608_000_000).unwrap_or(0)
}

fn prose(hash: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = hash;
    while text.len() < bytes {
        state = mix(&[state]);
        text.push_str(pick(&WORDS, state));
        // What breaks naive readers: quotes, commas, line breaks and characters outside the basic plane.
        text.push_str(match state >> 32 & 63 {
            0 => ", \"quoted\" ",
            1 => ",\n",
            2 => " 🦀 ",
            _ => " ",
        });
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(field: &str, revision: u32) -> At<'_> {
        At { seed: 1, field, record: 7, revision, moments: Format::default() }
    }

    #[test]
    fn a_change_changes_content_but_not_names() {
        let same = |kind: &Kind| value(kind, at("f", 0)) == value(kind, at("f", 1));
        assert!(same(&Kind::FullName) && same(&Kind::Email) && same(&Kind::Company));
        assert!(!same(&Kind::Text(40)) && !same(&Kind::Big) && !same(&Kind::Moment));
        assert_eq!(value(&Kind::Text(40), at("f", 1)), value(&Kind::Text(40), at("f", 1)));
    }

    #[test]
    fn big_numbers_do_not_survive_a_float() {
        for revision in 0..50 {
            let big = value(&Kind::Big, at("f", revision)).as_u64().unwrap();
            assert_ne!(u128::from(big), (big as f64) as u128, "{big}");
        }
    }

    #[test]
    fn kinds_are_read_and_slips_are_told() {
        assert_eq!("text:20".parse(), Ok(Kind::Text(20)));
        assert_eq!("pick:a, b".parse(), Ok(Kind::Pick(vec!["a".into(), "b".into()])));
        assert!("emial".parse::<Kind>().unwrap_err().contains("did you mean `email`"));
        for wrong in ["text", "text:x", "count:0", "pick:", "ref", "email:3"] {
            assert!(wrong.parse::<Kind>().is_err(), "{wrong}");
        }
    }
}
