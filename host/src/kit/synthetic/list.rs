//! Lists: which records a request asks for, in which order, and where its page ends.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::content::number;
use super::data::{Record, Table, Version};
use super::description::{Above, Bin, Deletes, Head, Last, Limits, Object, PageSize, Paging, Sort, Style};
use super::reply::{Answer, Ask, Refusal};
use crate::config::nearest::nearest;

/// Where a record stands in a list. Unique.
type Key = (i64, u64);

/// What a token says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    /// Key of the last record before.
    key: Key,
    /// Records before.
    count: usize,
    /// When it was made.
    made_ms: i64,
    /// The filter that it goes with.
    filter: u64,
}

/// A list request and all it depends on.
pub(super) struct List<'a> {
    pub(super) head: &'a Head,
    pub(super) limits: &'a Limits,
    pub(super) table: &'a Table,
    pub(super) ask: &'a Ask,
    /// Only deleted records: the request came to their own path.
    pub(super) bin: bool,
    pub(super) result_cap: Option<usize>,
    pub(super) now: i64,
}

/// What a filter asks for.
struct Filter {
    deleted: bool,
    /// At or after, in ms.
    from: i64,
    /// Before, in ms.
    until: i64,
}

impl List<'_> {
    /// The page, and how many records are in it.
    pub(super) fn answer(&self) -> Result<(Answer, usize), Refusal> {
        self.known()?;
        let limit = self.limit()?;
        let filter = self.filter()?;
        let mut rows = self.rows(&filter);
        rows.sort_unstable_by_key(|(key, ..)| *key);
        let total = rows.len();
        let paging = self.paging();
        let (skip, before) = self.begin(&rows, limit)?;
        let cap = match paging.style {
            Style::Offset | Style::Page => self.result_cap,
            Style::Cursor | Style::Keyset => self.result_cap.filter(|_| self.limits.capped),
        };
        if cap.is_some_and(|cap| before > 0 && before >= cap) {
            return Err(Refusal::new(400, "result-cap", "no more results can be had of one query"));
        }
        let room = cap.map_or(usize::MAX, |cap| cap.saturating_sub(before));
        let page: Vec<_> = rows.into_iter().skip(skip).take(limit.min(room)).collect();
        let more = skip + page.len() < total;
        let records = page.iter().map(|(_, record, version)| Json::Object(self.table.json(record, version)));
        let records: Vec<Json> = records.collect();
        let next = more.then(|| self.next(&page, before)).flatten();
        Ok((self.spell(records, total, next.as_deref()), page.len()))
    }

    fn object(&self) -> &Object {
        &self.table.object
    }

    fn paging(&self) -> &Paging {
        self.object().paging.get_ref()
    }

    fn size(&self) -> &PageSize {
        self.object().page_size.as_ref().unwrap_or(&self.head.page_size)
    }

    /// Refuses parameters that nobody described.
    fn known(&self) -> Result<(), Refusal> {
        let object = self.object();
        let mut known: BTreeSet<&str> = object.ignores.iter().map(String::as_str).collect();
        known.insert(&self.paging().param);
        known.extend(self.size().param.as_deref());
        if let Some(since) = &object.since {
            known.insert(&since.param);
            known.extend(since.until.as_deref());
        }
        if let Deletes::List { at: Bin::Param { name, .. }, .. } = &object.deletes {
            known.insert(name);
        }
        if let super::description::Auth::Query(pair) = &self.head.auth {
            known.insert(&pair.name);
        }
        let Some((name, _)) = self.ask.query.iter().find(|(name, _)| !known.contains(name.as_str())) else {
            return Ok(());
        };
        let near = nearest(name, known).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        Err(Refusal::invalid(format!("unknown parameter {name:?}{near}")))
    }

    fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let text = self.ask.param(name);
        text.map(|text| text.parse().map_err(|_| Refusal::invalid(format!("{name} = {text:?} is no number"))))
            .transpose()
    }

    fn limit(&self) -> Result<usize, Refusal> {
        let size = self.size();
        let asked = size.param.as_deref().map_or(Ok(None), |name| self.number(name))?;
        let (asked, max) = (asked.unwrap_or(size.default), size.max.unwrap_or(size.default));
        if !(1..=max).contains(&asked) && size.above == Above::Refuse {
            return Err(Refusal::invalid(format!("a page has 1 to {max} records, not {asked}")));
        }
        Ok(asked.clamp(1, max.max(1)))
    }

    fn filter(&self) -> Result<Filter, Refusal> {
        let object = self.object();
        let mut filter = Filter { deleted: self.bin, from: i64::MIN, until: i64::MAX };
        if let Deletes::List { at: Bin::Param { name, value }, .. } = &object.deletes {
            filter.deleted = match self.ask.param(name) {
                Some(asked) if asked == value => true,
                None | Some("false") => false,
                Some(asked) => return Err(Refusal::invalid(format!("{name} = {asked:?} is not known"))),
            };
        }
        let Some(since) = &object.since else { return Ok(filter) };
        let format = since.format.unwrap_or(object.updated.format);
        let time = |name: &str| {
            let text = self.ask.param(name);
            text.map(|text| format.parse(text).ok_or_else(|| Refusal::invalid(format!("{name} = {text:?} is no time"))))
                .transpose()
        };
        if let Some(from) = time(&since.param)? {
            filter.from = if since.inclusive { from } else { from.saturating_add(1) };
        }
        if let Some(until) = since.until.as_deref().map_or(Ok(None), time)? {
            filter.until = until;
        }
        Ok(filter)
    }

    fn rows(&self, filter: &Filter) -> Vec<(Key, &Record, &Version)> {
        let shown = self.table.records().filter_map(|record| Some((record, record.shown(self.now)?)));
        let all = matches!(self.object().deletes, Deletes::Tombstones { .. });
        let fits = |version: &Version| {
            (all || version.deleted == filter.deleted) && (filter.from..filter.until).contains(&version.stamp_ms)
        };
        shown
            .filter(|(_, version)| fits(version))
            .map(|(record, version)| (self.key(record, version), record, version))
            .collect()
    }

    fn key(&self, record: &Record, version: &Version) -> Key {
        let id = i64::from(record.number);
        let first = match self.object().sort {
            Sort::Id => id,
            Sort::IdDown => -id,
            Sort::Updated => version.stamp_ms,
            Sort::UpdatedDown => -version.stamp_ms,
            Sort::Created => record.created_ms,
            Sort::CreatedDown => -record.created_ms,
        };
        let tie = match self.paging().style {
            Style::Cursor | Style::Keyset => u64::from(record.number),
            // Whoever counts cannot rely on the order of equals.
            Style::Offset | Style::Page => self.table.dice(record.number, 4),
        };
        (first, tie)
    }

    /// How many rows are left out, and how many results of this query were had before.
    fn begin(&self, rows: &[(Key, &Record, &Version)], limit: usize) -> Result<(usize, usize), Refusal> {
        let paging = self.paging();
        let behind = |last: Key| rows.partition_point(|(key, ..)| *key <= last);
        let Some(text) = self.ask.param(&paging.param) else { return Ok((0, 0)) };
        match paging.style {
            Style::Cursor => {
                let token = Token::read(text).ok_or_else(|| Refusal::invalid("no such token"))?;
                let lifetime = paging.lifetime.and_then(|lifetime| i64::try_from(lifetime.as_millis()).ok());
                if lifetime.is_some_and(|lifetime| self.now - token.made_ms > lifetime) {
                    return Err(Refusal::new(410, "gone", "the token is no longer known"));
                }
                if token.filter != self.fingerprint() {
                    return Err(Refusal::invalid("the token goes with other parameters"));
                }
                Ok((behind(token.key), token.count))
            }
            Style::Keyset => {
                let wrong = || Refusal::invalid(format!("{} = {text:?} is no id", paging.param));
                let number = self.object().id.format.number(text).ok_or_else(wrong)?;
                let last = match self.object().sort {
                    Sort::Id => (i64::from(number), u64::MAX),
                    Sort::IdDown => (-i64::from(number), u64::MAX),
                    Sort::Updated | Sort::UpdatedDown | Sort::Created | Sort::CreatedDown => {
                        let record = self.table.record(number).ok_or_else(wrong)?;
                        self.key(record, record.shown(self.now).ok_or_else(wrong)?)
                    }
                };
                let skip = behind(last);
                Ok((skip, skip))
            }
            Style::Offset => {
                let skip = self.number(&paging.param)?.unwrap_or(0);
                Ok((skip, skip))
            }
            Style::Page => {
                let (first, page) = (paging.first.unwrap_or(1), self.number(&paging.param)?.unwrap_or(0));
                let nth =
                    page.checked_sub(first).ok_or_else(|| Refusal::invalid(format!("pages begin with {first}")))?;
                let skip = nth.saturating_mul(limit);
                Ok((skip, skip))
            }
        }
    }

    /// What `param` is to be next.
    fn next(&self, page: &[(Key, &Record, &Version)], before: usize) -> Option<String> {
        let paging = self.paging();
        let (key, record, _) = page.last()?;
        Some(match paging.style {
            Style::Cursor => {
                let (count, made_ms) = (before + page.len(), self.now);
                Token { key: *key, count, made_ms, filter: self.fingerprint() }.write()
            }
            Style::Keyset => self.object().id.format.text(record.number),
            Style::Offset => (before + page.len()).to_string(),
            Style::Page => {
                let page = self.ask.param(&paging.param).and_then(|text| text.parse::<usize>().ok());
                (page.unwrap_or_else(|| paging.first.unwrap_or(1)) + 1).to_string()
            }
        })
    }

    /// A number for everything that decides which records are in the list.
    fn fingerprint(&self) -> u64 {
        let object = self.object();
        let mut names: Vec<&str> = Vec::new();
        if let Some(since) = &object.since {
            names.push(&since.param);
            names.extend(since.until.as_deref());
        }
        if let Deletes::List { at: Bin::Param { name, .. }, .. } = &object.deletes {
            names.push(name);
        }
        let values = names.into_iter().map(|name| self.ask.param(name).unwrap_or_default());
        number(&format!("{}?{}", self.ask.path, values.collect::<Vec<_>>().join("&")))
    }

    fn spell(&self, records: Vec<Json>, total: usize, next: Option<&str>) -> Answer {
        let paging = self.paging();
        let url = next.map(|next| self.ask.url_with(&paging.param, next));
        let body = match &self.object().envelope {
            None => Json::Array(records),
            Some(envelope) => {
                let mut body = Map::new();
                envelope.put(&mut body, Json::Array(records));
                let number = matches!(paging.style, Style::Offset | Style::Page);
                let next = next.map(|next| match next.parse::<u64>() {
                    Ok(next) if number => json!(next),
                    _ => json!(next),
                });
                let more = next.is_some();
                for (place, value) in [(&paging.next, next), (&paging.next_url, url.clone().map(Json::from))] {
                    match (place, value) {
                        (Some(place), Some(value)) => place.put(&mut body, value),
                        (Some(place), None) if paging.last == Last::Null => place.put(&mut body, Json::Null),
                        (Some(_) | None, _) => {}
                    }
                }
                if let Some(place) = &paging.more {
                    place.put(&mut body, json!(more));
                }
                if let Some(place) = &paging.total {
                    place.put(&mut body, json!(total));
                }
                Json::Object(body)
            }
        };
        let answer = Answer::json(200, &body);
        match url.filter(|_| paging.link) {
            Some(url) => answer.with("link", format!("<{url}>; rel=\"next\"")),
            None => answer,
        }
    }
}

impl Token {
    fn write(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}
