//! What came back.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::request::find_header;
use crate::rows::{self, Kept, PlainRow, Row, Rows};
use crate::{Attribute, Error, asked, attribute, time};

/// Characters of a body that an error message quotes.
const EXCERPT: usize = 300;

/// A whole response, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers in order, names in lower case, without those that carry credentials.
    pub headers: Vec<(String, String)>,
    /// Decoded body, at most 16 MiB.
    pub body: Vec<u8>,
    /// `rows`, `rows-known`, `rows-first`, `rows-plain`: the list whose rows the host keeps, what it left of them, the number of
    /// the first, and of which rows it left no more than how many there are.
    pub attributes: Vec<Attribute>,
}

impl Response {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The provider's clock: the `Date` header, in milliseconds since 1970.
    pub fn date_ms(&self) -> Option<u64> {
        time::parse_http_date(self.header("date")?)
    }

    /// What `Retry-After` asks for, in seconds. A date is measured from the response's own `Date`.
    pub fn retry_after(&self) -> Option<u64> {
        time::retry_after_seconds(self.header("retry-after")?, self.date_ms().unwrap_or_default())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Parses the body, which the value may borrow from. Fails with [`Error::Unexpected`] and a short excerpt.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.nonsense(&error))
    }

    /// Parses a body that holds a list of rows under a key: of each row what `T` asks for, beside its text, and of the rest
    /// what `Rest` asks for. Reads the body once. With [`rows_of`](crate::RequestBuilder::rows_of) in the request the rows
    /// themselves may stay with the host. Fails with [`Error::Unexpected`] and a short excerpt.
    ///
    /// ```
    /// # use syncline_sdk::{Error, Response, Row};
    /// #[derive(serde::Deserialize)]
    /// struct Person {
    ///     id: String,
    /// }
    /// #[derive(serde::Deserialize)]
    /// struct Rest {
    ///     next: Option<String>,
    /// }
    /// # let body = br#"{"people": [{"id": "7", "name": "Birch"}], "next": null}"#.to_vec();
    /// # let response = Response { status: 200, headers: Vec::new(), body, attributes: Vec::new() };
    /// let (people, rest): (Vec<Row<'_, Person>>, Rest) = response.rows("people")?;
    /// assert_eq!((people[0].known.id.as_str(), people[0].raw), ("7", r#"{"id": "7", "name": "Birch"}"#));
    /// assert_eq!(rest.next, None);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn rows<'a, T, Rest>(&'a self, key: &str) -> Result<(Vec<Row<'a, T>>, Rest), Error>
    where
        T: Deserialize<'a>,
        Rest: DeserializeOwned,
    {
        let (rows, rest) = self.listed(key, None)?;
        let rows = rows.into_iter().map(Rows::one).collect::<Option<_>>().ok_or_else(told_of_others)?;
        Ok((rows, rest))
    }

    /// Parses a body as [`rows`](Self::rows) does, for a request with
    /// [`plain_rows_of`](crate::RequestBuilder::plain_rows_of): the rows that are plain may come as nothing but how many there
    /// are. From a host that does not know of that, and in tests, all rows come one by one: what a connector makes of a plain row
    /// must be the record that the host would make of it.
    pub fn plain_rows<'a, T, Rest>(&'a self, key: &str, plain: &PlainRow) -> Result<(Vec<Rows<'a, T>>, Rest), Error>
    where
        T: Deserialize<'a>,
        Rest: DeserializeOwned,
    {
        self.listed(key, Some(plain))
    }

    fn listed<'a, T, Rest>(&'a self, key: &str, plain: Option<&PlainRow>) -> Result<(Vec<Rows<'a, T>>, Rest), Error>
    where
        T: Deserialize<'a>,
        Rest: DeserializeOwned,
    {
        let text = std::str::from_utf8(&self.body).map_err(|error| self.nonsense(&error))?;
        rows::read(text, key, self.kept::<T>(key, plain)?).map_err(|error| self.nonsense(&error))
    }

    /// What the host says of this list's rows, if it keeps them.
    fn kept<'a, T: Deserialize<'a>>(&self, key: &str, plain: Option<&PlainRow>) -> Result<Option<Kept>, Error> {
        let fact = |name| attribute(&self.attributes, name);
        let Some(list) = fact("rows") else { return Ok(None) };
        let told = fact("rows-plain");
        let same = told.is_none() || told == plain.map(PlainRow::text).as_deref();
        if list != key || fact("rows-known") != asked::of::<T>().as_deref() || !same {
            return Err(told_of_others());
        }
        let first = fact("rows-first").and_then(|first| first.parse().ok());
        Ok(first.map(|first| Kept { first, plain: told.is_some() }))
    }

    fn nonsense(&self, why: &dyn std::fmt::Display) -> Error {
        Error::Unexpected(format!("status {}: {why}; the body begins: {}", self.status, self.excerpt()))
    }

    /// The response itself if its status is 2xx, else what the status means.
    ///
    /// 401 is unauthorized and 403 forbidden; 429, and 503 with `Retry-After`, are rate-limited; other 5xx, 408, 423
    /// and 425 are unavailable; everything else is unexpected.
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.is_success() {
            return Ok(self);
        }
        Err(self.status_error())
    }

    fn status_error(&self) -> Error {
        let message = format!("status {}: {}", self.status, self.excerpt());
        match self.status {
            401 => Error::Unauthorized(message),
            403 => Error::Forbidden(message),
            429 => Error::RateLimited(self.retry_after()),
            503 if self.header("retry-after").is_some() => Error::RateLimited(self.retry_after()),
            408 | 423 | 425 | 500..=599 => Error::Unavailable(message),
            _ => Error::Unexpected(message),
        }
    }

    /// The beginning of the body on one line, for messages.
    pub fn excerpt(&self) -> String {
        let head = self.body.get(..EXCERPT * 4).unwrap_or(&self.body);
        let text: String =
            String::from_utf8_lossy(head).chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
        text.trim().to_owned()
    }
}

fn told_of_others() -> Error {
    let why = "the request was told of other rows (`rows_of`, `plain_rows_of`) than are read now: the key, the type and what makes \
               a record must be the same";
    Error::Unexpected(why.to_owned())
}
