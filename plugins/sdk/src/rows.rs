//! Lists of records, read once: what a connector needs to know of a row is parsed where the row stands, and its text is
//! the stretch of the answer that was parsed.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error};

use crate::page::Data;

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

/// Reads a JSON object that holds a list of rows under a key, and whatever else there is as a value of its own. `kept` is the
/// number under which the host keeps the first row, if it does.
pub(crate) fn read<'a, T, Rest>(text: &'a str, key: &str, kept: Option<u64>) -> Result<(Vec<Row<'a, T>>, Rest), Error>
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
        answer.members(b'[', b']', |answer| {
            let (known, raw) = answer.value()?;
            let kept = kept.map(|first| first.saturating_add(list.len() as u64));
            list.push(Row { raw, known, kept });
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
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Known {
        id: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Rest {
        next: Option<String>,
    }

    type Read<'a> = Result<(Vec<Row<'a, Known>>, Rest), Error>;

    #[test]
    fn rows_keep_their_text_and_the_rest_is_read_beside_them() {
        for text in [
            r#"{"next":"b","rows":[{"id":1,"x":[{}, "]"]}, {"x":"\"}","id":2}]}"#,
            " { \"rows\" :\n[ {\"id\":1,\"x\":[{}, \"]\"]} ,{\"x\":\"\\\"}\",\"id\":2} ] , \"next\" : \"b\" } ",
        ] {
            let (rows, rest): (Vec<Row<'_, Known>>, Rest) = read(text, "rows", None).unwrap();
            let raw: Vec<&str> = rows.iter().map(|row| row.raw).collect();
            assert_eq!(raw, [r#"{"id":1,"x":[{}, "]"]}"#, r#"{"x":"\"}","id":2}"#]);
            assert_eq!(rows.iter().map(|row| row.known.id).collect::<Vec<_>>(), [1, 2]);
            assert_eq!(rest.next.as_deref(), Some("b"));
        }
        let (rows, rest): (Vec<Row<'_, Known>>, Rest) = read(r#"{"rows":[]}"#, "rows", None).unwrap();
        assert!(rows.is_empty() && rest.next.is_none());
    }

    #[test]
    fn rows_that_the_host_keeps_are_handed_on_by_their_number() {
        let text = r#"{"rows":[{"id":1},{"id":2}]}"#;
        let (rows, _): (Vec<Row<'_, Known>>, Rest) = read(text, "rows", Some(9)).unwrap();
        assert_eq!(rows.iter().map(|row| row.data().into_text()).collect::<Vec<_>>(), ["@9", "@10"]);
        let (rows, _): (Vec<Row<'_, Known>>, Rest) = read(text, "rows", None).unwrap();
        assert_eq!(rows[1].data().into_text(), r#"{"id":2}"#);
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
        let (rows, rest): (Vec<Row<'_, Value>>, Box<RawValue>) = read(text, "rows", None).unwrap();
        assert_eq!(rows.iter().map(|row| row.raw).collect::<Vec<_>>(), ["1.50", "-0", "\"x\"", "null", "true"]);
        assert_eq!(rest.get(), r#"{"total":12345678901234567890123}"#);
        assert_eq!(rows[2].known, json!("x"));
    }
}
