//! The part of SOQL that connectors use: SELECT, WHERE, ORDER BY, LIMIT on one object.
//!
//! Refuses what Salesforce refuses: quoted times, AND mixed with OR without parentheses, fields and objects that do
//! not exist.

use chrono::DateTime;

use super::fields::Column;
use crate::schema::{Object, Provider};

/// A query, with every name resolved.
#[derive(Clone, Debug)]
pub struct Query {
    /// The object asked for.
    pub object: &'static Object,
    /// The fields asked for; empty for `COUNT()`.
    pub columns: Vec<Column>,
    /// The condition.
    pub filter: Option<Expr>,
    /// The order: column, descending.
    pub order: Vec<(Column, bool)>,
    /// The limit.
    pub limit: Option<usize>,
}

/// A condition.
#[derive(Clone, Debug)]
pub enum Expr {
    /// All of these.
    And(Vec<Expr>),
    /// Any of these.
    Or(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// A comparison.
    Compare(Column, Operator, Literal),
    /// One of a list; negated if the flag is set.
    In(Column, bool, Vec<Literal>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A point in time, in ms, cut to the second.
    Time(i64),
    /// A calendar day.
    Date(String),
    /// A quoted text.
    Text(String),
    /// A number.
    Number(f64),
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// `NULL`.
    Null,
}

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `MALFORMED_QUERY`, `INVALID_FIELD` or `INVALID_TYPE`.
    pub code: &'static str,
    /// The message.
    pub text: String,
}

fn malformed(text: impl Into<String>) -> Refused {
    Refused { code: "MALFORMED_QUERY", text: text.into() }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

/// Reads a query.
///
/// # Errors
/// As Salesforce would.
pub fn parse(text: &str) -> Result<Query, Refused> {
    let mut parser = Parser { tokens: scan(text)?, at: 0 };
    parser.word("SELECT")?;
    let names = parser.names()?;
    parser.word("FROM")?;
    let name = parser.ident()?;
    let object = Provider::Salesforce.objects().iter().find(|object| object.name.eq_ignore_ascii_case(&name));
    let object = object
        .ok_or_else(|| Refused { code: "INVALID_TYPE", text: format!("sObject type '{name}' is not supported.") })?;
    let columns = names.iter().map(|name| column(object, name)).collect::<Result<_, _>>()?;
    let filter = if parser.accept("WHERE") { Some(parser.expr(object)?) } else { None };
    let order = if parser.accept("ORDER") { parser.order(object)? } else { Vec::new() };
    let limit = match parser.accept("LIMIT") {
        true => Some(parser.ident()?.parse().map_err(|_| malformed("LIMIT needs a whole number"))?),
        false => None,
    };
    match parser.next() {
        None => Ok(Query { object, columns, filter, order, limit }),
        Some(token) => Err(unexpected(&token)),
    }
}

fn column(object: &'static Object, name: &str) -> Result<Column, Refused> {
    Column::find(object, name).ok_or_else(|| Refused {
        code: "INVALID_FIELD",
        text: format!("No such column '{name}' on entity '{}'.", object.name),
    })
}

fn unexpected(token: &Token) -> Refused {
    match token {
        Token::Word(text) | Token::Text(text) => malformed(format!("unexpected token: '{text}'")),
        Token::Sign(sign) => malformed(format!("unexpected token: '{sign}'")),
    }
}

fn scan(text: &str) -> Result<Vec<Token>, Refused> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let used = if first == '\'' {
            let (value, used) = quoted(rest)?;
            tokens.push(Token::Text(value));
            used
        } else if let Some(sign) =
            ["!=", "<>", "<=", ">=", "(", ")", ",", "=", "<", ">"].iter().find(|s| rest.starts_with(**s))
        {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            let word = |c: char| c.is_ascii_alphanumeric() || "_.:+-".contains(c);
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let found = rest.get(..end).filter(|found| !found.is_empty());
            let found =
                found.ok_or_else(|| malformed(format!("line 1:1 no viable alternative at character '{first}'")))?;
            tokens.push(Token::Word(found.to_owned()));
            end
        };
        rest = rest.get(used..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// A quoted text at the start, and how many bytes it takes.
fn quoted(text: &str) -> Result<(String, usize), Refused> {
    let (mut value, mut chars) = (String::new(), text.char_indices().skip(1));
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((value, at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\'' | '"' | '\\'))) => value.push(c),
                _ => return Err(malformed("Illegal escape in a quoted text")),
            },
            _ => value.push(c),
        }
    }
    Err(malformed("unterminated quoted text"))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(hit);
        hit
    }

    fn accept_sign(&mut self, sign: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(hit);
        hit
    }

    fn word(&mut self, keyword: &str) -> Result<(), Refused> {
        if self.accept(keyword) {
            return Ok(());
        }
        Err(self.next().map_or_else(|| malformed(format!("expecting {keyword}")), |token| unexpected(&token)))
    }

    fn sign(&mut self, sign: &str) -> Result<(), Refused> {
        if self.accept_sign(sign) {
            return Ok(());
        }
        Err(self.next().map_or_else(|| malformed(format!("expecting '{sign}'")), |token| unexpected(&token)))
    }

    fn ident(&mut self) -> Result<String, Refused> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(token) => Err(unexpected(&token)),
            None => Err(malformed("unexpected end of query")),
        }
    }

    /// The select list; empty for `COUNT()`.
    fn names(&mut self) -> Result<Vec<String>, Refused> {
        if self.accept("COUNT") {
            self.sign("(")?;
            self.sign(")")?;
            return Ok(Vec::new());
        }
        let mut names = vec![self.ident()?];
        while self.accept_sign(",") {
            names.push(self.ident()?);
        }
        Ok(names)
    }

    fn expr(&mut self, object: &'static Object) -> Result<Expr, Refused> {
        let first = self.term(object)?;
        let keyword = match self.tokens.get(self.at) {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("AND") => "AND",
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("OR") => "OR",
            _ => return Ok(first),
        };
        let mut terms = vec![first];
        // The other keyword ends the chain and is then unexpected: mixing needs parentheses.
        while self.accept(keyword) {
            terms.push(self.term(object)?);
        }
        Ok(if keyword == "AND" { Expr::And(terms) } else { Expr::Or(terms) })
    }

    fn term(&mut self, object: &'static Object) -> Result<Expr, Refused> {
        if self.accept_sign("(") {
            let inner = self.expr(object)?;
            self.sign(")")?;
            return Ok(inner);
        }
        if self.accept("NOT") {
            return Ok(Expr::Not(Box::new(self.term(object)?)));
        }
        let column = column(object, &self.ident()?)?;
        let negated = self.accept("NOT");
        if negated || matches!(self.tokens.get(self.at), Some(Token::Word(_))) {
            self.word("IN")?;
            self.sign("(")?;
            let mut values = vec![self.literal(column)?];
            while self.accept_sign(",") {
                values.push(self.literal(column)?);
            }
            self.sign(")")?;
            return Ok(Expr::In(column, negated, values));
        }
        let operator = match self.next() {
            Some(Token::Sign("=")) => Operator::Eq,
            Some(Token::Sign("!=" | "<>")) => Operator::Ne,
            Some(Token::Sign("<")) => Operator::Lt,
            Some(Token::Sign("<=")) => Operator::Le,
            Some(Token::Sign(">")) => Operator::Gt,
            Some(Token::Sign(">=")) => Operator::Ge,
            Some(token) => return Err(unexpected(&token)),
            None => return Err(malformed("unexpected end of query")),
        };
        Ok(Expr::Compare(column, operator, self.literal(column)?))
    }

    /// A value of the column's type.
    fn literal(&mut self, column: Column) -> Result<Literal, Refused> {
        let literal = match self.next() {
            Some(Token::Text(text)) => Literal::Text(text),
            Some(Token::Word(word)) => bare(&word)?,
            Some(token) => return Err(unexpected(&token)),
            None => return Err(malformed("unexpected end of query")),
        };
        let fits = match (column.kind(), &literal) {
            (_, Literal::Null) => true,
            ("datetime", literal) => matches!(literal, Literal::Time(_)),
            ("date", literal) => matches!(literal, Literal::Date(_)),
            ("boolean", literal) => matches!(literal, Literal::Bool(_)),
            ("int" | "currency", literal) => matches!(literal, Literal::Number(_)),
            (_, literal) => matches!(literal, Literal::Text(_)),
        };
        if fits {
            return Ok(literal);
        }
        let quotes = if matches!(literal, Literal::Text(_)) { "not " } else { "" };
        Err(Refused {
            code: "INVALID_FIELD",
            text: format!(
                "value of filter criterion for field '{}' must be of type {} and should {quotes}be enclosed in quotes",
                column.name(),
                column.kind()
            ),
        })
    }

    fn order(&mut self, object: &'static Object) -> Result<Vec<(Column, bool)>, Refused> {
        self.word("BY")?;
        let mut order = Vec::new();
        loop {
            let column = column(object, &self.ident()?)?;
            let down = self.accept("DESC");
            if !down {
                self.accept("ASC");
            }
            if self.accept("NULLS") && !self.accept("FIRST") {
                self.word("LAST")?;
            }
            order.push((column, down));
            if !self.accept_sign(",") {
                return Ok(order);
            }
        }
    }
}

