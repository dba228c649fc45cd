//! A quick yes for the schemas that nearly all objects have: types of properties and which of them are required.
//!
//! Reads a record once, without building a value of it. It may only say yes where the whole validator says yes too, and
//! where the text is sound for both databases; for everything else the whole validator is asked, which also knows why.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// NUL as JSON spells it.
const NUL: &str = "\\u0000";

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const NUMBER: u8 = 4;
const INTEGER: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;
const ANY: u8 = NULL | BOOLEAN | NUMBER | INTEGER | STRING | ARRAY | OBJECT;

/// Required properties of one object that are looked for; a schema with more goes to the whole validator.
const REQUIRED: usize = 64;

/// A schema that consists of types and required properties only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    kinds: u8,
    properties: Vec<Property>,
    /// A bit for each required property.
    required: u64,
}

/// A property that the schema names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Property {
    name: String,
    shape: Shape,
    /// Its bit among the required ones; none if it may be left out.
    bit: u64,
}

/// Whatever it is.
static ANYTHING: Shape = Shape { kinds: ANY, properties: Vec::new(), required: 0 };

impl Shape {
    /// The shape of a schema; none if the schema says more than a shape can.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        let schema = schema.as_object()?;
        let silent = ["$schema", "title", "description", "examples", "default"];
        let known = |key: &str| silent.contains(&key) || ["type", "properties", "required"].contains(&key);
        let open = |key: &str, value: &Value| key == "additionalProperties" && value == &Value::Bool(true);
        if !schema.iter().all(|(key, value)| known(key) || open(key, value)) {
            return None;
        }
        let mut properties = match schema.get("properties") {
            None => Vec::new(),
            Some(properties) => shapes(properties.as_object()?)?,
        };
        let mut required = 0;
        for (place, name) in schema.get("required").map_or(Some(&Vec::new()), Value::as_array)?.iter().enumerate() {
            let (name, bit) = (name.as_str()?, 1 << Some(place).filter(|place| *place < REQUIRED)?);
            required |= bit;
            match properties.iter_mut().find(|property| property.name == name) {
                Some(property) => property.bit |= bit,
                None => properties.push(Property { name: name.to_owned(), shape: ANYTHING.clone(), bit }),
            }
        }
        Some(Self { kinds: kinds(schema.get("type"))?, properties, required })
    }

    /// Whether a text is sound JSON of this shape. No means: ask the whole validator.
    pub(super) fn fits(&self, text: &str) -> bool {
        // The only way to write NUL in JSON, looked for once instead of in every string.
        if text.contains(NUL) {
            return false;
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        self.deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
    }

    fn allow<E: Error>(&self, kind: u8) -> Result<(), E> {
        if self.kinds & kind == 0 { Err(E::custom("another type")) } else { Ok(()) }
    }
}

fn shapes(properties: &Map<String, Value>) -> Option<Vec<Property>> {
    let property =
        |(name, schema): (&String, &Value)| Some(Property { name: name.clone(), shape: Shape::of(schema)?, bit: 0 });
    properties.iter().map(property).collect()
}

fn kinds(kind: Option<&Value>) -> Option<u8> {
    let one = |name: &Value| match name.as_str()? {
        "null" => Some(NULL),
        "boolean" => Some(BOOLEAN),
        "number" => Some(NUMBER | INTEGER),
        "integer" => Some(INTEGER),
        "string" => Some(STRING),
        "array" => Some(ARRAY),
        "object" => Some(OBJECT),
        _ => None,
    };
    match kind {
        None => Some(ANY),
        Some(Value::Array(names)) => names.iter().try_fold(0, |all, name| Some(all | one(name)?)),
        Some(name) => one(name),
    }
}

/// A property's name: looked up among those that the shape knows.
struct Name<'s>(&'s [Property]);

impl<'de, 's> DeserializeSeed<'de> for Name<'s> {
    type Value = Option<&'s Property>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'s> Visitor<'_> for Name<'s> {
    type Value = Option<&'s Property>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|property| property.name == name))
    }
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Shape {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sound JSON of the right shape")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.allow(NULL)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.allow(BOOLEAN)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.allow(INTEGER)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.allow(INTEGER)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        // Whether 1.0 is an integer is for the whole validator to say.
        self.allow(NUMBER)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.allow(STRING)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.allow(ARRAY)?;
        while items.next_element_seed(&ANYTHING)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.allow(OBJECT)?;
        let mut seen = 0;
        while let Some(property) = entries.next_key_seed(Name(&self.properties))? {
            seen |= property.map_or(0, |property| property.bit);
            entries.next_value_seed(property.map_or(&ANYTHING, |property| &property.shape))?;
        }
        if seen == self.required { Ok(()) } else { Err(A::Error::custom("not complete")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn shape() -> Value {
        json!({
            "type": "object", "required": ["id", "n"], "additionalProperties": true,
            "properties": {
                "id": {"type": "string"}, "n": {"type": ["integer", "null"]}, "x": {"type": "number"},
                "deep": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}
            }
        })
    }

    #[test]
    fn what_says_more_than_types_has_no_shape() {
        assert!(Shape::of(&shape()).is_some());
        for more in [
            json!({"type": "object", "minProperties": 1}),
            json!({"properties": {"a": {"enum": [1]}}}),
            json!({"additionalProperties": false}),
            json!({"type": "thing"}),
            json!(true),
        ] {
            assert_eq!(Shape::of(&more), None, "{more}");
        }
    }

    #[test]
    fn soundness_is_asked_for_everywhere() {
        let shape = Shape::of(&json!({"type": "object"})).unwrap();
        assert!(shape.fits(r#"{"a": [1, {"b": "ü"}]}"#));
        for text in
            [r#"{"a": ["\u0000"]}"#, r#"{"a\u0000": 1}"#, r#"{"a": "\ud800"}"#, r#"{"a": 1} x"#, r#"{"a": "#, "[]"]
        {
            assert!(!shape.fits(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_shape_never_takes_what_the_schema_refuses(
            id in prop::option::of(prop_oneof![Just(json!("a")), Just(json!(1)), Just(json!(null))]),
            n in prop::option::of(prop_oneof![Just(json!(1)), Just(json!(1.0)), Just(json!(1.5)), Just(json!(null)), Just(json!("1"))]),
            x in prop::option::of(prop_oneof![Just(json!(1)), Just(json!(-1.5)), Just(json!([]))]),
            deep in prop::option::of(prop_oneof![Just(json!({"on": true})), Just(json!({})), Just(json!({"on": 0})), Just(json!(0))]),
        ) {
            let mut record = Map::new();
            for (name, value) in [("id", id), ("n", n), ("x", x), ("deep", deep)] {
                if let Some(value) = value {
                    record.insert(name.to_owned(), value);
                }
            }
            let record = Value::Object(record);
            let valid = jsonschema::validator_for(&shape()).unwrap().is_valid(&record);
            let fits = Shape::of(&shape()).unwrap().fits(&record.to_string());
            prop_assert!(valid || !fits, "{record}");
            // 1.0 as an integer is the one thing that a shape leaves to the validator.
            prop_assert!(fits || !valid || record["n"].is_f64(), "{record}");
        }
    }
}
