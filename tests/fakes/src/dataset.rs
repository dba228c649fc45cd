//! The records of one account at one provider, and every way they change.
//!
//! Owns what a correct connector could see and when: stamps in the provider's own grain, search indexes that lag
//! behind, transactions that commit after later ones were seen. Has no clock: the time is an
//! argument everywhere.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    api::{Habits, Leaving, Life},
    content::{self, mix, number, people},
    schema::{Field, Kind, Object, Provider},
};

/// Stamps of the records that exist from the start lie in the year from here on: long past, whatever the clock says.
const BASE_MS: i64 = 1_704_103_200_000;
const YEAR_MS: u64 = 31_000_000_000;

/// What has become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It exists.
    Live,
    /// Archived (HubSpot), in the bin (Salesforce), deactivated (users).
    Deleted {
        /// When, in ms.
        at_ms: i64,
    },
    /// Merged into another record.
    Merged {
        /// Number of the record that survived.
        into: u32,
    },
    /// Gone without a trace: privacy deletion, emptied bin.
    Purged,
}

/// What search believes about a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Index {
    /// The stamp that it is found by; `None` until it is found at all.
    pub shown: Option<i64>,
    /// From this time on it is found by that stamp.
    pub next: Option<(i64, i64)>,
}

/// A transaction that is not visible yet.
#[derive(Clone, Debug)]
pub struct Commit {
    /// When it becomes visible.
    pub at_ms: i64,
    /// What is seen until then; `None` for a record it creates.
    pub before: Option<Record>,
}

/// A record: what cannot be computed from its number.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number; the id is made of it.
    pub seq: u32,
    /// How often its content has changed.
    pub revision: u32,
    /// When it was created.
    pub created_ms: i64,
    /// When a user last changed it (`LastModifiedDate`); never after the stamp.
    pub modified_ms: i64,
    /// The stamp connectors go by (`updatedAt`, `SystemModstamp`).
    pub stamp_ms: i64,
    /// What has become of it.
    pub state: State,
    /// Numbers of the records merged into it (if losers vanish).
    pub losers: Vec<u32>,
    /// What search knows of it.
    pub index: Index,
    /// Its last change, while that is invisible.
    pub commit: Option<Box<Commit>>,
}

impl Record {
    /// What a reader sees at this time.
    pub fn view(&self, now: i64) -> Option<&Self> {
        match self.commit.as_deref() {
            Some(commit) if commit.at_ms > now => commit.before.as_ref().and_then(|before| before.view(now)),
            _ => (self.state != State::Purged).then_some(self),
        }
    }

    /// The stamp that search finds it by at this time, if it finds it.
    pub fn indexed(&self, now: i64) -> Option<i64> {
        match self.index.next {
            Some((due, stamp)) if due <= now => Some(stamp),
            _ => self.index.shown,
        }
    }

    fn settled(&self, now: i64) -> bool {
        self.index.next.is_none_or(|(due, _)| due <= now) && self.commit.as_ref().is_none_or(|c| c.at_ms <= now)
    }
}

/// All records of one object.
#[derive(Debug)]
pub struct Table {
    /// Whose.
    pub provider: Provider,
    /// What it is a table of.
    pub object: &'static Object,
    /// Seed of the content.
    pub seed: u64,
    /// Records every object started with; references point at those.
    pub peers: u32,
    /// By number.
    pub rows: Vec<Record>,
    /// Texts that were put into records, by their numbers.
    pub planted: BTreeMap<u32, String>,
}

/// How an account starts and how its provider behaves over time.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Seed of content and of every jitter.
    pub seed: u64,
    /// Records of each object.
    pub records: u32,
    /// How many of them share one stamp.
    pub ties: u32,
    /// A write reaches search after 0 to so many ms.
    pub index_lag_ms: i64,
    /// One change in eight becomes visible after 0 to so many ms.
    pub late_commit_ms: i64,
    /// Nothing but live records, for benchmarks.
    pub plain: bool,
}

/// One account at one provider.
#[derive(Debug)]
pub struct World {
    /// Which provider.
    pub provider: Provider,
    /// How it behaves.
    pub shape: Shape,
    /// Its objects, in the order of the schema.
    pub tables: Vec<Table>,
}

