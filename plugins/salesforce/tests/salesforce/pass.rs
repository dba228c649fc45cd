//! Keyset passes.

use serde_json::json;
use syncline_sdk::{Error, HttpError, Response, State};

use crate::account::Copy;
use crate::org::{START, Shared};
use crate::serve::error;

#[test]
fn an_empty_object_syncs_to_nothing() {
    let mut copy = Copy::new(&Shared::new(), 10);
    copy.settle();
    copy.assert_true();
}

#[test]
fn every_row_lands_when_page_edges_fall_between_equal_stamps() {
    let org = Shared::new();
    org.with(|org| (0..9).for_each(|n| org.create_many(7, START - 900 + n)));
    for page_size in [1, 2, 3, 6, 7, 8, 62, 63, 64] {
        let mut copy = Copy::new(&org, page_size);
        copy.settle();
        copy.assert_true();
    }
}

#[test]
fn a_tie_group_larger_than_a_page_is_read_to_its_end() {
    let org = Shared::new();
    org.with(|org| {
        org.create_many(1, START - 500);
        org.create_many(57, START - 400);
        org.create_many(1, START - 300);
    });
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    copy.assert_true();
    assert_eq!(copy.landed.len(), 59);
}

#[test]
fn a_short_page_is_not_the_last_page() {
    let org = Shared::new();
    org.with(|org| {
        org.create_many(40, START - 500);
        org.create_many(40, START - 400);
        org.stop_after = 3;
    });
    let mut copy = Copy::new(&org, 20);
    copy.settle();
    copy.assert_true();
}

#[test]
fn a_sync_without_news_costs_one_request() {
    let org = Shared::new();
    org.with(|org| org.create_many(30, START - 5_000));
    let mut copy = Copy::new(&org, 100);
    copy.settle();
    org.with(|org| org.now += 3_600);
    assert_eq!(copy.settle(), 1);
}

#[test]
fn the_first_sync_of_a_small_object_is_a_pass_and_says_when_it_is_complete() {
    let org = Shared::new();
    org.with(|org| org.create_many(30, START - 5_000));
    let mut copy = Copy::new(&org, 20);
    assert!(copy.step().unwrap());
    assert!(!copy.step().unwrap());
    assert_eq!(copy.last.as_ref().unwrap().attributes, [("pass-complete".to_owned(), "true".to_owned())]);
    copy.settle();
    assert!(copy.last.as_ref().unwrap().attributes.is_empty());
    assert!(org.with(|org| org.jobs.is_empty() && org.deleted_jobs.is_empty()));
}

#[test]
fn a_row_that_changes_while_pages_are_read_is_met_again() {
    let org = Shared::new();
    org.with(|org| org.create_many(30, START - 5_000));
    let mut copy = Copy::new(&org, 10);
    copy.step().unwrap();
    org.with(|org| {
        let ids: Vec<String> = org.rows.keys().cloned().collect();
        for id in [&ids[2], &ids[10], &ids[29]] {
            org.rename(id, "renamed", org.now);
        }
    });
    copy.run().unwrap();
    copy.settle();
    copy.assert_true();
}

#[test]
fn a_page_keeps_its_size_when_the_row_it_continues_from_leaves_a_crowded_second() {
    // After the first ten: as many as a page, one more, and so many that the next page is crowded again.
    for rows in [20, 21, 57] {
        let org = Shared::new();
        org.with(|org| {
            org.create_many(rows, START - 5_000);
            org.create_many(5, START - 4_000);
        });
        let mut copy = Copy::new(&org, 10);
        copy.step().unwrap();
        let last = copy.last.as_ref().unwrap().interactions.last().unwrap().id.clone();
        org.with(|org| org.rename(&last, "moved", org.now));
        let mut more = true;
        while more {
            more = copy.step().unwrap();
            let count = copy.last.as_ref().unwrap().interactions.len();
            assert!(count <= 10, "{rows} rows in one second: a page of {count}");
        }
        copy.settle();
        copy.assert_true();
    }
}

#[test]
fn rows_younger_than_the_settling_time_are_left_to_the_next_sync() {
    let org = Shared::new();
    org.with(|org| {
        org.create(START - 500);
        org.create(START - 20);
    });
    let mut copy = Copy::new(&org, 10);
    copy.run().unwrap();
    assert_eq!(copy.landed.len(), 1);
    copy.settle();
    copy.assert_true();
}

