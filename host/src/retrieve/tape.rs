//! The recording of one slice of a run that is to be recorded: what passed the gate, call by call, until the slice ends.
//!
//! It watches. Whatever becomes of it, the run goes on and ends as it would have without, and a run that is not recorded
//! has none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::connector::Connector;
use crate::domain::{CallError, Cursor, Page, chain};
use crate::egress::{Session, Tape as EgressTape};
use crate::kit::cassette::record::Recorder;
use crate::kit::cassette::{Cassette, Function, parts};
use crate::kit::recording::{call, made, told};
use crate::store::Store;
use crate::store::recordings::RecordingPart;
use crate::store::runs::{Claim, Fenced};

/// Bytes of bodies that a slice keeps.
const SLICE_BYTES: usize = 16 << 20;

/// Bytes of text that all the slices of a run keep together.
const RUN_BYTES: i64 = 128 << 20;

/// What the end of a slice waits for its recording at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// The recording in progress.
pub(super) struct Tape {
    recorder: Arc<Recorder>,
    cassette: Cassette,
    /// Exchanges that the recorder had not kept by the end of the call before.
    dropped: u64,
}

impl Tape {
    /// What a slice is recorded with, if its run is.
    pub(super) fn of(claim: &Claim, connector: &Connector, config: &Json, page_size: u32) -> Option<Self> {
        claim.recorded.then(|| {
            let now_ms = u64::try_from(claim.now_ms).unwrap_or(0);
            Self {
                recorder: Arc::new(Recorder::new(SLICE_BYTES)),
                cassette: Cassette::new(made(connector), now_ms, config.clone(), claim.auth.clone(), page_size),
                dropped: 0,
            }
        })
    }

    /// The end that the gate writes to.
    pub(super) fn recorder(&self) -> Arc<dyn EgressTape> {
        Arc::clone(&self.recorder) as _
    }

    /// A call is over. One of which an exchange did not fit is left out as a whole: it could not be replayed.
    pub(super) fn keep(
        &mut self,
        object: &str,
        cursor: Option<&Cursor>,
        answer: &Result<Page, CallError>,
        session: &Session,
    ) {
        let exchanges = self.recorder.take();
        let dropped = self.recorder.dropped();
        if std::mem::replace(&mut self.dropped, dropped) != dropped {
            self.cassette.left_out += 1;
            return;
        }
        let page = answer.as_ref().map(|page| told(page, session));
        self.cassette.calls.push(call(Function::Fetch, Some(object), cursor, exchanges, page, session));
    }

    /// The slice is over: puts what was recorded into the store. What goes wrong is logged and forgotten.
    pub(super) async fn store(self, store: &Store, owner: &str, claim: &Claim) {
        let Self { cassette, .. } = self;
        if cassette.calls.is_empty() && cassette.left_out == 0 {
            return;
        }
        let run = claim.lease.run.0;
        let left_out = cassette.left_out;
        let work = async {
            let packed = tokio::task::spawn_blocking(move || parts::pack(&cassette)).await;
            let (payload, text_bytes) = packed.map_err(|error| error.to_string())?.map_err(|error| chain(&error))?;
            let text_bytes = i64::try_from(text_bytes).unwrap_or(i64::MAX);
            let part = RecordingPart { part: claim.claims, text_bytes, payload };
            store.keep_recording(owner, claim.lease, &part, RUN_BYTES).await.map_err(|error| chain(&error))
        };
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(Ok(()))) if left_out == 0 => {}
            Ok(Ok(Ok(()))) => {
                tracing::warn!(run.id = run, calls = left_out, "the recording was full: calls are left out of it");
            }
            Ok(Ok(Err(Fenced))) => tracing::info!(run.id = run, "another host owns the object: recording not kept"),
            Ok(Err(error)) => tracing::warn!(run.id = run, error, "recording not kept"),
            Err(_) => tracing::warn!(run.id = run, "recording not kept: the database took too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ProviderError;
    use crate::domain::http::Response;
    use crate::egress::Exchange;
    use crate::egress::tests::{CANARY, World};
    use crate::kit::cassette::Made;

    fn exchange(body: &'static [u8]) -> Exchange {
        Exchange {
            method: "GET".to_owned(),
            url: "https://api.acme.test/".to_owned(),
            headers: Vec::new(),
            body: None,
            answer: Ok(Response { status: 200, headers: Vec::new(), body: body.into() }),
            took_ms: 1,
        }
    }

    fn failed() -> Result<Page, CallError> {
        Err(CallError::Provider(ProviderError::Unexpected(format!("the token {CANARY} is wrong"))))
    }

    #[tokio::test]
    async fn a_call_that_does_not_fit_is_left_out_as_a_whole_and_later_ones_are_kept() {
        let world = World::bearer();
        let session = world.session().await;
        let made = Made { name: "acme".to_owned(), version: String::new(), digest: String::new() };
        let cassette = Cassette::new(made, 0, json!({}), String::new(), 100);
        let mut tape = Tape { recorder: Arc::new(Recorder::new(20)), cassette, dropped: 0 };
        let calls: [&[&[u8]]; 4] = [&[b"12345"], &[b"12345", b"more than fits"], &[b"12345"], &[]];
        for (number, bodies) in calls.iter().enumerate() {
            bodies.iter().for_each(|body| tape.recorder().exchanged(exchange(body)));
            tape.keep("people", Some(&Cursor(format!("{number} {CANARY}"))), &failed(), &session);
        }
        assert_eq!(tape.cassette.left_out, 1);
        let kept: Vec<_> = tape
            .cassette
            .calls
            .iter()
            .map(|call| (call.cursor.as_deref().unwrap_or_default(), call.exchanges.len()))
            .collect();
        assert_eq!(kept, [("0 [redacted]", 1), ("2 [redacted]", 1), ("3 [redacted]", 0)]);
        let text = tape.cassette.to_text();
        assert!(text.contains("the token [redacted] is wrong") && !text.contains(CANARY), "{text}");
    }
}
