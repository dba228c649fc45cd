//! Recording a connector's calls into a cassette, one after the other.

use std::sync::Arc;

use serde_json::json;

use super::cassette::record::Recorder;
use super::cassette::{Call, Cassette, Exchange, Function, Made};
use super::line::Line;
use super::reading::{Reading, Step};
use crate::connector::Connector;
use crate::domain::{CallError, Cursor, ObjectType, Page};
use crate::egress::Session;

/// A recording in progress. The line's tape must be the recorder.
pub struct Recording {
    line: Line,
    recorder: Arc<Recorder>,
    cassette: Cassette,
}

/// What a cassette says of the connector that it was recorded with.
#[must_use]
pub fn made(connector: &Connector) -> Made {
    Made {
        name: connector.manifest.name.clone(),
        version: connector.manifest.version.to_string(),
        digest: connector.pin().to_string(),
    }
}

/// What a cassette says of a page, for people.
#[must_use]
pub fn told(page: &Page, session: &Session) -> serde_json::Value {
    json!({
        "records": page.interactions.len(), "cursor": session.redact(&page.cursor.0), "more": page.more,
        "wait": page.wait_seconds,
    })
}

/// A call as a cassette keeps it. What passed the session was cleaned when it was written down; what the connector
/// itself says, which may have seen a credential in a body, is cleaned here.
#[must_use]
pub fn call(
    function: Function,
    object: Option<&str>,
    cursor: Option<&Cursor>,
    exchanges: Vec<Exchange>,
    told: Result<serde_json::Value, &CallError>,
    session: &Session,
) -> Call {
    let outcome = told.unwrap_or_else(|error| json!({ "error": session.redact(&error.to_string()) }));
    Call {
        call: function,
        object: object.map(str::to_owned),
        cursor: cursor.map(|cursor| session.redact(&cursor.0)),
        exchanges,
        outcome: Some(outcome),
    }
}

impl Recording {
    /// Begins at this time, in milliseconds since 1970.
    #[must_use]
    pub fn new(line: Line, recorder: Arc<Recorder>, now_ms: u64, config: serde_json::Value, auth: &str) -> Self {
        let cassette = Cassette::new(made(&line.connector), now_ms, config, auth.to_owned(), line.call.page_size);
        Self { line, recorder, cassette }
    }

    /// Records `check`.
    ///
    /// # Errors
    /// What the connector said. The call is recorded all the same.
    pub async fn check(&mut self) -> Result<(), CallError> {
        let answer = self.line.check().await.0;
        self.keep(Function::Check, None, None, answer.as_ref().map(|()| json!("ok")));
        answer
    }

    /// Records `discover`.
    ///
    /// # Errors
    /// What the connector said. The call is recorded all the same.
    pub async fn discover(&mut self) -> Result<Vec<ObjectType>, CallError> {
        let answer = self.line.discover().await.0;
        let listed = answer.as_ref().map(|objects| json!({ "objects": objects.len() }));
        self.keep(Function::Discover, None, None, listed);
        answer
    }

    /// Records a reading to its end, or so many pages of it; `wait` sits out the seconds that a provider asks for.
    /// Answers with the cursor after the last page, and the error if it ended with one.
    pub async fn reading(
        &mut self,
        object: &str,
        from: Option<Cursor>,
        most_pages: u32,
        mut wait: impl AsyncFnMut(u64),
    ) -> (Option<Cursor>, Result<(), CallError>) {
        let mut reading = Reading::new(object, from);
        while reading.pages < most_pages {
            let from = reading.cursor.clone();
            let (answer, _) = self.line.fetch(object, from.as_ref()).await;
            let page = answer.as_ref().map(|page| told(page, &self.line.session));
            self.keep(Function::Fetch, Some(object), from.as_ref(), page);
            match reading.take(answer) {
                Step::Page(page) if page.ends() => break,
                Step::Page(page) => {
                    if let Some(seconds) = page.wait_seconds {
                        wait(seconds).await;
                    }
                }
                Step::Rewound => {}
                Step::Ended(_, error) => return (reading.cursor, Err(error)),
            }
        }
        (reading.cursor, Ok(()))
    }

    /// Ends the recording.
    #[must_use]
    pub fn finish(self) -> Cassette {
        self.cassette
    }

    fn keep(
        &mut self,
        function: Function,
        object: Option<&str>,
        cursor: Option<&Cursor>,
        told: Result<serde_json::Value, &CallError>,
    ) {
        let exchanges = self.recorder.take();
        self.cassette.calls.push(call(function, object, cursor, exchanges, told, &self.line.session));
    }
}
