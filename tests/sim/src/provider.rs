//! The provider: people whose whole history is known, behind the egress gate of the hosts.
//!
//! It speaks the language of the template's connector, a real component. One kind of account tells what has changed since
//! a time, the deleted included; the other one tells everybody who is there, so that deletes show by absence.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use syncline::domain::http::HttpError;
use syncline::egress::{Incoming, Outgoing, Wire, WireError};

use crate::clock;
use crate::dice::Dice;
use crate::turns;

/// How often a request goes wrong, in a thousand.
const FAULTS: u32 = 40;

/// A person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// When it was last changed.
    pub stamp: i64,
    /// How often it has been changed.
    pub n: u64,
    /// Whether it is gone.
    pub deleted: bool,
}

/// What an account tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// What has changed, the deleted included.
    Changes,
    /// Everybody who is there.
    Everybody,
}

/// The people that one object reads.
#[derive(Debug)]
pub struct Account {
    /// What it tells.
    pub tells: Tells,
    /// Everybody who ever was.
    pub people: BTreeMap<String, Person>,
    /// Answers so far.
    pub answers: u64,
}

struct Inner {
    accounts: BTreeMap<i64, Account>,
    dice: Dice,
    faults: bool,
}

/// The provider.
pub struct Provider(Mutex<Inner>);

impl Provider {
    /// A provider with these accounts, by object.
    #[must_use]
    pub fn new(accounts: BTreeMap<i64, Account>, dice: Dice) -> Self {
        Self(Mutex::new(Inner { accounts, dice, faults: true }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        self.inner().faults = false;
    }

    /// The people of an object.
    pub fn with<T>(&self, object: i64, look: impl FnOnce(&Account) -> T) -> Option<T> {
        self.inner().accounts.get(&object).map(look)
    }

    /// Creates, changes or deletes somebody. Answers with what it did.
    pub fn change(&self, object: i64) -> String {
        let mut inner = self.inner();
        let Inner { accounts, dice, .. } = &mut *inner;
        let Some(account) = accounts.get_mut(&object) else { return String::new() };
        let stamp = clock::now_ms();
        let id = format!("p-{:02}", dice.below(12));
        let deletes = dice.chance(250);
        let person = account.people.entry(id.clone()).or_insert(Person { stamp, n: 0, deleted: false });
        person.stamp = stamp;
        person.n += 1;
        // Who is deleted may be created again under the same id.
        person.deleted = deletes && !person.deleted;
        format!("{id} {}", if person.deleted { "is deleted" } else { "is changed" })
    }
}

/// The time as the API writes it, always of one length.
#[must_use]
pub fn stamp_text(ms: i64) -> String {
    time(ms).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Incoming {
    let body = Bytes::from(body.to_string());
    let mut headers = HeaderMap::new();
    let date = time(clock::now_ms()).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [(http::header::DATE, date.as_str()), (http::header::CONTENT_TYPE, "application/json")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    Incoming { status, headers, encoded_bytes: body.len() as u64, body }
}

#[async_trait]
impl Wire for Provider {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError> {
        let object = turns::object().unwrap_or(0);
        let query: BTreeMap<String, String> = outgoing.url().query_pairs().into_owned().collect();
        syncline::points::pass("request/before").await;
        let mut inner = self.inner();
        let Inner { accounts, dice, faults } = &mut *inner;
        turns::serve(0);
        if *faults && dice.chance(FAULTS) {
            return match dice.below(3) {
                0 if query.contains_key("after") => Ok(answer(StatusCode::GONE, &json!({}))),
                1 => Ok(answer(StatusCode::FORBIDDEN, &json!({}))),
                _ => Err(WireError::Final(HttpError::Truncated("the simulated provider broke off".to_owned()))),
            };
        }
        let Some(account) = accounts.get_mut(&object) else {
            return Ok(answer(StatusCode::NOT_FOUND, &json!({})));
        };
        account.answers += 1;
        let since = query.get("updated_since").and_then(|since| DateTime::parse_from_rfc3339(since).ok());
        let since = since.map_or(i64::MIN, |since| since.timestamp_millis());
        let after = query.get("after").map_or("", String::as_str);
        let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(1);
        let mut found = account.people.iter().filter(|(id, person)| {
            id.as_str() > after
                && match account.tells {
                    Tells::Changes => person.stamp >= since,
                    Tells::Everybody => !person.deleted,
                }
        });
        let page: Vec<(&String, &Person)> = found.by_ref().take(limit).collect();
        let next = found.next().and(page.last()).map(|(id, _)| (*id).clone());
        turns::serve(page.len());
        let people: Vec<_> = (page.iter())
            .map(|(id, person)| {
                let at = stamp_text(person.stamp);
                json!({ "id": id, "name": format!("n{}", person.n), "updated_at": at, "deleted": person.deleted })
            })
            .collect();
        Ok(answer(StatusCode::OK, &json!({ "people": people, "next": next })))
    }
}
