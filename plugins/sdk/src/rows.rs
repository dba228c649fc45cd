//! Lists of records, read once: what a connector needs to know of a row is parsed where the row stands, and its text is
//! the stretch of the answer that was parsed. Of rows that the host keeps there may be no more to see than how many there are.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error, Value};

use crate::page::{Data, Interaction};

/// A row of a list: its JSON, and what was parsed out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a, T> {
    /// The row's JSON: as it came, or, if the host keeps it, what was asked for of it
    /// (see [`RequestBuilder::rows_of`](crate::RequestBuilder::rows_of)).
    pub raw: &'a str,
    /// What the connector acts on.
    pub known: T,
    /// The number under which the host keeps it.
    kept: Option<u64>,
}

impl<'a, T> Row<'a, T> {
    /// The row's JSON as it came, for a record to carry, wherever it is.
    pub const fn data(&self) -> RowData<'a> {
        RowData { raw: self.raw, kept: self.kept }
    }
}

/// The JSON of a row as it came: here, or with the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowData<'a> {
    raw: &'a str,
    kept: Option<u64>,
}

impl Data for RowData<'_> {
    fn into_text(self) -> String {
        match self.kept {
            Some(number) => ["@", &number.to_string()].concat(),
            None => self.raw.to_owned(),
        }
    }
}

/// Which members of a row make its record. A row of which a connector would learn nothing else is plain: whatever else the
/// connector's type asks for is absent, null or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRow {
    /// The record's id.
    pub id: &'static str,
    /// Its version, if it has one.
    pub version: Option<&'static str>,
    /// When it was last changed, if that is known: RFC 3339, UTC.
    pub updated_at: Option<&'static str>,
}

impl PlainRow {
    /// What a request's attribute says of it.
    pub(crate) fn text(&self) -> String {
        let facts = [("id", Some(self.id)), ("version", self.version), ("updated-at", self.updated_at)];
        let facts = facts.into_iter().filter_map(|(fact, member)| Some((fact.to_owned(), member?.into())));
        Value::Object(facts.collect()).to_string()
    }
}

/// A part of a list: see [`RequestBuilder::plain_rows_of`](crate::RequestBuilder::plain_rows_of).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows<'a, T> {
    /// A row.
    One(Row<'a, T>),
    /// Plain rows, one after another, that the host keeps.
    Plain(PlainRows),
}

impl<'a, T> Rows<'a, T> {
    /// The row, if it is one.
    pub(crate) fn one(self) -> Option<Row<'a, T>> {
        match self {
            Self::One(row) => Some(row),
            Self::Plain(_) => None,
        }
    }
}

/// Plain rows, one after another, that the host keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRows {
    first: u64,
    count: u64,
}

impl PlainRows {
    /// What stands in a page for the records of these rows: the host makes one of each.
    pub fn records(self) -> Interaction {
        Interaction::present("", format!("@{}+{}", self.first, self.count))
    }
}

/// What the host says of the rows that it keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// The number of the first.
    pub(crate) first: u64,
    /// A number in the list stands for so many plain rows.
    pub(crate) plain: bool,
}

