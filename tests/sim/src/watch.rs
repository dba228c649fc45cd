//! What must be true after every step, read from the database behind the hosts' back.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anyhow::{Context as _, Result, bail, ensure};

use crate::database::Database;

/// All that matters, a line for each row: a letter for the table, numbers, and texts, separated by `|`.
const STATE: &str = "
    SELECT 'o|' || id || '|' || epoch || '|' || cursor_seq || '|' || landed_seq || '|' || active || '|'
           || COALESCE(lease_until, 0) || '|' || due_at || '|' || COALESCE(dispatched_at, 0) || '|' || attempts || '|'
           || pass_seq || '|' || COALESCE(lease_owner, '') || '|' || state || '|' || COALESCE(last_outcome, '') || '|'
           || COALESCE(cursor, '') AS line FROM objects
    UNION ALL SELECT 'r|' || id || '|' || object_id || '|' || dispatched_at || '|' || COALESCE(epoch, 0) || '|' || pages
           || '|' || claims || '|' || slice || '|' || not_before || '|' || COALESCE(finished_at, 0) || '|' || state || '|'
           || COALESCE(host, '') || '|' || COALESCE(connector_version, '') FROM runs
    UNION ALL SELECT 'b|' || id || '|' || object_id || '|' || seq || '|' || epoch || '|' || records || '|'
           || CASE WHEN payload IS NULL THEN 0 ELSE 1 END || '|' || COALESCE(sweep_seq, -1) || '|' || state FROM batches
    UNION ALL SELECT 'i|' || object_id || '|' || version || '|' || change_seq || '|' || external_id || '|' || state || '|'
           || COALESCE(provider_version, '') || '|' || COALESCE(CAST(data AS TEXT), '') FROM interactions
    UNION ALL SELECT 'm|' || id || '|' || attempts || '|' || available_at || '|' || queue || '|' || dedup FROM outbox
    UNION ALL SELECT 'f|' || integration_id || '|' || last_seq FROM feeds
    UNION ALL SELECT 'j|' || batch_id || '|' || position || '|' || reason FROM rejected
    ORDER BY line";

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The claim's number.
    pub epoch: i64,
    /// Pages committed.
    pub cursor_seq: i64,
    landed_seq: i64,
    active: i64,
    lease_until: i64,
    dispatched_at: i64,
    /// Who holds the lease; nobody if empty.
    pub owner: String,
    /// `active`, `paused`, `quarantined`.
    pub state: String,
    cursor: String,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Whose.
    pub object: i64,
    /// When it was dispatched.
    pub dispatched_at: i64,
    /// How it stands.
    pub state: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    object: i64,
    seq: i64,
    epoch: i64,
    state: String,
    payload: i64,
    sweeps: bool,
}

/// A record that landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    version: i64,
    change_seq: i64,
    /// `present` or `deleted`.
    pub state: String,
    /// The provider's stamp of it.
    pub stamp: String,
    /// Its data.
    pub data: String,
}

/// The state of the database at one moment.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The rows as they were read.
    pub lines: Vec<String>,
    /// By id.
    pub objects: BTreeMap<i64, Object>,
    /// By id.
    pub runs: BTreeMap<i64, Run>,
    batches: BTreeMap<i64, Batch>,
    /// By object and the provider's id.
    pub landed: BTreeMap<(i64, String), Landed>,
    rejected: usize,
    /// A hash of every row.
    pub hash: u64,
}

/// Who took the step that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Work on a claim: the object and the epoch of the claim.
    Worker {
        /// The object.
        object: i64,
        /// The epoch.
        epoch: i64,
    },
    /// Whoever claims.
    Claimer,
    /// Whoever takes back what expired.
    Sweeper,
    /// An operator.
    Operator,
    /// Anybody else.
    Other,
}

impl State {
    /// Reads it.
    ///
    /// # Errors
    /// When the database fails or says what nobody understands.
    pub async fn read(database: &Database) -> Result<Self> {
        let mut state = Self { lines: database.texts(STATE).await?, ..Self::default() };
        let mut hasher = DefaultHasher::new();
        state.lines.hash(&mut hasher);
        state.hash = hasher.finish();
        for line in &state.lines {
            let fields: Vec<&str> = line.split('|').collect();
            let text = |at: usize| fields.get(at).copied().unwrap_or_default().to_owned();
            let number =
                |at: usize| text(at).parse::<i64>().with_context(|| format!("field {at} of {line:?} is no number"));
            match fields.first().copied() {
                Some("o") => {
                    let object = Object {
                        epoch: number(2)?,
                        cursor_seq: number(3)?,
                        landed_seq: number(4)?,
                        active: number(5)?,
                        lease_until: number(6)?,
                        dispatched_at: number(8)?,
                        owner: text(11),
                        state: text(12),
                        cursor: text(14),
                    };
                    state.objects.insert(number(1)?, object);
                }
                Some("r") => {
                    let run = Run { object: number(2)?, dispatched_at: number(3)?, state: text(10) };
                    state.runs.insert(number(1)?, run);
                }
                Some("b") => {
                    let batch = Batch {
                        object: number(2)?,
                        seq: number(3)?,
                        epoch: number(4)?,
                        payload: number(6)?,
                        sweeps: number(7)? >= 0,
                        state: text(8),
                    };
                    state.batches.insert(number(1)?, batch);
                }
                Some("i") => {
                    let landed = Landed {
                        version: number(2)?,
                        change_seq: number(3)?,
                        state: text(5),
                        stamp: text(6),
                        data: text(7),
                    };
                    state.landed.insert((number(1)?, text(4)), landed);
                }
                Some("j") => state.rejected += 1,
                _ => {}
            }
        }
        Ok(state)
    }

