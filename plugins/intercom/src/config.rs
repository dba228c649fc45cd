//! The integration's configuration.

use serde::Deserialize;
use syncline_sdk::Context;

/// Rows of a list or a search, at most.
const ROWS: u32 = 150;

/// As `manifest::CONFIG_SCHEMA` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    region: Region,
    settle_seconds: u64,
    overlap_seconds: u64,
    whole: Vec<String>,
    conversation_parts: bool,
    page_size: Option<u32>,
}

/// Where the workspace's data is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Region {
    Us,
    Eu,
    Au,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: Region::Us,
            settle_seconds: 60,
            overlap_seconds: 600,
            whole: Vec::new(),
            conversation_parts: false,
            page_size: None,
        }
    }
}

impl Config {
    /// The region, as Intercom calls it but for the case.
    pub(crate) fn region(&self) -> &'static str {
        match self.region {
            Region::Us => "us",
            Region::Eu => "eu",
            Region::Au => "au",
        }
    }

    /// Scheme and host of every request.
    pub(crate) fn base(&self) -> &'static str {
        match self.region {
            Region::Us => "https://api.intercom.io",
            Region::Eu => "https://api.eu.intercom.io",
            Region::Au => "https://api.au.intercom.io",
        }
    }

    /// How far a watermark stays behind Intercom's clock, in seconds.
    pub(crate) fn settle(&self) -> u64 {
        self.settle_seconds
    }

    /// How far a window reaches back into the one before it, in seconds.
    pub(crate) fn overlap(&self) -> u64 {
        self.overlap_seconds
    }

    /// Whether every run reads all of this object.
    pub(crate) fn whole(&self, object: &str) -> bool {
        self.whole.iter().any(|name| name == object)
    }

    /// Whether conversations are read with their parts.
    pub(crate) fn conversation_parts(&self) -> bool {
        self.conversation_parts
    }

    /// Rows to ask for: what was configured, else what the host would like, at most what Intercom gives.
    pub(crate) fn rows(&self, ctx: &Context<'_>) -> u32 {
        self.page_size.or(ctx.page_size()).unwrap_or(ROWS).clamp(1, ROWS)
    }
}
