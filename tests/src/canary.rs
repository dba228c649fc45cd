//! Credentials that would be recognised anywhere, the ways in which they get written down, and the search for them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};

use crate::fakes::Tenant;

/// What is part of each of them: characters that every encoding changes.
const CANARY: &str = "canary/+&7f3a91";

/// A tenant whose credentials these are.
#[must_use]
pub fn tenant() -> Tenant {
    named("a", "")
}

/// A tenant of that name; what `mark` says is part of each of its credentials, and of nobody else's.
#[must_use]
pub fn named(name: &str, mark: &str) -> Tenant {
    Tenant {
        hubspot_token: format!("pat-na1-{CANARY}{mark}-hubspot"),
        client_secret: format!("secret-{CANARY}{mark}-client"),
        refresh_token: format!("refresh-{CANARY}{mark}-token"),
        ..Tenant::named(name)
    }
}

/// The encoding in which a credential of [`tenant`] is in a text, if one is.
#[must_use]
pub fn found_in(text: &str) -> Option<String> {
    found_of(&tenant(), text)
}

/// The encoding in which one of a tenant's credentials is in a text, if one is.
#[must_use]
pub fn found_of(tenant: &Tenant, text: &str) -> Option<String> {
    let secrets = [&tenant.hubspot_token, &tenant.client_secret, &tenant.refresh_token];
    let all = secrets.into_iter().flat_map(|secret| spellings(secret));
    all.into_iter().find(|(_, spelling)| text.contains(spelling)).map(|(encoding, _)| encoding)
}

/// The ways in which a secret could be written down: a name, and what a text then contains. Of base64 that is what stays
/// the same whatever stands before and behind the secret, for each of the three places that it can have.
#[must_use]
pub fn spellings(secret: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        plain(secret).into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    for (name, engine) in [("base64", &BASE64_STANDARD_NO_PAD), ("base64url", &BASE64_URL_SAFE_NO_PAD)] {
        for before in 0..3_usize {
            let text = engine.encode([vec![b'x'; before], secret.as_bytes().to_vec()].concat());
            let (start, end) = ((before * 8).div_ceil(6), (before + secret.len()) * 8 / 6);
            all.push((format!("{name}+{before}"), text.chars().take(end).skip(start).collect()));
        }
    }
    all
}

/// Texts that hold the secret, as a provider might repeat it: each spelling whole, padding and neighbours included.
#[must_use]
pub fn echoes(secret: &str) -> Vec<String> {
    let mut all: Vec<String> = plain(secret).into_iter().map(|(_, text)| text).collect();
    for engine in [&BASE64_STANDARD, &BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE, &BASE64_URL_SAFE_NO_PAD] {
        for user in ["", "u", "us", "use"] {
            all.push(engine.encode(format!("{user}{secret}")));
        }
    }
    all
}

/// The spellings that do not depend on what stands around them.
fn plain(secret: &str) -> [(&'static str, String); 7] {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let quoted = serde_json::Value::from(secret).to_string();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_echo_of_a_secret_would_be_found() {
        let secret = tenant().refresh_token;
        for echo in echoes(&secret) {
            let text = format!("before {echo} behind");
            assert!(found_in(&text).is_some(), "{text}");
        }
        assert_eq!(found_in("nothing to see"), None);
    }
}
