//! What a type asks of a JSON object: the names that its `Deserialize` wants to hear of, without any JSON to read.

use std::cell::Cell;

use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Deeper than this, whatever there is is asked for. A type may contain itself.
const DEPTH: usize = 4;

type Names = &'static [&'static str];

/// The members that `T` asks of an object, as the text of a JSON object: `null` for a member that is wanted as it is, an
/// object for one of which again only some are. None if `T` may ask for anything.
pub(crate) fn of<'de, T: Deserialize<'de>>() -> Option<String> {
    let mut text = String::new();
    write::<T>(&mut Vec::new(), &mut text).then_some(text)
}

/// Writes what is asked for at a path; `false`, and nothing, where that may be anything.
fn write<'de, T: Deserialize<'de>>(path: &mut Vec<&'static str>, text: &mut String) -> bool {
    let found = Cell::new(None);
    // It never comes to a value: the answer is what was asked until then.
    drop(T::deserialize(Probe { path, found: &found }));
    let Some(names) = found.get().filter(|_| path.len() < DEPTH) else { return false };
    text.push('{');
    for (place, name) in names.iter().copied().enumerate() {
        text.push_str(if place > 0 { "," } else { "" });
        text.push_str(&serde_json::Value::from(name).to_string());
        text.push(':');
        path.push(name);
        if !write::<T>(path, text) {
            text.push_str("null");
        }
        path.pop();
    }
    text.push('}');
    true
}

/// Walks into the members of a path, and notes what the type at its end asks for.
struct Probe<'p> {
    path: &'p [&'static str],
    found: &'p Cell<Option<Names>>,
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, names: Names, visitor: V) -> Result<V::Value, Error> {
        match self.path.split_first() {
            Some((name, path)) => visitor.visit_map(Member { name, value: Some(Probe { path, ..self }) }),
            None => {
                self.found.set(Some(names));
                Err(Error::custom("that is all"))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("whatever there is"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// An object of one member.
struct Member<'p> {
    name: &'static str,
    value: Option<Probe<'p>>,
}

impl<'de> MapAccess<'de> for Member<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        self.value.is_some().then(|| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.value.take().ok_or_else(|| Error::custom("one value for one name"))?)
    }
}

#[cfg(test)]
#[expect(dead_code, reason = "only what the types ask for counts")]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Known<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
        #[serde(alias = "changedAt")]
        updated_at: Option<String>,
        #[serde(default)]
        properties: Option<Box<Properties>>,
        #[serde(borrow)]
        owner: Option<&'a RawValue>,
        labels: Vec<Properties>,
        #[serde(skip)]
        seen: bool,
        stage: Wrapped,
    }

    #[derive(Deserialize)]
    struct Properties {
        merged: Option<String>,
        #[serde(rename = "of \"it\"")]
        count: u32,
    }

    #[derive(Deserialize)]
    struct Wrapped(Properties);

    #[derive(Deserialize)]
    struct Chain {
        next: Option<Box<Chain>>,
    }

    #[derive(Deserialize)]
    struct Flat {
        id: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    #[test]
    fn a_type_tells_the_members_that_it_reads_and_those_of_its_members() {
        let inner = r#"{"merged":null,"of \"it\"":null}"#;
        let wanted = format!(
            r#"{{"id":null,"updatedAt":null,"changedAt":null,"properties":{inner},"owner":null,"labels":null,"stage":{inner}}}"#
        );
        let mut wanted: Value = serde_json::from_str(&wanted).unwrap();
        let mut asked: Value = serde_json::from_str(&of::<Known<'_>>().unwrap()).unwrap();
        wanted.sort_all_objects();
        asked.sort_all_objects();
        assert_eq!(asked, wanted);
    }

    #[test]
    fn a_type_that_contains_itself_comes_to_an_end() {
        assert_eq!(of::<Chain>().unwrap(), r#"{"next":{"next":{"next":{"next":null}}}}"#);
    }

    #[test]
    fn a_type_that_may_read_anything_tells_nothing() {
        assert_eq!(of::<Flat>(), None);
        assert_eq!(of::<Value>(), None);
        assert_eq!(of::<BTreeMap<String, String>>(), None);
        assert_eq!(of::<&RawValue>(), None);
        assert_eq!(of::<(String, u32)>(), None);
    }
}
