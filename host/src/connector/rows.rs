//! Rows that stay with the host. A connector may say in a request which list of the answer holds its records and what it wants
//! to know of each: then the answer goes into the sandbox with that and no more, and the rows wait here until the page
//! names them. So a record's JSON is neither copied into the sandbox, nor read there, nor copied out again.
//!
//! A wish that is not understood or an answer that does not look as it says changes nothing: the whole answer goes in.
//! Nothing here judges a record: that is done when it lands.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::contract::{PAGE_BYTES, PAGE_RECORDS};
use crate::domain::Interaction;

/// Rows kept for one call: what its page can hold, and as many that it passes over.
const ROWS: usize = 2 * PAGE_RECORDS;

/// What a request says of the rows of its answer.
pub(crate) struct Wish {
    list: String,
    text: String,
    known: Members,
}

/// The members that are wanted of an object.
struct Members(Vec<Member>);

struct Member {
    name: String,
    /// The name as JSON, with its colon.
    key: String,
    /// What is wanted of the member, if not all.
    inner: Option<Members>,
}

impl Wish {
    /// The wish that a request's attributes hold; `attribute` finds one by name.
    pub(crate) fn of<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let (list, text) = (attribute("rows")?, attribute("rows-known")?);
        let known = Members::of(&serde_json::from_str(text).ok()?)?;
        Some(Self { list: list.to_owned(), text: text.to_owned(), known })
    }
}

impl Members {
    fn of(wanted: &serde_json::Value) -> Option<Self> {
        let member = |(name, inner): (&String, &serde_json::Value)| Member {
            name: name.clone(),
            key: format!("{}:", serde_json::Value::from(name.as_str())),
            inner: Self::of(inner),
        };
        Some(Self(wanted.as_object()?.iter().map(member).collect()))
    }
}

/// The rows that one call's answers left here, numbered from 0.
#[derive(Default)]
pub(crate) struct KeptRows {
    answers: Vec<Bytes>,
    rows: Vec<(usize, Range<usize>)>,
    bytes: usize,
}

/// An answer without what stays here.
pub(crate) struct Cut {
    pub(crate) body: Bytes,
    pub(crate) attributes: Vec<(String, String)>,
}

impl KeptRows {
    /// Keeps the rows of an answer and answers with what is left of it. None, and nothing kept, if it does not look as the
    /// wish says, or if `limit` bytes or the rows of two pages would be exceeded.
    pub(crate) fn keep(&mut self, answer: &Bytes, wish: Wish, limit: usize) -> Option<Cut> {
        let bytes = self.bytes.saturating_add(answer.len());
        if bytes > limit {
            return None;
        }
        let text = std::str::from_utf8(answer).ok()?;
        let mut body = String::with_capacity(text.len() / 4);
        let rows = cut(text, &wish, ROWS.saturating_sub(self.rows.len()), &mut body)?;
        let (first, place) = (self.rows.len(), self.answers.len());
        self.rows.extend(rows.into_iter().map(|row| (place, row)));
        self.answers.push(answer.clone());
        self.bytes = bytes;
        let attributes = vec![
            ("rows".to_owned(), wish.list),
            ("rows-known".to_owned(), wish.text),
            ("rows-first".to_owned(), first.to_string()),
        ];
        Some(Cut { body: body.into(), attributes })
    }

    /// Gives the records that name a row its JSON, until they are more than a page may hold. What names no row stays as it
    /// is: no JSON, and rejected for that when it lands.
    pub(crate) fn give(&self, records: &mut [Interaction]) {
        let mut given = 0;
        for record in records {
            let Some(row) = self.named(&record.data) else { continue };
            row.clone_into(&mut record.data);
            given += row.len();
            if given > PAGE_BYTES {
                return;
            }
        }
    }

    fn named(&self, reference: &str) -> Option<&str> {
        let (answer, row) = self.rows.get(reference.strip_prefix('@')?.parse::<usize>().ok()?)?;
        std::str::from_utf8(self.answers.get(*answer)?.get(row.clone())?).ok()
    }
}

/// Writes what is wanted of an answer, and says where its rows are. None if there is not exactly one such list, if it has
/// more than `most` rows, or if something in it is no object.
fn cut(text: &str, wish: &Wish, most: usize, out: &mut String) -> Option<Vec<Range<usize>>> {
    let mut reader = Reader { text, at: 0 };
    let mut rows = None;
    reader.members((b'{', b'}'), out, |reader, out| {
        let (name, key) = reader.value(Text)?;
        reader.take(b':')?;
        out.push_str(key);
        out.push(':');
        if name != wish.list {
            let (_, value) = reader.value(Whole)?;
            out.push_str(value);
            return Some(());
        }
        let mut found = Vec::new();
        reader.members((b'[', b']'), out, |reader, out| {
            let (_, row) = reader.value(Wanted { members: &wish.known, out })?;
            found.push(reader.at - row.len()..reader.at);
            (found.len() <= most).then_some(())
        })?;
        rows.replace(found).is_none().then_some(())
    })?;
    reader.peek().is_none().then_some(rows)?
}

