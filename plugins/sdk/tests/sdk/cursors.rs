//! Versioned cursors.

use serde::{Deserialize, Serialize};
use syncline_sdk::Error;
use syncline_sdk::cursor::{Versioned, decode, encode};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
enum Position {
    List { after: Option<String> },
    Window { lo: u64 },
}

impl Versioned for Position {
    const VERSION: u32 = 3;
}

#[test]
fn a_cursor_carries_its_version_and_reads_back() {
    let window = Position::Window { lo: u64::MAX };
    assert_eq!(encode(&window), r#"{"v":3,"phase":"window","lo":18446744073709551615}"#);
    assert_eq!(decode::<Position>(&encode(&window)), Ok(window));
    let list = Position::List { after: Some("é\"".to_owned()) };
    assert_eq!(decode::<Position>(&encode(&list)), Ok(list));
}

#[test]
fn another_version_and_garbage_are_expired_and_never_guessed_at() {
    for text in [
        "",
        "null",
        "7",
        "{}",
        r#"{"v":2,"phase":"window","lo":1}"#,
        r#"{"phase":"window","lo":1}"#,
        r#"{"v":3,"phase":"window"}"#,
        r#"{"v":3,"phase":"window","lo":-1}"#,
        r#"{"v":3,"phase":"window","lo":1"#,
    ] {
        assert_eq!(decode::<Position>(text), Err(Error::CursorExpired(None)), "{text}");
    }
}
