//! What is in a field: a pure function of (seed, field, record number, revision).
//!
//! Records therefore cost a hundred bytes each instead of a thousand, and two runs with one seed hold the same data.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::schema::{Field, Key, Kind, Object, Provider};

const FIRST: &[&str] =
    &["Ana", "Bo", "Chloé", "Dmitri", "Esra", "Femi", "Göran", "Hana", "Iñigo", "Jun", "Kofi", "Lena"];
const LAST: &[&str] = &["Birch", "Fir", "Rowan", "O'Neil", "Åkerman", "Oak", "Larch", "Yew", "Ñandú", "Elm", "Alder"];
const FIRMS: &[&str] = &["Labs", "Foods", "Freight", "Optics", "Mills", "Analytics", "& Sons", "Werke"];
const WORDS: &[&str] = &[
    "invoice", "follow", "up", "the", "quarter", "asked", "about", "renewal", "and", "seats", "pricing", "next",
    "meeting", "moved", "to", "contract", "legal", "review", "pending", "with", "team",
];

/// Mixes numbers into one that looks random: `SplitMix64`, chained.
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A number for a text (FNV-1a), to mix names in.
pub fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn pick<'a>(list: &[&'a str], hash: u64) -> &'a str {
    let at = usize::try_from(hash % (list.len().max(1) as u64)).unwrap_or(0);
    list.get(at).copied().unwrap_or_default()
}

/// The value of a field, as Salesforce would type it in JSON.
///
/// `peers` is the number of records every object started with: references point at one of those.
pub fn value(of: Provider, seed: u64, field: &Field, (seq, revision): (u32, u32), peers: u32) -> Value {
    let stable = matches!(
        field.kind,
        Kind::FirstName | Kind::LastName | Kind::FullName | Kind::Company | Kind::Domain | Kind::Email | Kind::Ref(_)
    );
    // Fields that never change share one hash, so that a person's names and address agree with each other.
    let hash = if stable && !matches!(field.kind, Kind::Ref(_)) {
        mix(&[seed, u64::from(seq)])
    } else {
        mix(&[seed, number(field.name), u64::from(seq), if stable { 0 } else { u64::from(revision) }])
    };
    match field.kind {
        Kind::FirstName => json!(pick(FIRST, hash)),
        Kind::LastName => json!(pick(LAST, hash >> 8)),
        Kind::FullName => json!(format!("{} {}", pick(FIRST, hash), pick(LAST, hash >> 8))),
        Kind::Company => json!(format!("{} {} {seq}", pick(LAST, hash >> 8), pick(FIRMS, hash >> 16))),
        Kind::Domain => json!(format!("firm-{seq}.test")),
        Kind::Email => json!(format!("person{seq}.{}@firm.test", hash % 97)),
        Kind::Phone if hash.is_multiple_of(5) => Value::Null,
        Kind::Phone => json!(format!("+49 30 {:07}", hash % 10_000_000)),
        Kind::Pick(list) => json!(pick(list, hash)),
        Kind::Money if hash.is_multiple_of(9) => Value::Null,
        Kind::Money => json!((hash % 100_000_000) as f64 / 100.0),
        Kind::Count(below) => json!(hash % below.max(1)),
        Kind::Text(bytes) => json!(prose(hash, bytes)),
        Kind::Date => json!(day(hash)),
        Kind::Moment => json!(millis(moment(hash))),
        Kind::Ref(target) => of.object(target).map_or(Value::Null, |object| {
            let count = if object.people { people(peers) } else { peers };
            json!(id(object, u32::try_from(hash % u64::from(count.max(1))).unwrap_or(0)))
        }),
        Kind::Flag => json!(hash.is_multiple_of(3)),
        Kind::Nothing => Value::Null,
    }
}

/// How many owners or users an account with this many records per object has.
pub fn people(records: u32) -> u32 {
    records.clamp(1, 40)
}

