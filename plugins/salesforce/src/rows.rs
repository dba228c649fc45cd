//! From a bulk result set, which is CSV, to records of the shape the REST API gives.
//!
//! Cells are text only, so the kinds of the described fields say what becomes a boolean, a number or a time. A record
//! comes out byte for byte like the REST API's, so that reading it again in a pass is no change.

use std::borrow::Cow;

use serde_json::value::RawValue;
use syncline_sdk::Error;

use crate::fields::{Field, FieldList, Kind};
use crate::model::{Facts, Record};

/// Reads a set. `url` is what a record's `attributes.url` begins with, up to the id.
pub(crate) fn records(csv: &[u8], object: &str, url: &str, fields: &FieldList) -> Result<Vec<Record>, Error> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv);
    let mut columns: Vec<&Field> = fields.iter().collect();
    let mut records = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(|error| Error::Unexpected(format!("a bulk result is no CSV: {error}")))?;
        if index == 0 && is_header(&row, fields) {
            columns = row.iter().filter_map(|name| fields.get(name)).collect();
            continue;
        }
        if row.len() != columns.len() {
            let (have, want) = (row.len(), columns.len());
            return Err(Error::Unexpected(format!("row {index} of a bulk result has {have} cells, not {want}")));
        }
        records.push(record(&columns, &row, object, url)?);
    }
    Ok(records)
}

/// Every set seen so far repeats the header line, yet nothing promises it; a row of nothing but field names is one.
fn is_header(row: &csv::StringRecord, fields: &FieldList) -> bool {
    row.iter().all(|cell| fields.has(cell))
}

fn record(columns: &[&Field], row: &csv::StringRecord, object: &str, url: &str) -> Result<Record, Error> {
    let cell = |name: &str| columns.iter().zip(row).find(|(field, _)| field.name == name).map(|(_, cell)| cell);
    let facts = Facts {
        id: Cow::Borrowed(cell("Id").unwrap_or_default()),
        stamp: Cow::Borrowed(cell("SystemModstamp").unwrap_or_default()),
        deleted: cell("IsDeleted").map(|cell| cell == "true"),
        master: cell("MasterRecordId").map(Cow::Borrowed),
    };
    let mut json = String::from(r#"{"attributes":{"type":"#);
    push_string(&mut json, object);
    json.push_str(r#","url":"#);
    push_string(&mut json, &format!("{url}{}", facts.id));
    json.push('}');
    for (field, cell) in columns.iter().zip(row) {
        json.push(',');
        push_string(&mut json, &field.name);
        json.push(':');
        push_cell(&mut json, field.kind, cell);
    }
    json.push('}');
    facts.record(json)
}

/// An empty cell is null: the two are not told apart in a bulk result, and Salesforce stores no empty strings.
fn push_cell(json: &mut String, kind: Kind, cell: &str) {
    match kind {
        _ if cell.is_empty() => json.push_str("null"),
        Kind::Bool if matches!(cell, "true" | "false") => json.push_str(cell),
        Kind::Number if is_number(cell) => json.push_str(cell),
        Kind::Time => push_string(json, &rest_spelling(cell)),
        Kind::Text | Kind::Bool | Kind::Number => push_string(json, cell),
    }
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && serde_json::from_str::<&RawValue>(cell).is_ok()
}

/// `...Z` as the REST API writes it: `...+0000`.
fn rest_spelling(time: &str) -> Cow<'_, str> {
    match time.strip_suffix('Z') {
        Some(rest) => Cow::Owned(format!("{rest}+0000")),
        None => Cow::Borrowed(time),
    }
}

fn push_string(json: &mut String, text: &str) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use syncline_sdk::State;

    use super::*;

    const URL: &str = "/services/data/v63.0/sobjects/Account/";

    fn fields() -> FieldList {
        FieldList::try_from("Id,SystemModstamp:t,IsDeleted:b,MasterRecordId,Name,AnnualRevenue:n".to_owned()).unwrap()
    }

    fn read(csv: &str) -> Vec<Record> {
        records(csv.as_bytes(), "Account", URL, &fields()).unwrap()
    }

    const HEADER: &str = "\"Id\",\"SystemModstamp\",\"IsDeleted\",\"MasterRecordId\",\"Name\",\"AnnualRevenue\"\n";
    const ROW: &str = "\"001A\",\"2026-03-01T10:20:30.000Z\",\"false\",\"\",\"Birch\",\"1500000.0\"\n";

    #[test]
    fn a_row_becomes_what_the_rest_api_gives_for_the_same_record() {
        let records = read(&format!("{HEADER}{ROW}"));
        assert_eq!(
            records[0].interaction.data,
            r#"{"attributes":{"type":"Account","url":"/services/data/v63.0/sobjects/Account/001A"},"Id":"001A","SystemModstamp":"2026-03-01T10:20:30.000+0000","IsDeleted":false,"MasterRecordId":null,"Name":"Birch","AnnualRevenue":1500000.0}"#
        );
        let raw = RawValue::from_string(records[0].interaction.data.clone()).unwrap();
        assert_eq!(Record::from_rest(&raw).unwrap().interaction, records[0].interaction);
    }

    #[test]
    fn a_set_without_a_header_loses_no_row() {
        assert_eq!(read(&format!("{HEADER}{ROW}")).len(), 1);
        assert_eq!(read(ROW).len(), 1);
        assert_eq!(read(HEADER).len(), 0);
        assert_eq!(read("").len(), 0);
    }

    #[test]
    fn line_breaks_quotes_and_commas_inside_a_cell_are_text() {
        let row = "\"001A\",\"2026-03-01T10:20:30.000Z\",\"false\",\"\",\"Birch \"\"&\"\" Sons,\r\nLtd\n\",\"\"\n";
        let data: serde_json::Value =
            serde_json::from_str(&read(&format!("{HEADER}{row}"))[0].interaction.data).unwrap();
        assert_eq!(data["Name"], "Birch \"&\" Sons,\r\nLtd\n");
        assert_eq!(data["AnnualRevenue"], serde_json::Value::Null);
    }

    #[test]
    fn columns_are_found_by_name_when_the_header_orders_them_otherwise() {
        let csv = "\"Name\",\"Id\",\"SystemModstamp\",\"IsDeleted\",\"MasterRecordId\",\"AnnualRevenue\"\n\
                   \"Birch\",\"001A\",\"2026-03-01T10:20:30.000Z\",\"true\",\"001B\",\"\"\n";
        let records = read(csv);
        assert_eq!(records[0].interaction.id, "001A");
        assert_eq!(records[0].interaction.state, State::MergedInto("001B".to_owned()));
    }

    #[test]
    fn a_row_that_broke_off_is_refused() {
        let result = records(format!("{HEADER}\"001A\",\"2026").as_bytes(), "Account", URL, &fields());
        assert!(matches!(result, Err(Error::Unexpected(_))));
    }

    #[test]
    fn what_is_no_number_stays_text() {
        assert!(is_number("1.0E7") && is_number("-3"));
        assert!(!is_number("12 apples") && !is_number("NaN") && !is_number("\"1\"") && !is_number("01"));
    }
}
