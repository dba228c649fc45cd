//! Taking known secrets out of text, in the spellings in which they get there.
//!
//! By value, not by key: a token is found in an error message, in a URL, in a header dump and inside the base64 of a
//! basic `authorization` header. Nothing is guessed: a secret that nobody named here is not found.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::{ExposeSecret as _, SecretString};

/// What stands in the place of a secret.
pub const MASK: &str = "[redacted]";

/// Shorter values are not looked for: they would blank out ordinary words.
const MIN_SECRET_BYTES: usize = 4;

/// A shorter piece of base64 or of hexadecimal digits turns up by chance.
const MIN_ENCODED_BYTES: usize = 8;

/// Replaces known secrets. One pass over the text, whatever their number.
#[derive(Default)]
pub struct Redactor {
    finder: Option<AhoCorasick>,
}

impl Redactor {
    /// A redactor for these values; those under four bytes are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self::with_min_bytes(MIN_SECRET_BYTES, secrets)
    }

    /// A redactor for those of these values that have at least so many bytes.
    pub fn with_min_bytes<'a>(min_bytes: usize, secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let secret = secret.expose_secret();
            if secret.len() >= min_bytes.max(1) {
                spellings(secret, &mut forms);
            }
        }
        if forms.is_empty() {
            return Self::default();
        }
        Self { finder: AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms).ok() }
    }

    /// Whether one of the secrets is in there.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.is_match(bytes))
    }

    /// The text without the secrets; the same text if there is none in it.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.finder {
            Some(finder) if finder.is_match(text) => {
                let mut clean = String::with_capacity(text.len());
                finder.replace_all_with(text, &mut clean, |_, _, into| {
                    into.push_str(MASK);
                    true
                });
                Cow::Owned(clean)
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// The same for bytes; `None` if there is nothing to take out.
    #[must_use]
    pub fn redact_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let finder = self.finder.as_ref().filter(|finder| finder.is_match(bytes))?;
        let mut clean = Vec::with_capacity(bytes.len());
        finder.replace_all_with_bytes(bytes, &mut clean, |_, _, into| {
            into.extend_from_slice(MASK.as_bytes());
            true
        });
        Some(clean)
    }

    /// Wraps a value so that printing it prints it without the secrets.
    pub const fn display<T>(&self, value: T) -> Redacted<'_, T> {
        Redacted { redactor: self, value }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.finder.is_some() { "Redactor(..)" } else { "Redactor(nothing)" })
    }
}

/// A value that prints without the secrets; see [`Redactor::display`].
pub struct Redacted<'r, T> {
    redactor: &'r Redactor,
    value: T,
}

impl<T: fmt::Display> fmt::Display for Redacted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redactor.redact(&self.value.to_string()))
    }
}

impl<T: fmt::Debug> fmt::Debug for Redacted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redactor.redact(&format!("{:?}", self.value)))
    }
}

/// The ways a secret is written in text.
fn spellings(secret: &str, forms: &mut BTreeSet<String>) {
    forms.insert(secret.to_owned());
    base64_spellings(secret.as_bytes(), forms);
    for digits in [hex::encode(secret), hex::encode_upper(secret)] {
        if digits.len() >= MIN_ENCODED_BYTES {
            forms.insert(digits);
        }
    }

    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    for plain in ["", "-_.~", "-_.~!*'()", "-_.~!$&'()*+,;=:@", "-_.~!$&'()*+,;=:@/?"] {
        let encoded = percent_encode(secret, plain);
        forms.insert(lower_escapes(&encoded));
        forms.insert(encoded);
    }
    forms.insert(lower_escapes(&form));
    forms.insert(form);

    if let Ok(json) = serde_json::to_string(secret) {
        let json = json.trim_start_matches('"');
        let json = json.strip_suffix('"').unwrap_or(json);
        for text in [json.to_owned(), json.replace('/', "\\/")] {
            // A text of JSON inside a text of JSON, as errors carry what they complain about.
            forms.insert(text.replace('\\', "\\\\").replace('"', "\\\""));
            forms.insert(text);
        }
    }
    for always in [false, true] {
        forms.insert(unicode_escape(secret, always));
    }
    forms.insert(secret.escape_debug().to_string());
    // The same but for single quotes, which only a character's own text escapes.
    let debug = format!("{secret:?}");
    forms.extend(debug.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_owned));
}

/// The base64 characters that depend on the secret alone, for each of the three positions it can have inside a longer
/// text: finds it in `base64("user:" + secret)` without knowing the user.
fn base64_spellings(secret: &[u8], forms: &mut BTreeSet<String>) {
    for before in 0..3_usize {
        let mut padded = vec![0; before];
        padded.extend_from_slice(secret);
        let start = (before * 8).div_ceil(6);
        let end = padded.len() * 8 / 6;
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            if let Some(inner) = encoded.get(start..end).filter(|inner| inner.len() >= MIN_ENCODED_BYTES) {
                forms.insert(inner.to_owned());
            }
            if before == 0 && encoded.len() >= MIN_ENCODED_BYTES {
                // The whole encoding too, padded, so that nothing of it is left standing around the mask.
                let padding = "=".repeat((4 - encoded.len() % 4) % 4);
                forms.insert(format!("{encoded}{padding}"));
                forms.insert(encoded);
            }
        }
    }
}

