//! The rules of the contract that types cannot say, applied to every answer before anything else sees it.

use std::collections::HashSet;

use super::text;
use crate::domain::{CallError, DeleteMode, FaultKind, ObjectType, Page, ProviderError, SyncMode};

pub(super) const PAGE_RECORDS: usize = 1_000;
pub(super) const PAGE_BYTES: usize = 8 << 20;
pub(super) const CURSOR_BYTES: usize = 16 << 10;
pub(super) const WAIT_SECONDS: std::ops::RangeInclusive<u64> = 1..=3_600;
pub(super) const OBJECT_TYPES: usize = 10_000;
pub(super) const OBJECT_NAME_BYTES: usize = 256;

/// Syncline's names for kinds of data.
pub(super) const INTERACTION_TYPES: [&str; 10] =
    ["account", "contact", "opportunity", "ticket", "task", "note", "user", "conversation", "invoice", "custom"];

fn broken(what: impl Into<String>) -> CallError {
    CallError::Fault(FaultKind::Contract, what.into())
}

fn too_much(what: impl Into<String>) -> CallError {
    CallError::Fault(FaultKind::Output, what.into())
}

/// Checks a page and clamps its wait. Records are judged one by one when they land, so that a bad one costs no page.
pub(crate) fn page(mut page: Page) -> Result<Page, CallError> {
    let records = page.interactions.len();
    if records > PAGE_RECORDS {
        return Err(too_much(format!("a page of {records} records; at most {PAGE_RECORDS} are allowed")));
    }
    let bytes: usize = page.interactions.iter().map(crate::domain::Interaction::size_bytes).sum();
    if bytes > PAGE_BYTES {
        return Err(too_much(format!("a page of {bytes} bytes; at most {PAGE_BYTES} are allowed")));
    }
    cursor(&page.cursor.0)?;
    if let Some(seconds) = page.wait_seconds {
        if records > 0 {
            return Err(broken("a page with records asks for a wait; only an empty page may"));
        }
        page.wait_seconds = Some(seconds.clamp(*WAIT_SECONDS.start(), *WAIT_SECONDS.end()));
    }
    Ok(page)
}

fn cursor(cursor: &str) -> Result<(), CallError> {
    match cursor.len() {
        0 => Err(broken("an empty cursor; a page always says where the next one begins")),
        // Postgres holds no NUL in a text: such a page could never be committed.
        1..=CURSOR_BYTES if cursor.contains('\0') => Err(broken("a cursor that contains NUL")),
        1..=CURSOR_BYTES => Ok(()),
        bytes => Err(too_much(format!("a cursor of {bytes} bytes; at most {CURSOR_BYTES} are allowed"))),
    }
}

/// Checks what `discover` lists.
pub(crate) fn objects(objects: Vec<ObjectType>) -> Result<Vec<ObjectType>, CallError> {
    if objects.len() > OBJECT_TYPES {
        return Err(too_much(format!("{} object types; at most {OBJECT_TYPES} are allowed", objects.len())));
    }
    let mut seen = HashSet::new();
    for object in &objects {
        let name = text::clean(&object.name, OBJECT_NAME_BYTES);
        if object.name.is_empty() || name != object.name {
            return Err(broken(format!("an object's name is empty, too long or has control characters: {name:?}")));
        }
        if !seen.insert(object.name.as_str()) {
            return Err(broken(format!("object {name} is listed twice")));
        }
        if !INTERACTION_TYPES.contains(&object.interaction_type.as_str()) {
            let given = text::clean(&object.interaction_type, 64);
            return Err(broken(format!("object {name} has interaction type {given:?}; use `custom`")));
        }
        if object.deletes == DeleteMode::ByAbsence && object.mode != SyncMode::Full {
            return Err(broken(format!("object {name} shows deletes by absence but is not read in full")));
        }
        schema(&object.schema).map_err(|why| broken(format!("the schema of object {name} {why}")))?;
    }
    Ok(objects)
}

/// Checks that a text is a JSON Schema.
pub(crate) fn schema(schema: &str) -> Result<serde_json::Value, String> {
    let value: serde_json::Value = serde_json::from_str(schema).map_err(|error| format!("is not JSON: {error}"))?;
    jsonschema::draft202012::new(&value)
        .map_err(|error| format!("is not a JSON Schema: {}", text::clean(&error.to_string(), 400)))?;
    Ok(value)
}

/// Checks what an error of the guest carries, and bounds its text with `scrub`.
pub(crate) fn error(error: ProviderError, scrub: impl Fn(&str) -> String) -> CallError {
    use ProviderError as E;
    CallError::Provider(match error {
        E::Unauthorized(text) => E::Unauthorized(scrub(&text)),
        E::Forbidden(text) => E::Forbidden(scrub(&text)),
        E::RateLimited(seconds) => E::RateLimited(seconds),
        E::Unavailable(text) => E::Unavailable(scrub(&text)),
        E::CursorExpired(Some(resume)) => match cursor(&resume) {
            Ok(()) => E::CursorExpired(Some(resume)),
            Err(fault) => return fault,
        },
        E::CursorExpired(None) => E::CursorExpired(None),
        E::InvalidConfig(text) => E::InvalidConfig(scrub(&text)),
        E::Unexpected(text) => E::Unexpected(scrub(&text)),
        E::Other(code, text) => E::Other(text::clean(&scrub(&code), 64), scrub(&text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cursor, Interaction, RecordState};

    fn empty() -> Page {
        Page {
            interactions: Vec::new(),
            cursor: Cursor("c".to_owned()),
            more: false,
            wait_seconds: None,
            pass_complete: false,
        }
    }

    fn record(data: String) -> Interaction {
        Interaction { id: "1".to_owned(), version: None, updated_at: None, state: RecordState::Present, data }
    }

    fn kind(answer: Result<Page, CallError>) -> FaultKind {
        match answer {
            Err(CallError::Fault(kind, _)) => kind,
            other => panic!("no fault: {other:?}"),
        }
    }

    #[test]
    fn a_page_keeps_to_its_limits() {
        assert!(page(empty()).is_ok());
        let records = Page { interactions: vec![record(String::new()); 1_001], ..empty() };
        assert_eq!(kind(page(records)), FaultKind::Output);
        let bytes = Page { interactions: vec![record("x".repeat(1 << 20)); 8], ..empty() };
        assert_eq!(kind(page(bytes)), FaultKind::Output);
        let long = Page { cursor: Cursor("x".repeat(CURSOR_BYTES + 1)), ..empty() };
        assert_eq!(kind(page(long)), FaultKind::Output);
        let none = Page { cursor: Cursor(String::new()), ..empty() };
        assert_eq!(kind(page(none)), FaultKind::Contract);
        let unstorable = Page { cursor: Cursor("a\0b".to_owned()), ..empty() };
        assert_eq!(kind(page(unstorable)), FaultKind::Contract);
    }

    #[test]
    fn only_an_empty_page_waits_and_never_longer_than_an_hour() {
        let wait = Page { wait_seconds: Some(u64::MAX), ..empty() };
        assert_eq!(page(wait.clone()).unwrap().wait_seconds, Some(3_600));
        let full = Page { interactions: vec![record("{}".to_owned())], ..wait };
        assert_eq!(kind(page(full)), FaultKind::Contract);
    }

    #[test]
    fn a_schema_that_is_none_is_told_so() {
        assert!(schema(r#"{"type": "object"}"#).is_ok());
        assert!(schema(r#"{"type": "objct"}"#).unwrap_err().contains("not a JSON Schema"));
        assert!(schema("{").unwrap_err().contains("not JSON"));
    }
}
