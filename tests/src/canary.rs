//! Credentials that would be recognised anywhere, the ways in which they get written down, and the search for them.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use crate::fakes::Tenant;
pub use crate::fakes::echo::echoes;
use crate::fakes::echo::plain;

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
    found_among([&tenant.hubspot_token, &tenant.client_secret, &tenant.refresh_token], text)
}

/// The encoding in which one of these secrets is in a text, if one is.
#[must_use]
pub fn found_among<'s>(secrets: impl IntoIterator<Item = &'s String>, text: &str) -> Option<String> {
    let all = secrets.into_iter().flat_map(|secret| spellings(secret));
    all.into_iter().find(|(_, spelling)| text.contains(spelling)).map(|(encoding, _)| encoding)
}

/// A text for the records of an account that is nobody else's; what of it is found in any encoding is [`words`].
#[must_use]
pub fn content(mark: &str) -> String {
    format!("{} \"quoted\" /+&<>\u{fc}", words(mark))
}

/// The part of [`content`] that JSON, percent signs and quotes leave as it is.
#[must_use]
pub fn words(mark: &str) -> String {
    format!("parchment-7c19e2{mark}-harbour")
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