#[test]
fn a_transaction_that_commits_late_with_an_older_stamp_is_found_by_the_overlap() {
    let org = Shared::new();
    org.with(|org| org.create_many(20, START - 100));
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    // Rows newer than this one were served already.
    org.with(|org| org.create(START - 300));
    copy.settle();
    copy.assert_true();
}

#[test]
fn without_an_overlap_a_late_commit_is_missed_which_is_what_the_overlap_is_for() {
    let org = Shared::new();
    org.with(|org| org.create_many(20, START - 100));
    let mut copy = Copy::with_config(&org, 10, json!({"overlap_seconds": 0}));
    copy.settle();
    org.with(|org| org.create(START - 300));
    copy.settle();
    assert_eq!(copy.landed.len(), 20);
}

#[test]
fn the_end_of_a_pass_comes_from_salesforces_clock_less_the_time_the_answer_took() {
    let org = Shared::new();
    let mut copy = Copy::with_config(&org, 10, json!({"overlap_seconds": 0, "settle_seconds": 60}));
    // The host's clock is years off; its query takes 100 s, and the answer is stamped at the end.
    copy.clock.set(1_000);
    let clock = copy.clock.clone();
    org.with(|org| {
        org.interpose(move |request| {
            if request.query("q").is_some_and(|soql| soql.contains("ORDER BY")) {
                clock.advance_ms(100_000);
            }
            None::<Response>
        });
    });
    copy.run().unwrap();
    let now = org.with(|org| org.now);
    let cursor: serde_json::Value = serde_json::from_str(copy.cursor.as_deref().unwrap()).unwrap();
    assert_eq!(cursor["from"], json!(now - 100 - 60));
}

#[test]
fn deleted_rows_are_tombstones_and_merged_rows_name_the_winner() {
    let org = Shared::new();
    let ids: Vec<String> = org.with(|org| (0..5).map(|_| org.create(START - 500)).collect());
    let mut copy = Copy::new(&org, 2);
    copy.settle();
    org.with(|org| {
        org.delete(&ids[1], None, org.now);
        org.delete(&ids[3], Some(&ids[0]), org.now);
    });
    copy.settle();
    copy.assert_true();
    assert_eq!(copy.landed[&ids[1]].state, State::Deleted);
    assert_eq!(copy.landed[&ids[3]].state, State::MergedInto(ids[0].clone()));
}

#[test]
fn users_are_read_by_query_since_they_are_never_deleted() {
    let org = Shared::new();
    org.with(|org| {
        org.object = "User".to_owned();
        org.fields.retain(|(name, _)| name != "IsDeleted" && name != "MasterRecordId");
        org.create_many(5, START - 500);
    });
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    copy.assert_true();
    assert!(copy.http.requests().iter().all(|request| !request.url.contains("queryAll")));
}

#[test]
fn a_query_that_runs_too_long_is_asked_in_smaller_windows() {
    let org = Shared::new();
    org.with(|org| {
        for n in 0..60 {
            org.create(START - 90 * 86_400 + n * 86_400);
        }
        org.slow_above = 9;
    });
    let mut copy = Copy::new(&org, 100);
    copy.settle();
    copy.assert_true();
    assert!(copy.harness.log().contains("asking for less"));
    // The shrink belongs to the pass, not to the object.
    assert!(!copy.cursor.as_deref().unwrap().contains("window"));
}

/// An org whose 40 rows weigh 24 MB.
fn heavy() -> Shared {
    let org = Shared::new();
    org.with(|org| {
        for n in 0..40 {
            let id = org.create(START - 5_000 + n);
            org.rename(&id, &"x".repeat(600_000), START - 5_000 + n);
        }
    });
    org
}

#[test]
fn an_answer_beyond_the_hosts_cap_is_asked_for_with_fewer_rows() {
    let mut copy = Copy::new(&heavy(), 1_000);
    copy.settle();
    copy.assert_true();
    assert!(copy.harness.log().contains("asking for less"));
}

#[test]
fn a_page_ends_at_the_record_that_would_make_it_too_heavy() {
    let mut copy = Copy::new(&heavy(), 20);
    copy.settle();
    copy.assert_true();
    assert!(!copy.harness.log().contains("asking for less"));
}

#[test]
fn a_query_that_the_host_gave_up_on_is_asked_for_with_less() {
    let org = Shared::new();
    org.with(|org| org.create_many(20, START - 500));
    let mut copy = Copy::new(&org, 10);
    let clock = copy.clock.clone();
    org.with(|org| {
        org.interpose(move |request| {
            let slow = request.query("q").is_some_and(|soql| soql.ends_with("LIMIT 10"));
            slow.then(|| {
                clock.advance_ms(30_000);
                HttpError::Timeout("no answer for 30 s".to_owned())
            })
        });
    });
    copy.settle();
    copy.assert_true();
}

