//! A connector's name, and the forms it takes in code.

use std::fmt;
use std::str::FromStr;

/// Bytes of a name at most; the contract has the same limit.
const LONGEST: usize = 64;

/// A name that a manifest, a package and a host can have: `[a-z][a-z0-9]*` in parts with single dashes between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// Why a name cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why: &str| Err(InvalidName(why.to_owned()));
        if text.len() > LONGEST {
            return refuse("a name has at most 64 characters");
        }
        if !has_shape(text) {
            let near = suggestion(text).map(|near| format!(", such as `{near}`")).unwrap_or_default();
            return Err(InvalidName(format!(
                "a name begins with a lower-case letter and has lower-case letters, digits and single dashes{near}"
            )));
        }
        if RESERVED.contains(&text) {
            return refuse("the name has a meaning of its own in Rust: take another one");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a crate cannot be called, or what would be mistaken for one of its own dependencies.
const RESERVED: [&str; 58] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "syncline-sdk",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

fn has_shape(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(part)
}

/// The nearest name that would do.
fn suggestion(text: &str) -> Option<String> {
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        if c.is_ascii_uppercase() && words.last().is_some_and(|word| !word.ends_with(|c: char| c.is_ascii_uppercase()))
        {
            words.push(String::new());
        }
        match words.last_mut() {
            Some(word) if c.is_ascii_alphanumeric() => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    let near = words.join("-").to_ascii_lowercase();
    Some(near).filter(|near| has_shape(near))
}

impl Name {
    /// With dashes: the manifest's, the package's.
    #[must_use]
    pub fn kebab(&self) -> &str {
        &self.0
    }

    /// With underscores: Rust's name of the crate.
    #[must_use]
    pub fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// In capitals without dashes: the type, and the title.
    #[must_use]
    pub fn pascal(&self) -> String {
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
        };
        self.0.split('-').map(capital).collect()
    }

    /// Puts the name where a template has its placeholder.
    pub(super) fn replace(&self, text: &str) -> String {
        text.replace("birch::", &format!("{}::", self.snake()))
            .replace("Birch", &self.pascal())
            .replace("birch", self.kebab())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_the_form_that_its_place_needs() {
        let name: Name = "my-crm2".parse().unwrap();
        assert_eq!((name.kebab(), name.snake().as_str(), name.pascal().as_str()), ("my-crm2", "my_crm2", "MyCrm2"));
        let text = "use birch::Birch; // api.birch.example";
        assert_eq!(name.replace(text), "use my_crm2::MyCrm2; // api.my-crm2.example");
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused_with_one_that_can() {
        for (wrong, near) in [("MyCRM", "my-crm"), ("my_crm", "my-crm"), ("crm-", "crm"), ("a--b", "a-b")] {
            let told = wrong.parse::<Name>().unwrap_err().to_string();
            assert!(told.ends_with(&format!("`{near}`")), "{wrong}: {told}");
        }
        for wrong in ["", "2crm", "-", "é"] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
        assert!("a".repeat(65).parse::<Name>().is_err());
        assert!("async".parse::<Name>().unwrap_err().to_string().contains("meaning of its own"));
    }
}
