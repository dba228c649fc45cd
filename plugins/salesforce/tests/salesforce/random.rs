//! Random histories: whatever happens between two pages, what lands in the end is the truth.

use serde_json::json;

use crate::account::Copy;
use crate::org::{Header, START, Shared};

/// A small generator with a fixed sequence (xorshift64*), so that a seed is a test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

fn mutate(org: &Shared, dice: &mut Dice) {
    org.with(|org| {
        org.now += dice.roll(40);
        for _ in 0..dice.roll(4) {
            // A transaction stamps its rows with the time of the write and shows them up to five minutes later.
            let stamp = org.now - dice.roll(2) * dice.roll(300);
            let ids: Vec<String> = org.rows.values().filter(|row| !row.deleted).map(|row| row.id.clone()).collect();
            let pick = |dice: &mut Dice| ids[dice.roll(ids.len() as u64) as usize].clone();
            match dice.roll(6) {
                0 | 1 if ids.len() < 120 => org.create_many(dice.roll(12) as usize, stamp),
                _ if ids.len() < 3 => {}
                // A mass update: many rows, one second.
                2 => {
                    for _ in 0..dice.roll(30) {
                        let name = format!("renamed {}", dice.roll(1_000));
                        org.rename(&pick(dice), &name, stamp.max(org.now - 200));
                    }
                }
                3 => org.rename(&pick(dice), "renamed once", org.now),
                4 => org.delete(&pick(dice), None, org.now),
                _ => {
                    let (loser, winner) = (pick(dice), pick(dice));
                    if loser != winner {
                        org.delete(&loser, Some(&winner), org.now);
                    }
                }
            }
        }
    });
}

fn history(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let org = Shared::new();
    org.with(|org| {
        org.create_many(20, START - 700);
        for n in 0..dice.roll(60) {
            org.create(START - 5_000 + n / 5);
        }
        org.stop_after = [3, 7, 2_000][dice.roll(3) as usize];
        org.slow_above = [25, usize::MAX][dice.roll(2) as usize];
        org.header = [Header::EverySet, Header::FirstSet][dice.roll(2) as usize];
        org.job_states = [vec!["InProgress", "JobComplete"], vec!["Failed"]][dice.roll(2) as usize].clone();
    });
    let config = json!({"bulk_above": dice.roll(80), "bulk_page": 1 + dice.roll(30)});
    let mut copy = Copy::with_config(&org, 1 + dice.roll(12) as u32, config);
    for _ in 0..1 + dice.roll(5) {
        while copy.step().unwrap_or_else(|error| panic!("seed {seed}: {error}")) {
            mutate(&org, &mut dice);
            if dice.roll(40) == 0 {
                org.with(|org| org.jobs.clear());
            }
        }
        // Now and then a worker dies before its page is stored, and the one before counts.
        if dice.roll(3) == 0 {
            let stored = copy.cursor.clone();
            copy.step().unwrap();
            copy.cursor = stored;
        }
    }
    copy.settle();
    copy.assert_true();
}

#[test]
fn no_history_of_changes_between_pages_loses_a_row() {
    for seed in 1..=60 {
        history(seed);
    }
}
