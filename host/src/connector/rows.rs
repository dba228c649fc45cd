//! Rows that stay with the host. A connector may say in a request which list of the answer holds its records and what it wants
//! to know of each: then the answer goes into the sandbox with that and no more, and the rows wait here until the page
//! names them. So a record's JSON is neither copied into the sandbox, nor read there, nor copied out again.
//!
//! A wish that is not understood or an answer that does not look as it says changes nothing: the whole answer goes in.
//! Nothing here judges a record: that is done when it lands.

use std::ops::Range;

use bytes::Bytes;

use super::contract::{PAGE_BYTES, PAGE_RECORDS};
use crate::domain::Interaction;

/// Rows kept for one call: what its page can hold, and as many that it passes over.
const ROWS: usize = 2 * PAGE_RECORDS;
/// Members that may be wanted of a row. Each name in an answer is compared with them.
const MEMBERS: usize = 64;

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
    /// What is wanted of the member, if not all.
    inner: Option<Members>,
}

impl Wish {
    /// The wish that a request's attributes hold; `attribute` finds one by name.
    pub(crate) fn of<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let (list, text) = (attribute("rows")?, attribute("rows-known")?);
        let known = Members::of(&serde_json::from_str(text).ok()?)?;
        if known.count() > MEMBERS {
            return None;
        }
        Some(Self { list: list.to_owned(), text: text.to_owned(), known })
    }
}

impl Members {
    fn of(wanted: &serde_json::Value) -> Option<Self> {
        let member = |(name, inner): (&String, _)| Member { name: name.clone(), inner: Self::of(inner) };
        Some(Self(wanted.as_object()?.iter().map(member).collect()))
    }

    /// How many they are, those of members included.
    fn count(&self) -> usize {
        self.0.iter().map(|member| 1 + member.inner.as_ref().map_or(0, Self::count)).sum()
    }

    fn named(&self, name: &str) -> Option<&Member> {
        self.0.iter().find(|member| member.name == name)
    }
}

/// The rows that one call's answers left here, numbered from 0.
pub(crate) struct KeptRows {
    answers: Vec<String>,
    rows: Vec<(usize, Range<usize>)>,
    /// What more may be kept.
    bytes_left: usize,
}

/// An answer without what stays here.
pub(crate) struct Cut {
    pub(crate) body: Bytes,
    pub(crate) attributes: Vec<(String, String)>,
}

impl KeptRows {
    /// None yet, of answers of at most so many bytes together.
    pub(crate) const fn new(most_bytes: usize) -> Self {
        Self { answers: Vec::new(), rows: Vec::new(), bytes_left: most_bytes }
    }

    /// Keeps the rows of an answer and answers with what is left of it. The answer as it came, and nothing kept, if it does
    /// not look as the wish says, or if the bytes or the rows of two pages would be exceeded.
    pub(crate) fn keep(&mut self, answer: Bytes, wish: Wish) -> Result<Cut, Bytes> {
        let Some(bytes_left) = self.bytes_left.checked_sub(answer.len()) else { return Err(answer) };
        let answer = String::from_utf8(answer.into()).map_err(|error| Bytes::from(error.into_bytes()))?;
        let mut body = String::with_capacity(answer.len() / 4);
        let mut scan = Scan { text: &answer, at: 0 };
        let Some(rows) = scan.answer(&wish, ROWS.saturating_sub(self.rows.len()), &mut body) else {
            return Err(answer.into());
        };
        let (first, place) = (self.rows.len(), self.answers.len());
        self.rows.extend(rows.into_iter().map(|row| (place, row)));
        self.answers.push(answer);
        self.bytes_left = bytes_left;
        let attributes = vec![
            ("rows".to_owned(), wish.list),
            ("rows-known".to_owned(), wish.text),
            ("rows-first".to_owned(), first.to_string()),
        ];
        Ok(Cut { body: body.into(), attributes })
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
        self.answers.get(*answer)?.get(row.clone())
    }
}

