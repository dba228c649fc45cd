//! Notes, admins and teams.

use serde_json::json;
use syncline_sdk::{Connector, DeleteMode, Error, SyncMode};

use crate::mini::Mini;
use crate::world::refused;

/// Contacts of which every one in `every` has this many notes.
fn noted(contacts: u64, every: u64, notes: usize) -> Mini {
    let mini = Mini::new("notes");
    for id in 1..=contacts {
        mini.world().write("contacts", id, "old");
        mini.world().record("contacts", id).notes = if id % every == 0 { notes } else { 0 };
    }
    mini
}

#[test]
fn notes_are_read_contact_by_contact_and_page_by_page() {
    let mut mini = noted(300, 10, 120);
    let run = mini.sync();
    assert_eq!(run.interactions.len(), 30 * 120);
    assert_eq!(mini.http.count(), 2 + 30 * 3, "contacts without notes are not asked for them");
    mini.world().record("contacts", 10).notes = 0;
    mini.sync();
    assert_eq!(mini.landed.len(), 29 * 120, "what is missing is gone");
}

#[test]
fn many_contacts_without_notes_are_passed_without_looking_stalled() {
    let mut mini = noted(3_000, 3_000, 1);
    mini.config = json!({"page_size": 2});
    let run = mini.sync();
    assert_eq!(run.interactions.len(), 1);
}

#[test]
fn a_contact_that_is_gone_has_no_notes() {
    let mut mini = noted(3, 1, 2);
    mini.world().before_each(|request, world| {
        if request == 3 {
            world.remove("contacts", 2);
        }
    });
    assert_eq!(mini.sync().interactions.len(), 4);
}

#[test]
fn notes_that_are_not_found_of_a_contact_that_is_there_are_a_fault_and_are_asked_for_again() {
    let mut mini = noted(3, 1, 2);
    mini.world().before_each(|request, world| {
        if request == 3 {
            world.answers = vec![refused(404, "not_found", "Resource Not Found")];
        }
    });
    assert_eq!(mini.sync().interactions.len(), 6);
}

#[test]
fn a_forgotten_place_begins_the_notes_again() {
    let mut mini = noted(300, 10, 1);
    mini.world().before_each(|request, world| world.amnesia = request == 17);
    mini.sync();
    assert_eq!((mini.rewinds, mini.landed.len()), (1, 30));
}

#[test]
fn admins_and_teams_come_in_one_answer_however_many_they_are() {
    let mut mini = Mini::synced("admins", 7);
    assert_eq!(mini.http.count(), 1);
    mini.world().remove("admins", 3);
    mini.sync();
    mini.assert_truth();
    let mut mini = Mini::synced("teams", 2_300);
    assert_eq!(mini.sync().pages, 3);
    mini.assert_truth();
}

#[test]
fn a_list_that_is_refused_deletes_nobody() {
    let mut mini = Mini::synced("teams", 3);
    mini.world().answers = vec![refused(403, "api_plan_restricted", "Active subscription needed.")];
    assert!(matches!(mini.try_sync(), Err(Error::Forbidden(_))));
    mini.world().answers = vec![syncline_sdk::testing::json(200, &json!({}))];
    assert!(matches!(mini.try_sync(), Err(Error::Unexpected(_))));
    mini.assert_truth();
}

#[test]
fn what_there_is_to_read_and_how_deletes_show() {
    let harness = syncline_sdk::testing::Harness::new(&intercom::Intercom);
    let objects = intercom::Intercom.discover(&harness.ctx()).unwrap();
    let by_absence: Vec<&str> = objects
        .iter()
        .filter(|object| object.deletes == DeleteMode::ByAbsence && object.mode == SyncMode::Full)
        .map(|object| object.name.as_str())
        .collect();
    assert_eq!(by_absence, ["companies", "notes", "admins", "teams"]);
    let kinds: Vec<&str> = objects.iter().map(|object| object.interaction_type.as_str()).collect();
    assert_eq!(kinds, ["contact", "account", "conversation", "ticket", "note", "user", "custom"]);
}