#[test]
fn a_field_that_was_hidden_meanwhile_is_left_out_after_another_describe() {
    let org = Shared::new();
    org.with(|org| org.create_many(5, START - 5_000));
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    org.with(|org| {
        org.fields.retain(|(name, _)| name != "AnnualRevenue");
        org.create(org.now);
    });
    copy.settle();
    copy.assert_true();
    assert!(copy.queries().last().unwrap().starts_with("SELECT Id,SystemModstamp,IsDeleted,MasterRecordId,Name FROM"));
}

#[test]
fn a_new_field_is_noticed_within_a_day() {
    let org = Shared::new();
    org.with(|org| org.create_many(5, START - 5_000));
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    org.with(|org| org.fields.push(("Tier__c".to_owned(), "picklist".to_owned())));
    copy.settle();
    assert!(!copy.queries()[0].contains("Tier__c"));
    copy.clock.advance_ms(86_400_001);
    assert_eq!(copy.settle(), 1, "the host's clock says nothing");
    org.with(|org| org.now += 86_400);
    assert_eq!(copy.settle(), 3, "the query tells the time, then the describe, then the query again");
    assert!(copy.queries()[1].contains("Tier__c"));
    copy.assert_true();
}

#[test]
fn a_query_refused_with_the_fields_of_a_fresh_describe_is_not_asked_for_ever() {
    let org = Shared::new();
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    org.with(|org| {
        org.interpose(|request| request.query("q").map(|_| error(400, "INVALID_FIELD", "No such column 'Name'")));
    });
    assert!(matches!(copy.run(), Err(Error::Unexpected(_))));
}

#[test]
fn an_answer_out_of_order_is_not_believed() {
    let org = Shared::new();
    org.with(|org| org.create_many(3, START - 500));
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    let records: Vec<_> = ["2026-03-01T10:00:09.000+0000", "2026-03-01T10:00:03.000+0000"]
        .iter()
        .enumerate()
        .map(|(n, stamp)| json!({"Id": format!("00{n}"), "SystemModstamp": stamp}))
        .collect();
    let body = json!({"totalSize": 2, "done": true, "records": records});
    org.with(|org| org.interpose(move |_| Some(syncline_sdk::testing::json(200, &body))));
    assert!(matches!(copy.run(), Err(Error::Unexpected(_))));
}

#[test]
fn the_answer_to_a_count_is_not_the_end_of_a_pass() {
    let org = Shared::new();
    org.with(|org| org.create_many(3, START - 500));
    let mut copy = Copy::new(&org, 10);
    let counted = json!({"totalSize": 3, "done": true, "records": []});
    org.with(|org| {
        org.interpose(move |request| {
            let rows = request.query("q").is_some_and(|soql| soql.contains("ORDER BY"));
            rows.then(|| syncline_sdk::testing::json(200, &counted))
        });
    });
    assert!(matches!(copy.run(), Err(Error::Unexpected(_))));
}

#[test]
fn a_page_that_is_given_twice_is_not_believed() {
    for stamps_apart in [0, 1] {
        let org = Shared::new();
        org.with(|org| {
            for n in 0..30 {
                org.create(START - 500 + n * stamps_apart);
            }
        });
        let mut copy = Copy::new(&org, 10);
        copy.step().unwrap();
        let (object, fields) =
            org.with(|org| (org.object.clone(), ["Id", "SystemModstamp", "Name"].map(str::to_owned)));
        let first: Vec<_> =
            org.with(|org| org.rows.values().take(10).map(|row| row.record(&object, &fields)).collect());
        let again = json!({"totalSize": 10, "done": true, "records": first});
        org.with(|org| org.interpose(move |_| Some(syncline_sdk::testing::json(200, &again))));
        assert!(matches!(copy.run(), Err(Error::Unexpected(_))), "stamps {stamps_apart} apart");
    }
}

#[test]
fn a_sync_after_a_long_pause_says_that_deletes_may_be_lost() {
    let org = Shared::new();
    let mut copy = Copy::new(&org, 10);
    copy.settle();
    assert!(!copy.harness.log().contains("recycle bin"));
    org.with(|org| org.now += 16 * 86_400);
    copy.settle();
    assert!(copy.harness.log().contains("recycle bin"));
}