/// A way through JSON that looks at nothing but where values begin and end. Of JSON that is none it may make anything, or
/// None: whoever parses what was written finds that out, and a row is checked as a whole when it lands.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// Writes what is wanted of an answer, and says where its rows are. None if there is not exactly one such list, or if it
    /// has more than `most` rows.
    fn answer(&mut self, wish: &Wish, most: usize, out: &mut String) -> Option<Vec<Range<usize>>> {
        let mut rows = None;
        self.members((b'{', b'}'), |scan, first| {
            let (name, key) = scan.name()?;
            out.push(if first { '{' } else { ',' });
            out.push_str(key);
            out.push(':');
            if name != wish.list {
                out.push_str(scan.value()?);
                return Some(());
            }
            let list = scan.rows(&wish.known, most, out)?;
            rows.replace(list).is_none().then_some(())
        })?;
        out.push('}');
        self.peek().is_none().then_some(rows)?
    }

    fn rows(&mut self, known: &Members, most: usize, out: &mut String) -> Option<Vec<Range<usize>>> {
        let mut rows = Vec::new();
        out.push('[');
        self.members((b'[', b']'), |scan, first| {
            out.push_str(if first { "" } else { "," });
            scan.peek()?;
            let begin = scan.at;
            scan.wanted(known, out)?;
            rows.push(begin..scan.at);
            (rows.len() <= most).then_some(())
        })?;
        out.push(']');
        Some(rows)
    }

    /// Writes what is wanted of an object. What is none is written as it is.
    fn wanted(&mut self, members: &Members, out: &mut String) -> Option<()> {
        if self.peek()? != b'{' {
            out.push_str(self.value()?);
            return Some(());
        }
        out.push('{');
        let begin = out.len();
        self.members((b'{', b'}'), |scan, _| {
            let (name, key) = scan.name()?;
            let Some(member) = members.named(name) else {
                return scan.value().map(drop);
            };
            out.push_str(if out.len() > begin { "," } else { "" });
            out.push_str(key);
            out.push(':');
            match &member.inner {
                None => out.push_str(scan.value()?),
                Some(inner) => scan.wanted(inner, out)?,
            }
            Some(())
        })?;
        out.push('}');
        Some(())
    }

    /// What stands between two brackets, one after the other, told whether it is the first.
    fn members(
        &mut self,
        (open, close): (u8, u8),
        mut member: impl FnMut(&mut Self, bool) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        let mut first = true;
        if self.peek()? != close {
            loop {
                member(self, first)?;
                first = false;
                if self.peek()? == close {
                    break;
                }
                self.take(b',')?;
            }
        }
        self.at += 1;
        Some(())
    }

    /// A member's name, and the text of it with its quotes; behind its colon then. None for one that is written with escapes:
    /// it might be any.
    fn name(&mut self) -> Option<(&'a str, &'a str)> {
        self.peek().filter(|next| *next == b'"')?;
        let key = self.value()?;
        self.take(b':')?;
        let name = key.strip_prefix('"')?.strip_suffix('"')?;
        (memchr::memchr(b'\\', name.as_bytes()).is_none()).then_some((name, key))
    }

    /// The text of a value.
    fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let (begin, bytes) = (self.at, self.text.as_bytes());
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match bytes.get(self.at)? {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                self.at += bytes.get(begin..)?.iter().position(ends).unwrap_or(bytes.len() - begin);
            }
        }
        self.text.get(begin..self.at).filter(|text| !text.is_empty())
    }

    /// To behind the end of a string that begins here.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let left = self.text.as_bytes().get(self.at..)?;
            let found = memchr::memchr2(b'"', b'\\', left)?;
            if left.get(found) == Some(&b'"') {
                self.at += found + 1;
                return Some(());
            }
            self.at += found + 2;
        }
    }

    /// The next byte that is no white space; none at the end.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let next = *self.text.as_bytes().get(self.at)?;
            if !matches!(next, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(next);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        self.peek().filter(|next| *next == wanted)?;
        self.at += 1;
        Some(())
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

    fn none_yet() -> KeptRows {
        KeptRows::new(1 << 20)
    }

    fn keep(rows: &mut KeptRows, answer: &str) -> Option<Cut> {
        let whole = Bytes::copy_from_slice(answer.as_bytes());
        match rows.keep(whole.clone(), wish("rows", KNOWN).unwrap()) {
            Ok(cut) => Some(cut),
            Err(left) => {
                assert_eq!(left, whole);
                None
            }
        }
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
        let second = r#"{"properties":null,"id":"2"}"#;
        let answer = format!(r#" {{"next" : {{"rows":[1]}},"rows":[ {first} ,{second}, {{}}],"total":3}} "#);
        let mut rows = none_yet();
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
        let mut rows = none_yet();
        for answer in [
            "",
            "[]",
            "{}",
            r#"{"rows":null}"#,
            r#"{"rows":{}}"#,
            r#"{"rows":[{"id":1}"#,
            r#"{"rows":[{"id":1},]}"#,
            r#"{"rows":[{"id":}]}"#,
            r#"{"rows":[{"id"}]}"#,
            r#"{"rows":[{"id":1]}"#,
            r#"{"rows":[{"\u0069d":1}]}"#,
            r#"{"\u0072ows":[{"id":1}]}"#,
            r#"{"rows":[{"id":"}]}"#,
            r#"{"rows":[{"id":"\"#,
            r#"{"rows":[],"rows":[]}"#,
            r#"{"rows":[]} x"#,
            r#"{"rows":[] "next":1}"#,
        ] {
            assert!(keep(&mut rows, answer).is_none(), "{answer}");
        }
        let deep = format!(r#"{{"rows":[{{"id":{}1{}}}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
        keep(&mut rows, &deep);
        let invalid = Bytes::from_static(b"{\"rows\":[{\"id\":\"\xff\"}]}");
        assert_eq!(rows.keep(invalid.clone(), wish("rows", KNOWN).unwrap()).err(), Some(invalid));
        for known in ["", "null", "[]", "7", "{"] {
            assert!(wish("rows", known).is_none(), "{known}");
        }
        assert!(Wish::of(|_| None).is_none());
        let crowd = |members: usize| {
            let names: Vec<_> = (1..members).map(|n| format!("\"m{n}\":null")).collect();
            format!("{{\"in\":{{{}}}}}", names.join(","))
        };
        assert!(wish("rows", &crowd(MEMBERS)).is_some());
        assert!(wish("rows", &crowd(MEMBERS + 1)).is_none());
    }

    #[test]
    fn what_is_kept_and_given_is_bounded() {
        let mut rows = none_yet();
        let page = |rows: usize| format!(r#"{{"rows":[{}]}}"#, vec![r#"{"id":1}"#; rows].join(","));
        assert!(keep(&mut rows, &page(ROWS + 1)).is_none());
        assert!(keep(&mut rows, &page(ROWS - 1)).is_some());
        assert!(keep(&mut rows, &page(2)).is_none());
        assert!(keep(&mut rows, &page(1)).is_some());

        let long = format!(r#"{{"rows":[{{"x":"{}"}}]}}"#, "x".repeat(900 << 10));
        let mut rows = none_yet();
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
            let mut rows = none_yet();
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
            keep(&mut none_yet(), &text);
        }
    }
}
