//! What the requests of one integration have in common in this process, across runs: pace, retries, breakers,
//! credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::breakers::Breakers;
use super::config::EgressConfig;
use super::credentials::CredentialStore;
use super::keyring::Keyring;
use super::pace::Pace;
use super::retry::RetryBudget;
use crate::domain::{IntegrationId, RateHint};

/// Lanes beyond this number are dropped when nobody uses them.
const KEPT: usize = 4096;

/// The lane of one integration.
pub(super) struct Lane {
    rate: RateHint,
    pub(super) pace: Pace,
    pub(super) retries: RetryBudget,
    pub(super) breakers: Arc<Breakers>,
    pub(super) ring: Arc<Keyring>,
}

/// The lanes of all integrations in use.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<IntegrationId, Arc<Lane>>>,
}

impl Lanes {
    /// The lane of an integration; a new one if its connector's rate has changed.
    pub(super) fn of(
        &self,
        integration: IntegrationId,
        connector: &str,
        rate: RateHint,
        config: &EgressConfig,
        store: &Arc<dyn CredentialStore>,
    ) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lanes.get(&integration);
        if let Some(lane) = known.filter(|lane| lane.rate == rate) {
            return Arc::clone(lane);
        }
        let ring = known.map(|lane| Arc::clone(&lane.ring));
        let breakers = known.map(|lane| Arc::clone(&lane.breakers));
        let new_breakers = || Arc::new(Breakers::new(integration, connector, &config.limits));
        let lane = Arc::new(Lane {
            rate,
            pace: Pace::new(rate, config.default_rate.concurrency.max(1)),
            retries: RetryBudget::new(),
            breakers: breakers.unwrap_or_else(new_breakers),
            ring: ring.unwrap_or_else(|| Arc::new(Keyring::new(integration, Arc::clone(store)))),
        });
        if lanes.len() >= KEPT {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        lanes.insert(integration, Arc::clone(&lane));
        lane
    }
}
