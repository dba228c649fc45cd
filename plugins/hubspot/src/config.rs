//! The integration's configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use syncline_sdk::Context;

/// As `manifest::CONFIG_SCHEMA` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    properties: BTreeMap<String, Vec<String>>,
    settle_seconds: u64,
    overlap_seconds: u64,
    archived_every_seconds: u64,
    page_size: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            properties: BTreeMap::new(),
            settle_seconds: 60,
            overlap_seconds: 3_600,
            archived_every_seconds: 3_600,
            page_size: None,
        }
    }
}

impl Config {
    /// How far the watermark stays behind HubSpot's clock.
    pub(crate) fn settle_ms(&self) -> u64 {
        self.settle_seconds.saturating_mul(1_000)
    }

    /// How far a window reaches back into the one before it.
    pub(crate) fn overlap_ms(&self) -> u64 {
        self.overlap_seconds.saturating_mul(1_000)
    }

    /// How long a walk of the archived list is good for.
    pub(crate) fn archived_every_ms(&self) -> u64 {
        self.archived_every_seconds.saturating_mul(1_000)
    }

    /// Extra properties of an object.
    pub(crate) fn extra_properties(&self, object: &str) -> &[String] {
        self.properties.get(object).map_or(&[], Vec::as_slice)
    }

    /// Rows to ask for: what was configured, else what the host would like, at most what the endpoint gives.
    pub(crate) fn limit(&self, ctx: &Context<'_>, max: u32) -> u32 {
        self.page_size.or(ctx.page_size()).unwrap_or(max).clamp(1, max)
    }
}
