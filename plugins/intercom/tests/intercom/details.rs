//! What listings leave out.

use serde_json::{Value, json};
use syncline_sdk::testing::text;

use crate::host::Run;
use crate::mini::Mini;
use crate::world::HOUR;

fn data(run: &Run, id: &str) -> Value {
    let record = run.interactions.iter().find(|record| record.id == id).unwrap();
    serde_json::from_str(&record.data).unwrap()
}

#[test]
fn nested_lists_that_end_at_ten_are_read_to_their_end() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=3, "old");
    mini.world().record("contacts", 2).companies = 120;
    mini.world().record("contacts", 2).tags = 11;
    mini.world().record("contacts", 3).companies = 10;
    let run = mini.sync();
    let whole = data(&run, "2");
    assert_eq!(whole["companies"]["data"].as_array().unwrap().len(), 120);
    assert_eq!(whole["companies"]["data"][119], json!({"type": "company", "id": "2-119", "url": "/companies/2-119"}));
    assert_eq!(whole["companies"]["has_more"], false);
    assert_eq!(whole["tags"]["data"].as_array().unwrap().len(), 11);
    assert_eq!(whole["name"], "old");
    assert_eq!(data(&run, "3")["companies"]["data"].as_array().unwrap().len(), 10);
    mini.assert_truth();
}

#[test]
fn contacts_that_all_lack_something_are_read_in_smaller_pages() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=200, "old");
    for id in 1..=200 {
        mini.world().record("contacts", id).companies = 11;
        mini.world().record("contacts", id).tags = 11;
    }
    let run = mini.sync();
    mini.assert_truth();
    assert!((1..=200).all(|id| data(&run, &id.to_string())["tags"]["has_more"] == false));
}

#[test]
fn a_contact_with_more_companies_than_a_page_can_read_keeps_ten_and_says_so() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=2, "old");
    mini.world().record("contacts", 1).companies = 5_000;
    let run = mini.sync();
    assert_eq!(data(&run, "1")["companies"]["has_more"], true);
    mini.assert_truth();
}

#[test]
fn a_contact_that_goes_while_its_lists_are_read_is_left_out() {
    let mut mini = Mini::new("contacts");
    mini.write(1..=3, "old");
    mini.world().record("contacts", 2).tags = 11;
    mini.world().before_each(|request, world| {
        if request == 2 {
            world.remove("contacts", 2);
        }
    });
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_completed_contact_keeps_the_digits_of_its_numbers() {
    let mut mini = Mini::new("contacts");
    mini.write([7], "old");
    mini.world().record("contacts", 7).tags = 1;
    let row = r#"{"id":"7","score":12345678901234567890.10,"tags":{"has_more":true,"total_count":11}}"#;
    mini.world().answers = vec![text(200, format!(r#"{{"data":[{row}]}}"#))];
    let run = mini.sync();
    assert!(run.interactions[0].data.contains("12345678901234567890.10"), "{}", run.interactions[0].data);
}

#[test]
fn a_record_keeps_the_very_text_that_intercom_sent() {
    let mut mini = Mini::new("contacts");
    let row = r#"{ "id":"7", "name":"\u00e9", "updated_at":1772359200,"big":12345678901234567890.10 }"#;
    mini.world().answers = vec![text(200, format!(r#"{{"data":[{row}]}}"#))];
    let run = mini.sync();
    let record = &run.interactions[0];
    assert_eq!(record.data, row);
    assert_eq!(record.version.as_deref(), Some("1772359200"));
    assert_eq!(record.updated_at.as_deref(), Some("2026-03-01T10:00:00.000Z"));
}

#[test]
fn conversations_come_with_their_parts_where_that_is_wanted() {
    let mut mini = Mini::new("conversations");
    mini.config = json!({"conversation_parts": true});
    mini.write(1..=40, "old");
    mini.world().body_bytes = 100;
    mini.pass(HOUR);
    mini.world().before_each(|request, world| {
        if request == 5 {
            world.remove("conversations", 10);
        }
    });
    let run = mini.sync();
    mini.assert_truth();
    assert_eq!(mini.http.count(), 43, "three searches, 40 conversations");
    let parts = &data(&run, "40")["conversation_parts"]["conversation_parts"];
    assert_eq!(parts[0]["body"].as_str().unwrap().len(), 100);
    let asked = mini.http.requests().iter().filter(|r| r.query("display_as").as_deref() == Some("plaintext")).count();
    assert_eq!(asked, 40);
}

#[test]
fn a_conversation_that_is_too_large_with_its_parts_comes_without_them() {
    let mut mini = Mini::new("conversations");
    mini.config = json!({"conversation_parts": true});
    mini.write(1..=3, "old");
    mini.world().body_bytes = 2 << 20;
    let run = mini.sync();
    assert_eq!(data(&run, "1").get("conversation_parts"), None);
    mini.assert_truth();
}

#[test]
fn large_conversations_are_read_in_smaller_pages() {
    let mut mini = Mini::new("conversations");
    mini.config = json!({"conversation_parts": true});
    mini.write(1..=20, "old");
    mini.world().body_bytes = 900_000;
    mini.pass(HOUR);
    mini.sync();
    mini.assert_truth();
}
