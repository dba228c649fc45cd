//! What the suite found, for people and for machines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::checks::{Check, Family};
use crate::connector::Connector;

/// Lines of evidence kept of a failure.
const EVIDENCE_LINES: usize = 12;

/// Bytes of a line of evidence.
const LINE_BYTES: usize = 400;

/// How a check went for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Result {
    /// It holds in every case.
    Passed,
    /// It does not hold.
    Failed,
    /// It could not be looked at; the reason says why.
    Skipped,
}

/// One check of one object.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The check's code.
    pub code: &'static str,
    /// The check's name.
    pub name: &'static str,
    /// What holds where it passes.
    pub promise: &'static str,
    /// The object; empty where it is about the connector itself.
    pub object: String,
    /// How it went.
    pub result: Result,
    /// Cases looked at.
    pub cases: u32,
    /// Cases that failed.
    pub failures: u32,
    /// Of the first failure, or why it was skipped.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What was sent and received in the first failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    #[serde(skip)]
    family: Family,
}

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The connector's name.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// `sha256:` and its digest.
    pub digest: String,
    /// By code and object.
    pub findings: Vec<Finding>,
    /// Cases looked at.
    pub cases: u32,
    /// How long it took.
    pub seconds: f64,
}

/// Why a case failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) evidence: Vec<String>,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), evidence: Vec::new() }
    }

    /// With what was sent and received.
    pub(super) fn seen(mut self, lines: Vec<String>) -> Self {
        self.evidence.extend(lines);
        self
    }
}

#[derive(Default)]
struct Count {
    cases: u32,
    failures: u32,
    first: Option<Failure>,
    skipped: Option<String>,
}

/// Counts cases by check and object while the suite runs.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<(&'static str, String), (&'static Check, Count)>);

impl Tally {
    fn count(&mut self, check: &'static Check, object: &str) -> &mut Count {
        &mut self.0.entry((check.code, object.to_owned())).or_insert_with(|| (check, Count::default())).1
    }

    /// A case that holds or does not.
    pub(super) fn case(&mut self, check: &'static Check, object: &str, outcome: std::result::Result<(), Failure>) {
        let count = self.count(check, object);
        count.cases += 1;
        if let Err(failure) = outcome {
            count.failures += 1;
            count.first.get_or_insert(failure);
        }
    }

    /// A case that holds if `holds`.
    pub(super) fn holds(
        &mut self,
        check: &'static Check,
        object: &str,
        holds: bool,
        otherwise: impl FnOnce() -> Failure,
    ) {
        self.case(check, object, if holds { Ok(()) } else { Err(otherwise()) });
    }

    /// Whether a check holds so far: it was looked at, and nothing failed.
    pub(super) fn passed(&self, check: &'static Check, object: &str) -> bool {
        self.0.get(&(check.code, object.to_owned())).is_some_and(|(_, count)| count.cases > 0 && count.failures == 0)
    }

    /// Whether a check failed so far.
    pub(super) fn failed(&self, check: &'static Check, object: &str) -> bool {
        self.0.get(&(check.code, object.to_owned())).is_some_and(|(_, count)| count.failures > 0)
    }

    /// A check that cannot be looked at. Cases that were looked at elsewhere count all the same.
    pub(super) fn skip(&mut self, check: &'static Check, object: &str, why: impl Into<String>) {
        self.count(check, object).skipped.get_or_insert(why.into());
    }

    pub(super) fn report(self, connector: &Connector, took: Duration) -> Report {
        let findings: Vec<Finding> = self
            .0
            .into_iter()
            .map(|((code, object), (check, count))| {
                let (result, failure) = match (count.first, count.cases) {
                    (Some(failure), _) => (Result::Failed, failure),
                    (None, 0) => (Result::Skipped, Failure::new(count.skipped.unwrap_or_default())),
                    (None, _) => (Result::Passed, Failure::new("")),
                };
                Finding {
                    code,
                    name: check.name,
                    promise: check.promise,
                    object,
                    result,
                    cases: count.cases,
                    failures: count.failures,
                    reason: clean(&failure.reason),
                    evidence: failure.evidence.iter().take(EVIDENCE_LINES).map(|line| clean(line)).collect(),
                    family: check.family,
                }
            })
            .collect();
        Report {
            connector: connector.manifest.name.clone(),
            version: connector.manifest.version.to_string(),
            digest: connector.pin().to_string(),
            cases: findings.iter().map(|finding| finding.cases).sum(),
            findings,
            seconds: took.as_secs_f64(),
        }
    }
}

