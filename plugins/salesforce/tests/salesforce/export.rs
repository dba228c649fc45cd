//! First syncs by bulk job.

use serde_json::{Value, json};
use syncline_sdk::testing::text;
use syncline_sdk::{Error, Method};

use crate::account::Copy;
use crate::org::{Header, START, Shared};
use crate::serve::error;

/// An org with that many rows, and a copy that exports above 50 rows in sets of 20.
fn large(rows: u64) -> (Shared, Copy) {
    let org = Shared::new();
    org.with(|org| {
        for n in 0..rows {
            org.create(START - 10_000 + n / 7);
        }
    });
    let copy = Copy::with_config(&org, 100, json!({"bulk_above": 50, "bulk_page": 20}));
    (org, copy)
}

fn phase(copy: &Copy) -> String {
    let cursor: Value = serde_json::from_str(copy.cursor.as_deref().unwrap()).unwrap();
    cursor["phase"].as_str().unwrap().to_owned()
}

/// Steps until the job serves its first set.
fn until_first_set(copy: &mut Copy) {
    while copy.landed.is_empty() {
        copy.step().unwrap();
    }
}

#[test]
fn a_large_object_is_exported_unsorted_rows_and_all() {
    let (org, mut copy) = large(130);
    copy.run().unwrap();
    copy.assert_true();
    assert_eq!(org.with(|org| (org.jobs.len(), org.deleted_jobs.len())), (0, 1), "the job is deleted at the end");
    assert_eq!(copy.last.as_ref().unwrap().attributes, [("pass-complete".to_owned(), "true".to_owned())]);
}

#[test]
fn polling_is_an_empty_page_that_asks_to_wait() {
    let (_, mut copy) = large(130);
    let mut waits = Vec::new();
    while copy.landed.is_empty() {
        copy.step().unwrap();
        waits.extend(copy.last.as_ref().unwrap().wait);
    }
    assert_eq!(waits, [5, 10, 15]);
}

#[test]
fn rows_that_change_while_the_job_runs_land_in_their_last_state() {
    let (org, mut copy) = large(130);
    until_first_set(&mut copy);
    org.with(|org| {
        let ids: Vec<String> = org.rows.keys().cloned().collect();
        org.rename(&ids[0], "renamed", org.now);
        org.delete(&ids[60], None, org.now);
        org.delete(&ids[129], Some(&ids[0]), org.now);
        org.create(org.now);
        // Committed late, stamped before the job was created.
        org.create(START - 200);
    });
    copy.run().unwrap();
    copy.settle();
    copy.assert_true();
}

#[test]
fn a_header_that_only_the_first_set_has_costs_no_row() {
    let (org, mut copy) = large(130);
    org.with(|org| org.header = Header::FirstSet);
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn line_breaks_and_quotes_survive_the_export() {
    let (org, mut copy) = large(60);
    org.with(|org| {
        let id = org.create(START - 5_000);
        org.rename(&id, "Birch \"& Sons\",\nLtd\r\n\"Id\",\"Name\"\n", START - 5_000);
    });
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn a_record_has_the_same_data_by_either_way() {
    let (org, mut copy) = large(60);
    copy.run().unwrap();
    let mut by_query = Copy::new(&org, 100);
    by_query.run().unwrap();
    for (id, exported) in &copy.landed {
        let queried = &by_query.landed[id];
        let data = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(data(&exported.data), data(&queried.data));
        assert_eq!((&exported.version, &exported.updated_at), (&queried.version, &queried.updated_at));
    }
}

#[test]
fn a_job_that_failed_starts_the_first_sync_over() {
    let (org, mut copy) = large(130);
    org.with(|org| org.job_states = vec!["InProgress", "Failed"]);
    copy.step().unwrap();
    copy.step().unwrap();
    copy.step().unwrap();
    assert_eq!(phase(&copy), "start");
    org.with(|org| org.job_states = vec!["JobComplete"]);
    copy.run().unwrap();
    copy.assert_true();
    assert!(copy.harness.log().contains("InternalServerError"));
}

#[test]
fn an_empty_answer_in_the_place_of_a_set_is_not_the_end() {
    let (org, mut copy) = large(130);
    until_first_set(&mut copy);
    org.with(|org| org.interpose(|request| request.path().ends_with("/results").then(|| text(200, ""))));
    assert!(matches!(copy.run(), Err(Error::Unexpected(_))));
    org.with(|org| org.fault = None);
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn a_job_that_vanished_between_sets_starts_the_first_sync_over() {
    let (org, mut copy) = large(130);
    until_first_set(&mut copy);
    org.with(|org| org.jobs.clear());
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn jobs_that_always_abort_leave_the_object_to_a_pass() {
    let (org, mut copy) = large(130);
    org.with(|org| org.job_states = vec!["Aborted"]);
    copy.run().unwrap();
    copy.assert_true();
    let created = copy.http.requests().iter().filter(|request| request.method == Method::Post).count();
    assert_eq!(created, 3);
}

#[test]
fn an_object_without_bulk_access_is_read_by_a_pass() {
    let (org, mut copy) = large(130);
    org.with(|org| org.bulk = false);
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn an_object_too_large_to_count_is_exported() {
    let (org, mut copy) = large(10);
    org.with(|org| {
        org.interpose(|request| {
            let soql = request.query("q")?;
            soql.contains("COUNT()").then(|| error(400, "QUERY_TIMEOUT", "running for too long"))
        });
    });
    copy.step().unwrap();
    assert_eq!(phase(&copy), "export");
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn the_last_set_can_be_asked_for_again_when_the_host_dies_before_it_is_stored() {
    let (org, mut copy) = large(130);
    let mut before = None;
    while copy.last.is_none() || phase(&copy) != "pass" {
        before.clone_from(&copy.cursor);
        copy.step().unwrap();
    }
    assert!(org.with(|org| org.deleted_jobs.is_empty()), "nothing proves yet that the last set is stored");
    copy.cursor = before;
    copy.landed.clear();
    copy.step().unwrap();
    assert_eq!(copy.landed.len(), 10);
}

#[test]
fn a_set_that_was_cut_short_is_asked_for_again_and_not_believed() {
    let (org, mut copy) = large(130);
    until_first_set(&mut copy);
    let before = copy.cursor.clone();
    org.with(|org| {
        org.interpose(|_| {
            let row = "\"001Ab\",\"2026-03-01T09:00:00.000Z\",\"false\",\"\",\"Birch\",\"1.5\"\n";
            Some(text(200, row).with_header("sforce-numberofrecords", "20").with_header("sforce-locator", "null"))
        });
    });
    assert!(matches!(copy.run(), Err(Error::Unavailable(_))));
    assert_eq!(copy.cursor, before);
    org.with(|org| org.fault = None);
    copy.run().unwrap();
    copy.assert_true();
}

#[test]
fn a_set_too_heavy_for_a_page_is_read_in_smaller_parts() {
    let (org, mut copy) = large(60);
    org.with(|org| {
        let ids: Vec<String> = org.rows.keys().cloned().collect();
        for id in ids {
            org.rename(&id, &"x".repeat(700_000), START - 9_000);
        }
    });
    copy.run().unwrap();
    copy.assert_true();
}
