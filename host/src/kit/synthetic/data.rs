//! The records of a described provider, every way they change, and what lists show of them when.
//!
//! Has no clock: the time is an argument everywhere. A change is a version of its own, so that a list that lags can show
//! the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::content::{self, At, Kind, below, mix, number};
use super::description::{Deletes, Description, Object};

/// Stamps of the records that exist from the start lie in the year from here on: long past, whatever the clock says.
const BASE_MS: i64 = 1_735_725_600_000;
const YEAR_MS: u64 = 31_000_000_000;

/// A record as it is between two changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// The stamp, in the grain of the object's format.
    pub(super) stamp_ms: i64,
    /// How often the record was changed before.
    pub(super) revision: u32,
    /// It is deleted.
    pub(super) deleted: bool,
    /// Lists show it from this time on.
    shown_ms: i64,
}

/// A record.
#[derive(Debug)]
pub(super) struct Record {
    /// Its number, from 1 on.
    pub(super) number: u32,
    /// When it was created, in the grain of the object's format.
    pub(super) created_ms: i64,
    /// From the oldest that lists may still show to the latest. Never empty.
    versions: Vec<Version>,
}

impl Record {
    /// What is true.
    pub(super) fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// What lists show at this time; `None` while they do not know it.
    pub(super) fn shown(&self, now: i64) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.shown_ms <= now)
    }

    fn live(&self) -> bool {
        self.latest().is_some_and(|version| !version.deleted)
    }
}

/// All records of an object.
#[derive(Debug)]
pub(super) struct Table {
    /// Their description.
    pub(super) object: Arc<Object>,
    seed: u64,
    records: BTreeMap<u32, Record>,
    /// How many records every object that is referred to has at the start, with its id format.
    targets: BTreeMap<String, (u32, super::spelling::IdFormat)>,
    next: u32,
    picks: u64,
}

impl Table {
    /// The records as they are before anything changes.
    pub(super) fn new(description: &Description, object: &Arc<Object>, seed: u64) -> Self {
        let seed = mix(&[seed, number(object.name.get_ref())]);
        let targets = description
            .objects
            .iter()
            .map(|object| (object.name.get_ref().clone(), (object.records, object.id.format.clone())));
        let mut table = Self {
            object: Arc::clone(object),
            seed,
            records: BTreeMap::new(),
            targets: targets.collect(),
            next: object.records.saturating_add(1),
            picks: 0,
        };
        let hazards = &description.hazards;
        let ties = hazards.ties.min(object.records);
        let traces = object.deletes.leaves_traces();
        for number in 1..=object.records {
            let tied = number > object.records - ties;
            let deleted = traces && !tied && table.dice(number, 2) % 100 < u64::from(hazards.deleted);
            table.records.insert(number, table.seeded(number, tied, deleted));
        }
        table
    }

    fn seeded(&self, number: u32, tied: bool, deleted: bool) -> Record {
        let object = &self.object;
        let step = YEAR_MS / 2 / u64::from(object.records.max(1));
        let created = BASE_MS + i64::try_from(u64::from(number) * step).unwrap_or(0);
        let later = i64::try_from(self.dice(number, 1) % (YEAR_MS / 2)).unwrap_or(0);
        let stamp = if tied { BASE_MS + 20_000_000_123 } else { created + later };
        let format = object.updated.format;
        let stamp_ms = format.cut(stamp.max(created));
        let version = Version { stamp_ms, revision: u32::from(deleted), deleted, shown_ms: i64::MIN };
        Record { number, created_ms: format.cut(created), versions: vec![version] }
    }

    /// A number that looks random and is always the same.
    pub(super) fn dice(&self, number: u32, purpose: u64) -> u64 {
        mix(&[self.seed, u64::from(number), purpose])
    }

    /// All records, by number.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// One record.
    pub(super) fn record(&self, number: u32) -> Option<&Record> {
        self.records.get(&number)
    }

    /// The number of a live record: the next one of an order that means nothing.
    pub(super) fn any(&mut self) -> Option<u32> {
        let live: Vec<u32> = self.records.values().filter(|record| record.live()).map(|record| record.number).collect();
        self.picks += 1;
        live.get(below(mix(&[self.seed, self.picks, 5]), live.len())).copied()
    }

