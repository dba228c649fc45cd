use proptest::prelude::*;
use serde_json::{Value, json};

use super::fuzz::{KNOWN, PLAIN, record, wish};
use super::*;

fn plain(text: &str) -> Wish {
    wish(KNOWN, Some(text)).unwrap()
}

fn keep(rows: &mut KeptRows, answer: &str) -> Option<Cut> {
    keep_as(rows, answer, wish(KNOWN, None).unwrap())
}

fn keep_as(rows: &mut KeptRows, answer: &str, wish: Wish) -> Option<Cut> {
    let whole = Bytes::copy_from_slice(answer.as_bytes());
    match rows.keep(whole.clone(), wish) {
        Ok(cut) => Some(cut),
        Err(left) => {
            assert_eq!(left, whole);
            None
        }
    }
}

fn given(rows: &KeptRows, reference: &str) -> String {
    let [record] = rows.give(vec![record(reference)]).try_into().unwrap();
    record.data
}

#[test]
fn an_answer_is_cut_down_to_what_is_known_of_its_rows_and_the_rows_are_given_for_their_numbers() {
    let first = r#"{"id":"1", "x" : [{"id":"no"}, "]}"] ,"properties":{"a":"\"}","merged":"7;8"},"at":1.50}"#;
    let second = r#"{"properties":null,"id":"2"}"#;
    let answer = format!(r#" {{"next" : {{"rows":[1]}},"rows":[ {first} ,{second}, {{}}],"total":3}} "#);
    let mut rows = KeptRows::new(usize::MAX);
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
    let mut rows = KeptRows::new(usize::MAX);
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
    assert_eq!(rows.keep(invalid.clone(), wish(KNOWN, None).unwrap()).err(), Some(invalid));
    for known in ["", "null", "[]", "7", "{"] {
        assert!(wish(known, None).is_none(), "{known}");
    }
    assert!(Wish::of(|_| None).is_none());
    let crowd = |members: usize| {
        let names: Vec<_> = (1..members).map(|n| format!("\"m{n}\":null")).collect();
        format!("{{\"in\":{{{}}}}}", names.join(","))
    };
    assert!(wish(&crowd(MEMBERS), None).is_some());
    assert!(wish(&crowd(MEMBERS + 1), None).is_none());
}

#[test]
fn what_is_kept_and_given_is_bounded() {
    let mut rows = KeptRows::new(usize::MAX);
    let page = |rows: usize| format!(r#"{{"rows":[{}]}}"#, vec![r#"{"id":1}"#; rows].join(","));
    assert!(keep(&mut rows, &page(ROWS + 1)).is_none());
    assert!(keep(&mut rows, &page(ROWS - 1)).is_some());
    assert!(keep(&mut rows, &page(2)).is_none());
    assert!(keep(&mut rows, &page(1)).is_some());

    let long = format!(r#"{{"rows":[{{"x":"{}"}}]}}"#, "x".repeat(900 << 10));
    let mut rows = KeptRows::new(1 << 20);
    assert!(keep(&mut rows, &long).is_some());
    assert!(keep(&mut rows, &long).is_none(), "more than a mebibyte in all");
    let records = rows.give(vec![record("@0"); PAGE_RECORDS]);
    let bytes: usize = records.iter().map(|record| record.data.len()).sum();
    assert!((PAGE_BYTES..PAGE_BYTES + (2 << 20)).contains(&bytes), "{bytes}");

    let long = format!(r#"{{"rows":[{{"id":"{}"}}]}}"#, "x".repeat(4 << 20));
    let mut rows = KeptRows::new(usize::MAX);
    assert!(keep_as(&mut rows, &long, plain(PLAIN)).is_some());
    assert!(keep(&mut rows, &long).is_none(), "what a page names would not fit into it");
    for reference in ["@0", "@0+1"] {
        let records = rows.give(vec![record(reference); PAGE_RECORDS]);
        let bytes: usize = records.iter().map(|record| record.data.len()).sum();
        assert!((PAGE_BYTES..PAGE_BYTES + (5 << 20)).contains(&bytes), "{bytes}");
    }

    let mut rows = KeptRows::new(usize::MAX);
    assert!(keep_as(&mut rows, &page(ROWS - 1), plain(PLAIN)).is_some());
    let reference = format!("@0+{}", ROWS - 1);
    let records = rows.give(vec![record(&reference); 1_000]);
    assert!((PAGE_RECORDS + 1..=2 * ROWS).contains(&records.len()), "{}", records.len());
}

#[test]
fn plain_rows_are_counted_and_a_record_is_made_of_each() {
    let rows = [
        r#"{"id":"1","at":"then","name":"a"}"#,
        r#"{"name":"b","properties":{"merged":null,"x":1},"id":2}"#,
        r#"{"id":"3","properties":{"merged":"9"}}"#,
        r#"{"id":"4","properties":false,"at":null}"#,
    ];
    let mut kept = KeptRows::new(usize::MAX);
    let cut = keep_as(&mut kept, &format!(r#"{{"rows":[{}]}}"#, rows.join(",")), plain(PLAIN)).unwrap();
    assert_eq!(cut.body, r#"{"rows":[2,{"id":"3","properties":{"merged":"9"}},1]}"#);
    let named = |name, value: &str| (String::from(name), value.to_owned());
    assert_eq!(cut.attributes[2..], [named("rows-first", "0"), named("rows-plain", PLAIN)]);
    let given = kept.give(vec![record("@0+2"), record("@2"), record("@3+1")]);
    let at = Some("then".to_owned());
    let made = |id: &str, at: &Option<String>, data| {
        let (version, updated_at) = (at.clone(), at.clone());
        Interaction { id: id.to_owned(), version, updated_at, ..record(data) }
    };
    let third = record(rows[2]);
    assert_eq!(given, [made("1", &at, rows[0]), made("2", &None, rows[1]), third, made("4", &None, rows[3])]);
    for other in ["@0+0", "@0+3", "@2+1", "@3+2", "@4+1", "@0+18446744073709551615", "@0+", "@+1", "@0+1+1", "@0+-1"] {
        assert_eq!(kept.give(vec![record(other)]), [record(other)]);
    }
    // Rows of which nobody said what makes a record of them have none.
    let mut kept = KeptRows::new(usize::MAX);
    keep(&mut kept, r#"{"rows":[{"id":"1"}]}"#).unwrap();
    assert_eq!(kept.give(vec![record("@0+1")]), [record("@0+1")]);
}

#[test]
fn a_row_that_tells_more_or_makes_no_record_is_no_plain_one() {
    for row in [
        "{}",
        r#"{"id":""}"#,
        r#"{"id":null}"#,
        r#"{"id":true}"#,
        r#"{"id":1.5}"#,
        r#"{"id":-1}"#,
        r#"{"id":"a\"b"}"#,
        r#"{"id":["1"]}"#,
        r#"{"id":"1","at":{}}"#,
        r#"{"id":"1","id":"1"}"#,
        r#"{"id":"1","properties":""}"#,
        r#"{"id":"1","properties":true}"#,
        r#"{"id":"1","properties":{"merged":0}}"#,
        r#"{"id":"1","properties":{"merged":[]}}"#,
    ] {
        let mut kept = KeptRows::new(usize::MAX);
        let answer = format!(r#"{{"rows":[{row}]}}"#);
        let cut = keep_as(&mut kept, &answer, plain(PLAIN)).unwrap_or_else(|| panic!("{row}"));
        assert_eq!(cut.body, answer);
        assert_eq!(kept.give(vec![record("@0+1")]), [record("@0+1")]);
    }
    // A member's member is no fact of the row.
    let mut kept = KeptRows::new(usize::MAX);
    let inner = r#"{"rows":[{"properties":{"merged":null,"id":"5","at":"x"},"id":"1"}]}"#;
    keep_as(&mut kept, inner, plain(PLAIN)).unwrap();
    let given = kept.give(vec![record("@0+1")]);
    assert_eq!((given[0].id.as_str(), given[0].version.as_deref()), ("1", None));
    // What is no object might be taken for a number of rows.
    assert!(keep_as(&mut KeptRows::new(usize::MAX), r#"{"rows":[{"id":"1"},2]}"#, plain(PLAIN)).is_none());
    assert!(keep_as(&mut KeptRows::new(usize::MAX), r#"{"rows":[2]}"#, plain("{}")).is_some());
    for nothing in ["", "[]", "{}", r#"{"version":"id"}"#, r#"{"id":null}"#] {
        assert!(plain(nothing).plain.is_none(), "{nothing}");
    }
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
        let mut rows = KeptRows::new(usize::MAX);
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
    fn what_is_shown_and_what_is_kept_are_together_what_the_answer_says(
        list in prop::collection::vec(prop::collection::btree_map("id|at|a|properties", anything(), 0..4), 0..6),
        beside in anything(),
    ) {
        fuzz::rows(json!({ "beside": beside, "rows": list }).to_string().as_bytes());
    }

    #[test]
    fn no_answer_panics(text in r#"[{}\[\]:,"rowsid\\ 0-9\n]{0,60}"#) {
        fuzz::rows(text.as_bytes());
    }
}
