//! Objects that are read as a whole, for the sake of their deletes.

use serde_json::json;
use syncline_sdk::{Connector, DeleteMode, SyncMode};

use crate::mini::Mini;
use crate::world::{HOUR, MINUTE};

fn synced(object: &'static str, records: u64) -> Mini {
    let mut mini = Mini::new(object);
    mini.config = json!({"whole": [object]});
    mini.write(1..=records, "old");
    mini.pass(HOUR);
    mini.sync();
    mini.assert_truth();
    mini
}

#[test]
fn deletes_and_merges_show_by_absence() {
    for object in ["contacts", "conversations", "tickets"] {
        let mut mini = synced(object, 400);
        for id in (1..=400).step_by(3) {
            mini.world().remove(object, id);
        }
        mini.write([2], "new");
        mini.pass(2 * MINUTE);
        mini.sync();
        mini.assert_truth();
    }
}

#[test]
fn a_record_that_changes_during_the_pass_is_not_taken_for_gone() {
    for object in ["contacts", "conversations", "tickets"] {
        let mut mini = synced(object, 1_000);
        mini.pass(HOUR);
        mini.world().before_each(move |request, world| {
            for id in 0..20 {
                world.write(object, 1_000 - (request as u64 * 20 + id) % 900, "restless");
            }
        });
        mini.sync();
        mini.world().before_each(|_, _| {});
        assert_eq!(mini.landed.len(), 1_000);
        mini.sync();
        mini.assert_truth();
    }
}

#[test]
fn a_forgotten_place_in_the_middle_of_a_pass_deletes_nobody() {
    for object in ["contacts", "conversations"] {
        let mut mini = synced(object, 1_000);
        mini.pass(HOUR);
        mini.world().before_each(|request, world| world.amnesia = request == 4);
        mini.sync();
        assert_eq!(mini.rewinds, 1);
        mini.assert_truth();
    }
}

#[test]
fn a_cursor_of_the_other_way_of_reading_begins_a_whole_pass() {
    let mut mini = Mini::synced("conversations", 400);
    mini.config = json!({"whole": ["conversations"]});
    mini.world().remove("conversations", 5);
    let run = mini.sync();
    assert_eq!(run.interactions.len(), 399, "nobody is left out, so nobody else is taken for gone");
    mini.sync();
    mini.assert_truth();
    mini.config = json!({});
    let run = mini.sync();
    assert_eq!(run.interactions.len(), 399, "and back");
}

#[test]
fn an_object_that_is_read_as_a_whole_says_so() {
    let harness = syncline_sdk::testing::Harness::new(&intercom::Intercom).config(json!({"whole": ["tickets"]}));
    let objects = intercom::Intercom.discover(&harness.ctx()).unwrap();
    let object = |name: &str| objects.iter().find(|object| object.name == name).unwrap();
    assert_eq!((object("tickets").mode, object("tickets").deletes), (SyncMode::Full, DeleteMode::ByAbsence));
    assert_eq!((object("contacts").mode, object("contacts").deletes), (SyncMode::Incremental, DeleteMode::None));
}