    /// The runs of an object, in the order in which they were dispatched.
    pub fn runs_of(&self, object: i64) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(move |run| run.object == object)
    }

    /// Whether something is committed and has not landed.
    #[must_use]
    pub fn has_unlanded(&self) -> bool {
        self.batches.values().any(|batch| batch.state == "committed")
    }

    /// What is true of every state.
    ///
    /// # Errors
    /// What is not.
    pub fn sound(&self, throttle_ms: i64) -> Result<()> {
        let mut actives: HashMap<i64, usize> = HashMap::new();
        let mut dispatched: HashMap<i64, i64> = HashMap::new();
        for (id, run) in &self.runs {
            if matches!(run.state.as_str(), "dispatched" | "running") {
                *actives.entry(run.object).or_default() += 1;
            }
            if let Some(before) = dispatched.insert(run.object, run.dispatched_at) {
                let apart = run.dispatched_at - before;
                ensure!(apart >= throttle_ms, "run {id} was dispatched {apart} ms after the one before (G4)");
            }
        }
        for (id, object) in &self.objects {
            let active = actives.get(id).copied().unwrap_or(0);
            ensure!(active <= 1, "object {id} has {active} active runs (G3)");
            ensure!(
                usize::try_from(object.active).ok() == Some(active),
                "object {id} says active = {} and has {active} active runs",
                object.active
            );
            ensure!(object.landed_seq <= object.cursor_seq, "object {id} has landed more than was fetched (G2)");
            ensure!(object.owner.is_empty() == (object.lease_until == 0), "object {id} has half a lease");
            ensure!(
                dispatched.get(id).is_none_or(|at| object.dispatched_at >= *at),
                "object {id} does not remember its last dispatch"
            );
        }
        for (id, batch) in &self.batches {
            let Some(object) = self.objects.get(&batch.object) else { bail!("batch {id} has no object") };
            ensure!(batch.seq <= object.cursor_seq, "batch {id} is ahead of its object's cursor");
            match batch.state.as_str() {
                "landed" => ensure!(batch.seq <= object.landed_seq, "batch {id} landed behind the object's back"),
                _ => {
                    ensure!(batch.seq > object.landed_seq, "batch {id} waits although later ones have landed");
                    ensure!(batch.payload == 1 || batch.sweeps, "batch {id} waits and has lost its payload (G1)");
                }
            }
        }
        ensure!(self.rejected == 0, "{} records were rejected", self.rejected);
        Ok(())
    }

    /// What is true of every step from one state to the next. `served` is how many records the page held that the worker
    /// was given last.
    ///
    /// # Errors
    /// What is not.
    pub fn follows(&self, before: &Self, actor: Actor, served: usize, now_ms: i64) -> Result<()> {
        for (id, then) in &before.objects {
            let Some(now) = self.objects.get(id) else { bail!("object {id} is gone") };
            let grown = now.cursor_seq - then.cursor_seq;
            ensure!(now.epoch >= then.epoch, "the epoch of object {id} went back");
            ensure!(grown >= 0, "the cursor_seq of object {id} went back");
            ensure!(now.landed_seq >= then.landed_seq, "the landed_seq of object {id} went back");
            ensure!(
                grown > 0 || now.cursor == then.cursor || actor == Actor::Operator,
                "the cursor of object {id} moved without a page (G2)"
            );
            match actor {
                Actor::Worker { object, epoch } if object == *id && epoch == then.epoch && !then.owner.is_empty() => {
                    ensure!(grown <= 1, "object {id} took {grown} pages in one step");
                    let mut stored = self.batches.values().filter(|batch| batch.object == *id);
                    ensure!(
                        grown == 0 || served == 0 || stored.any(|batch| batch.seq == now.cursor_seq),
                        "the cursor of object {id} is ahead of a page of {served} records (G2)"
                    );
                }
                Actor::Worker { .. } => {
                    ensure!(now == then, "object {id} was written by a worker that does not own it (G8)")
                }
                _ => ensure!(grown == 0, "object {id} took a page from somebody who does not fetch"),
            }
            if now.epoch > then.epoch {
                let held = !then.owner.is_empty();
                match actor {
                    Actor::Claimer => ensure!(!held, "object {id} was claimed although {} holds it (G3)", then.owner),
                    Actor::Sweeper => {
                        ensure!(then.lease_until < now_ms, "object {id} was taken back before its lease was over");
                    }
                    Actor::Operator => {}
                    _ => bail!("the epoch of object {id} grew by the hand of {actor:?}"),
                }
            }
        }
        for (id, then) in &before.batches {
            let Some(now) = self.batches.get(id) else { bail!("batch {id} is gone (G1)") };
            ensure!(
                (then.object, then.seq, then.epoch) == (now.object, now.seq, now.epoch),
                "batch {id} was rewritten"
            );
            ensure!(then.state != "landed" || now.state == "landed", "batch {id} has come back");
        }
        for (key, then) in &before.landed {
            let Some(now) = self.landed.get(key) else { bail!("record {key:?} is gone (G1)") };
            ensure!(now.version >= then.version, "the version of record {key:?} went back (G7)");
            ensure!(now.change_seq >= then.change_seq, "the feed number of record {key:?} went back");
            ensure!(now.stamp >= then.stamp, "record {key:?} went back to an older state (G7)");
        }
        if let Actor::Worker { object, epoch } = actor {
            let owns = before.objects.get(&object).is_some_and(|then| then.epoch == epoch && !then.owner.is_empty());
            ensure!(owns || self.lines == before.lines, "a worker wrote under epoch {epoch}, which is over (G8)");
        }
        Ok(())
    }
}