fn clean(text: &str) -> String {
    crate::connector::clean(text, LINE_BYTES)
}

impl Report {
    /// Findings that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.result == Result::Failed)
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.failed().next().is_none()
    }

    fn number(&self, result: Result) -> usize {
        self.findings.iter().filter(|finding| finding.result == result).count()
    }

    /// For people: a line for each check, more about what failed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{} {} ({})\n", self.connector, self.version, self.digest.get(..19).unwrap_or_default());
        for family in Family::ALL {
            let here: Vec<&Finding> = self.findings.iter().filter(|finding| finding.family == family).collect();
            if here.is_empty() {
                continue;
            }
            text.push_str(&format!("\n{}\n", family.title()));
            let mut codes: Vec<&str> = here.iter().map(|finding| finding.code).collect();
            codes.dedup();
            for code in codes {
                let of: Vec<&&Finding> = here.iter().filter(|finding| finding.code == code).collect();
                text.push_str(&lines(&of));
            }
        }
        let verdict = if self.is_green() { "passed" } else { "FAILED" };
        text.push_str(&format!(
            "\n{verdict}: {} passed, {} failed, {} skipped; {} cases in {:.1} s\n",
            self.number(Result::Passed),
            self.number(Result::Failed),
            self.number(Result::Skipped),
            self.cases,
            self.seconds
        ));
        if let Some(first) = self.failed().next() {
            text.push_str(&format!("`syncline explain {}` says more\n", first.code));
        }
        text
    }

    /// As JUnit's XML, which most build servers read.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
            escape(&format!("{} {}", self.connector, self.version)),
            self.findings.len(),
            self.number(Result::Failed),
            self.number(Result::Skipped),
            self.seconds
        );
        for finding in &self.findings {
            let class = if finding.object.is_empty() { &self.connector } else { &finding.object };
            let name = format!("{} {}", finding.code, finding.name);
            xml.push_str(&format!("<testcase classname=\"{}\" name=\"{}\"", escape(class), escape(&name)));
            match finding.result {
                Result::Passed => xml.push_str("/>\n"),
                Result::Skipped => {
                    xml.push_str(&format!("><skipped message=\"{}\"/></testcase>\n", escape(&finding.reason)));
                }
                Result::Failed => xml.push_str(&format!(
                    "><failure message=\"{}\">{}</failure></testcase>\n",
                    escape(&finding.reason),
                    escape(&finding.evidence.join("\n"))
                )),
            }
        }
        xml.push_str("</testsuite>\n</testsuites>\n");
        xml
    }
}

/// The lines of one check: one if all objects agree.
fn lines(of: &[&&Finding]) -> String {
    let Some(first) = of.first() else { return String::new() };
    let cases: u32 = of.iter().map(|finding| finding.cases).sum();
    let bad: Vec<&&&Finding> = of.iter().filter(|finding| finding.result == Result::Failed).collect();
    let all_skipped = of.iter().all(|finding| finding.result == Result::Skipped);
    let mark = match (bad.is_empty(), all_skipped) {
        (false, _) => "FAIL",
        (true, true) => "skip",
        (true, false) => "ok  ",
    };
    let mut text = format!("  {mark} {} {:<24} {}", first.code, first.name, first.promise);
    if cases > 1 {
        text.push_str(&format!(" ({cases} cases)"));
    }
    text.push('\n');
    if all_skipped {
        text.push_str(&format!("         {}\n", first.reason));
    }
    for finding in bad {
        let object = if finding.object.is_empty() { String::new() } else { format!("{}: ", finding.object) };
        let count = if finding.failures > 1 {
            format!(" ({} of {} cases)", finding.failures, finding.cases)
        } else {
            String::new()
        };
        text.push_str(&format!("         {object}{}{count}\n", finding.reason));
        for line in &finding.evidence {
            text.push_str(&format!("           {line}\n"));
        }
    }
    text
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML 1.0 has no other control characters, not even escaped.
            char if char.is_control() && char != '\n' && char != '\t' => safe.push('\u{fffd}'),
            char => safe.push(char),
        }
    }
    safe
}
