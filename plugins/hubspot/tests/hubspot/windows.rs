//! Search windows: what changed, however HubSpot shows it.

use serde_json::{Value, json};

use crate::mini::{HOUR, MINUTE, Mini};

/// A synced HubSpot with this many companies, two hours after the last write.
fn synced(companies: u64) -> Mini {
    let mut mini = Mini::new();
    for id in 1..=companies {
        mini.world().write(id, "old");
    }
    mini.pass(2 * HOUR);
    mini.sync();
    mini.assert_truth();
    mini.pass(2 * MINUTE);
    mini
}

fn operators(search: &Value) -> Vec<String> {
    let filters = search["filterGroups"][0]["filters"].as_array().unwrap();
    filters
        .iter()
        .map(|f| format!("{} {}", f["propertyName"].as_str().unwrap(), f["operator"].as_str().unwrap()))
        .collect()
}

#[test]
fn fifteen_thousand_records_with_one_stamp_are_all_read() {
    let mut mini = synced(15_000);
    for id in 1..=15_000 {
        mini.world().write(id, "month end");
    }
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    assert_eq!(reading.interactions.len(), 15_000, "each once");
    assert_eq!(mini.http.count(), 75, "200 at a time");
}

#[test]
fn a_window_of_more_than_ten_thousand_rows_is_read_without_an_offset() {
    let mut mini = synced(10_450);
    for id in 1..=10_450 {
        mini.world().now += 1;
        mini.world().write(id, "new");
    }
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
    assert!(mini.searches().iter().all(|search| search.get("after").is_none()));
}

#[test]
fn rows_that_change_while_a_window_is_paged_are_not_skipped() {
    let mut mini = synced(1_000);
    for id in 1..=1_000 {
        mini.world().write(id, "new");
    }
    mini.pass(2 * MINUTE);
    // Rows already read leave the window while the rest is read: an offset would slip past as many others.
    mini.world().before_each(|request, world| {
        if request > 1 {
            for id in 0..50 {
                world.write((request as u64 - 2) * 50 + id + 1, "newer");
            }
        }
    });
    mini.sync();
    mini.world().before_each(|_, _| {});
    let last = mini.landed.get("1000").cloned();
    assert_eq!(last.as_deref(), Some("new"), "nothing behind the changes was skipped");
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_row_that_the_index_shows_late_and_out_of_order_is_met_in_the_overlap() {
    let mut mini = synced(10);
    mini.world().write_visible_after(4, "slow", 40 * MINUTE);
    mini.pass(1_000);
    mini.world().write_visible_after(5, "quick", 0);
    mini.pass(2 * MINUTE);
    mini.sync();
    assert_eq!(mini.landed["5"], "quick");
    assert_eq!(mini.landed["4"], "old", "the index does not show it yet");

    mini.pass(45 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn ids_are_compared_as_numbers_and_not_as_text() {
    let mut mini = Mini::new();
    mini.config = json!({"page_size": 2});
    let ids = [9, 10, 99, 100, 101, 1_000, 20_000_000_000];
    for id in ids {
        mini.world().write(id, "old");
    }
    mini.sync();
    mini.pass(2 * HOUR);
    for id in ids {
        mini.world().write(id, "new");
    }
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_row_newer_than_its_window_is_emitted_and_does_not_move_the_watermark() {
    let mut mini = synced(3);
    mini.world().write(1, "new");
    mini.pass(2 * MINUTE);
    // The index still has the stamp from before; the body that comes back is from just now.
    mini.world().write_visible_after(1, "newest", 10 * MINUTE);
    mini.sync();
    assert_eq!(mini.landed["1"], "newest");
    let lo =
        |mini: &Mini| serde_json::from_str::<Value>(mini.cursor.as_ref().unwrap()).unwrap()["lo"].as_u64().unwrap();
    let now = mini.world().now;
    assert_eq!(lo(&mini), (now - MINUTE - HOUR) / 1_000 * 1_000, "HubSpot's time, less what settles and the overlap");

    mini.pass(15 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_sync_without_a_change_costs_one_request() {
    let mut mini = synced(500);
    mini.pass(10 * MINUTE);
    let reading = mini.sync();
    assert_eq!(mini.http.count(), 1);
    assert_eq!((reading.pages, reading.interactions.len()), (1, 0));
}

#[test]
fn the_first_page_freezes_the_window_by_the_date_header() {
    let mut mini = synced(500);
    for id in 1..=500 {
        mini.world().write(id, "new");
    }
    mini.pass(2 * MINUTE);
    let before = mini.world().now;
    mini.sync();
    let searches = mini.searches();
    assert_eq!(searches.len(), 3);
    assert_eq!(operators(&searches[0]), ["hs_lastmodifieddate GTE", "hs_object_id GT"]);
    let closed = ["hs_lastmodifieddate GTE", "hs_object_id GT", "hs_lastmodifieddate LT"];
    assert_eq!(operators(&searches[1]), closed);
    let his: Vec<&Value> = searches[1..].iter().map(|s| &s["filterGroups"][0]["filters"][2]["value"]).collect();
    assert_eq!(his[0], his[1], "one end for the whole window");
    let hi: u64 = his[0].as_str().unwrap().parse().unwrap();
    assert_eq!(hi, (before + 200) / 1_000 * 1_000 - MINUTE);
}

#[test]
fn contacts_are_searched_by_the_property_without_a_prefix() {
    let mut mini = Mini::new();
    mini.object = "contacts";
    mini.world().modified = "lastmodifieddate";
    mini.world().write(1, "Ana");
    mini.sync();
    mini.pass(2 * HOUR);
    mini.world().write(1, "Bo");
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    assert_eq!(reading.interactions.len(), 1);
    assert_eq!(operators(&mini.searches()[0])[0], "lastmodifieddate GTE");
}

#[test]
fn a_window_without_width_reads_nothing_and_keeps_its_place() {
    let mut mini = Mini::new();
    mini.config = json!({"overlap_seconds": 0});
    mini.world().write(1, "old");
    mini.pass(HOUR);
    mini.sync();
    let place = mini.cursor.clone();
    mini.world().write(2, "within the same second");
    let reading = mini.sync();
    assert_eq!((reading.pages, reading.interactions.len()), (1, 0));
    assert_eq!(mini.cursor, place);

    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_short_page_ends_the_window_only_if_the_total_says_so() {
    let mut mini = synced(1);
    let row = |id: &str| json!({"id": id, "properties": {"name": "new"}});
    mini.world().answers = vec![
        syncline_sdk::testing::json(200, &json!({"total": 2, "results": [row("5")]})),
        syncline_sdk::testing::json(200, &json!({"total": 1, "results": [row("6")]})),
    ];
    let reading = mini.sync();
    assert_eq!(reading.landed().keys().copied().collect::<Vec<_>>(), ["5", "6"]);
}

#[test]
fn many_short_runs_with_writes_between_them_lose_nothing() {
    let mut mini = synced(300);
    let mut state = 7_u64;
    for round in 0..40 {
        for _ in 0..25 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = (state >> 33) % 400 + 1;
            let lag = (state >> 20) % (20 * MINUTE);
            mini.world().now += 700;
            mini.world().write_visible_after(id, &format!("round {round}"), lag);
        }
        mini.pass((state >> 40) % (7 * MINUTE));
        mini.sync();
    }
    mini.pass(30 * MINUTE);
    mini.sync();
    mini.assert_truth();
}