impl World {
    /// The account as it is before anything changes.
    pub fn new(provider: Provider, shape: Shape) -> Self {
        let tables = provider.objects().iter().map(|object| Table::new(provider, object, &shape)).collect();
        let mut world = Self { provider, shape, tables };
        let all = world.tables.iter().flat_map(|table| table.rows.iter().map(move |record| (table, record)));
        let stamps: Vec<_> =
            all.filter_map(|(table, record)| Some((stamped(table, record)?, record.stamp_ms))).collect();
        for ((name, seq), ms) in stamps {
            world.stamp(name, seq, ms);
        }
        world
    }

    /// The table of an object, by its exact name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.object.name == name)
    }

    fn habits(&self) -> Habits {
        self.provider.api().habits()
    }

    fn table_mut(&mut self, name: &str) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.object.name == name)
    }

    /// A new record. Returns its number.
    pub fn create(&mut self, name: &str, now: i64) -> Option<u32> {
        let (provider, shape) = (self.provider, self.shape);
        let table = self.table_mut(name)?;
        let seq = u32::try_from(table.rows.len()).ok()?;
        let mut record = Record {
            seq,
            revision: 0,
            created_ms: grain(provider, now),
            modified_ms: grain(provider, now),
            stamp_ms: grain(provider, now),
            state: State::Live,
            losers: Vec::new(),
            index: Index::default(),
            commit: None,
        };
        record.index.next = lag(provider, &shape, &record, now);
        record.commit = late(provider, &shape, &record, now).map(|at_ms| Box::new(Commit { at_ms, before: None }));
        let other = stamped(table, &record);
        table.rows.push(record);
        if let Some((name, seq)) = other {
            self.stamp(name, seq, now);
        }
        Some(seq)
    }

    /// Changes a live record.
    pub fn update(&mut self, name: &str, seq: u32, now: i64) -> bool {
        self.write(name, seq, now, true, |_| ())
    }

    /// Deletes, archives or deactivates a live record.
    pub fn delete(&mut self, name: &str, seq: u32, now: i64) -> bool {
        let at_ms = grain(self.provider, now);
        self.write(name, seq, now, true, |record| record.state = State::Deleted { at_ms })
    }

    /// Merges one live record into another.
    pub fn merge(&mut self, name: &str, winner: u32, loser: u32, now: i64) -> bool {
        let live = |table: &Table, seq| table.live(seq).is_some();
        let Some(table) = self.table(name) else {
            return false;
        };
        if winner == loser || !table.object.merges || !live(table, winner) || !live(table, loser) {
            return false;
        }
        let mut losers = vec![loser];
        if self.habits().losers_vanish {
            // A survivor that is merged away hands its own losers on.
            losers.extend(table.live(loser).map(|record| record.losers.clone()).unwrap_or_default());
        }
        for seq in &losers {
            if let Some(record) = self.table_mut(name).and_then(|table| table.rows.get_mut(*seq as usize)) {
                record.state = State::Merged { into: winner };
                record.commit = None;
            }
        }
        self.stamp(name, loser, now);
        self.write(name, winner, now, false, |record| record.losers.extend(losers))
    }

    /// Gives many live records one stamp, as batch jobs of providers do. Users did not change them, so
    /// `LastModifiedDate` stays. Returns how many there were.
    pub fn mass_update(&mut self, name: &str, count: usize, skip: usize, now: i64) -> usize {
        let Some(table) = self.table(name) else {
            return 0;
        };
        let live = table.rows.iter().filter(|record| record.state == State::Live && record.commit.is_none());
        let seqs: Vec<u32> = live.map(|record| record.seq).skip(skip).take(count).collect();
        for seq in &seqs {
            let before = self.table(name).and_then(|table| table.live(*seq)).map(|record| record.modified_ms);
            self.write(name, *seq, now, false, |record| record.modified_ms = before.unwrap_or(record.modified_ms));
        }
        seqs.len()
    }

    /// Changes the first live record of every object so that its texts and names are this one. Returns how many there were.
    pub fn plant(&mut self, text: &str, now: i64) -> usize {
        let first = |table: &Table| Some((table.object.name, table.rows.iter().find(|r| r.state == State::Live)?.seq));
        let chosen: Vec<_> = self.tables.iter().filter_map(first).collect();
        for (name, seq) in &chosen {
            if let Some(table) = self.table_mut(name) {
                table.planted.insert(*seq, text.to_owned());
            }
            self.update(name, *seq, now);
        }
        chosen.len()
    }

    /// Removes a record without a trace.
    pub fn purge(&mut self, name: &str, seq: u32) -> bool {
        let row = self.table_mut(name).and_then(|table| table.rows.get_mut(seq as usize));
        row.is_some_and(|record| {
            record.commit = None;
            record.state = State::Purged;
            true
        })
    }

    /// A new record whose transaction is seen only after a while, though its stamp is now.
    pub fn create_late(&mut self, name: &str, now: i64, after_ms: i64) -> Option<u32> {
        let seq = self.create(name, now)?;
        let record = self.table_mut(name)?.rows.get_mut(seq as usize)?;
        record.commit = Some(Box::new(Commit { at_ms: now + after_ms, before: None }));
        Some(seq)
    }

    /// Whether every write so far can be seen by every kind of read.
    pub fn settled(&self, now: i64) -> bool {
        let shown = now.saturating_sub(self.habits().hold_back_ms);
        let settled = |record: &Record| record.settled(now) && record.stamp_ms <= shown;
        self.tables.iter().all(|table| table.rows.iter().all(settled))
    }

    fn stamp(&mut self, name: &str, seq: u32, now: i64) {
        let grain_ms = grain(self.provider, now);
        if let Some(record) = self.table_mut(name).and_then(|table| table.rows.get_mut(seq as usize)) {
            record.stamp_ms = record.stamp_ms.max(grain_ms);
            record.modified_ms = record.stamp_ms;
        }
    }

    fn write(&mut self, name: &str, seq: u32, now: i64, may_be_late: bool, change: impl FnOnce(&mut Record)) -> bool {
        let (provider, shape) = (self.provider, self.shape);
        let Some(table) = self.table_mut(name) else {
            return false;
        };
        if provider.api().life(table.object) == Life::Fixed {
            return false;
        }
        let quiet = table.object.people && provider.api().habits().leaving == Leaving::Archived;
        let Some(record) = table.rows.get_mut(seq as usize).filter(|record| record.state == State::Live) else {
            return false;
        };
        // Somebody who writes waits for the row: an open transaction commits first.
        record.commit = None;
        let before = (may_be_late && shape.late_commit_ms > 0).then(|| record.clone());
        if let Some(stamp) = record.indexed(now) {
            record.index.shown = Some(stamp);
        }
        let was = record.stamp_ms;
        record.revision += 1;
        record.stamp_ms = record.stamp_ms.max(grain(provider, now));
        record.modified_ms = record.stamp_ms;
        change(record);
        if quiet && record.state != State::Live {
            // Archiving an owner does not move its stamp.
            record.stamp_ms = was;
        }
        record.index.next = lag(provider, &shape, record, now);
        record.commit = before.and_then(|before| {
            let at_ms = late(provider, &shape, record, now)?;
            Some(Box::new(Commit { at_ms, before: Some(before) }))
        });
        true
    }
}