/// Reads a JSON object that holds a list of rows under a key, and whatever else there is as a value of its own.
pub(crate) fn read<'a, T, Rest>(text: &'a str, key: &str, kept: Option<Kept>) -> Result<(Vec<Rows<'a, T>>, Rest), Error>
where
    T: Deserialize<'a>,
    Rest: DeserializeOwned,
{
    let mut answer = Cursor { text, at: 0 };
    let (mut rows, mut rest) = (None, String::new());
    answer.members(b'{', b'}', |answer| {
        let (name, _) = answer.value::<std::borrow::Cow<'a, str>>()?;
        answer.take(b':')?;
        if name != key {
            let (_, member) = answer.value::<&'a RawValue>()?;
            rest.push(if rest.is_empty() { '{' } else { ',' });
            rest.push_str(&serde_json::to_string(&name)?);
            rest.push(':');
            rest.push_str(member);
            return Ok(());
        }
        let mut list = Vec::new();
        let mut next = kept.map(|kept| kept.first);
        answer.members(b'[', b']', |answer| {
            let plain = kept.is_some_and(|kept| kept.plain) && answer.peek().is_some_and(|byte| byte.is_ascii_digit());
            let (read, count) = match next.filter(|_| plain) {
                Some(first) => {
                    let (count, _) = answer.value()?;
                    (Rows::Plain(PlainRows { first, count }), count)
                }
                None => {
                    let (known, raw) = answer.value()?;
                    (Rows::One(Row { raw, known, kept: next }), 1)
                }
            };
            next = next.map(|next| next.saturating_add(count));
            list.push(read);
            Ok(())
        })?;
        match rows.replace(list) {
            None => Ok(()),
            Some(_) => Err(Error::custom(format!("two lists of {key:?}"))),
        }
    })?;
    if let Some(more) = answer.peek() {
        return Err(answer.wrong(&format!("{:?} behind the end", char::from(more))));
    }
    rest.push_str(if rest.is_empty() { "{}" } else { "}" });
    let rows = rows.ok_or_else(|| Error::custom(format!("no list of {key:?}")))?;
    Ok((rows, serde_json::from_str(&rest)?))
}

/// A place in a text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no white space; none at the end.
    fn peek(&mut self) -> Option<u8> {
        let left = self.left().bytes();
        let (skipped, next) = left.enumerate().find(|(_, byte)| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?;
        self.at += skipped;
        Some(next)
    }

    fn take(&mut self, wanted: u8) -> Result<(), Error> {
        if self.peek() != Some(wanted) {
            return Err(self.wrong(&format!("expected {:?}", char::from(wanted))));
        }
        self.at += 1;
        Ok(())
    }

    /// What stands between two brackets, one after the other.
    fn members(
        &mut self,
        open: u8,
        close: u8,
        mut member: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.take(open)?;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            member(self)?;
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok(());
            }
            self.take(b',')?;
        }
    }

    /// A value, and the text that it was.
    fn value<T: Deserialize<'a>>(&mut self) -> Result<(T, &'a str), Error> {
        self.peek();
        let left = self.left();
        let mut values = Deserializer::from_str(left).into_iter();
        let value = values.next().unwrap_or_else(|| Err(self.wrong("the end instead of a value")))?;
        let length = values.byte_offset();
        self.at += length;
        Ok((value, left.get(..length).unwrap_or_default()))
    }

    fn wrong(&self, what: &str) -> Error {
        Error::custom(format!("{what} at byte {}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Known {
        id: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Rest {
        next: Option<String>,
    }

    type Read<'a> = Result<(Vec<Rows<'a, Known>>, Rest), Error>;

    /// The rows of an answer that has no plain ones.
    fn rows<'a, T: Deserialize<'a>, Rest: DeserializeOwned>(
        text: &'a str,
        kept: Option<Kept>,
    ) -> (Vec<Row<'a, T>>, Rest) {
        let (rows, rest) = read(text, "rows", kept).unwrap();
        (rows.into_iter().map(|rows| rows.one().unwrap()).collect(), rest)
    }

    #[test]
    fn rows_keep_their_text_and_the_rest_is_read_beside_them() {
        for text in [
            r#"{"next":"b","rows":[{"id":1,"x":[{}, "]"]}, {"x":"\"}","id":2}]}"#,
            " { \"rows\" :\n[ {\"id\":1,\"x\":[{}, \"]\"]} ,{\"x\":\"\\\"}\",\"id\":2} ] , \"next\" : \"b\" } ",
        ] {
            let (rows, rest) = rows::<Known, Rest>(text, None);
            let raw: Vec<&str> = rows.iter().map(|row| row.raw).collect();
            assert_eq!(raw, [r#"{"id":1,"x":[{}, "]"]}"#, r#"{"x":"\"}","id":2}"#]);
            assert_eq!(rows.iter().map(|row| row.known.id).collect::<Vec<_>>(), [1, 2]);
            assert_eq!(rest.next.as_deref(), Some("b"));
        }
        let (rows, rest) = rows::<Known, Rest>(r#"{"rows":[]}"#, None);
        assert!(rows.is_empty() && rest.next.is_none());
    }

    #[test]
    fn rows_that_the_host_keeps_are_handed_on_by_their_number() {
        let text = r#"{"rows":[{"id":1},{"id":2}]}"#;
        let (kept, _) = rows::<Known, Rest>(text, Some(Kept { first: 9, plain: false }));
        assert_eq!(kept.iter().map(|row| row.data().into_text()).collect::<Vec<_>>(), ["@9", "@10"]);
        let (here, _) = rows::<Known, Rest>(text, None);
        assert_eq!(here[1].data().into_text(), r#"{"id":2}"#);
    }

    #[test]
    fn plain_rows_are_handed_on_together_and_those_behind_them_keep_their_numbers() {
        let text = r#"{"rows":[3,{"id":1}, 12 ,{"id":2}]}"#;
        let (read, _): (Vec<Rows<'_, Known>>, Rest) = read(text, "rows", Some(Kept { first: 5, plain: true })).unwrap();
        let data: Vec<_> = read
            .into_iter()
            .map(|rows| match rows {
                Rows::One(row) => row.data().into_text(),
                Rows::Plain(rows) => rows.records().data,
            })
            .collect();
        assert_eq!(data, ["@5+3", "@8", "@9+12", "@21"]);
    }

    #[test]
    fn a_number_stands_for_plain_rows_only_where_the_host_says_so() {
        for kept in [None, Some(Kept { first: 0, plain: false })] {
            let (read, _) = rows::<u32, Rest>(r#"{"rows":[3,4]}"#, kept);
            assert_eq!(read.iter().map(|row| row.known).collect::<Vec<_>>(), [3, 4]);
        }
    }

    #[test]
    fn the_members_that_make_a_record_are_told_by_what_they_make() {
        let plain = PlainRow { id: "Id", version: None, updated_at: Some("changed \"at\"") };
        assert_eq!(plain.text(), r#"{"id":"Id","updated-at":"changed \"at\""}"#);
    }

    #[test]
    fn what_is_no_list_of_rows_is_an_error() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"rows":null}"#,
            r#"{"rows":[{"id":1}"#,
            r#"{"rows":[{"id":1},]}"#,
            r#"{"rows":[{"id":1} {"id":2}]}"#,
            r#"{"rows":[],"rows":[]}"#,
            r#"{"rows":[]} x"#,
            r#"{"rows":[{"id":1,}]}"#,
            r#"{"rows":[{"no":1}]}"#,
            r#"{"rows":[],"next":3}"#,
            r#"{"rows":[],}"#,
            r#"{"rows":[] "next":"a"}"#,
        ] {
            let read: Read<'_> = read(text, "rows", None);
            assert!(read.is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"total":12345678901234567890123,"rows":[1.50,-0, "x" ,null,true]}"#;
        let (rows, rest) = rows::<Value, Box<RawValue>>(text, None);
        assert_eq!(rows.iter().map(|row| row.raw).collect::<Vec<_>>(), ["1.50", "-0", "\"x\"", "null", "true"]);
        assert_eq!(rest.get(), r#"{"total":12345678901234567890123}"#);
        assert_eq!(rows[2].known, json!("x"));
    }
}