    /// A new record. Answers with its number.
    pub(super) fn create(&mut self, now: i64, lag_ms: i64) -> u32 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let stamp_ms = self.object.updated.format.cut(now);
        let version = Version { stamp_ms, revision: 0, deleted: false, shown_ms: self.due(number, 0, now, lag_ms) };
        self.records.insert(number, Record { number, created_ms: stamp_ms, versions: vec![version] });
        number
    }

    /// Changes a live record, or deletes it.
    pub(super) fn write(&mut self, number: u32, deleted: bool, now: i64, lag_ms: i64) -> bool {
        let format = self.object.updated.format;
        let Some(latest) = self.records.get(&number).filter(|record| record.live()).and_then(Record::latest) else {
            return false;
        };
        let revision = latest.revision + 1;
        let shown_ms = self.due(number, revision, now, lag_ms);
        // A stamp never goes back.
        let stamp_ms = format.cut(now).max(latest.stamp_ms);
        let Some(record) = self.records.get_mut(&number) else { return false };
        // What lists show now is the oldest version that they can still show.
        let keep = record.versions.iter().rposition(|version| version.shown_ms <= now).unwrap_or(0);
        record.versions.drain(..keep);
        record.versions.push(Version { stamp_ms, revision, deleted, shown_ms });
        true
    }

    /// Changes so many live records, all at one time. Answers with how many there were.
    pub(super) fn mass_update(&mut self, count: usize, now: i64, lag_ms: i64) -> usize {
        let live: Vec<u32> =
            self.records.values().filter(|record| record.live()).map(|record| record.number).take(count).collect();
        live.iter().filter(|number| self.write(**number, false, now, lag_ms)).count()
    }

    /// Removes a record without a trace.
    pub(super) fn purge(&mut self, number: u32) -> bool {
        self.records.remove(&number).is_some()
    }

    /// Whether lists show every change.
    pub(super) fn settled(&self, now: i64) -> bool {
        self.records.values().all(|record| record.latest().is_none_or(|version| version.shown_ms <= now))
    }

    fn due(&self, number: u32, revision: u32, now: i64, lag_ms: i64) -> i64 {
        let jitter = mix(&[self.seed, u64::from(number), u64::from(revision), 3]);
        now + i64::try_from(jitter % (lag_ms.max(0).unsigned_abs() + 1)).unwrap_or(0)
    }

    /// A version of a record as JSON.
    pub(super) fn json(&self, record: &Record, version: &Version) -> Map<String, Json> {
        let object = &self.object;
        let mut json = Map::new();
        let blank = version.deleted && matches!(object.deletes, Deletes::Tombstones { blank: true, .. });
        for (member, kind) in &object.fields {
            let value =
                if blank { Json::Null } else { self.value(&member.to_string(), kind.get_ref(), record, version) };
            member.put(&mut json, value);
        }
        object.id.field.put(&mut json, object.id.format.json(record.number));
        object.updated.field.put(&mut json, object.updated.format.json(version.stamp_ms));
        if let Some(created) = &object.created {
            created.field.put(&mut json, created.format.json(created.format.cut(record.created_ms)));
        }
        match &object.deletes {
            Deletes::Tombstones { field, value, live, .. } => {
                field.put(&mut json, if version.deleted { value } else { live }.clone());
            }
            Deletes::List { field: Some(field), .. } if version.deleted => field.put(&mut json, Json::Bool(true)),
            Deletes::List { .. } | Deletes::Absence | Deletes::None => {}
        }
        json
    }

    fn value(&self, field: &str, kind: &Kind, record: &Record, version: &Version) -> Json {
        if let Kind::Ref(target) = kind {
            let target = self.targets.get(target).filter(|(records, _)| *records > 0);
            return target.map_or(Json::Null, |(records, format)| {
                let hash = mix(&[self.seed, number(field), u64::from(record.number)]);
                format.json(u32::try_from(hash % u64::from(*records)).unwrap_or(0) + 1)
            });
        }
        let moments = self.object.updated.format;
        let at = At { seed: self.seed, field, record: record.number, revision: version.revision, moments };
        content::value(kind, at)
    }
}