/// A value without quotes.
fn bare(word: &str) -> Result<Literal, Refused> {
    if word.eq_ignore_ascii_case("NULL") {
        return Ok(Literal::Null);
    }
    if word.eq_ignore_ascii_case("TRUE") || word.eq_ignore_ascii_case("FALSE") {
        return Ok(Literal::Bool(word.eq_ignore_ascii_case("TRUE")));
    }
    if let Ok(number) = word.parse() {
        return Ok(Literal::Number(number));
    }
    let time = DateTime::parse_from_rfc3339(word).or_else(|_| DateTime::parse_from_str(word, "%Y-%m-%dT%H:%M:%S%.f%z"));
    if let Ok(time) = time {
        return Ok(Literal::Time(time.timestamp() * 1000));
    }
    match chrono::NaiveDate::parse_from_str(word, "%Y-%m-%d") {
        Ok(_) => Ok(Literal::Date(word.to_owned())),
        Err(_) => Err(malformed(format!("unexpected token: '{word}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        parse(text).map_or_else(|refused| refused.code, |_| "ok")
    }

    #[test]
    fn the_queries_that_connectors_send_are_understood() {
        for text in [
            "SELECT Id, Name, SystemModstamp FROM Account",
            "select id from account where systemmodstamp = 2026-03-01T10:20:30.000Z and id > '001Ab00000Qw3rtIAB' order by id asc limit 2000",
            "SELECT Id FROM Contact WHERE SystemModstamp > 2026-03-01T10:20:30Z AND SystemModstamp <= 2026-03-01T11:20:30+00:00 ORDER BY SystemModstamp ASC, Id ASC LIMIT 200",
            "SELECT Id FROM Account WHERE (SystemModstamp = 2026-03-01T10:20:30.000+0000 AND Id > '') OR SystemModstamp > 2026-03-01T10:20:30.000Z",
            "SELECT Id FROM Task WHERE IsDeleted = true AND Status IN ('Completed', 'It\\'s done') AND ActivityDate >= 2026-01-01",
            "SELECT COUNT() FROM Invoice__c WHERE NOT (Amount__c != null)",
        ] {
            assert_eq!(code(text), "ok", "{text}");
        }
    }

    #[test]
    fn a_broken_query_is_malformed() {
        for text in [
            "",
            "SELECT FROM Account",
            "SELECT Id Account",
            "SELECT Id FROM Account WHERE",
            "SELECT Id FROM Account WHERE Id = 'open",
            "SELECT Id FROM Account LIMIT many",
            "SELECT Id FROM Account ALL ROWS",
            "SELECT Id FROM Account WHERE IsDeleted = true AND Name = 'a' OR Name = 'b'",
            // A plus sign that was not encoded arrives as a space.
            "SELECT Id FROM Account WHERE SystemModstamp > 2026-03-01T10:20:30 00:00",
        ] {
            assert_eq!(code(text), "MALFORMED_QUERY", "{text}");
        }
    }

    #[test]
    fn unknown_names_and_quoted_times_have_their_own_errors() {
        assert_eq!(code("SELECT Id FROM Accounts"), "INVALID_TYPE");
        assert_eq!(code("SELECT Id, Nme FROM Account"), "INVALID_FIELD");
        assert_eq!(code("SELECT Id, IsDeleted FROM User"), "INVALID_FIELD");
        assert_eq!(code("SELECT Id FROM Account WHERE SystemModstamp > '2026-03-01T10:20:30Z'"), "INVALID_FIELD");
        assert_eq!(code("SELECT Id FROM Account ORDER BY Nope"), "INVALID_FIELD");
    }

    #[test]
    fn times_are_cut_to_the_second() {
        let query = parse("SELECT Id FROM Account WHERE SystemModstamp > 2026-03-01T10:20:30.900Z").unwrap();
        let Some(Expr::Compare(_, Operator::Gt, Literal::Time(ms))) = query.filter else { panic!("{query:?}") };
        assert_eq!(ms, 1_772_360_430_000);
    }
}
