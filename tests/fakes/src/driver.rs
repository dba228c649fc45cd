//! Picks the next change: seeded, so that one seed and one number of steps always give one history.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;

use super::{
    dataset::{State, World},
    schema::Object,
};

/// A change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change {
    Create,
    Update,
    Delete,
    Merge,
    MassUpdate,
    Nothing,
}

/// The source of changes for one account.
#[derive(Debug)]
pub struct Driver {
    rng: StdRng,
}

impl Driver {
    /// A driver that always makes the same choices for a seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed) }
    }

    /// Makes one change.
    pub fn step(&mut self, world: &mut World, now: i64) -> Change {
        let objects = world.provider.objects();
        let Some(object) = objects.get(self.rng.random_range(0..objects.len().max(1))) else {
            return Change::Nothing;
        };
        let dice = self.rng.random_range(0..100u32);
        let made = match dice {
            0..35 => world.create(object.name, now).map(|_| Change::Create),
            35..80 => {
                self.live(world, object).filter(|seq| world.update(object.name, *seq, now)).map(|_| Change::Update)
            }
            80..90 => self.delete(world, object, now),
            90..96 => self.merge(world, object, now),
            _ => self.mass_update(world, object, now),
        };
        made.unwrap_or(Change::Nothing)
    }

    fn delete(&mut self, world: &mut World, object: &Object, now: i64) -> Option<Change> {
        let seq = self.live(world, object)?;
        world.delete(object.name, seq, now).then_some(Change::Delete)
    }

    fn merge(&mut self, world: &mut World, object: &Object, now: i64) -> Option<Change> {
        let (winner, loser) = (self.live(world, object)?, self.live(world, object)?);
        world.merge(object.name, winner, loser, now).then_some(Change::Merge)
    }

    fn mass_update(&mut self, world: &mut World, object: &Object, now: i64) -> Option<Change> {
        if object.people {
            return None;
        }
        let (count, skip) = (self.rng.random_range(20..250), self.rng.random_range(0..200));
        (world.mass_update(object.name, count, skip, now) > 0).then_some(Change::MassUpdate)
    }

    fn live(&mut self, world: &World, object: &Object) -> Option<u32> {
        let rows = &world.table(object.name)?.rows;
        (0..64).find_map(|_| {
            let row = rows.get(self.rng.random_range(0..rows.len().max(1)))?;
            (row.state == State::Live).then_some(row.seq)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dataset::Shape, schema::Provider, truth};

    #[test]
    fn one_seed_gives_one_history_with_every_kind_of_change() {
        let shape = Shape { seed: 3, records: 200, ties: 0, index_lag_ms: 100, late_commit_ms: 0, plain: false };
        let run = || {
            let mut world = World::new(Provider::Salesforce, shape);
            let mut driver = Driver::new(11);
            let made: Vec<Change> = (0..300).map(|n| driver.step(&mut world, 1_790_000_000_000 + n * 10)).collect();
            (made, truth::of(world.table("Account").unwrap(), 1_800_000_000_000))
        };
        let (first, second) = (run(), run());
        assert_eq!(first, second);
        for kind in [Change::Create, Change::Update, Change::Delete, Change::Merge, Change::MassUpdate] {
            assert!(first.0.contains(&kind), "{kind:?} never happened");
        }
    }
}
