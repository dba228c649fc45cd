//! Body of the fuzz target for answers whose rows are kept; see [`crate::fuzz`].

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a body says what it found by a panic")]

use bytes::Bytes;
use serde_json::Value;

use super::{KeptRows, Wish};
use crate::domain::{Interaction, RecordState};

pub(super) const KNOWN: &str = r#"{"id":null,"at":null,"properties":{"merged":null}}"#;
pub(super) const PLAIN: &str = r#"{"id":"id","version":"at","updated-at":"at"}"#;

/// What goes into the sandbox of an answer, and what is given for the rows that do not, are together what the answer says.
pub fn rows(bytes: &[u8]) {
    for plain in [None, Some(PLAIN)] {
        let mut kept = KeptRows::new(usize::MAX);
        match kept.keep(Bytes::copy_from_slice(bytes), wish(KNOWN, plain).expect("a wish")) {
            Err(whole) => assert_eq!(whole, bytes),
            Ok(cut) => {
                if let (Ok(answer), Ok(cut)) = (serde_json::from_slice(bytes), serde_json::from_slice(&cut.body)) {
                    same(&kept, &answer, &cut);
                }
            }
        }
    }
}

/// The wish of a request for the rows of `rows`.
pub(super) fn wish(known: &str, plain: Option<&str>) -> Option<Wish> {
    Wish::of(|name| match name {
        "rows" => Some("rows"),
        "rows-known" => Some(known),
        "rows-plain" => plain,
        _ => None,
    })
}

fn same(kept: &KeptRows, answer: &Value, cut: &Value) {
    let (list, mut shown) =
        (answer["rows"].as_array().expect("a list"), cut["rows"].as_array().expect("a list").iter());
    let mut place = 0;
    while place < list.len() {
        let row = &list[place];
        match shown.next().expect("a row for each").as_u64().filter(|_| row.is_object()) {
            None => {
                assert_eq!(json(&one(kept, &format!("@{place}")).data), *row);
                place += 1;
            }
            Some(count) => {
                let count = usize::try_from(count).expect("a number of rows");
                let made = kept.give(vec![record(&format!("@{place}+{count}"))]);
                assert_eq!(made.len(), count);
                for made in made {
                    is_record_of(&made, &list[place]);
                    place += 1;
                }
            }
        }
    }
    assert!(shown.next().is_none());
    let beside = |of: &Value| {
        let mut of = of.as_object().expect("an object").clone();
        of.remove("rows");
        of
    };
    assert_eq!(beside(cut), beside(answer));
}

/// A plain row's record has its id and its stamp, and there was nothing else that was to be known of it.
fn is_record_of(made: &Interaction, row: &Value) {
    let is = |made: Option<&str>, name: &str| match &row[name] {
        Value::String(text) => made == Some(text),
        // A parser of numbers loses digits of long ones.
        Value::Number(number) if !number.is_u64() => made.is_some(),
        Value::Number(number) => made == Some(&number.to_string()),
        _ => made.is_none(),
    };
    assert_eq!(json(&made.data), *row);
    assert!(is(Some(&made.id), "id") && is(made.version.as_deref(), "at"), "{made:?} of {row}");
    assert_eq!((&made.updated_at, &made.state), (&made.version, &RecordState::Present));
    let nothing = |value: &Value| value.is_null() || value == &Value::Bool(false);
    assert!(nothing(&row["properties"]) || nothing(&row["properties"]["merged"]), "{row}");
}

fn one(kept: &KeptRows, reference: &str) -> Interaction {
    let [record] = kept.give(vec![record(reference)]).try_into().expect("one record");
    record
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a part of JSON is JSON")
}

/// A record of a page that has nothing but this.
pub(super) fn record(data: &str) -> Interaction {
    let (id, data) = (String::new(), data.to_owned());
    Interaction { id, version: None, updated_at: None, state: RecordState::Present, data }
}
