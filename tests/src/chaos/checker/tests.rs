//! Histories that sin, one sin each, and one that does not.

use super::*;

const THROTTLE: Duration = Duration::from_millis(500);

fn event(object: i64, what: What) -> Event {
    Event { at: 0, object, what }
}

fn dispatched(run: i64, dispatched_at: i64) -> Event {
    event(1, What::Dispatched { run, dispatched_at, manual: false })
}

fn claimed(epoch: i64) -> Event {
    event(1, What::Claimed { epoch, owner: format!("host {epoch}") })
}

fn committed(run: i64, epoch: i64, seq: i64) -> [Event; 3] {
    [
        event(1, What::Advanced { seq }),
        event(1, What::Counted { run, records: 10 }),
        event(1, What::Committed { run, epoch, seq, records: 10 }),
    ]
}

fn released(epoch: i64) -> Event {
    event(1, What::Released { epoch })
}

fn ended(run: i64) -> Event {
    event(1, What::Ended { run })
}

fn versioned(version: i64) -> Event {
    event(1, What::Versioned { id: "a".to_owned(), version })
}

fn landed(seq: i64) -> Event {
    event(1, What::Landed { seq })
}

/// A run that is taken over in its middle, and the next one.
fn innocent() -> Vec<Event> {
    let mut all = vec![dispatched(7, 1_000), claimed(1)];
    all.extend(committed(7, 1, 1));
    all.extend([event(1, What::Reclaimed { epoch: 2 }), claimed(3)]);
    all.extend(committed(7, 3, 2));
    all.extend([
        versioned(1),
        landed(1),
        versioned(2),
        landed(2),
        released(3),
        ended(7),
        dispatched(8, 1_500),
        claimed(4),
    ]);
    all
}

fn verdict(events: &[Event]) -> Vec<String> {
    let mut checker = Checker::new(THROTTLE);
    checker.read(events);
    checker.verdict()
}

/// Checks that exactly this promise is broken by what happens after an innocent history.
fn breaks(promise: &str, sin: &[Event]) {
    let found = verdict(&[innocent(), sin.to_vec()].concat());
    assert!(!found.is_empty(), "the checker saw nothing");
    assert!(found.iter().all(|violation| violation.contains(promise)), "{found:#?}");
}

#[test]
fn an_innocent_history_is_found_innocent() {
    assert_eq!(verdict(&innocent()), Vec::<String>::new());
}

#[test]
fn a_page_of_an_epoch_that_was_fenced_is_seen() {
    breaks("G3", &committed(8, 3, 3));
}

#[test]
fn a_page_without_a_lease_is_seen() {
    let mut sin = vec![released(4)];
    sin.extend(committed(8, 4, 3));
    breaks("G3", &sin);
}

#[test]
fn a_claim_beside_a_claim_is_seen() {
    breaks("G3", &[claimed(5)]);
}

#[test]
fn an_epoch_that_goes_back_or_leaps_is_seen() {
    breaks("G3", &[released(4), claimed(4)]);
    breaks("G3", &[released(4), claimed(6)]);
    breaks("G3", &[event(1, What::Reclaimed { epoch: 4 })]);
}

#[test]
fn two_runs_at_once_are_seen() {
    breaks("G3", &[dispatched(9, 5_000)]);
}

#[test]
fn two_dispatches_in_a_throttle_window_are_seen() {
    breaks("G4", &[released(4), ended(8), dispatched(9, 1_999)]);
    assert_eq!(
        verdict(&[innocent(), vec![released(4), ended(8), dispatched(9, 2_000)]].concat()),
        Vec::<String>::new()
    );
}

#[test]
fn a_person_may_ask_within_the_throttle_window() {
    let asked = event(1, What::Dispatched { run: 9, dispatched_at: 1_600, manual: true });
    assert_eq!(verdict(&[innocent(), vec![released(4), ended(8), asked]].concat()), Vec::<String>::new());
}

#[test]
fn a_cursor_that_leaps_or_moves_alone_is_seen() {
    breaks("G2", &[event(1, What::Advanced { seq: 4 })]);
    breaks("G2", &[event(1, What::Moved)]);
}

#[test]
fn records_that_were_counted_and_are_in_no_page_are_seen() {
    breaks("G2", &[event(1, What::Advanced { seq: 3 }), event(1, What::Counted { run: 8, records: 10 })]);
}

#[test]
fn a_page_that_is_not_where_the_cursor_is_is_seen() {
    breaks(
        "G2",
        &[
            event(1, What::Counted { run: 8, records: 10 }),
            event(1, What::Committed { run: 8, epoch: 4, seq: 3, records: 10 }),
        ],
    );
}

#[test]
fn a_page_that_lands_twice_or_out_of_nothing_is_seen() {
    breaks("G7", &[landed(2)]);
    breaks("G7", &[landed(3)]);
}

#[test]
fn a_version_that_does_not_grow_is_seen() {
    breaks("G7", &[versioned(2)]);
    breaks("G7", &[versioned(1)]);
}

#[test]
fn claims_know_how_they_ended_and_who_came_next() {
    let mut checker = Checker::new(THROTTLE);
    checker.read(&innocent());
    let end = |epoch| checker.claims()[&(1, epoch)].end;
    assert_eq!([end(1), end(3), end(4)], [Some(End::Reclaimed), Some(End::Released), None]);
    assert_eq!(checker.next_claim(1, 1).unwrap().owner, "host 3");
    assert!(checker.next_claim(1, 4).is_none());
}
