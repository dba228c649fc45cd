//! What a value looks like before and after it is understood.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;
use url::Url;

use super::units::{ByteSize, Rate, Share, parse_duration, show_duration};

/// A value as it was written. Not `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Raw {
    /// From the environment, the command line, a secret's file or the table of defaults: text without a type.
    Word(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer, in decimal.
    Integer(String),
    /// A TOML boolean.
    Bool(bool),
    /// A TOML array.
    List(Vec<Spanned>),
    /// A TOML table.
    Table(Vec<(String, Spanned)>),
    /// A TOML type that no key takes, by name.
    Other(&'static str),
}

/// A value inside a list or table, and where it stands in the file.
#[derive(Clone)]
pub(super) struct Spanned {
    pub(super) raw: Raw,
    pub(super) span: Range<usize>,
}

impl Raw {
    /// The type, for messages. Never the value.
    const fn name(&self) -> &'static str {
        match self {
            Self::Word(_) | Self::Text(_) => "text",
            Self::Integer(_) => "an integer",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// Why a value is refused. Never quotes the value.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) message: String,
    /// A narrower place than the whole value.
    pub(super) span: Option<Range<usize>>,
}

impl Invalid {
    fn expected(what: &str, found: &Raw) -> Self {
        Self { message: format!("expected {what}, found {}", found.name()), span: None }
    }

    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl From<String> for Invalid {
    fn from(message: String) -> Self {
        Self { message, span: None }
    }
}

/// A type that a key can have.
pub(super) trait Value: Sized {
    /// The value may be given by a file's name, and is never shown.
    const SECRET: bool = false;

    /// Name of the type in the reference.
    fn kind() -> String;

    fn parse(raw: &Raw) -> Result<Self, Invalid>;

    /// For `config show`; a secret is masked.
    fn show(&self) -> Json;

    /// The value as a number, where it can be too small or too large.
    fn magnitude(&self) -> Option<f64> {
        None
    }
}

/// A type that is written as text in TOML.
pub(super) trait Text: Sized {
    const KIND: &'static str;
    const SECRET: bool = false;

    fn from_text(text: &str) -> Result<Self, String>;

    fn to_text(&self) -> String;

    fn magnitude(&self) -> Option<f64> {
        None
    }
}

impl<T: Text> Value for T {
    const SECRET: bool = <T as Text>::SECRET;

    fn kind() -> String {
        T::KIND.to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Invalid> {
        match raw {
            Raw::Word(text) | Raw::Text(text) => Ok(T::from_text(text)?),
            other => Err(Invalid::expected(&format!("a quoted {}", T::KIND), other)),
        }
    }

    fn show(&self) -> Json {
        Json::String(self.to_text())
    }

    fn magnitude(&self) -> Option<f64> {
        Text::magnitude(self)
    }
}

impl Value for bool {
    fn kind() -> String {
        "true or false".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Invalid> {
        match raw {
            Raw::Bool(value) => Ok(*value),
            Raw::Word(text) => text.trim().parse().map_err(|_| "expected true or false".to_owned().into()),
            other => Err(Invalid::expected("true or false", other)),
        }
    }

    fn show(&self) -> Json {
        Json::Bool(*self)
    }
}

impl Value for u32 {
    fn kind() -> String {
        "number".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Invalid> {
        match raw {
            Raw::Integer(text) | Raw::Word(text) => {
                text.trim().parse().map_err(|_| "expected a whole number, not negative".to_owned().into())
            }
            other => Err(Invalid::expected("a whole number", other)),
        }
    }

    fn show(&self) -> Json {
        Json::from(*self)
    }

    fn magnitude(&self) -> Option<f64> {
        Some(f64::from(*self))
    }
}

/// Empty text means "not set".
impl<T: Value> Value for Option<T> {
    const SECRET: bool = T::SECRET;

    fn kind() -> String {
        T::kind()
    }

    fn parse(raw: &Raw) -> Result<Self, Invalid> {
        match raw {
            Raw::Word(text) | Raw::Text(text) if text.is_empty() => Ok(None),
            raw => T::parse(raw).map(Some),
        }
    }

    fn show(&self) -> Json {
        self.as_ref().map_or(Json::Null, Value::show)
    }

    fn magnitude(&self) -> Option<f64> {
        self.as_ref().and_then(Value::magnitude)
    }
}

/// Outside a TOML file: separated by commas or line ends.
impl<T: Value> Value for Vec<T> {
    const SECRET: bool = T::SECRET;

    fn kind() -> String {
        format!("list of {}", T::kind())
    }

    fn parse(raw: &Raw) -> Result<Self, Invalid> {
        match raw {
            Raw::Word(text) => parts(text).map(|part| T::parse(&Raw::Word(part.to_owned()))).collect(),
            Raw::List(items) => items.iter().map(|item| T::parse(&item.raw).map_err(|e| e.at(&item.span))).collect(),
            other => Err(Invalid::expected("a list", other)),
        }
    }

    fn show(&self) -> Json {
        self.iter().map(Value::show).collect()
    }
}

/// Outside a TOML file: `name=value`, separated by commas or line ends.
impl<T: Value> Value for BTreeMap<String, T> {
    const SECRET: bool = T::SECRET;

    fn kind() -> String {
        format!("table of {}", T::kind())
    }

    fn parse(raw: &Raw) -> Result<Self, Invalid> {
        match raw {
            Raw::Word(text) => parts(text)
                .map(|part| {
                    let (name, value) = part.split_once('=').ok_or_else(|| "expected name=value".to_owned())?;
                    Ok((name.trim().to_owned(), T::parse(&Raw::Word(value.trim().to_owned()))?))
                })
                .collect(),
            Raw::Table(items) => items
                .iter()
                .map(|(name, item)| Ok((name.clone(), T::parse(&item.raw).map_err(|e| e.at(&item.span))?)))
                .collect(),
            other => Err(Invalid::expected("a table", other)),
        }
    }

    fn show(&self) -> Json {
        self.iter().map(|(name, value)| (name.clone(), value.show())).collect::<serde_json::Map<_, _>>().into()
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

impl Text for String {
    const KIND: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl Text for PathBuf {
    const KIND: &'static str = "path";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path cannot be empty".to_owned()) } else { Ok(text.into()) }
    }

    fn to_text(&self) -> String {
        self.display().to_string()
    }
}

impl Text for Duration {
    const KIND: &'static str = "duration";

    fn from_text(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }

    fn to_text(&self) -> String {
        show_duration(*self)
    }

    fn magnitude(&self) -> Option<f64> {
        Some(self.as_secs_f64())
    }
}

impl Text for ByteSize {
    const KIND: &'static str = "size";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<f64> {
        Some(self.bytes() as f64)
    }
}

macro_rules! text_by_from_str {
    ($($kind:literal $name:ty: $expected:expr;)+) => {$(
        impl Text for $name {
            const KIND: &'static str = $kind;

            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| $expected.to_owned())
            }

            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

text_by_from_str! {
    "share" Share: "expected a share such as \"1%\", from \"0%\" to \"100%\"";
    "rate" Rate: "expected a rate such as \"10/s\", \"100/m\" or \"100/10s\"";
    "address" SocketAddr: "expected an address and a port such as \"127.0.0.1:8080\"";
    "URL" Url: "expected a URL such as \"http://localhost:9000\"";
}
