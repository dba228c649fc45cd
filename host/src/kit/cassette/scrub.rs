//! Taking fields out of a cassette by their name: a person's e-mail address is nobody's test data.
//!
//! The value of a named field becomes `scrubbed-<n>`, the same value the same text everywhere, so that a replay still
//! finds its way: where a scrubbed value turns up in a URL, a body or a cursor it is replaced there too. Everything else
//! keeps its bytes: numbers are not rewritten and order is not changed.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use url::form_urlencoded;

use super::body::Body;
use super::members::Members;
use super::{Cassette, Exchange};

/// Shorter values are replaced where the field itself is, and nowhere else: they would be found in ordinary words.
const MIN_BYTES_ELSEWHERE: usize = 5;

/// Replaces the values of these fields, at any depth of any JSON body and in queries.
pub fn scrub(cassette: &mut Cassette, fields: &[String]) {
    if fields.is_empty() {
        return;
    }
    let mut scrubber = Scrubber { fields, known: BTreeMap::new() };
    for exchange in exchanges(cassette) {
        scrubber.fields_of(exchange);
    }
    let mut elsewhere: Vec<(String, String)> =
        scrubber.known.into_iter().filter(|(value, _)| value.len() >= MIN_BYTES_ELSEWHERE).collect();
    // A value that contains another one goes first.
    elsewhere.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    let clean = |text: &str| replace_all(text, &elsewhere);
    for call in &mut cassette.calls {
        call.cursor = call.cursor.as_deref().map(clean);
        call.outcome =
            call.outcome.take().map(|outcome| serde_json::from_str(&clean(&outcome.to_string())).unwrap_or(outcome));
    }
    for exchange in exchanges(cassette) {
        exchange.request.url = clean(&exchange.request.url);
        let bodies = [Some(&mut exchange.request.body), exchange.response.as_mut().map(|answer| &mut answer.body)];
        for body in bodies.into_iter().flatten() {
            if let Some(text) = body.text() {
                *body = Body::of(clean(text).into());
            }
        }
        let headers = exchange.response.iter_mut().flat_map(|answer| &mut answer.headers);
        for (_, value) in exchange.request.headers.iter_mut().chain(headers) {
            *value = clean(value);
        }
    }
    cassette.scrubbed = fields.to_vec();
}

fn exchanges(cassette: &mut Cassette) -> impl Iterator<Item = &mut Exchange> {
    cassette.calls.iter_mut().flat_map(|call| &mut call.exchanges)
}

fn replace_all(text: &str, values: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (value, placeholder) in values {
        let json = serde_json::to_string(value).unwrap_or_default();
        let json = json.trim_matches('"').to_owned();
        let query: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let percent = query.replace('+', "%20");
        for spelling in [value.as_str(), &json, &query, &percent] {
            if text.contains(spelling) {
                text = text.replace(spelling, placeholder);
            }
        }
    }
    text
}

struct Scrubber<'a> {
    fields: &'a [String],
    /// Placeholders by value.
    known: BTreeMap<String, String>,
}

