//! Owners.

use serde_json::{Value, json};
use syncline_sdk::{Connector, DeleteMode, Error, State, SyncMode};

use crate::mini::Mini;

fn mini(live: usize, archived: usize) -> Mini {
    let mut mini = Mini::new();
    mini.object = "owners";
    mini.world().owners = (1..=live + archived)
        .map(|id| json!({"id": id.to_string(), "email": format!("{id}@birch.test"), "archived": id > live}))
        .collect();
    mini
}

#[test]
fn archived_owners_are_read_by_a_second_pass_and_keep_their_data() {
    let mut mini = mini(230, 120);
    let reading = mini.sync();
    assert_eq!(mini.http.count(), 5, "three pages of live owners, two of archived ones");
    assert_eq!(reading.interactions.len(), 350);
    assert!(reading.pass_complete);
    assert_eq!(reading.landed()["230"].state, State::Present);
    let gone = reading.landed()["231"];
    assert_eq!(gone.state, State::Deleted);
    let data: Value = serde_json::from_str(&gone.data).unwrap();
    assert_eq!(data["email"], "231@birch.test");
}

#[test]
fn every_run_reads_all_owners() {
    let mut mini = mini(3, 1);
    mini.sync();
    mini.world().owners.remove(0);
    let reading = mini.sync();
    assert_eq!(reading.interactions.len(), 3, "the one who is gone altogether shows by absence");
    assert!(reading.pass_complete);
}

#[test]
fn a_token_that_hubspot_forgot_restarts_the_owners() {
    let mut mini = mini(3, 0);
    mini.cursor = Some(r#"{"v":1,"archived":false,"after":"100"}"#.to_owned());
    mini.world().answers = vec![syncline_sdk::testing::text(400, "{}")];
    assert_eq!(mini.try_sync().unwrap_err(), Error::CursorExpired(None));
}

#[test]
fn the_list_of_live_owners_in_the_place_of_the_archived_ones_is_refused() {
    let mut mini = mini(1, 1);
    let live = json!({"results": [{"id": "1", "archived": false}]});
    mini.world().answers = vec![syncline_sdk::testing::json(200, &live), syncline_sdk::testing::json(200, &live)];
    assert!(matches!(mini.try_sync(), Err(Error::Unexpected(_))));
}

#[test]
fn the_deletes_of_owners_show_by_absence() {
    let harness = syncline_sdk::testing::Harness::new(&hubspot::HubSpot);
    let objects = hubspot::HubSpot.discover(&harness.ctx()).unwrap();
    let owners = objects.iter().find(|object| object.name == "owners").unwrap();
    assert_eq!((owners.mode, owners.deletes), (SyncMode::Full, DeleteMode::ByAbsence));
    let kinds: Vec<&str> = objects.iter().map(|object| object.interaction_type.as_str()).collect();
    assert_eq!(kinds, ["account", "contact", "opportunity", "ticket", "task", "note", "user"]);
}