impl Table {
    fn new(provider: Provider, object: &'static Object, shape: &Shape) -> Self {
        let seed = mix(&[shape.seed, number(object.name)]);
        let count = if object.people { people(shape.records) } else { shape.records };
        let mut rows: Vec<Record> = (0..count).map(|seq| seeded(provider, seed, seq, count, shape)).collect();
        if !shape.plain && provider.api().life(object) == Life::Full {
            for seq in 0..count {
                age(provider, object, seed, seq, &mut rows);
            }
        }
        Self { provider, object, seed, peers: shape.records, rows, planted: BTreeMap::new() }
    }

    /// What is in a field of a record.
    pub fn value(&self, field: &Field, record: &Record) -> Value {
        if let (Some(text), Kind::Text(_) | Kind::Company | Kind::LastName | Kind::FullName) =
            (self.planted.get(&record.seq), field.kind)
        {
            return Value::from(text.as_str());
        }
        content::value(self.provider, self.seed, field, (record.seq, record.revision), self.peers)
    }

    /// The same by the field's name; null if the object has no such field.
    pub fn named(&self, name: &str, record: &Record) -> Value {
        let field = self.object.fields.iter().find(|field| field.name == name);
        field.map_or(Value::Null, |field| self.value(field, record))
    }

    /// A live record by number.
    pub fn live(&self, seq: u32) -> Option<&Record> {
        self.rows.get(seq as usize).filter(|record| record.state == State::Live)
    }

