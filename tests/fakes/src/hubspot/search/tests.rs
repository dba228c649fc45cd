//! What search finds and where it ends.

use super::*;
use crate::{
    content::id,
    dataset::{Shape, World},
    schema::Provider,
};
use serde_json::json;

const NOW: i64 = 1_790_000_000_777;

fn world(records: u32) -> World {
    let shape = Shape { seed: 5, records, ties: 0, index_lag_ms: 10_000, late_commit_ms: 0, plain: true };
    World::new(Provider::HubSpot, shape)
}

fn ask<'a>(table: &'a Table, body: Value) -> Result<Found<'a>, String> {
    run(table, body.to_string().as_bytes(), NOW, CAP)
}

#[test]
fn a_cap_that_was_turned_down_is_the_end() {
    let world = world(100);
    let ask = |body: Value| {
        run(world.table("contacts").unwrap(), body.to_string().as_bytes(), NOW, 30).map(|found| found.total)
    };
    assert_eq!(ask(json!({ "limit": 10, "after": "20" })), Ok(100));
    assert!(ask(json!({ "limit": 10, "after": "21" })).is_err());
}

#[test]
fn nothing_lies_beyond_the_ten_thousandth_record() {
    let world = world(10_500);
    let table = world.table("contacts").unwrap();
    let last = ask(table, json!({ "limit": 200, "after": "9800" })).unwrap();
    assert_eq!((last.rows.len(), last.total, last.next), (200, 10_500, Some(10_000)));
    assert!(ask(table, json!({ "limit": 200, "after": "9801" })).is_err());
    assert!(ask(table, json!({ "limit": 200, "after": "10000" })).is_err());
}

#[test]
fn keyset_by_id_in_a_closed_window_sees_every_record_once() {
    let world = world(2_000);
    let table = world.table("deals").unwrap();
    let (mut last, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let body = json!({
            "filterGroups": [{ "filters": [
                { "propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "0" },
                { "propertyName": "hs_lastmodifieddate", "operator": "LT", "value": NOW.to_string() },
                { "propertyName": "hs_object_id", "operator": "GT", "value": last }
            ]}],
            "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }], "limit": 200
        });
        let page = ask(table, body).unwrap();
        let Some(end) = page.rows.last() else { break };
        last = id(table.object, end.seq);
        seen.extend(page.rows.iter().map(|record| record.seq));
    }
    assert_eq!(seen, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn a_record_may_be_found_by_its_old_stamp_and_come_with_its_new_body() {
    let mut world = world(50);
    let old = world.table("contacts").unwrap().rows[7].stamp_ms;
    // The index learns of the change at some time after the clock of this search.
    assert!(world.update("contacts", 7, NOW - 1));
    world.tables[1].rows[7].index.next = Some((NOW + 1, NOW - 1));
    let table = world.table("contacts").unwrap();
    let body = json!({ "filterGroups": [{ "filters": [
        { "propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": old.to_string(), "highValue": old.to_string() }
    ]}]});
    let found = ask(table, body).unwrap();
    assert!(found.rows.iter().any(|record| record.seq == 7 && record.stamp_ms == NOW - 1));
}

#[test]
fn a_new_record_is_not_found_until_the_index_has_it() {
    let mut world = world(10);
    let seq = world.create("tickets", NOW).unwrap();
    let due = world.table("tickets").unwrap().rows[seq as usize].index.next.unwrap().0;
    let table = world.table("tickets").unwrap();
    let body = json!({ "filterGroups": [{ "filters": [
        { "propertyName": "hs_object_id", "operator": "EQ", "value": id(table.object, seq) }]}]})
    .to_string();
    assert_eq!(run(table, body.as_bytes(), due - 1, CAP).unwrap().total, 0);
    assert_eq!(run(table, body.as_bytes(), due, CAP).unwrap().total, 1);
}

#[test]
fn only_the_first_sort_rule_counts() {
    let mut world = world(300);
    world.tables[2].rows.iter_mut().for_each(|record| record.index.shown = Some(1_000));
    let table = world.table("deals").unwrap();
    let found = ask(
        table,
        json!({ "limit": 200, "sorts": [
        { "propertyName": "hs_lastmodifieddate", "direction": "ASCENDING" },
        { "propertyName": "hs_object_id", "direction": "ASCENDING" }]}),
    )
    .unwrap();
    assert!(!found.rows.is_sorted_by_key(|record| record.seq), "ties come in no order");
}

#[test]
fn the_wrong_modified_property_and_a_bad_operator_are_refused() {
    let world = world(10);
    let filter = |table, name: &str, operator: &str| {
        let filter = json!({ "propertyName": name, "operator": operator, "value": "1" });
        ask(world.table(table).unwrap(), json!({ "filterGroups": [{ "filters": [filter] }] })).is_ok()
    };
    assert!(filter("contacts", "lastmodifieddate", "GTE"));
    assert!(!filter("contacts", "hs_lastmodifieddate", "GTE"));
    assert!(!filter("deals", "lastmodifieddate", "GTE"));
    assert!(!filter("deals", "hs_lastmodifieddate", ">="));
}

#[test]
fn operators_mean_what_they_say() {
    let world = world(20);
    let table = world.table("contacts").unwrap();
    let count = |filter: Value| ask(table, json!({ "filterGroups": [{ "filters": [filter] }] })).unwrap().total;
    let of = |operator: &str, value: &str| {
        count(json!({ "propertyName": "hs_object_id", "operator": operator, "value": value }))
    };
    // Ids are 95, 98, 101, ...: compared as numbers.
    assert_eq!(of("LT", "101"), 2);
    assert_eq!(of("LTE", "101"), 3);
    assert_eq!(of("GT", "101"), 17);
    assert_eq!(of("GTE", "101"), 18);
    assert_eq!(of("EQ", "101"), 1);
    assert_eq!(of("NEQ", "101"), 19);
    assert_eq!(count(json!({ "propertyName": "hs_object_id", "operator": "IN", "values": ["95", "98", "7"] })), 2);
    let has = count(json!({ "propertyName": "phone", "operator": "HAS_PROPERTY" }));
    let lacks = count(json!({ "propertyName": "phone", "operator": "NOT_HAS_PROPERTY" }));
    assert_eq!(has + lacks, 20);
    assert!(lacks > 0);
}