/// A place in a text. What is not as expected is None.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space; none at the end.
    fn peek(&mut self) -> Option<u8> {
        let left = self.text.get(self.at..)?.bytes();
        let (skipped, next) = left.enumerate().find(|(_, byte)| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?;
        self.at += skipped;
        Some(next)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        self.peek().filter(|next| *next == wanted)?;
        self.at += 1;
        Some(())
    }

    /// What stands between two brackets, one after the other; brackets and commas are copied.
    fn members(
        &mut self,
        (open, close): (u8, u8),
        out: &mut String,
        mut member: impl FnMut(&mut Self, &mut String) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        out.push(char::from(open));
        if self.peek()? != close {
            loop {
                member(self, out)?;
                if self.peek()? == close {
                    break;
                }
                self.take(b',')?;
                out.push(',');
            }
        }
        self.at += 1;
        out.push(char::from(close));
        Some(())
    }

    /// A value, and the text that it was.
    fn value<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Option<(S::Value, &'a str)> {
        self.peek()?;
        let left = self.text.get(self.at..)?;
        let mut json = serde_json::Deserializer::from_str(left);
        let value = seed.deserialize(&mut json).ok()?;
        let length = json.into_iter::<IgnoredAny>().byte_offset();
        self.at += length;
        Some((value, left.get(..length)?))
    }
}

/// A string.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(json)
    }
}

/// Anything, of which only its text counts.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = IgnoredAny;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(json)
    }
}

/// An object, of which the wanted members are written; or null.
struct Wanted<'w> {
    members: &'w Members,
    out: &'w mut String,
}

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.out.push('{');
        let begin = self.out.len();
        while let Some(member) = map.next_key_seed(Named(self.members))? {
            let Some(member) = member else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if self.out.len() > begin {
                self.out.push(',');
            }
            self.out.push_str(&member.key);
            match &member.inner {
                None => self.out.push_str(map.next_value::<&RawValue>()?.get()),
                Some(members) => map.next_value_seed(Wanted { members, out: self.out })?,
            }
        }
        self.out.push('}');
        Ok(())
    }
}

/// A member's name: the wanted member of that name.
struct Named<'w>(&'w Members);