fn percent_encode(text: &str, plain: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        let char = char::from(byte);
        if char.is_ascii_alphanumeric() || (char.is_ascii() && plain.contains(char)) {
            encoded.push(char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The same with `%2f` for `%2F`.
fn lower_escapes(encoded: &str) -> String {
    let mut left = 0_u8;
    encoded
        .chars()
        .map(|char| {
            if char == '%' {
                left = 2;
                char
            } else if left > 0 {
                left -= 1;
                char.to_ascii_lowercase()
            } else {
                char
            }
        })
        .collect()
}

/// JSON with `\u0026` escapes, as encoders write that are careful about HTML or about ASCII.
fn unicode_escape(text: &str, always: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        let careful = matches!(char, '<' | '>' | '&' | '\'' | '=' | '+') || !char.is_ascii();
        if char.is_ascii_alphanumeric() || !(always || careful) {
            match char {
                '"' => escaped.push_str("\\\""),
                '\\' => escaped.push_str("\\\\"),
                other => escaped.push(other),
            }
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "cnry+/=\"k3y&9\\ü<x>?";

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn text_without_a_secret_is_not_copied() {
        let redactor = redactor(&[CANARY]);
        assert!(matches!(redactor.redact("nothing to see"), Cow::Borrowed("nothing to see")));
        assert!(redactor.redact_bytes(b"nothing").is_none());
        assert!(!Redactor::default().finds(b"anything"));
    }

    #[test]
    fn every_spelling_of_a_secret_is_found() {
        let redactor = redactor(&[CANARY]);
        let json = serde_json::to_string(CANARY).unwrap();
        let mut url = url::Url::parse("https://x.test/").unwrap();
        url.query_pairs_mut().append_pair("key", CANARY);
        let mut path = url::Url::parse("https://x.test/").unwrap();
        path.set_path(CANARY);
        for (name, text) in [
            ("raw", CANARY.to_owned()),
            ("json", json.clone()),
            ("json in json", serde_json::to_string(&json).unwrap().replace("\\\\", "\\").replace("\\\"", "\"")),
            ("query", url.to_string()),
            ("percent", percent_encode(CANARY, "-_.~")),
            ("percent, lower case", lower_escapes(&percent_encode(CANARY, "-_.~"))),
            ("base64", BASE64_STANDARD.encode(CANARY)),
            ("base64 url", BASE64_URL_SAFE_NO_PAD.encode(CANARY)),
            ("hexadecimal", hex::encode(CANARY)),
            ("hexadecimal, upper case", hex::encode_upper(CANARY)),
            ("hexadecimal, inside a longer one", hex::encode(format!("user:{CANARY}:tail"))),
            ("text of JSON in JSON", serde_json::to_string(&json).unwrap()),
            ("debug", format!("{CANARY:?}")),
        ] {
            let clean = redactor.redact(&text).into_owned();
            assert!(clean.contains(MASK), "{name}: {text} -> {clean}");
        }
    }

    #[test]
    fn a_secret_inside_the_base64_of_basic_authentication_is_found_whatever_the_user() {
        let redactor = redactor(&["pa55word-of-somebody"]);
        for user in ["", "a", "ab", "abc", "somebody@example.com"] {
            for tail in ["", "!", "!!"] {
                let encoded = BASE64_STANDARD.encode(format!("{user}:pa55word-of-somebody{tail}"));
                let clean = redactor.redact(&encoded).into_owned();
                assert!(clean.contains(MASK), "{user}: {encoded} -> {clean}");
            }
        }
    }

    #[test]
    fn short_values_are_left_alone() {
        let redactor = redactor(&["", "abc"]);
        assert_eq!(redactor.redact("abc is ordinary"), "abc is ordinary");
        // Two characters would blank out every 6162 of a longer number.
        let short = Redactor::with_min_bytes(2, &[SecretString::from("ab")]);
        assert_eq!(short.redact("6162"), "6162");
    }

    #[test]
    fn the_longest_of_two_overlapping_secrets_wins() {
        let redactor = redactor(&["token-1", "token-12345"]);
        assert_eq!(redactor.redact("a token-12345 b token-1 c"), format!("a {MASK} b {MASK} c"));
    }

    #[test]
    fn display_and_debug_wrappers_print_no_secret() {
        let redactor = redactor(&["s3cr3t-value"]);
        assert_eq!(redactor.display("x s3cr3t-value").to_string(), format!("x {MASK}"));
        assert_eq!(format!("{:?}", redactor.display(Some("s3cr3t-value"))), format!("Some(\"{MASK}\")"));
        assert_eq!(format!("{redactor:?}"), "Redactor(..)");
    }

    proptest! {
        #[test]
        fn no_canary_survives(secret in "[ -~]{12,40}", user in "[a-z]{0,9}", noise in "[ -~]{0,30}") {
            let value = SecretString::from(secret.as_str());
            let redactor = Redactor::new([&value]);
            for text in [
                format!("{noise}{secret}{noise}"),
                BASE64_STANDARD.encode(format!("{user}:{secret}")),
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>(),
                serde_json::to_string(&format!("{user}{secret}")).unwrap(),
                hex::encode(format!("{user}{secret}")),
                hex::encode_upper(format!("{secret}{noise}")),
            ] {
                prop_assert!(redactor.redact(&text).contains(MASK), "{text}");
            }
        }
    }
}
