//! Contacts: the list, then a search that counts in days of another zone.

use serde_json::json;
use syncline_sdk::Error;

use crate::mini::Mini;
use crate::world::{DAY, HOUR, MINUTE, refused};

#[test]
fn a_first_run_lists_every_contact_and_ends_with_one_search() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=1_000, "old");
    mini.pass(5 * DAY);
    let run = mini.sync();
    mini.assert_truth();
    assert_eq!(run.interactions.len(), 1_000, "each once");
    assert_eq!(mini.http.count(), 8, "7 pages of a list, one search");
}

#[test]
fn what_changes_while_the_list_is_paged_is_met_by_the_search_after_it() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=1_000, "old");
    mini.pass(DAY);
    mini.world().before_each(|request, world| {
        if request == 5 {
            world.write("contacts", 3, "changed behind us");
            world.write("contacts", 2_000, "created ahead of us");
            world.now += 2 * MINUTE;
        }
    });
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_change_is_found_in_any_zone_and_at_any_hour_although_the_filter_counts_in_days() {
    for zone in [-11, -8, 0, 1, 5, 14] {
        for hour in 0..30 {
            let mut mini = Mini::new("contacts");
            mini.world().zone = zone * 3_600;
            mini.write(1..=3, "old");
            mini.pass(hour * HOUR);
            mini.sync();
            mini.pass(20 * MINUTE);
            mini.write([2], "new");
            mini.pass(2 * MINUTE);
            mini.sync();
            mini.assert_truth();
        }
    }
}

#[test]
fn no_query_uses_an_operator_that_dates_do_not_have() {
    let mut mini = Mini::synced("contacts", 3);
    mini.pass(HOUR);
    mini.sync();
    let searches = mini.searches();
    assert_eq!(searches[0]["query"]["operator"], ">");
    assert_eq!(searches[0]["sort"], json!({"field": "updated_at", "order": "ascending"}));
}

#[test]
fn what_the_filter_gives_too_much_of_is_not_emitted_again() {
    let mut mini = Mini::synced("contacts", 400);
    mini.pass(HOUR);
    mini.write([7], "new");
    mini.pass(2 * MINUTE);
    let run = mini.sync();
    assert_eq!(run.interactions.len(), 1);
    assert_eq!(mini.http.count(), 3, "three pages of what changed today");
    mini.assert_truth();
}

#[test]
fn many_contacts_that_are_too_old_are_passed_without_looking_stalled() {
    let mut mini = Mini::synced("contacts", 4_000);
    mini.config = json!({"page_size": 10});
    mini.pass(HOUR);
    mini.write([4_000], "new");
    mini.pass(2 * MINUTE);
    let run = mini.sync();
    assert_eq!(run.interactions.len(), 1);
    assert!(mini.waited >= 90, "an empty page asks for a moment");
    mini.assert_truth();
}

#[test]
fn a_new_contact_that_the_index_shows_late_is_met_in_the_overlap() {
    let mut mini = Mini::synced("contacts", 10);
    mini.world().lag = 3 * MINUTE;
    mini.pass(20 * MINUTE);
    mini.write([99], "late");
    mini.pass(MINUTE + 30_000);
    mini.sync();
    assert!(!mini.landed.contains_key("99"), "the index does not show it yet");
    mini.pass(5 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_list_whose_place_is_forgotten_begins_again_and_keeps_its_time() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=400, "old");
    mini.pass(DAY);
    mini.world().before_each(|request, world| {
        world.amnesia = request == 3;
        if request == 3 {
            world.write("contacts", 1, "changed before the second attempt");
            world.now += 3 * HOUR;
        }
    });
    mini.sync();
    assert_eq!(mini.rewinds, 1);
    mini.assert_truth();
    let since = mini.searches()[0]["query"]["value"].as_u64().unwrap();
    let began = crate::world::START + DAY;
    assert_eq!(since, began / 1_000 - 60 - 600 - 2 * 86_400, "the first attempt's time");
}

#[test]
fn a_place_that_is_always_forgotten_ends_the_run() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=400, "old");
    mini.world().amnesia = true;
    assert!(matches!(mini.try_sync(), Err(Error::CursorExpired(Some(_)))));
}

#[test]
fn a_bad_request_without_a_place_is_a_bug_and_not_a_lost_cursor() {
    let mut mini = Mini::synced("contacts", 3);
    mini.world().answers = vec![refused(400, "parameter_invalid", "no such field")];
    assert!(matches!(mini.try_sync(), Err(Error::Unexpected(m)) if m.contains("no such field")));
}

#[test]
fn a_cursor_of_another_layout_is_expired() {
    for text in ["", "garbage", r#"{"v":2,"phase":"list"}"#, r#"{"v":1,"phase":"sideways"}"#] {
        let harness = syncline_sdk::testing::Harness::new(&intercom::Intercom);
        assert_eq!(harness.fetch("contacts", Some(text)).unwrap_err(), Error::CursorExpired(None), "{text}");
    }
}
