//! How records change, and who sees it when.

use super::*;

const NOW: i64 = 1_790_000_000_777;

fn shape() -> Shape {
    Shape { seed: 7, records: 1000, ties: 300, index_lag_ms: 5_000, late_commit_ms: 0, plain: false }
}

#[test]
fn a_fresh_world_holds_live_deleted_merged_and_tied_records() {
    let world = World::new(Provider::HubSpot, shape());
    let rows = &world.table("contacts").unwrap().rows;
    let count = |test: fn(&State) -> bool| rows.iter().filter(|row| test(&row.state)).count();
    assert!(count(|s| matches!(s, State::Deleted { .. })) > 5);
    assert!(count(|s| matches!(s, State::Merged { .. })) > 5);
    let tie = rows.last().unwrap().stamp_ms;
    assert!(rows.iter().filter(|row| row.stamp_ms == tie).count() >= 290);
}

#[test]
fn search_finds_a_written_record_late_and_by_its_old_stamp_until_then() {
    let mut world = World::new(Provider::HubSpot, shape());
    let seq = world.table("contacts").unwrap().rows.iter().find(|r| r.state == State::Live).unwrap().seq;
    let old = world.table("contacts").unwrap().rows[seq as usize].stamp_ms;
    assert!(world.update("contacts", seq, NOW));
    let row = &world.table("contacts").unwrap().rows[seq as usize];
    let due = row.index.next.unwrap().0;
    assert_eq!(row.indexed(due - 1), Some(old));
    assert_eq!(row.indexed(due), Some(NOW));
    assert!(world.settled(NOW + 5_001));
}

#[test]
fn index_lag_is_out_of_order() {
    let mut world = World::new(Provider::HubSpot, shape());
    let dues: Vec<i64> = (0..20)
        .map(|n| {
            let seq = world.create("notes", NOW + n).unwrap();
            world.table("notes").unwrap().rows[seq as usize].index.next.unwrap().0
        })
        .collect();
    assert!(!dues.is_sorted());
}

#[test]
fn a_late_commit_is_invisible_though_its_stamp_has_passed() {
    let mut world = World::new(Provider::Salesforce, shape());
    let seq = world.create_late("Account", NOW, 9_000).unwrap();
    let row = world.table("Account").unwrap().rows[seq as usize].clone();
    assert!(row.view(NOW + 8_999).is_none());
    assert_eq!(row.view(NOW + 9_000).unwrap().stamp_ms, NOW - 777);
}

#[test]
fn a_late_update_shows_the_version_before_it() {
    let mut world = World::new(Provider::Salesforce, Shape { late_commit_ms: 60_000, ..shape() });
    let mut late = 0;
    for seq in 0..200 {
        world.update("Contact", seq, NOW);
        let row = &world.table("Contact").unwrap().rows[seq as usize];
        if row.commit.as_ref().is_some_and(|commit| commit.at_ms > NOW) {
            late += 1;
            assert!(row.view(NOW).unwrap().stamp_ms < row.stamp_ms);
            assert_eq!(row.view(NOW + 60_000).unwrap().revision, 1);
        }
    }
    assert!(late > 5, "{late}");
}

#[test]
fn salesforce_stamps_have_whole_seconds() {
    let mut world = World::new(Provider::Salesforce, shape());
    assert_eq!(world.mass_update("Account", 150, 0, NOW), 150);
    let table = world.table("Account").unwrap();
    let tied: Vec<_> = table.rows.iter().filter(|row| row.stamp_ms == NOW - 777).collect();
    assert_eq!(tied.len(), 150);
    assert!(tied.iter().all(|row| row.modified_ms < row.stamp_ms), "a system change leaves LastModifiedDate");
}

#[test]
fn a_merged_survivor_hands_its_losers_on() {
    let mut world = World::new(Provider::HubSpot, Shape { plain: true, ..shape() });
    assert!(world.merge("deals", 2, 1, NOW));
    assert!(world.merge("deals", 3, 2, NOW + 1));
    let rows = &world.table("deals").unwrap().rows;
    assert_eq!(rows[3].losers, [2, 1]);
    assert_eq!(rows[1].state, State::Merged { into: 3 });
    assert!(!world.merge("notes", 1, 2, NOW), "notes cannot be merged");
}

#[test]
fn archiving_an_owner_does_not_move_its_stamp() {
    let mut world = World::new(Provider::HubSpot, shape());
    let before = world.table("owners").unwrap().rows[0].stamp_ms;
    assert!(world.delete("owners", 0, NOW));
    assert_eq!(world.table("owners").unwrap().rows[0].stamp_ms, before);
}
