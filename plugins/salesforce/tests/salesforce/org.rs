//! An org in memory: objects, rows, bulk jobs, and the ways in which it can misbehave.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};
use syncline_sdk::testing::{MockHttp, Reply};
use syncline_sdk::time::{format_http_date, format_rfc3339_ms};
use syncline_sdk::{HttpError, Request, Response};

use crate::serve;

/// 2026-03-01T10:00:00Z, when every test begins.
pub const START: u64 = 1_772_359_200;

/// One record.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: String,
    pub stamp: u64,
    pub deleted: bool,
    pub master: Option<String>,
    pub values: BTreeMap<String, Value>,
}

/// A bulk job with the rows that it saw.
#[derive(Debug)]
pub struct Job {
    pub select: crate::select::Select,
    pub rows: Vec<Row>,
    pub created: u64,
    pub polls: usize,
}

/// How bulk results are headed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    EverySet,
    FirstSet,
}

/// The host's cap for a response.
const MAX_BODY: usize = 16 << 20;

type Fault = Box<dyn FnMut(&Request) -> Option<Result<Response, HttpError>>>;

/// The org.
pub struct Org {
    /// Its clock, in seconds; every request takes one.
    pub now: u64,
    pub object: String,
    /// Fields and their types, in the order of the describe.
    pub fields: Vec<(String, String)>,
    pub rows: BTreeMap<String, Row>,
    pub jobs: BTreeMap<String, Job>,
    pub deleted_jobs: Vec<String>,
    /// What a job's state is after that many polls.
    pub job_states: Vec<&'static str>,
    pub header: Header,
    /// Rows after which an answer stops although there are more.
    pub stop_after: usize,
    /// Rows to look at above which a query takes too long.
    pub slow_above: usize,
    /// Whether the object has bulk access.
    pub bulk: bool,
    /// Answers instead of the org, where it gives one.
    pub fault: Option<Fault>,
    created: usize,
}

/// An org that the connector and the test share.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Org>>);

impl Shared {
    /// An org with accounts and no rows.
    pub fn new() -> Self {
        let fields = [
            ("Id", "id"),
            ("IsDeleted", "boolean"),
            ("MasterRecordId", "reference"),
            ("Name", "string"),
            ("BillingAddress", "address"),
            ("AnnualRevenue", "currency"),
            ("SystemModstamp", "datetime"),
        ];
        Self(Rc::new(RefCell::new(Org {
            now: START,
            object: "Account".to_owned(),
            fields: fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).to_vec(),
            rows: BTreeMap::new(),
            jobs: BTreeMap::new(),
            deleted_jobs: Vec::new(),
            job_states: vec!["UploadComplete", "InProgress", "JobComplete"],
            header: Header::EverySet,
            stop_after: 2_000,
            slow_above: usize::MAX,
            bulk: true,
            fault: None,
            created: 0,
        })))
    }

    /// Looks at the org or changes it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Org) -> T) -> T {
        change(&mut self.0.borrow_mut())
    }

    /// The door to it.
    pub fn http(&self) -> MockHttp {
        let org = self.clone();
        MockHttp::new(move |request| org.with(|org| org.answer(request)))
    }
}

impl Org {
    /// Lets this answer instead of the org, where it gives an answer.
    pub fn interpose<R: Reply>(&mut self, mut fault: impl FnMut(&Request) -> Option<R> + 'static) {
        self.fault = Some(Box::new(move |request| fault(request).map(Reply::into_result)));
    }

    fn answer(&mut self, request: &Request) -> Result<Response, HttpError> {
        assert!(request.url.len() < 16_384, "a URL of {} bytes", request.url.len());
        self.now += 1;
        let fault = self.fault.as_mut().and_then(|fault| fault(request));
        let response = fault.unwrap_or_else(|| Ok(serve::answer(self, request)))?;
        if response.body.len() > MAX_BODY {
            return Err(HttpError::TooLarge(format!("{} bytes", response.body.len())));
        }
        Ok(response.with_header("date", format_http_date(self.now * 1_000)))
    }

    /// Writes a new row with that stamp; returns its id, which is later in order than all before it.
    pub fn create(&mut self, stamp: u64) -> String {
        self.created += 1;
        let id = format!("001Ab{:010}IAB", self.created);
        let mut values = BTreeMap::new();
        values.insert("Name".to_owned(), json!(format!("Account {}", self.created)));
        values.insert("AnnualRevenue".to_owned(), json!(1.5));
        let row = Row { id: id.clone(), stamp, deleted: false, master: None, values };
        self.rows.insert(id.clone(), row);
        id
    }

    /// Writes that many rows of one second.
    pub fn create_many(&mut self, count: usize, stamp: u64) {
        for _ in 0..count {
            self.create(stamp);
        }
    }

    /// Changes a row.
    pub fn rename(&mut self, id: &str, name: &str, stamp: u64) {
        let row = self.rows.get_mut(id).unwrap();
        row.values.insert("Name".to_owned(), json!(name));
        row.stamp = stamp;
    }

    /// Deletes a row, or merges it into another.
    pub fn delete(&mut self, id: &str, into: Option<&str>, stamp: u64) {
        let row = self.rows.get_mut(id).unwrap();
        row.deleted = true;
        row.master = into.map(str::to_owned);
        row.stamp = stamp;
    }
}

impl Row {
    /// The value of a field, times spelled as JSON spells them.
    pub fn value(&self, field: &str) -> Value {
        match field {
            "Id" => json!(self.id),
            "SystemModstamp" => json!(format_rfc3339_ms(self.stamp * 1_000).replace('Z', "+0000")),
            "IsDeleted" => json!(self.deleted),
            "MasterRecordId" => json!(self.master),
            other => self.values.get(other).cloned().unwrap_or(Value::Null),
        }
    }

    /// The record as the REST API gives it.
    pub fn record(&self, object: &str, fields: &[String]) -> Value {
        let url = format!("/services/data/v63.0/sobjects/{object}/{}", self.id);
        let mut record = Map::new();
        record.insert("attributes".to_owned(), json!({"type": object, "url": url}));
        record.extend(fields.iter().map(|field| (field.clone(), self.value(field))));
        Value::Object(record)
    }

    /// The row of a bulk result: everything quoted, times in their other spelling.
    pub fn csv(&self, fields: &[String]) -> String {
        let cells = fields.iter().map(|field| {
            let text = match self.value(field) {
                Value::Null => String::new(),
                Value::String(text) if field == "SystemModstamp" => text.replace("+0000", "Z"),
                Value::String(text) => text,
                other => other.to_string(),
            };
            format!("\"{}\"", text.replace('"', "\"\""))
        });
        cells.collect::<Vec<_>>().join(",") + "\n"
    }
}
