//! What a careless provider repeats: the credentials of a request, in every way in which one gets written down.

use std::fmt::Write as _;

use axum::{body::to_bytes, http::HeaderValue, response::Response};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::reply::{self, Call};

/// A cap on answers that are changed; far above any page.
const BYTES: usize = 64 << 20;

/// The spellings of a secret that do not depend on what stands around them, with their names.
pub fn plain(secret: &str) -> [(&'static str, String); 7] {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let quoted = Value::from(secret).to_string();
    let json = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted).to_owned();
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    [
        ("raw", secret.to_owned()),
        ("percent, lower case", lower_escapes(&percent)),
        ("percent", percent),
        ("json, careful", json.replace('/', "\\/")),
        ("json", json),
        ("hexadecimal, upper case", hex.to_uppercase()),
        ("hexadecimal", hex),
    ]
}

/// Texts that hold the secret, as a provider might repeat it: each spelling whole, padding and neighbours included.
pub fn echoes(secret: &str) -> Vec<String> {
    let mut all: Vec<String> = plain(secret).into_iter().map(|(_, text)| text).collect();
    for engine in [&BASE64_STANDARD, &BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE, &BASE64_URL_SAFE_NO_PAD] {
        for user in ["", "u", "us", "use"] {
            all.push(engine.encode(format!("{user}{secret}")));
        }
    }
    all
}

/// `%2f` for `%2F`.
fn lower_escapes(percent: &str) -> String {
    let parts: Vec<String> = percent
        .split('%')
        .enumerate()
        .map(|(place, part)| match part.split_at_checked(2) {
            Some((escape, rest)) if place > 0 => escape.to_lowercase() + rest,
            _ => part.to_owned(),
        })
        .collect();
    parts.join("%")
}

/// The credentials that a request carries: its authorization whole and in parts, and what a token endpoint is given.
fn sent(call: &Call) -> Vec<String> {
    let authorization = call.header("authorization").unwrap_or_default();
    let token = authorization.split_once(' ').map(|(_, token)| token.to_owned());
    let password = call.basic().map(|(_, password)| password);
    let form = call.form();
    let given = ["client_secret", "refresh_token"].into_iter().filter_map(|name| form.get(name).cloned());
    let all = [authorization.to_owned()].into_iter().chain(token).chain(password).chain(given);
    all.filter(|secret| !secret.is_empty()).collect()
}

/// The answer with the credentials of its request: in headers, and in the place of every text of a JSON body that is
/// prose, one spelling after the other, in errors all at once. Ids, times, links and tokens have no spaces and stay.
pub(crate) async fn repeat(call: &Call, response: Response) -> Response {
    let mut texts: Vec<String> = sent(call).iter().flat_map(|secret| echoes(secret)).collect();
    let Some(first) = texts.first().cloned() else { return response };
    if response.status().as_u16() >= 400 {
        texts = vec![texts.join(" ")];
    }
    let (mut parts, body) = response.into_parts();
    for name in ["x-echo", "x-request-authorization", "www-authenticate", "set-cookie"] {
        if let Ok(value) = HeaderValue::from_str(&first) {
            parts.headers.insert(name, value);
        }
    }
    let Ok(bytes) = to_bytes(body, BYTES).await else {
        return reply::plain(502, "text/plain", texts.join("\n").into());
    };
    let bytes = match serde_json::from_slice::<Value>(&bytes) {
        Ok(mut value) => {
            say(&mut value, &mut texts.iter().cycle());
            value.to_string().into()
        }
        Err(_) => bytes,
    };
    Response::from_parts(parts, bytes.into())
}

fn say<'t>(value: &mut Value, texts: &mut impl Iterator<Item = &'t String>) {
    match value {
        Value::String(text) if text.contains(' ') => {
            if let Some(echo) = texts.next() {
                text.clone_from(echo);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| say(value, texts)),
        Value::Object(members) => members.values_mut().for_each(|value| say(value, texts)),
        _ => {}
    }
}