    /// Every record as a reader sees it at this time, by number.
    pub fn views(&self, now: i64) -> impl Iterator<Item = &Record> {
        self.rows.iter().filter_map(move |record| record.view(now))
    }
}

/// A record of the first day.
fn seeded(provider: Provider, seed: u64, seq: u32, count: u32, shape: &Shape) -> Record {
    let offset = |part: u64, of: u64| i64::try_from(mix(&[seed, u64::from(seq), part]) % of.max(1)).unwrap_or(0);
    let created = BASE_MS + i64::from(seq) * i64::try_from(YEAR_MS / u64::from(count.max(1))).unwrap_or(0) / 2;
    // A block of every five shares one stamp, as after a batch job; so do the last `ties` records.
    let tied = seq >= count.saturating_sub(shape.ties.min(count));
    let stamp = match seq / 200 {
        _ if tied => BASE_MS + 20_000_000_123,
        block if block % 5 == 2 => BASE_MS + 16_000_000_000 + i64::from(block) * 1_000,
        _ => created + offset(1, YEAR_MS / 2),
    };
    let stamp_ms = grain(provider, stamp.max(created));
    Record {
        seq,
        revision: 0,
        created_ms: grain(provider, created),
        modified_ms: stamp_ms,
        stamp_ms,
        state: State::Live,
        losers: Vec::new(),
        index: Index { shown: Some(stamp_ms), next: None },
        commit: None,
    }
}

/// Some records of the first day are already deleted or merged.
fn age(provider: Provider, object: &Object, seed: u64, seq: u32, rows: &mut [Record]) {
    let Some((winner, loser)) = seq.checked_sub(1).zip(Some(seq)) else {
        return;
    };
    let fate = mix(&[seed, u64::from(seq), 9]) % 100;
    let winner_lives = rows.get(winner as usize).is_some_and(|record| record.state == State::Live);
    let Some(record) = rows.get_mut(loser as usize) else {
        return;
    };
    if fate < 3 {
        record.state = State::Deleted { at_ms: record.stamp_ms };
    } else if fate < 5 && object.merges && winner_lives {
        record.state = State::Merged { into: winner };
        let stamp = record.stamp_ms;
        if let Some(record) = rows.get_mut(winner as usize) {
            record.stamp_ms = record.stamp_ms.max(stamp);
            record.index.shown = Some(record.stamp_ms);
            if provider.api().habits().losers_vanish {
                record.losers.push(loser);
            }
        }
    }
}

fn stamped(table: &Table, record: &Record) -> Option<(&'static str, u32)> {
    table.provider.api().stamps(table, record)
}

/// The time in the provider's grain.
fn grain(provider: Provider, ms: i64) -> i64 {
    ms - ms.rem_euclid(provider.api().habits().grain_ms)
}

fn lag(provider: Provider, shape: &Shape, record: &Record, now: i64) -> Option<(i64, i64)> {
    if !provider.api().habits().index_lag {
        return None;
    }
    let jitter = mix(&[shape.seed, u64::from(record.seq), u64::from(record.revision), 3]);
    let lag = i64::try_from(jitter % (shape.index_lag_ms.max(0).unsigned_abs() + 1)).unwrap_or(0);
    Some((now + lag, record.stamp_ms))
}

fn late(provider: Provider, shape: &Shape, record: &Record, now: i64) -> Option<i64> {
    let jitter = mix(&[shape.seed, u64::from(record.seq), u64::from(record.revision), 4]);
    (provider.api().habits().late_commits && shape.late_commit_ms > 0 && jitter.is_multiple_of(8))
        .then(|| now + i64::try_from((jitter >> 8) % (shape.late_commit_ms.unsigned_abs() + 1)).unwrap_or(0))
}

#[cfg(test)]
mod tests;