impl<'de, 'w> DeserializeSeed<'de> for Named<'w> {
    type Value = Option<&'w Member>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for Named<'w> {
    type Value = Option<&'w Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.0.iter().find(|member| member.name == name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::RecordState;

    const KNOWN: &str = r#"{"id":null,"at":null,"properties":{"merged":null}}"#;

    fn wish(list: &str, known: &str) -> Option<Wish> {
        Wish::of(|name| match name {
            "rows" => Some(list),
            "rows-known" => Some(known),
            _ => None,
        })
    }

    fn keep(rows: &mut KeptRows, answer: &str) -> Option<Cut> {
        rows.keep(&Bytes::copy_from_slice(answer.as_bytes()), wish("rows", KNOWN).unwrap(), 1 << 20)
    }

    fn record(data: &str) -> Interaction {
        let (id, data) = ("1".to_owned(), data.to_owned());
        Interaction { id, version: None, updated_at: None, state: RecordState::Present, data }
    }

    fn given(rows: &KeptRows, reference: &str) -> String {
        let mut records = [record(reference)];
        rows.give(&mut records);
        let [record] = records;
        record.data
    }

    #[test]
    fn an_answer_is_cut_down_to_what_is_known_of_its_rows_and_the_rows_are_given_for_their_numbers() {
        let first = r#"{"id":"1", "x" : [{"id":"no"}, "]}"] ,"properties":{"a":"\"}","merged":"7;8"},"at":1.50}"#;
        let second = r#"{"properties":null,"\u0069d":"2"}"#;
        let answer = format!(r#" {{"next" : {{"rows":[1]}},"rows":[ {first} ,{second}, {{}}],"total":3}} "#);
        let mut rows = KeptRows::default();
        let cut = keep(&mut rows, &answer).unwrap();
        assert_eq!(
            std::str::from_utf8(&cut.body).unwrap(),
            r#"{"next":{"rows":[1]},"rows":[{"id":"1","properties":{"merged":"7;8"},"at":1.50},{"properties":null,"id":"2"},{}],"total":3}"#
        );
        let named = |name, value: &str| (String::from(name), value.to_owned());
        assert_eq!(cut.attributes, [named("rows", "rows"), named("rows-known", KNOWN), named("rows-first", "0")]);
        let next = keep(&mut rows, r#"{"rows":[{"id":"4"}]}"#).unwrap();
        assert_eq!(next.attributes[2], named("rows-first", "3"));
        for (reference, row) in [("@0", first), ("@1", second), ("@2", "{}"), ("@3", r#"{"id":"4"}"#)] {
            assert_eq!(given(&rows, reference), row);
        }
        for other in ["", "{}", "@", "@4", "@-1", "@ 1", "@1x", "@99999999999999999999999"] {
            assert_eq!(given(&rows, other), other);
        }
    }

    #[test]
    fn what_does_not_look_as_the_wish_says_is_left_whole_and_keeps_nothing() {
        let mut rows = KeptRows::default();
        for answer in [
            "",
            "[]",
            "{}",
            r#"{"rows":null}"#,
            r#"{"rows":{}}"#,
            r#"{"rows":[1]}"#,
            r#"{"rows":["a"]}"#,
            r#"{"rows":[{"properties":"a"}]}"#,
            r#"{"rows":[{"id":1}"#,
            r#"{"rows":[{"id":1},]}"#,
            r#"{"rows":[{"id":}]}"#,
            r#"{"rows":[],"rows":[]}"#,
            r#"{"rows":[]} x"#,
            r#"{"rows":[] "next":1}"#,
        ] {
            assert!(keep(&mut rows, answer).is_none(), "{answer}");
        }
        let deep = format!(r#"{{"rows":[{{"id":{}1{}}}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
        keep(&mut rows, &deep);
        let invalid = Bytes::from_static(b"{\"rows\":[{\"id\":\"\xff\"}]}");
        assert!(rows.keep(&invalid, wish("rows", KNOWN).unwrap(), 1 << 20).is_none());
        for known in ["", "null", "[]", "7", "{"] {
            assert!(wish("rows", known).is_none(), "{known}");
        }
        assert!(Wish::of(|_| None).is_none());
    }

    #[test]
    fn what_is_kept_and_given_is_bounded() {
        let mut rows = KeptRows::default();
        let page = |rows: usize| format!(r#"{{"rows":[{}]}}"#, vec![r#"{"id":1}"#; rows].join(","));
        assert!(keep(&mut rows, &page(ROWS + 1)).is_none());
        assert!(keep(&mut rows, &page(ROWS - 1)).is_some());
        assert!(keep(&mut rows, &page(2)).is_none());
        assert!(keep(&mut rows, &page(1)).is_some());

        let long = format!(r#"{{"rows":[{{"x":"{}"}}]}}"#, "x".repeat(900 << 10));
        let mut rows = KeptRows::default();
        assert!(keep(&mut rows, &long).is_some());
        assert!(keep(&mut rows, &long).is_none(), "more than a mebibyte in all");
        let mut records = vec![record("@0"); PAGE_RECORDS];
        rows.give(&mut records);
        let bytes: usize = records.iter().map(|record| record.data.len()).sum();
        assert!((PAGE_BYTES..PAGE_BYTES + (2 << 20)).contains(&bytes), "{bytes}");
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let name = prop_oneof!["id", "at", "rows", "properties", ".{0,3}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..4).prop_map(|all| all.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_row_is_given_as_it_was_and_its_known_members_are_those_it_had(
            list in prop::collection::vec(prop::collection::btree_map("id|at|a|b", anything(), 0..4), 0..4),
            beside in anything(),
            pretty in any::<bool>(),
        ) {
            let answer = json!({ "beside": beside, "rows": list });
            let text = if pretty { serde_json::to_string_pretty(&answer) } else { serde_json::to_string(&answer) }.unwrap();
            let mut rows = KeptRows::default();
            let cut = keep(&mut rows, &text).unwrap();
            let cut: Value = serde_json::from_slice(&cut.body).unwrap();
            prop_assert_eq!(&cut["beside"], &beside);
            for (place, row) in list.iter().enumerate() {
                let whole: Value = serde_json::from_str(&given(&rows, &format!("@{place}"))).unwrap();
                prop_assert_eq!(&whole, &json!(row));
                let known: serde_json::Map<_, _> =
                    row.iter().filter(|(name, _)| ["id", "at"].contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
                prop_assert_eq!(&cut["rows"][place], &Value::from(known));
            }
        }

        #[test]
        fn no_answer_panics(text in r#"[{}\[\]:,"rowsid\\ 0-9\n]{0,60}"#) {
            keep(&mut KeptRows::default(), &text);
        }
    }
}
