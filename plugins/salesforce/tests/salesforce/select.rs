//! The part of SOQL that the small Salesforce understands, read without a look at how the connector writes it.

use syncline_sdk::time::parse_rfc3339_ms;

/// What a condition compares with.
#[derive(Debug)]
enum Operand {
    Id(String),
    /// Whole seconds, as the real thing compares.
    Stamp(u64),
}

/// A parsed query.
#[derive(Debug)]
pub struct Select {
    /// Selected fields; `COUNT()` alone for a count.
    pub fields: Vec<String>,
    /// The object.
    pub object: String,
    conditions: Vec<(Operand, String)>,
    /// Fields to order by.
    pub order: Vec<String>,
    /// Most rows to return.
    pub limit: Option<usize>,
}

impl Select {
    /// Parses, or says why the query is malformed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = words(text)?.into_iter().peekable();
        let expect = |wanted: &str, words: &mut dyn Iterator<Item = String>| match words.next() {
            Some(word) if word == wanted => Ok(()),
            other => Err(format!("expected {wanted}, found {other:?}")),
        };
        expect("SELECT", &mut words)?;
        let fields = list(words.next())?;
        expect("FROM", &mut words)?;
        let object = words.next().ok_or("no object")?;
        let mut select = Self { fields, object, conditions: Vec::new(), order: Vec::new(), limit: None };
        while let Some(word) = words.next() {
            match word.as_str() {
                "WHERE" | "AND" => {
                    let mut next = || words.next().ok_or("an unfinished condition");
                    let (field, operator, value) = (next()?, next()?, next()?);
                    let operand = match field.as_str() {
                        "Id" => Operand::Id(unquoted(&value)),
                        "SystemModstamp" => Operand::Stamp(parse_rfc3339_ms(&value).ok_or("no bare time")? / 1_000),
                        other => panic!("no condition on {other} is expected"),
                    };
                    select.conditions.push((operand, operator));
                }
                "ORDER" => {
                    expect("BY", &mut words)?;
                    while words.peek().is_some_and(|word| word != "LIMIT") {
                        select.order.extend(list(words.next())?);
                    }
                }
                "LIMIT" => select.limit = words.next().and_then(|n| n.parse().ok()),
                other => return Err(format!("unexpected token: {other}")),
            }
        }
        Ok(select)
    }

    /// Whether a row of this id and stamp satisfies every condition.
    pub fn matches(&self, id: &str, stamp: u64) -> bool {
        self.conditions.iter().all(|(operand, operator)| {
            let ordering = match operand {
                Operand::Id(value) => id.cmp(value.as_str()),
                Operand::Stamp(value) => stamp.cmp(value),
            };
            match operator.as_str() {
                "=" => ordering.is_eq(),
                ">" => ordering.is_gt(),
                ">=" => ordering.is_ge(),
                "<=" => ordering.is_le(),
                "<" => ordering.is_lt(),
                other => panic!("no operator {other} is expected"),
            }
        })
    }
}

fn list(word: Option<String>) -> Result<Vec<String>, String> {
    let word = word.ok_or("an unfinished list")?;
    Ok(word.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Words between spaces; a quoted literal is one word, its quotes and escapes kept.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => word.extend([Some(c), chars.next()].into_iter().flatten()),
            '\'' => {
                quoted = !quoted;
                word.push(c);
            }
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    if quoted {
        return Err("unterminated string".to_owned());
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    Ok(words)
}

fn unquoted(literal: &str) -> String {
    let inner = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).expect("a string literal");
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}
