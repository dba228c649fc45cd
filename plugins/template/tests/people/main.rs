//! Runs natively: no host, no account, no network.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod provider;

use birch::Birch;
use syncline_sdk::testing::{self, Harness, MockHttp};
use syncline_sdk::{Connector as _, Error, Request, Response, State};

use provider::{Landed, Rig};

const MINUTE: u64 = 60_000;

fn populated() -> Rig {
    let rig = Rig::new();
    // One stamp for all of them: with two on a page, it spans page edges.
    for number in 1..=5 {
        rig.world().write(&format!("p-{number}"), &format!("Person {number}"));
    }
    rig
}

#[test]
fn the_first_run_reads_everybody_and_the_second_only_what_changed() {
    let (rig, mut landed) = (populated(), Landed::new());
    rig.world().now += 10 * MINUTE;
    let first = rig.sync(None, &mut landed).unwrap();
    assert_eq!((first.pages, first.pass_complete), (3, true));
    assert_eq!(landed, rig.truth());

    rig.world().now += 10 * MINUTE;
    rig.world().write("p-4", "Changed");
    let second = rig.sync(Some(&first.cursor), &mut landed).unwrap();
    assert_eq!((second.interactions.len(), second.pass_complete), (1, false));
    assert_eq!(landed, rig.truth());
}

#[test]
fn what_changes_behind_the_reader_is_met_by_the_next_run() {
    let (rig, mut landed) = (populated(), Landed::new());
    // Just before the second page, somebody on the first page changes and somebody on the third goes.
    rig.world().before_each(|count, world| {
        if count == 2 {
            world.write("p-1", "Changed behind");
            world.delete("p-5");
        }
    });
    let first = rig.sync(None, &mut landed).unwrap();
    assert_eq!(landed["p-1"], "Person 1");
    rig.sync(Some(&first.cursor), &mut landed).unwrap();
    assert_eq!(landed, rig.truth());
}

#[test]
fn a_change_that_the_index_shows_late_is_not_lost() {
    let (rig, mut landed) = (populated(), Landed::new());
    rig.world().now += MINUTE;
    rig.world().lag = 30_000;
    rig.world().write("p-2", "Late");
    rig.world().write("p-6", "Late and new");
    let first = rig.sync(None, &mut landed).unwrap();
    assert_eq!((landed["p-2"].as_str(), landed.contains_key("p-6")), ("Person 2", false));
    rig.world().now += MINUTE;
    rig.sync(Some(&first.cursor), &mut landed).unwrap();
    assert_eq!(landed, rig.truth());
}

#[test]
fn a_deleted_person_becomes_a_tombstone() {
    let (rig, mut landed) = (populated(), Landed::new());
    let first = rig.sync(None, &mut landed).unwrap();
    rig.world().delete("p-3");
    let second = rig.sync(Some(&first.cursor), &mut landed).unwrap();
    assert_eq!(second.landed()["p-3"].state, State::Deleted);
    assert_eq!(landed, rig.truth());
}

#[test]
fn every_page_continues_from_its_cursor_alone() {
    let rig = populated();
    let mut cursor = None;
    let mut ids = Vec::new();
    loop {
        // A new harness for every page, as the host takes a new instance.
        let page = rig.harness(2).fetch("people", cursor.as_deref()).unwrap();
        ids.extend(page.interactions.into_iter().map(|person| person.id));
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(ids, ["p-1", "p-2", "p-3", "p-4", "p-5"]);
}

#[test]
fn a_forgotten_page_begins_the_pass_again_and_keeps_where_it_began() {
    let (rig, mut landed) = (populated(), Landed::new());
    let first = rig.sync(None, &mut landed).unwrap();
    let page = rig.harness(2).fetch("people", Some(&first.cursor)).unwrap();
    rig.world().answer = Some(testing::text(410, "gone"));
    let refusal = rig.harness(2).fetch("people", Some(&page.cursor)).unwrap_err();
    let Error::CursorExpired(Some(resume)) = refusal else { panic!("{refusal}") };
    rig.http.forget();
    rig.sync(Some(&resume), &mut landed).unwrap();
    let begins = |request: &Request| (request.query("updated_since"), request.query("after"));
    let again = &rig.http.requests()[0];
    assert_eq!(begins(again), (Some("2026-03-01T09:59:00.000Z".to_owned()), None));
}

#[test]
fn a_cursor_of_another_version_is_expired() {
    for foreign in ["", "nonsense", r#"{"v":2,"since":1}"#] {
        let refusal = populated().harness(2).fetch("people", Some(foreign)).unwrap_err();
        assert_eq!(refusal, Error::CursorExpired(None), "{foreign}");
    }
}

#[test]
fn refusals_are_errors_of_their_class() {
    let refusal = |answer: Response| {
        let http = MockHttp::new(move |_: &Request| answer.clone());
        Harness::new(&Birch).http(http).fetch("people", None).unwrap_err()
    };
    let text = |status| testing::text(status, "no");
    assert!(matches!(refusal(text(401)), Error::Unauthorized(_)));
    assert!(matches!(refusal(text(403)), Error::Forbidden(_)));
    assert_eq!(refusal(text(429)), Error::RateLimited(None));
    assert_eq!(refusal(text(429).with_header("retry-after", "7")), Error::RateLimited(Some(7)));
    assert!(matches!(refusal(text(503)), Error::Unavailable(_)));
    // Answers that are none: a page of HTML, one without `next`, one without a clock.
    assert!(matches!(refusal(testing::text(200, "<html>")), Error::Unexpected(_)));
    assert!(matches!(refusal(testing::text(200, r#"{"people":[]}"#)), Error::Unexpected(_)));
    assert!(matches!(refusal(testing::text(200, r#"{"people":[],"next":null}"#)), Error::Unexpected(_)));
}

#[test]
fn a_page_that_names_itself_as_the_next_one_is_refused() {
    let rig = populated();
    let page = rig.harness(2).fetch("people", None).unwrap();
    rig.world().answer = Some(testing::text(200, r#"{"people":[],"next":"after:p-2"}"#));
    let refusal = rig.harness(2).fetch("people", Some(&page.cursor)).unwrap_err();
    assert!(matches!(refusal, Error::Unexpected(_)), "{refusal}");
}

#[test]
fn records_pass_through_digit_for_digit() {
    const PERSON: &str = r#"{"id":"p-1","n":9007199254740993,"price":1.10,"name":"Zo\u00eb"}"#;
    let http = MockHttp::new(|_: &Request| {
        let body = format!(r#"{{"people":[{PERSON}],"next":null}}"#);
        testing::text(200, body).with_header("date", "Sun, 01 Mar 2026 10:00:00 GMT")
    });
    let reading = Harness::new(&Birch).http(http).read_all("people", None).unwrap();
    assert_eq!(reading.interactions[0].data, PERSON);
}

#[test]
fn check_asks_who_the_token_is_for() {
    let rig = populated();
    let harness = rig.harness(2);
    assert_eq!(Birch.check(&harness.ctx()), Ok(()));
    rig.world().answer = Some(testing::text(401, "no"));
    assert!(matches!(Birch.check(&harness.ctx()), Err(Error::Unauthorized(_))));
}

#[test]
fn an_object_that_does_not_exist_is_told() {
    let refusal = populated().harness(2).fetch("pigeons", None).unwrap_err();
    assert!(matches!(refusal, Error::Other { code, .. } if code == "unknown-object"));
}
