//! Lists.

use serde_json::json;
use syncline_sdk::{Error, State};

use crate::mini::Mini;

fn mini(count: u64) -> Mini {
    let mini = Mini::new("groups");
    for id in 1..=count {
        mini.world().write("groups", id, "a group");
    }
    mini
}

#[test]
fn every_run_reads_all_groups_by_zendesks_own_token() {
    let mut mini = mini(250);
    let reading = mini.sync();
    mini.assert_truth();
    assert!(reading.pass_complete);
    assert_eq!(mini.asked("page[after]"), [None, Some("id-100".to_owned()), Some("id-200".to_owned())]);
    mini.world().forget("groups", 9);
    let reading = mini.sync();
    assert_eq!((reading.interactions.len(), reading.pass_complete), (249, true), "what is gone shows by absence");
}

#[test]
fn a_group_marked_as_deleted_is_a_tombstone() {
    let mut mini = mini(2);
    mini.world().set("groups", 2, "deleted", true.into());
    assert_eq!(mini.sync().landed()["2"].state, State::Deleted);
}

#[test]
fn a_token_that_zendesk_forgot_restarts_the_list() {
    let mut mini = mini(250);
    mini.world().tokens_dead = true;
    assert_eq!(mini.try_sync().unwrap_err(), Error::CursorExpired(None));
}

#[test]
fn an_answer_that_lacks_its_parts_never_counts_as_the_end() {
    for body in [json!({}), json!({"groups": []}), json!({"meta": {"has_more": false}})] {
        let mut mini = mini(3);
        mini.world().answers = vec![syncline_sdk::testing::json(200, &body)];
        assert!(matches!(mini.try_sync(), Err(Error::Unexpected(_))), "{body}");
    }
}
