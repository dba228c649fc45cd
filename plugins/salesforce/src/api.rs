//! The HTTP calls, each with what its answer means.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use syncline_sdk::{Context, Error, RequestBuilder, Response};

use crate::config::Config;
use crate::failure::{self, Failure};
use crate::fields::{Described, FieldList};
use crate::limits;
use crate::model::Record;
use crate::rows;
use crate::stamp;

/// Percent of the daily quota above which the log says so.
const USAGE_WARNING: u64 = 90;

/// A query without an answer for that long is taken for too slow. Salesforce gives up after two minutes and says so; the
/// host may lose its patience sooner, and asking the same again would end the same way.
const SLOW_MS: u64 = 20_000;

/// The org's API, for the length of one call.
pub(crate) struct Api<'a> {
    pub(crate) ctx: &'a Context<'a>,
    pub(crate) config: &'a Config,
}

/// The answer to a query for rows.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) records: Vec<Record>,
    /// Whether these are all the rows of the query. Salesforce may stop anywhere, so their number does not tell.
    pub(crate) done: bool,
    /// A second, by Salesforce's clock, at which the rows were not yet read: every row committed by then is among
    /// them.
    pub(crate) asked_at: u64,
}

/// A bulk job.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) state: String,
    #[serde(default, rename = "createdDate")]
    created: String,
    #[serde(default, rename = "errorMessage")]
    pub(crate) error: Option<String>,
}

impl Job {
    /// The second of its creation by Salesforce's clock.
    pub(crate) fn created(&self) -> Result<u64, Error> {
        stamp::parse(&self.created)
            .ok_or_else(|| Error::Unexpected(format!("createdDate {:?} of a job is no time", self.created)))
    }
}

/// A part of a bulk job's result.
#[derive(Debug)]
pub(crate) struct ResultSet {
    pub(crate) records: Vec<Record>,
    /// Where the next part begins; none after the last.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct QueryAnswer<'a> {
    #[serde(rename = "totalSize")]
    total: u64,
    done: bool,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(ctx: &'a Context<'a>, config: &'a Config) -> Self {
        Self { ctx, config }
    }

