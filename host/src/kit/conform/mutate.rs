//! Changing answers without breaking them, and showing exchanges in a line.

use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::kit::cassette::Exchange;
use crate::kit::cassette::members::Members;

/// The members that are added to every object, by what they are for.
pub(super) const UNKNOWN: &str = "syncline_unknown";
pub(super) const UNICODE: &str = "syncline_unicode";
pub(super) const NUMBERS: &str = "syncline_numbers";

/// Text that gets lost wherever somebody is careless: beyond the basic plane, joined, right to left, escaped, a line end
/// that JavaScript once knew and JSON did not.
pub(super) const DIFFICULT: &str =
    "a\u{2028}\u{202e}\u{0301} \u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{10ffff} \"\\/ \u{7f} ß";

/// Numbers that get lost wherever they pass through a double.
pub(super) const EXACT: &str = "[12345678901234567890,1.10,9007199254740993,0.1234567890123456789,-0.0,1E+2]";

/// Adds the three members to every object of a JSON body; `None` if there is none.
pub(super) fn with_unknown(body: &[u8]) -> Option<Vec<u8>> {
    let unicode = serde_json::to_string(DIFFICULT).ok()?;
    let added = [(UNKNOWN, r#"{"nested":[null,true,{}]}"#), (UNICODE, unicode.as_str()), (NUMBERS, EXACT)];
    let text = std::str::from_utf8(body).ok()?;
    let changed = walk(text, &mut |members| {
        members.extend(added.map(|(name, value)| (name.to_owned(), value.to_owned())));
    })?;
    Some(changed.into_bytes())
}

/// Sets members of the records to null: of every object that one of these ids is a member of, everything but the id and
/// whatever may be a time, a state or a reference.
pub(super) fn with_nulls(body: &[u8], ids: &[String]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let changed = walk(text, &mut |members| {
        if members.iter().any(|(_, value)| is_one_of(value, ids)) {
            for (_, value) in members.iter_mut().filter(|(name, value)| may_be_null(name, value, ids)) {
                "null".clone_into(value);
            }
        }
    })?;
    Some(changed.into_bytes())
}

fn is_one_of(value: &str, ids: &[String]) -> bool {
    ids.iter().any(|id| value.trim_matches('"') == id)
}

/// Plain text of a record: no number (it may be a stamp), no flag, no time, no name that ends like a key.
fn may_be_null(name: &str, value: &str, ids: &[String]) -> bool {
    const KEYS: [&str; 10] = ["id", "key", "type", "state", "status", "url", "uri", "next", "cursor", "self"];
    let name = name.to_ascii_lowercase();
    let text = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let Some(text) = text else { return false };
    let is_time = chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || text.len() >= 10 && text.get(..4).is_some_and(|year| year.bytes().all(|b| b.is_ascii_digit()));
    !is_time
        && !is_one_of(value, ids)
        && !KEYS.iter().any(|key| name == *key || name.ends_with(key))
        && !name.contains("date")
        && !name.contains("time")
        && !name.ends_with("_at")
        && !name.ends_with("at")
        && !text.starts_with("http")
}

/// A member of an object: its name, and its value as JSON.
type Member = (String, String);

/// Rebuilds a JSON text; `change` gets the members of every object, innermost first. `None` if it is not JSON or holds no
/// object.
fn walk(text: &str, change: &mut dyn FnMut(&mut Vec<Member>)) -> Option<String> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    let mut met = false;
    let changed = rebuild(value.get(), change, &mut met);
    met.then_some(changed)
}

fn rebuild(text: &str, change: &mut dyn FnMut(&mut Vec<Member>), met: &mut bool) -> String {
    if text.starts_with('{')
        && let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(text)
    {
        *met = true;
        let rebuilt = members.into_iter().map(|(name, value)| (name, rebuild(value.get(), change, met)));
        let mut members: Vec<Member> = rebuilt.collect();
        change(&mut members);
        let written = |(name, value): &Member| format!("{}:{value}", Json::from(name.as_str()));
        return format!("{{{}}}", members.iter().map(written).collect::<Vec<_>>().join(","));
    }
    if text.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
    {
        let parts: Vec<String> = items.into_iter().map(|item| rebuild(item.get(), change, met)).collect();
        return format!("[{}]", parts.join(","));
    }
    text.to_owned()
}

/// An exchange in one line.
pub(super) fn shown(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let body = request.body.text().filter(|text| !text.is_empty()).map(|text| format!(" {text}")).unwrap_or_default();
    let answer = match (&exchange.response, &exchange.failure) {
        (Some(answer), _) => format!("{} {}", answer.status, answer.body.text().unwrap_or("(binary)")),
        (None, Some(failure)) => failure.message.clone(),
        (None, None) => "nothing".to_owned(),
    };
    let answer: String = answer.chars().take(160).collect();
    format!("{} {}{body} -> {answer}", request.method, request.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_added_to_every_object_and_the_rest_keeps_its_bytes() {
        let changed = with_unknown(br#"{"people":[{"id":12345678901234567890}],"next":null}"#).unwrap();
        let text = String::from_utf8(changed).unwrap();
        assert_eq!(text.matches(UNKNOWN).count(), 2);
        assert!(text.starts_with("{\"people\":[{\"id\":12345678901234567890,"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["people"][0][UNICODE], DIFFICULT);
        assert!(with_unknown(b"no json").is_none() && with_unknown(b"[1]").is_none());
    }

    #[test]
    fn a_name_may_look_like_the_end_of_itself() {
        let body = br#"{"id":"p-1","a\":b":"x"}"#;
        let changed = String::from_utf8(with_nulls(body, &["p-1".to_owned()]).unwrap()).unwrap();
        assert_eq!(changed, r#"{"id":"p-1","a\":b":null}"#);
    }

    #[test]
    fn only_plain_text_of_records_becomes_null() {
        let body = br#"{"people":[{"id":"p-1","name":"Ann","updated_at":"2026-01-01T00:00:00Z","n":1,"owner_id":"7"}],"title":"x"}"#;
        let changed = String::from_utf8(with_nulls(body, &["p-1".to_owned()]).unwrap()).unwrap();
        assert_eq!(
            changed,
            r#"{"people":[{"id":"p-1","name":null,"updated_at":"2026-01-01T00:00:00Z","n":1,"owner_id":"7"}],"title":"x"}"#
        );
    }
}
