//! The one scroll.

use syncline_sdk::testing::text;
use syncline_sdk::{Error, Response};

use crate::mini::Mini;
use crate::world::{HOUR, MINUTE, refused};

#[test]
fn every_run_reads_all_companies_and_what_is_missing_is_gone() {
    let mut mini = Mini::synced("companies", 2_345);
    assert_eq!(mini.http.count(), 26, "the count, 24 answers with companies, one without");
    for id in (1..=2_345).step_by(7) {
        mini.world().remove("companies", id);
    }
    mini.write([2, 3_000], "new");
    mini.pass(HOUR);
    let run = mini.sync();
    mini.assert_truth();
    assert!(run.interactions.iter().all(|record| record.updated_at.is_some()));
}

#[test]
fn a_workspace_without_companies_is_read_in_one_page() {
    let mut mini = Mini::synced("companies", 0);
    assert_eq!(mini.sync().pages, 1);
}

#[test]
fn an_open_scroll_is_waited_for() {
    let mut mini = Mini::new("companies");
    mini.write(1..=150, "old");
    mini.world().occupy();
    mini.sync();
    assert_eq!(mini.waited, 60);
    mini.assert_truth();
}

#[test]
fn a_scroll_that_somebody_else_keeps_open_is_a_failure_in_the_end() {
    let mut mini = Mini::new("companies");
    mini.world().before_each(|_, world| world.occupy());
    assert!(matches!(mini.try_sync(), Err(Error::Unavailable(m)) if m.contains("scroll_exists")));
    assert_eq!(mini.waited, 600);
}

#[test]
fn a_scroll_that_expired_between_two_calls_begins_again() {
    let mut mini = Mini::new("companies");
    mini.write(1..=2_000, "old");
    mini.world().before_each(|request, world| {
        if request == 10 {
            world.now += 2 * MINUTE;
        }
    });
    mini.sync();
    assert_eq!(mini.rewinds, 1);
    mini.assert_truth();
}

#[test]
fn a_fault_in_the_middle_begins_the_scan_again_after_the_scroll_has_died() {
    let message = "Request failed due to an internal network error. Please restart the scroll operation.";
    for fault in [refused(500, "server_error", message), text(503, ""), text(400, "{}")] {
        let mut mini = Mini::new("companies");
        mini.write(1..=2_000, "old");
        mini.world().before_each(move |request, world| {
            if request == 10 {
                world.answers = vec![fault.clone()];
            }
        });
        mini.sync();
        assert_eq!((mini.rewinds, mini.waited), (1, 60), "the broken scroll is in the way of the next");
        mini.assert_truth();
    }
}

#[test]
fn a_scroll_that_is_said_to_exist_while_ours_goes_on_is_dead_and_what_it_gave_is_not_lost() {
    // Refused after 200 companies: these are all of them, or there are more.
    for (companies, rewinds) in [(200, 0), (500, 1)] {
        let mut mini = Mini::new("companies");
        mini.write(1..=companies, "old");
        mini.world().before_each(|request, world| {
            if request == 4 {
                world.answers = vec![refused(400, "scroll_exists", "scroll already exists for this workspace")];
            }
        });
        mini.sync();
        assert_eq!(mini.rewinds, rewinds);
        mini.assert_truth();
    }
}

#[test]
fn a_page_that_a_retry_skipped_deletes_nobody() {
    let mut mini = Mini::synced("companies", 1_000);
    mini.pass(HOUR);
    mini.write([50], "new");
    mini.http.forget();
    mini.world().before_each(|request, world| world.lose_answer = request == 5);
    mini.sync();
    assert_eq!(mini.rewinds, 1, "900 of 1,000 are not believed");
    mini.assert_truth();
}

#[test]
fn two_scans_that_fall_short_alike_are_believed_and_remembered() {
    let mut mini = Mini::new("companies");
    mini.write(1..=300, "old");
    mini.world().uncounted = 12;
    mini.sync();
    assert_eq!(mini.rewinds, 1);
    mini.assert_truth();
    mini.pass(HOUR);
    mini.sync();
    assert_eq!(mini.rewinds, 0);
}

#[test]
fn a_404_after_the_last_company_is_an_end_and_before_it_is_none() {
    let mut mini = Mini::new("companies");
    mini.write(1..=200, "old");
    mini.world().before_each(|request, world| {
        if request == 4 {
            world.answers = vec![refused(404, "not_found", "scroll parameter not found")];
        }
    });
    mini.sync();
    assert_eq!(mini.rewinds, 0);
    mini.assert_truth();
}

#[test]
fn a_limit_in_the_middle_of_a_call_loses_nothing_that_was_read() {
    let limited: Response = refused(429, "rate_limit_exceeded", "Exceeded rate limit of 167 in 10_seconds");
    let mut mini = Mini::new("companies");
    mini.write(1..=500, "old");
    mini.world().before_each(move |request, world| {
        if request == 4 || request == 5 {
            world.answers = vec![limited.clone()];
        }
    });
    assert!(matches!(mini.try_sync(), Err(Error::RateLimited(_))));
    assert_eq!(mini.landed.len(), 200);
    mini.sync();
    assert_eq!(mini.rewinds, 0, "the scroll is still where it was");
    mini.assert_truth();
}
