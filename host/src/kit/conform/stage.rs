//! Where a connector is called: live through sockets, or over a wire that answers from a cassette.

use std::sync::Arc;

use super::{ConformError, Subject};
use crate::connector::Moment;
use crate::domain::CallError;
use crate::egress::{EgressConfig, Gate, MemoryPauses, OpenError, Tape, Wire};
use crate::kit::cassette::record::Recorder;
use crate::kit::cassette::{Cassette, play};
use crate::kit::line::{self, Line, Setting};

/// Time between now and the other now of a second reading.
const LATER_MS: u64 = 26 * 60 * 60 * 1_000;

/// The suite's stage.
pub(super) struct Stage<'a> {
    pub(super) subject: &'a Subject,
    /// The gate to the synthetic provider.
    live: Option<Arc<Gate>>,
    replay: EgressConfig,
    /// What replays show as the time.
    pub(super) moment: Moment,
    config: serde_json::Value,
    auth: String,
    page_size: u32,
}

impl<'a> Stage<'a> {
    pub(super) async fn new(subject: &'a Subject) -> Result<Self, ConformError> {
        let (mut live, mut now_ms) = (None, 0);
        if let Some(control) = &subject.control {
            let credentials = line::in_memory(subject.secrets.iter().map(|(name, value)| (name.as_str(), value)));
            let gate = Gate::new(subject.egress.clone(), credentials, Arc::new(MemoryPauses::default()))?;
            live = Some(Arc::new(gate));
            now_ms = control.status().await?.now_ms;
            // The suite asks for more in a minute than a connector does in a day. Not every provider has a limit to lift.
            let _ = control.turn(serde_json::json!({ "rate": null })).await;
        }
        Ok(Self {
            subject,
            live,
            replay: play::egress(),
            moment: Moment { now_ms, seed: 1 },
            config: subject.config.clone(),
            auth: subject.auth.clone(),
            page_size: subject.page_size,
        })
    }

    /// The same stage for what a cassette was recorded with.
    pub(super) fn for_cassette(&self, cassette: &Cassette) -> Self {
        let config = if cassette.config.is_object() { &cassette.config } else { &self.config };
        let auth = if cassette.auth.is_empty() { &self.auth } else { &cassette.auth };
        Self {
            subject: self.subject,
            live: self.live.clone(),
            replay: self.replay.clone(),
            moment: Moment { now_ms: cassette.recorded_at_ms(), seed: 1 },
            config: config.clone(),
            auth: auth.clone(),
            page_size: if cassette.page_size == 0 { self.page_size } else { cassette.page_size },
        }
    }

    /// Another time and other dice.
    pub(super) const fn elsewhen(&self) -> Moment {
        Moment { now_ms: self.moment.now_ms + LATER_MS, seed: 2 }
    }

    /// A line to the synthetic provider.
    pub(super) async fn live(
        &self,
        moment: Moment,
        page_size: u32,
        tape: Option<Arc<dyn Tape>>,
    ) -> Result<Line, ConformError> {
        let gate = self.live.as_ref().ok_or(ConformError::Nothing)?;
        let setting = Setting { moment: Some(moment), tape, ..self.setting(page_size) };
        Ok(Line::open(gate, Arc::clone(&self.subject.connector), setting).await?)
    }

    /// A line over a wire, with what passes it.
    pub(super) async fn replay(&self, wire: Arc<dyn Wire>, moment: Moment) -> Result<(Line, Arc<Recorder>), OpenError> {
        let manifest = &self.subject.connector.manifest;
        let gate = line::gate_without_credentials(self.replay.clone(), manifest, &self.auth, wire);
        let recorder = Arc::new(Recorder::default());
        let tape: Arc<dyn Tape> = Arc::clone(&recorder) as _;
        let setting = Setting { moment: Some(moment), tape: Some(tape), ..self.setting(self.page_size) };
        let line = Line::open(&gate, Arc::clone(&self.subject.connector), setting).await?;
        Ok((line, recorder))
    }

    fn setting(&self, page_size: u32) -> Setting<'_> {
        Setting::of(&self.config, &self.auth, page_size, self.subject.budget)
    }

    pub(super) const fn page_size(&self) -> u32 {
        self.page_size
    }

    pub(super) const fn config(&self) -> &serde_json::Value {
        &self.config
    }

    pub(super) fn auth(&self) -> &str {
        &self.auth
    }
}

/// A session that cannot be opened over a wire is the connector's fault: its hosts do not fit the configuration.
pub(super) fn not_opened(error: &OpenError) -> CallError {
    CallError::Host(crate::domain::chain(error))
}
