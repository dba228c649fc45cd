//! A body as a cassette shows it: JSON as JSON, text as text, anything else as base64. The bytes come back exactly.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A request's or a response's body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(Bytes);

impl Body {
    /// A body of these bytes.
    #[must_use]
    pub const fn of(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Its text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What stands in the file; exactly one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    json: Option<Box<RawValue>>,
    text: Option<String>,
    base64: Option<String>,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.text() {
            Some(text) => match serde_json::from_str::<&RawValue>(text) {
                // White space around the value is not part of it and would be lost.
                Ok(json) if json.get().len() == text.len() && json.get() != "null" => {
                    map.serialize_entry("json", json)?
                }
                _ => map.serialize_entry("text", text)?,
            },
            None => map.serialize_entry("base64", &BASE64_STANDARD.encode(&self.0))?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written { json: Some(json), text: None, base64: None } => Ok(Self(json.get().to_owned().into())),
            Written { json: None, text: Some(text), base64: None } => Ok(Self(text.into())),
            Written { json: None, text: None, base64: Some(text) } => {
                BASE64_STANDARD.decode(text).map(|bytes| Self(bytes.into())).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("a body is one of json, text and base64")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(bytes: &'static [u8]) -> (String, Body) {
        let text = serde_json::to_string_pretty(&Body::of(Bytes::from_static(bytes))).unwrap();
        let back = serde_json::from_str(&text).unwrap();
        (text, back)
    }

    #[test]
    fn every_body_comes_back_to_the_byte() {
        let bodies: [&'static [u8]; 8] = [
            b"{\"id\": 12345678901234567890, \"amount\": 1.10,\n \"x\": 1e400}",
            b"[]",
            b"null",
            b"{} \n",
            b"<html>no json</html>",
            b"\xff\xfe\x00binary",
            "\u{feff}{\"a\":1}".as_bytes(),
            b"{\"a\":1,\"a\":2}",
        ];
        for bytes in bodies {
            assert_eq!(there_and_back(bytes).1.bytes(), bytes);
        }
    }

    #[test]
    fn json_is_shown_as_json_and_a_body_is_one_thing() {
        assert!(there_and_back(b"{\"id\":1}").0.contains("\"json\": {\"id\":1}"));
        assert!(there_and_back(b"plain").0.contains("\"text\": \"plain\""));
        assert!(serde_json::from_str::<Body>(r#"{"text": "a", "base64": "YQ=="}"#).is_err());
        assert!(serde_json::from_str::<Body>("{}").is_err());
    }
}