    /// The cheapest query there is: it needs valid credentials, the API enabled and a served version.
    pub(crate) fn probe(&self) -> Result<(), Error> {
        let request = self.get("/query").query("q", "SELECT Id FROM User LIMIT 1");
        match self.send(request) {
            Ok(response) => Ok(parse::<QueryAnswer<'_>>(&response).map(drop)?),
            Err(Failure::NotFound(why)) => {
                let Config { api_version, domain, .. } = self.config;
                Err(Error::InvalidConfig(format!("{domain} does not serve api_version {api_version}: {why}")))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// What the object has, and when that was so, in milliseconds by Salesforce's clock.
    pub(crate) fn describe(&self, object: &str) -> Result<(Described, u64), Failure> {
        match self.send(self.get(&format!("/sobjects/{object}/describe"))) {
            Ok(response) => Ok((parse(&response)?, date_ms(&response)?)),
            Err(Failure::NotFound(why)) => {
                Err(Error::Forbidden(format!("{object} does not exist or this user may not see it: {why}")).into())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Every row of the object, deleted ones included where it keeps them.
    pub(crate) fn count(&self, soql: &str, deleted_too: bool) -> Result<u64, Failure> {
        let response = self.send(self.query_request(soql, deleted_too))?;
        Ok(parse::<QueryAnswer<'_>>(&response)?.total)
    }

    pub(crate) fn query(&self, soql: &str, deleted_too: bool) -> Result<Rows, Failure> {
        let before_ms = self.ctx.now_ms();
        let result = self.send(self.query_request(soql, deleted_too));
        let took_ms = self.ctx.now_ms().saturating_sub(before_ms);
        let response = result.map_err(|failure| match failure {
            Failure::Final(Error::Unavailable(why)) if took_ms >= SLOW_MS => Failure::TooMuch(why),
            other => other,
        })?;
        // `Date` is written when the answer is, and the rows may have been read two minutes earlier. The host's clock
        // may be wrong, but it can tell how long that was.
        let date_ms = date_ms(&response)?;

        let answer = parse::<QueryAnswer<'_>>(&response)?;
        let records = answer.records.into_iter().map(Record::from_rest).collect::<Result<Vec<_>, _>>()?;
        // The answer to a `COUNT()` has a total and no records, and would pass for the end of everything.
        if answer.done && u64::try_from(records.len()).ok() != Some(answer.total) {
            let why = format!("a complete answer has {} records of {}", records.len(), answer.total);
            return Err(Error::Unexpected(why).into());
        }
        Ok(Rows { records, done: answer.done, asked_at: date_ms.saturating_sub(took_ms) / 1_000 })
    }

    fn query_request(&self, soql: &str, deleted_too: bool) -> RequestBuilder<'a> {
        self.get(if deleted_too { "/queryAll" } else { "/query" }).query("q", soql)
    }

    pub(crate) fn create_job(&self, soql: &str, deleted_too: bool) -> Result<Job, Failure> {
        let body = json!({
            "operation": if deleted_too { "queryAll" } else { "query" },
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        });
        let url = self.url("/jobs/query");
        let response = self.send(self.ctx.post(url).header("accept", "application/json").json(&body))?;
        Ok(parse(&response)?)
    }

    pub(crate) fn job(&self, id: &str) -> Result<Job, Failure> {
        let response = self.send(self.get(&format!("/jobs/query/{id}"))).map_err(gone)?;
        Ok(parse(&response)?)
    }

    /// At most `rows` rows of a complete job from a place in its result on.
    pub(crate) fn results(
        &self,
        job: &str,
        locator: Option<&str>,
        rows: u32,
        object: &str,
        fields: &FieldList,
    ) -> Result<ResultSet, Failure> {
        let url = self.url(&format!("/jobs/query/{job}/results"));
        let request = self.ctx.get(url).header("accept", "text/csv").query("maxRecords", rows.to_string());
        let request = match locator {
            Some(locator) => request.query("locator", locator),
            None => request,
        };
        let response = self.send(request).map_err(gone)?;
        if failure::is_html(&response) {
            return Err(Error::Unavailable(format!("not a result: {}", response.excerpt())).into());
        }
        let record_url = format!("/services/data/{}/sobjects/{object}/", self.config.api_version);
        let records = rows::records(&response.body, object, &record_url, fields)?;

        // A CSV file that was cut at the end of a line looks complete, and an empty one looks like the end; the headers
        // tell.
        let told = |name: &str| {
            let value = response.header(name).map(str::trim).filter(|value| !value.is_empty());
            value.ok_or_else(|| Error::Unexpected(format!("a result set without {name}: {}", response.excerpt())))
        };
        if told("sforce-numberofrecords")?.parse() != Ok(records.len()) {
            let why = format!("a result set has {} rows instead of {}", records.len(), told("sforce-numberofrecords")?);
            return Err(Error::Unavailable(why).into());
        }
        let next = Some(told("sforce-locator")?).filter(|locator| *locator != "null").map(str::to_owned);
        Ok(ResultSet { records, next })
    }

    /// Deletes a job that is of no more use. Salesforce would do it after seven days, so failing is no harm.
    pub(crate) fn delete_job(&self, id: &str) {
        match self.send(self.ctx.delete(self.url(&format!("/jobs/query/{id}")))) {
            Ok(_) | Err(Failure::NotFound(_) | Failure::Gone(_)) => {}
            Err(failure) => self.ctx.warn(&format!("bulk job {id} is not deleted: {}", Error::from(failure))),
        }
    }

    fn url(&self, path: &str) -> String {
        let Config { domain, api_version, .. } = self.config;
        format!("https://{domain}/services/data/{api_version}{path}")
    }

    fn get(&self, path: &str) -> RequestBuilder<'a> {
        self.ctx.get(self.url(path)).header("accept", "application/json")
    }

    fn send(&self, request: RequestBuilder<'_>) -> Result<Response, Failure> {
        let response = request.send()?;
        let used = response.header("sforce-limit-info").and_then(limits::usage_percent);
        if let Some(percent) = used.filter(|percent| *percent >= USAGE_WARNING) {
            self.ctx.warn(&format!("{percent} % of the org's daily API requests are used"));
        }
        if response.is_success() { Ok(response) } else { Err(failure::of(&response)) }
    }
}

/// Salesforce's clock.
fn date_ms(response: &Response) -> Result<u64, Error> {
    response.date_ms().ok_or_else(|| Error::Unexpected("an answer has no Date header".to_owned()))
}

/// For calls about a job: one that is not found has been removed.
fn gone(failure: Failure) -> Failure {
    match failure {
        Failure::NotFound(why) => Failure::Gone(why),
        other => other,
    }
}

fn parse<'r, T: Deserialize<'r>>(response: &'r Response) -> Result<T, Error> {
    match failure::is_html(response) {
        true => Err(Error::Unavailable(format!("a page instead of an answer: {}", response.excerpt()))),
        false => response.json(),
    }
}
