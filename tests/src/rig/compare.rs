//! What landed against what the providers hold.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result};
use serde::Serialize;
use syncline::domain::ObjectId;
use syncline::kit::truth::{stamp_ms, wrong_field};
use syncline::store::feed::InteractionRow;

use super::Rig;
use crate::fakes::truth::{Fate, Truth};

/// How what landed differs from the truth. Nothing but counts of zero is right.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Records the providers hold.
    pub present: u64,
    /// Records that landed, tombstones included.
    pub landed: u64,
    /// Records the providers hold that did not land.
    pub missing: u64,
    /// Records that landed in another state than the providers' latest.
    pub stale: u64,
    /// Records that landed more than once.
    pub duplicates: u64,
    /// Records that were refused on landing.
    pub rejected: u64,
    /// The first few differences, in words.
    pub examples: Vec<String>,
}

impl Comparison {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing + self.stale + self.duplicates + self.rejected == 0
    }

    fn note(&mut self, text: String) {
        if self.examples.len() < 10 {
            self.examples.push(text);
        }
    }
}

impl Rig {
    /// Compares every object of every tenant.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn compare(&self) -> Result<Comparison> {
        let mut found = Comparison::default();
        for object in self.objects().await? {
            let place = format!("{}/{}/{}", object.customer, object.integration, object.object);
            let truth =
                self.fakes.truth(&object.customer, &object.object).with_context(|| format!("no truth for {place}"))?;
            let landed = self.landed(ObjectId(object.id)).await?;
            let (_, _, rejected) = self.store.interaction_counts(ObjectId(object.id)).await?;
            found.rejected += rejected.unsigned_abs();
            compare(&mut found, &place, &truth, &landed);
        }
        Ok(found)
    }

    /// Everything that landed of an object, by id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn landed(&self, object: ObjectId) -> Result<Vec<InteractionRow>> {
        let mut all: Vec<InteractionRow> = Vec::new();
        loop {
            let after = all.last().map_or(String::new(), |row| row.id.clone());
            let page = self.store.interactions(object, &after, 2_000).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

fn compare(found: &mut Comparison, place: &str, truth: &BTreeMap<String, Truth>, landed: &[InteractionRow]) {
    found.landed += landed.len() as u64;
    let mut seen = HashSet::new();
    for row in landed {
        if !seen.insert(row.id.as_str()) {
            found.duplicates += 1;
            found.note(format!("{place} {}: landed twice", row.id));
        }
        let difference = match truth.get(&row.id) {
            None => Some("the provider never had it".to_owned()),
            Some(truth) => difference(truth, row),
        };
        if let Some(difference) = difference {
            found.stale += 1;
            found.note(format!("{place} {}: {difference}", row.id));
        }
    }
    for (id, truth) in truth {
        if truth.fate == Fate::Present {
            found.present += 1;
            if !seen.contains(id.as_str()) {
                found.missing += 1;
                found.note(format!("{place} {id}: missing, stamp {:?}", truth.stamp));
            }
        }
    }
}

/// How a landed row differs from the truth about it, if it does.
fn difference(truth: &Truth, row: &InteractionRow) -> Option<String> {
    let (state, into) = match &truth.fate {
        Fate::Present => ("present", None),
        Fate::Deleted => ("deleted", None),
        Fate::Merged { into } => ("merged", Some(into)),
    };
    if row.state != state || row.merged_into.as_ref() != into {
        return Some(format!("is {} {:?}, should be {state} {into:?}", row.state, row.merged_into));
    }
    if truth.fate != Fate::Present {
        return None;
    }
    let landed_ms = row.provider_updated_at.as_deref().and_then(stamp_ms);
    if truth.stamp_ms.is_some() && landed_ms != truth.stamp_ms {
        return Some(format!("has stamp {:?}, should have {:?}", row.provider_updated_at, truth.stamp));
    }
    wrong_field(row.data.as_str().unwrap_or("{}"), &truth.data)
}
