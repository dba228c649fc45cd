//! Credentials that would be recognised anywhere, and the search for them in whatever was written down.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::fakes::Tenant;

/// What is part of each of them: characters that every encoding changes.
const CANARY: &str = "canary/+&7f3a91";

/// A tenant whose credentials these are.
#[must_use]
pub fn tenant() -> Tenant {
    Tenant {
        hubspot_token: format!("pat-na1-{CANARY}-hubspot"),
        client_secret: format!("secret-{CANARY}-client"),
        refresh_token: format!("refresh-{CANARY}-token"),
        ..Tenant::named("a")
    }
}

/// The encoding in which one of the credentials is in a text, if one is.
#[must_use]
pub fn found_in(text: &str) -> Option<String> {
    spellings().into_iter().find(|(_, spelling)| text.contains(spelling)).map(|(encoding, _)| encoding)
}

/// The ways in which a secret could be written down.
fn spellings() -> Vec<(String, String)> {
    let tenant = tenant();
    let mut all = Vec::new();
    for secret in [tenant.hubspot_token, tenant.client_secret, tenant.refresh_token] {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::Value::from(secret.as_str()).to_string().trim_matches('"').to_owned();
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Base64 of a longer text holds this only at the right offset: cut to what is the same at offset 0.
        all.push(("raw".to_owned(), secret.clone()));
        all.push(("percent".to_owned(), encoded));
        all.push(("json".to_owned(), json));
        all.push(("hexadecimal".to_owned(), hex));
        for (name, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
            for offset in 0..3 {
                let text = engine.encode([vec![b'x'; offset], secret.clone().into_bytes()].concat());
                let inner: String = text.chars().skip(4).take(text.len() - 12).collect();
                all.push((format!("{name}+{offset}"), inner));
            }
        }
    }
    all
}
