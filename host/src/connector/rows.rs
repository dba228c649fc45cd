//! Rows that stay with the host. A connector may say in a request which list of the answer holds its records and what it wants
//! to know of each: then the answer goes into the sandbox with that and no more, and the rows wait here until the page
//! names them. So a record's JSON is neither copied into the sandbox, nor read there, nor copied out again. If it also says
//! which members make a record of a row, then it is only told how many plain rows there are, one after another: those of
//! which it would learn nothing else.
//!
//! A wish that is not understood or an answer that does not look as it says changes nothing: the whole answer goes in.
//! Nothing here judges a record: that is done when it lands.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod scan;

use std::ops::Range;

use bytes::Bytes;

use self::scan::Scan;
use super::contract::{PAGE_BYTES, PAGE_RECORDS};
use crate::domain::{Interaction, RecordState};

/// Rows kept for one call: what its page can hold, and as many that it passes over.
const ROWS: usize = 2 * PAGE_RECORDS;
/// Bytes of answers kept for one call at most: whatever a page names of them, it has room for. (A connector that asks for fewer
/// rows where they are large cannot see how large these are.)
const BYTES: usize = PAGE_BYTES - (1 << 20);
/// Members that may be wanted of a row. Each name in an answer is compared with them.
const MEMBERS: usize = 64;

/// What a request says of the rows of its answer.
pub(crate) struct Wish {
    list: Name,
    known: Members,
    /// The attribute that says what makes a record of a plain row, if one does.
    plain: Option<String>,
    /// The attributes that say where the rows are and what is to be known of one.
    texts: [String; 2],
}

/// A member's name as JSON without escapes.
struct Name(Vec<u8>);

impl Name {
    fn of(name: &str) -> Self {
        Self(format!("\"{name}\"").into_bytes())
    }

    fn is(&self, key: &[u8]) -> bool {
        // Nearly all differ in their length already, and the others are short.
        self.0.len() == key.len() && self.0.iter().eq(key)
    }
}

/// The members that are wanted of an object.
struct Members(Vec<Member>);

struct Member {
    name: Name,
    /// It is to be known.
    shown: bool,
    /// What is wanted of the member, if not all.
    inner: Option<Members>,
    /// Which of the facts it is, a bit for each.
    facts: u8,
}

/// What makes a record of a row: its id, its version, and the time of its last change.
const FACTS: [&str; 3] = ["id", "version", "updated-at"];

impl Wish {
    /// The wish that a request's attributes hold; `attribute` finds one by name.
    pub(crate) fn of<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let (list, text) = (attribute("rows")?, attribute("rows-known")?);
        let mut known = Members::of(&serde_json::from_str(text).ok()?)?;
        let plain = attribute("rows-plain").filter(|text| known.add_facts(text).is_some());
        let plain = plain.map(str::to_owned);
        let texts = [list.to_owned(), text.to_owned()];
        (known.count() <= MEMBERS).then(|| Self { list: Name::of(list), known, plain, texts })
    }
}

impl Members {
    fn of(wanted: &serde_json::Value) -> Option<Self> {
        let member = |(name, inner): (&String, _)| Member {
            name: Name::of(name),
            shown: true,
            inner: Self::of(inner),
            facts: 0,
        };
        Some(Self(wanted.as_object()?.iter().map(member).collect()))
    }

    /// How many they are, those of members included.
    fn count(&self) -> usize {
        self.0.iter().map(|member| 1 + member.inner.as_ref().map_or(0, Self::count)).sum()
    }

    fn named(&self, key: &[u8]) -> Option<&Member> {
        self.0.iter().find(|member| member.name.is(key))
    }

    /// Adds which members make a record. None, and nothing added, if these do not say what its id is.
    fn add_facts(&mut self, text: &str) -> Option<()> {
        let names: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
        let names = FACTS.map(|fact| names.get(fact).and_then(serde_json::Value::as_str));
        let [Some(_), ..] = names else { return None };
        for (place, name) in names.into_iter().enumerate() {
            let Some(name) = name.map(Name::of) else { continue };
            let fact = 1 << place;
            match self.0.iter_mut().find(|member| member.name.is(&name.0)) {
                Some(member) => member.facts |= fact,
                None => self.0.push(Member { name, shown: false, inner: None, facts: fact }),
            }
        }
        Some(())
    }
}

impl Member {
    const fn is_fact(&self) -> bool {
        self.facts != 0
    }
}