fn prose(hash: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = hash;
    while text.len() < bytes {
        state = mix(&[state]);
        text.push_str(pick(WORDS, state));
        // What breaks naive CSV and JSON handling: quotes, commas, line breaks and characters outside the basic plane.
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

fn moment(hash: u64) -> i64 {
    1_735_689_600_000 + i64::try_from(hash % 94_608_000_000).unwrap_or(0)
}

fn day(hash: u64) -> String {
    let mut text = millis(moment(hash));
    text.truncate(10);
    text
}

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// `2026-03-01T10:20:30.123Z`, always with milliseconds.
pub fn millis(ms: i64) -> String {
    at(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// HubSpot's spelling: milliseconds are left out where they are zero.
pub fn hubspot_time(ms: i64) -> String {
    at(ms).to_rfc3339_opts(if ms % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis }, true)
}

/// Salesforce's spelling in JSON: `2026-03-01T10:20:30.000+0000`.
pub fn salesforce_time(ms: i64) -> String {
    at(ms).format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// The spelling of HTTP headers: `Sun, 01 Mar 2026 10:20:30 GMT`.
pub fn http_time(ms: i64) -> String {
    at(ms).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The id of the record with this number. Ids grow with the number, in the provider's own order.
pub fn id(object: &Object, seq: u32) -> String {
    match object.key {
        Key::From(_) => numeric_id(object, seq).to_string(),
        Key::Prefix(prefix) => {
            let mut number = 1_000_000 + 3 * u64::from(seq);
            let mut digits = [b'0'; 10];
            for digit in digits.iter_mut().rev() {
                *digit = BASE62.get((number % 62) as usize).copied().unwrap_or(b'0');
                number /= 62;
            }
            let mut id = format!("{prefix}Ab{}", String::from_utf8_lossy(&digits));
            let suffix: String = id.as_bytes().chunks(5).map(checksum).collect();
            id.push_str(&suffix);
            id
        }
    }
}

/// HubSpot's id as a number. Steps of three from a low first id: lengths differ early, so ids compared as strings
/// come out wrong.
pub fn numeric_id(object: &Object, seq: u32) -> u64 {
    match object.key {
        Key::From(first) => first + 3 * u64::from(seq),
        Key::Prefix(_) => u64::from(seq),
    }
}

/// One of the three last characters of an id: which of five characters are upper case.
fn checksum(five: &[u8]) -> char {
    let bits = five.iter().enumerate().fold(0, |bits, (at, byte)| bits | usize::from(byte.is_ascii_uppercase()) << at);
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".get(bits).copied().map_or('A', char::from)
}

/// The record number behind an id, if the id could be one of this object. Accepts Salesforce's 15 characters too.
pub fn seq(object: &Object, text: &str) -> Option<u32> {
    let offset = match object.key {
        Key::From(first) => text.parse::<u64>().ok()?.checked_sub(first)?,
        Key::Prefix(prefix) => {
            let digits = text.get(..15)?.strip_prefix(prefix)?.strip_prefix("Ab")?;
            let number = digits.bytes().try_fold(0u64, |number, byte| {
                let digit = BASE62.iter().position(|known| *known == byte)?;
                number.checked_mul(62)?.checked_add(digit as u64)
            })?;
            number.checked_sub(1_000_000)?
        }
    };
    let seq = offset.is_multiple_of(3).then_some(offset / 3)?;
    let seq = u32::try_from(seq).ok()?;
    (text.len() == 15 || id(object, seq) == text).then_some(seq)
}

/// Opaque text for a token the provider hands out.
pub fn opaque(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

/// What `opaque` was made of.
pub fn unwrap_opaque(token: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// An id for a request, a job or a correlation: 32 hexadecimal digits in the shape of a UUID.
pub fn uuid(number: u64) -> String {
    let (a, b) = (mix(&[number, 1]), mix(&[number, 2]));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a & 0xffff,
        b >> 52,
        b >> 40 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> &'static Object {
        Provider::ALL.into_iter().find_map(|provider| provider.object(name)).unwrap()
    }

    #[test]
    fn an_id_leads_back_to_its_record() {
        for name in ["contacts", "Contact", "Invoice__c"] {
            for seq_in in [0, 1, 61, 3_000, 99_999] {
                assert_eq!(seq(object(name), &id(object(name), seq_in)), Some(seq_in));
            }
        }
        assert_eq!(seq(object("Contact"), &id(object("Account"), 4)), None);
    }

    #[test]
    fn salesforce_ids_grow_in_ascii_order_and_hubspot_ids_only_as_numbers() {
        let ids: Vec<_> = (0..500).map(|n| id(object("Account"), n)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.len() == 18));
        let ids: Vec<_> = (0..500).map(|n| id(object("contacts"), n)).collect();
        assert!(!ids.is_sorted(), "string order must betray a connector that relies on it");
        assert!(ids.iter().map(|id| id.parse::<u64>().unwrap()).is_sorted());
    }

    #[test]
    fn one_seed_gives_one_content_and_an_update_changes_some_of_it() {
        let fields = object("contacts").fields;
        let all = |seed, revision| {
            fields.iter().map(|f| value(Provider::HubSpot, seed, f, (7, revision), 100)).collect::<Vec<_>>()
        };
        assert_eq!(all(1, 0), all(1, 0));
        assert_ne!(all(1, 0), all(2, 0));
        assert_ne!(all(1, 0), all(1, 1));
        assert_eq!(all(1, 0).first(), all(1, 1).first(), "the e-mail address stays");
    }

    #[test]
    fn hubspot_leaves_zero_milliseconds_out() {
        assert_eq!(hubspot_time(1_772_360_430_000), "2026-03-01T10:20:30Z");
        assert_eq!(hubspot_time(1_772_360_430_120), "2026-03-01T10:20:30.120Z");
        assert_eq!(salesforce_time(1_772_360_430_000), "2026-03-01T10:20:30.000+0000");
    }
}