impl Scrubber<'_> {
    fn is_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.eq_ignore_ascii_case(name))
    }

    fn placeholder(&mut self, value: &str) -> String {
        let next = self.known.len() + 1;
        self.known.entry(value.to_owned()).or_insert_with(|| format!("scrubbed-{next}")).clone()
    }

    fn fields_of(&mut self, exchange: &mut Exchange) {
        if let Ok(mut url) = url::Url::parse(&exchange.request.url)
            && url.query_pairs().any(|(name, _)| self.is_field(&name))
        {
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(|(name, value)| {
                    let value = if self.is_field(&name) { self.placeholder(&value) } else { value.into_owned() };
                    (name.into_owned(), value)
                })
                .collect();
            url.query_pairs_mut().clear().extend_pairs(pairs);
            exchange.request.url = url.to_string();
        }
        let bodies = [Some(&mut exchange.request.body), exchange.response.as_mut().map(|answer| &mut answer.body)];
        for body in bodies.into_iter().flatten() {
            let Some(text) = body.text() else { continue };
            if let Ok(json) = serde_json::from_str::<&RawValue>(text)
                && let Some(clean) = self.json(json.get(), false)
            {
                *body = Body::of(clean.into());
            }
        }
    }

    /// The JSON text without the values; `None` if there is nothing to replace. `inside`: everything here belongs to a
    /// named field.
    fn json(&mut self, text: &str, inside: bool) -> Option<String> {
        match text.as_bytes().first()? {
            b'{' => {
                let members = serde_json::from_str::<Members<'_>>(text).ok()?.0;
                let mut changed = false;
                let parts: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| {
                        let inside = inside || self.is_field(&name);
                        let clean = self.json(value.get(), inside);
                        changed |= clean.is_some();
                        let name = serde_json::to_string(&name).unwrap_or_default();
                        format!("{name}:{}", clean.as_deref().unwrap_or(value.get()))
                    })
                    .collect();
                changed.then(|| format!("{{{}}}", parts.join(",")))
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let mut changed = false;
                let parts: Vec<String> = items
                    .into_iter()
                    .map(|item| {
                        let clean = self.json(item.get(), inside);
                        changed |= clean.is_some();
                        clean.unwrap_or_else(|| item.get().to_owned())
                    })
                    .collect();
                changed.then(|| format!("[{}]", parts.join(",")))
            }
            b'"' if inside => {
                let value: String = serde_json::from_str(text).ok()?;
                (!value.is_empty()).then(|| serde_json::to_string(&self.placeholder(&value)).unwrap_or_default())
            }
            // A number stays a number, so that whoever reads it as one still can.
            b'0'..=b'9' | b'-' if inside => Some("0".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Answer, Call, Function, Made, Request};
    use super::*;

    fn cassette(url: &str, body: &'static str) -> Cassette {
        let made = Made { name: "birch".to_owned(), version: String::new(), digest: String::new() };
        let mut cassette = Cassette::new(made, 0, json!({}), String::new(), 10);
        cassette.calls.push(Call {
            call: Function::Fetch,
            object: Some("people".to_owned()),
            cursor: Some("after ann@example.com".to_owned()),
            exchanges: vec![Exchange {
                request: Request {
                    method: "GET".to_owned(),
                    url: url.to_owned(),
                    headers: Vec::new(),
                    body: Body::default(),
                },
                response: Some(Answer { status: 200, headers: Vec::new(), body: Body::of(body.into()) }),
                failure: None,
                took_ms: 0,
            }],
            outcome: None,
        });
        cassette
    }

    #[test]
    fn a_field_is_taken_out_everywhere_and_everything_else_keeps_its_bytes() {
        let body = r#"{"people":[{"id":12345678901234567890,"x":1.10,"Email":"ann@example.com","deep":{"email":["bo@example.com",null,7]}}]}"#;
        let mut cassette = cassette("https://api.example/people?email=ann%40example.com&after=ann%40example.com", body);
        scrub(&mut cassette, &["email".to_owned()]);
        let text = cassette.to_text();
        for name in ["ann@", "ann%40", "bo@"] {
            assert!(!text.contains(name), "{text}");
        }
        let call = &cassette.calls[0];
        let exchange = &call.exchanges[0];
        assert_eq!(
            exchange.response.as_ref().unwrap().body.text().unwrap(),
            r#"{"people":[{"id":12345678901234567890,"x":1.10,"Email":"scrubbed-1","deep":{"email":["scrubbed-2",null,0]}}]}"#
        );
        assert_eq!(exchange.request.url, "https://api.example/people?email=scrubbed-1&after=scrubbed-1");
        assert_eq!(call.cursor.as_deref(), Some("after scrubbed-1"));
        assert_eq!(cassette.scrubbed, ["email"]);
    }

    #[test]
    fn what_is_not_named_is_left_alone() {
        let body = "{ \"a\" : 1 }\n";
        let mut cassette = cassette("https://api.example/people", body);
        scrub(&mut cassette, &["phone".to_owned()]);
        assert_eq!(cassette.calls[0].exchanges[0].response.as_ref().unwrap().body.text().unwrap(), body);
    }
}
