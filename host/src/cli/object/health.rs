//! How an object is doing, in one word, and why. Computed from its row; stored nowhere.

use clap::ValueEnum;
use serde::Serialize;

use super::Listed;
use crate::cli::human;
use crate::store::admin::ObjectRow;

/// A success this much older than two intervals is late.
const LATE_AFTER_MS: i64 = 300_000;

/// How an object is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Synced when it should be.
    Healthy,
    /// Never synced so far.
    New,
    /// Synced too long ago.
    Late,
    /// The last run failed.
    Failing,
    /// The provider asked for a pause.
    RateLimited,
    /// Waits for credentials or configuration.
    NeedsAuth,
    /// Paused, itself or with its integration.
    Paused,
    /// Took its host down too often; waits for an operator.
    Quarantined,
}

impl Health {
    /// Judges a row.
    #[must_use]
    pub fn of(row: &ObjectRow) -> Self {
        match row.state.as_str() {
            "paused" => return Self::Paused,
            "quarantined" => return Self::Quarantined,
            "needs-auth" => return Self::NeedsAuth,
            _ => {}
        }
        if row.fails > 0 {
            return Self::Failing;
        }
        if row.last_outcome.as_deref() == Some("rate-limited") {
            return Self::RateLimited;
        }
        match row.synced_at {
            None => Self::New,
            Some(at) if at < row.now - 2 * row.effective_interval_ms - LATE_AFTER_MS => Self::Late,
            Some(_) => Self::Healthy,
        }
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::New => "new",
            Self::Late => "late",
            Self::Failing => "failing",
            Self::RateLimited => "rate-limited",
            Self::NeedsAuth => "needs-auth",
            Self::Paused => "paused",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A word to list objects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    /// Neither paused nor waiting for anybody
    Active,
    /// Paused, itself or with its integration
    Paused,
    /// Waiting for credentials or configuration
    NeedsAuth,
    /// Waiting for an operator after taking its host down
    Quarantined,
    /// Active and synced when it should be
    Healthy,
    /// Active and never synced
    New,
    /// Active and synced too long ago
    Late,
    /// Active, and the last run failed
    Failing,
    /// Active, and the provider asked for a pause
    RateLimited,
}

impl Word {
    /// Whether an object is listed under this word.
    #[must_use]
    pub fn fits(self, object: &Listed) -> bool {
        let health = match self {
            Self::Active => return object.row.state == "active",
            Self::Paused => Health::Paused,
            Self::NeedsAuth => Health::NeedsAuth,
            Self::Quarantined => Health::Quarantined,
            Self::Healthy => Health::Healthy,
            Self::New => Health::New,
            Self::Late => Health::Late,
            Self::Failing => Health::Failing,
            Self::RateLimited => Health::RateLimited,
        };
        object.health == health
    }
}

/// When it runs next.
pub(super) fn next_run(row: &ObjectRow) -> String {
    match (row.active, row.lease_owner.as_deref(), row.state.as_str()) {
        (1, Some(_), _) => "running".to_owned(),
        (1, None, _) => "queued".to_owned(),
        (_, _, "active") => human::until(row.due_at, row.now),
        _ => "-".to_owned(),
    }
}

/// Why it is not simply healthy.
pub(super) fn why(row: &ObjectRow) -> Option<String> {
    if row.pending_sweep_seq.is_some() {
        return Some("deletes wait for `object confirm-deletes`".to_owned());
    }
    match Health::of(row) {
        Health::Healthy | Health::New => None,
        Health::Late => Some("no success for more than two intervals".to_owned()),
        Health::Failing => {
            let error = row.last_error.clone().or_else(|| row.last_outcome.clone()).unwrap_or_default();
            Some(format!("{} in a row: {error}", human::count(usize::try_from(row.fails).unwrap_or(0), "failure")))
        }
        Health::RateLimited => Some("the provider asked for a pause".to_owned()),
        Health::NeedsAuth | Health::Quarantined => row.state_reason.clone().or_else(|| row.last_error.clone()),
        Health::Paused => row.state_reason.clone(),
    }
}

/// What an operator can do about it.
pub(super) fn what_to_do(row: &ObjectRow) -> Option<String> {
    let (customer, integration, object) = (&row.customer, &row.integration, &row.object);
    if row.pending_sweep_seq.is_some() {
        return Some(format!("syncline object confirm-deletes {customer}/{integration}/{object}"));
    }
    match Health::of(row) {
        Health::Healthy | Health::New | Health::RateLimited => None,
        Health::Late => Some("see whether a host runs: syncline status".to_owned()),
        Health::Failing => Some(format!("syncline runs list {customer}/{integration}/{object} --outcome failed")),
        Health::NeedsAuth => Some(format!("syncline integration set-credentials {customer}/{integration}")),
        Health::Quarantined => Some(format!("syncline object resume {customer}/{integration}/{object}")),
        Health::Paused => Some(format!(
            "syncline object resume {customer}/{integration}/{object}, or integration resume {customer}/{integration}"
        )),
    }
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;

    pub(in crate::cli) fn row() -> ObjectRow {
        ObjectRow {
            id: 1,
            customer: "acme".to_owned(),
            integration_id: 1,
            integration: "crm".to_owned(),
            provider: "crm".to_owned(),
            object: "Account".to_owned(),
            interaction_type: "account".to_owned(),
            mode: "incremental".to_owned(),
            deletes: "tombstones".to_owned(),
            state: "active".to_owned(),
            state_reason: None,
            active: 0,
            effective_interval_ms: 3_600_000,
            due_at: 100_000_000,
            dispatched_at: None,
            synced_at: Some(99_000_000),
            fails: 0,
            last_outcome: Some("succeeded".to_owned()),
            last_error: None,
            cursor: None,
            cursor_seq: 0,
            landed_seq: 0,
            epoch: 0,
            pending_sweep_seq: None,
            lease_owner: None,
            record_next: 0,
            now: 99_280_000,
        }
    }

    #[test]
    fn one_word_says_how_an_object_is_doing() {
        let health = |change: fn(&mut ObjectRow)| {
            let mut row = row();
            change(&mut row);
            Health::of(&row).as_str()
        };
        assert_eq!(health(|_| {}), "healthy");
        assert_eq!(health(|row| row.synced_at = None), "new");
        assert_eq!(health(|row| row.synced_at = Some(row.now - 7_500_001)), "late");
        assert_eq!(health(|row| row.synced_at = Some(row.now - 7_500_000)), "healthy");
        assert_eq!(health(|row| row.fails = 2), "failing");
        assert_eq!(health(|row| row.last_outcome = Some("rate-limited".to_owned())), "rate-limited");
        for state in ["paused", "quarantined", "needs-auth"] {
            let mut row = ObjectRow { fails: 3, ..row() };
            row.state = state.to_owned();
            assert_eq!(Health::of(&row).as_str(), state);
        }
    }

    #[test]
    fn the_next_run_is_a_countdown_unless_one_is_going_on() {
        let mut row = row();
        assert_eq!(next_run(&row), "in 12m");
        row.active = 1;
        assert_eq!(next_run(&row), "queued");
        row.lease_owner = Some("host".to_owned());
        assert_eq!(next_run(&row), "running");
        row = ObjectRow { state: "paused".to_owned(), ..super::tests::row() };
        assert_eq!(next_run(&row), "-");
    }

    #[test]
    fn active_is_every_object_that_may_run() {
        let failing = Listed::from(ObjectRow { fails: 1, ..row() });
        assert!(Word::Active.fits(&failing) && Word::Failing.fits(&failing) && !Word::Healthy.fits(&failing));
    }
}