/// The rows that one call's answers left here, numbered from 0.
pub(crate) struct KeptRows {
    answers: Vec<String>,
    rows: Vec<KeptRow>,
    /// What more may be kept.
    bytes_left: usize,
}

/// A row: in which answer, where in it, and where what makes a record of it is, if it is plain.
struct KeptRow {
    answer: usize,
    text: Range<usize>,
    facts: Option<Facts>,
}

/// The places of an id, a version and a time.
type Facts = [Option<Range<usize>>; FACTS.len()];

/// An answer without what stays here.
pub(crate) struct Cut {
    pub(crate) body: Bytes,
    pub(crate) attributes: Vec<(String, String)>,
}

impl KeptRows {
    /// None yet, of answers of at most so many bytes together, and never of more than a page has room for.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { answers: Vec::new(), rows: Vec::new(), bytes_left: most_bytes.min(BYTES) }
    }

    /// Keeps the rows of an answer and answers with what is left of it. The answer as it came, and nothing kept, if it does
    /// not look as the wish says, or if more bytes or rows would be kept than may.
    pub(crate) fn keep(&mut self, answer: Bytes, wish: Wish) -> Result<Cut, Bytes> {
        let Some(bytes_left) = self.bytes_left.checked_sub(answer.len()) else { return Err(answer) };
        let answer = String::from_utf8(answer.into()).map_err(|error| Bytes::from(error.into_bytes()))?;
        let first = self.rows.len();
        let mut body = Vec::with_capacity(answer.len() / 4);
        let mut scan = Scan::new(&answer, self.answers.len());
        if scan.answer(&wish, &mut self.rows, &mut body).is_none() {
            self.rows.truncate(first);
            return Err(answer.into());
        }
        self.answers.push(answer);
        self.bytes_left = bytes_left;
        let [list, known] = wish.texts;
        let mut attributes = vec![
            ("rows".to_owned(), list),
            ("rows-known".to_owned(), known),
            ("rows-first".to_owned(), first.to_string()),
        ];
        attributes.extend(wish.plain.map(|plain| ("rows-plain".to_owned(), plain)));
        Ok(Cut { body: body.into(), attributes })
    }

    /// The records of a page: those that name a row with its JSON, and for one that names plain rows a record of each, until
    /// they are more than a page may hold. What names no row stays as it is: no JSON, and rejected for that when it lands.
    pub(crate) fn give(&self, records: Vec<Interaction>) -> Vec<Interaction> {
        let (mut given, mut bytes) = (Vec::with_capacity(records.len().max(self.rows.len())), 0);
        for mut record in records {
            if bytes > PAGE_BYTES || given.len() > PAGE_RECORDS {
                break;
            }
            if let Some(row) = self.named(&record.data) {
                bytes += row.len();
                row.clone_into(&mut record.data);
            } else if let Some(rows) = self.plain(&record.data) {
                given.extend(rows.iter().filter_map(|row| self.record(row)));
                bytes += rows.iter().map(|row| row.text.len()).sum::<usize>();
                continue;
            }
            given.push(record);
        }
        given
    }

    /// The row of `@N`.
    fn named(&self, reference: &str) -> Option<&str> {
        self.text(self.rows.get(number(reference.strip_prefix('@')?)?)?)
    }

    /// The rows of `@N+M`: M from the Nth, all of them plain.
    fn plain(&self, reference: &str) -> Option<&[KeptRow]> {
        let (first, count) = reference.strip_prefix('@')?.split_once('+')?;
        let (first, count) = (number(first)?, number(count)?);
        let rows = self.rows.get(first..first.checked_add(count)?)?;
        (!rows.is_empty() && rows.iter().all(|row| row.facts.is_some())).then_some(rows)
    }

    fn record(&self, row: &KeptRow) -> Option<Interaction> {
        let answer = self.answers.get(row.answer)?;
        let text = |place: &Option<Range<usize>>| Some(answer.get(place.clone()?)?.to_owned());
        let [id, version, updated_at] = row.facts.as_ref()?;
        let (version, updated_at) = (text(version), text(updated_at));
        let data = self.text(row)?.to_owned();
        Some(Interaction { id: text(id)?, version, updated_at, state: RecordState::Present, data })
    }

    fn text(&self, row: &KeptRow) -> Option<&str> {
        self.answers.get(row.answer)?.get(row.text.clone())
    }
}

/// A number of nothing but digits.
fn number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
