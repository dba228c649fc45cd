//! Which fields of an object are read, and of what kind they are.
//!
//! The list comes from a describe, which names only fields that the user may see, and travels in the cursor, so that an
//! ordinary sync needs no describe. It is bounded, because the query goes into a URL and the list into the cursor.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::objects::{self, Object};

/// What the list may weigh: 16 KiB are a cursor's limit and about a URL's. Each field is charged its name and what
/// separators and the kind add in either place.
const BUDGET_BYTES: usize = 10_000;

/// Charged per field besides its name.
const OVERHEAD_BYTES: usize = 5;

/// Selected before all others, wherever the object has them: what the connector itself reads, then the dates.
const SYSTEM: &[&str] = &["Id", "SystemModstamp", "IsDeleted", "MasterRecordId", "CreatedDate", "LastModifiedDate"];

/// What a cell of a bulk result becomes in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string as it is.
    Text,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A time with a zone, which the REST API spells with another offset.
    Time,
}

impl Kind {
    /// None for what a bulk query refuses (compound fields, binary) and for what is not a plain value.
    fn of(salesforce_type: &str) -> Option<Self> {
        match salesforce_type {
            "boolean" => Some(Self::Bool),
            "int" | "long" | "double" | "currency" | "percent" => Some(Self::Number),
            "datetime" => Some(Self::Time),
            "id"
            | "reference"
            | "string"
            | "textarea"
            | "picklist"
            | "multipicklist"
            | "combobox"
            | "phone"
            | "url"
            | "email"
            | "encryptedstring"
            | "date"
            | "time"
            | "DataCategoryGroupReference" => Some(Self::Text),
            _ => None,
        }
    }
}

/// A field that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The fields of a query, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct FieldList(Vec<Field>);

/// The parts of a describe that matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct Described {
    #[serde(default = "yes")]
    queryable: bool,
    fields: Vec<DescribedField>,
}

#[derive(Debug, Deserialize)]
struct DescribedField {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "deprecatedAndHidden")]
    hidden: bool,
}

fn yes() -> bool {
    true
}

/// A list, and how many fields did not fit.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) fields: FieldList,
    pub(crate) left_out: usize,
}

impl Described {
    /// The fields to read, or why the object cannot be read incrementally.
    pub(crate) fn choose(&self, object: &Object) -> Result<Choice, String> {
        if !self.queryable {
            return Err("it cannot be queried".to_owned());
        }
        let usable =
            |field: &&DescribedField| !field.hidden && objects::is_name(&field.name) && Kind::of(&field.kind).is_some();
        let by_name = |name: &&str| self.fields.iter().find(|field| field.name == *name);
        let first = SYSTEM.iter().chain(object.preferred).filter_map(by_name);

        let mut seen = HashSet::new();
        let (mut list, mut weight, mut left_out) = (Vec::new(), 0, 0);
        for field in first.chain(&self.fields).filter(usable).filter(|field| seen.insert(field.name.as_str())) {
            weight += field.name.len() + OVERHEAD_BYTES;
            match Kind::of(&field.kind) {
                Some(kind) if weight <= BUDGET_BYTES => list.push(Field { name: field.name.clone(), kind }),
                _ => left_out += 1,
            }
        }
        let fields = FieldList(list);
        for needed in ["Id", "SystemModstamp"] {
            if !fields.has(needed) {
                return Err(format!("it has no visible field {needed}"));
            }
        }
        Ok(Choice { fields, left_out })
    }
}

impl FieldList {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether deleted rows of the object stay readable for a while.
    pub(crate) fn keeps_deleted(&self) -> bool {
        self.has("IsDeleted")
    }
}

/// As in the SELECT of a query.
impl fmt::Display for FieldList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", field.name)?;
        }
        Ok(())
    }
}

/// As in a cursor: names with a letter for the kind, `Id,IsDeleted:b,Amount:n,CreatedDate:t`.
impl From<FieldList> for String {
    fn from(list: FieldList) -> Self {
        let words = list.0.into_iter().map(|field| match field.kind {
            Kind::Text => field.name,
            Kind::Bool => field.name + ":b",
            Kind::Number => field.name + ":n",
            Kind::Time => field.name + ":t",
        });
        words.collect::<Vec<_>>().join(",")
    }
}

impl TryFrom<String> for FieldList {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let field = |word: &str| {
            let (name, kind) = match word.split_once(':') {
                None => (word, Kind::Text),
                Some((name, "b")) => (name, Kind::Bool),
                Some((name, "n")) => (name, Kind::Number),
                Some((name, "t")) => (name, Kind::Time),
                Some(_) => return Err(format!("unknown kind in {word:?}")),
            };
            match objects::is_name(name) {
                true => Ok(Field { name: name.to_owned(), kind }),
                false => Err(format!("{name:?} is no field name")),
            }
        };
        text.split(',').map(field).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(fields: &[(&str, &str)]) -> Described {
        let fields: Vec<_> =
            fields.iter().map(|(name, kind)| serde_json::json!({"name": name, "type": kind})).collect();
        serde_json::from_value(serde_json::json!({"name": "X", "queryable": true, "fields": fields})).unwrap()
    }

    #[test]
    fn compound_and_binary_fields_are_not_selected() {
        let described = described(&[
            ("Id", "id"),
            ("BillingCity", "string"),
            ("BillingAddress", "address"),
            ("Place__c", "location"),
            ("Body", "base64"),
            ("SystemModstamp", "datetime"),
        ]);
        let choice = described.choose(&Object::named("Account")).unwrap();
        assert_eq!(choice.fields.to_string(), "Id,SystemModstamp,BillingCity");
        assert_eq!(choice.left_out, 0);
    }

    #[test]
    fn an_object_without_a_stamp_is_refused_with_the_reason() {
        let why = described(&[("Id", "id")]).choose(&Object::named("Thing__x")).unwrap_err();
        assert!(why.contains("SystemModstamp"), "{why}");
    }

    #[test]
    fn a_list_too_long_for_a_url_keeps_system_and_preferred_fields_first() {
        let names: Vec<String> = (0..800).map(|n| format!("A_rather_long_custom_field_name_{n:03}__c")).collect();
        let mut fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "string")).collect();
        fields.extend([("Name", "string"), ("SystemModstamp", "datetime"), ("IsDeleted", "boolean"), ("Id", "id")]);

        let choice = described(&fields).choose(&Object::named("Account")).unwrap();
        assert!(choice.fields.to_string().starts_with("Id,SystemModstamp,IsDeleted,Name,A_rather_long"));
        assert!(choice.left_out > 0);
        assert!(String::from(choice.fields).len() <= BUDGET_BYTES);
    }

    #[test]
    fn a_list_survives_the_cursor_with_its_kinds() {
        let described = described(&[
            ("Id", "id"),
            ("SystemModstamp", "datetime"),
            ("IsDeleted", "boolean"),
            ("Amount", "currency"),
            ("Name", "string"),
        ]);
        let list = described.choose(&Object::named("Opportunity")).unwrap().fields;
        let text = String::from(list.clone());
        assert_eq!(text, "Id,SystemModstamp:t,IsDeleted:b,Name,Amount:n");
        assert_eq!(FieldList::try_from(text), Ok(list));
        assert!(FieldList::try_from("Id,Na me".to_owned()).is_err());
    }
}
