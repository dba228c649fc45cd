//! How things are named on the command line: `acme`, `acme/salesforce`, `acme/salesforce/Account`.

use std::fmt;
use std::str::FromStr;

/// A customer or integration name has at most so many characters.
const LONGEST_NAME: usize = 64;

/// An object's name has at most so many bytes.
const LONGEST_OBJECT: usize = 255;

/// A text that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Too few or too many parts.
    #[error("expected {0}")]
    Shape(&'static str),
    /// A customer's or integration's name has characters that names do not have.
    #[error("`{0}` is not a name: use 1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit")]
    Name(String),
    /// An object's name is empty, too long, or has control characters.
    #[error("an object's name has 1 to 255 bytes and no control characters")]
    Object,
}

/// A customer: `acme`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerAddress {
    /// The customer's name.
    pub customer: String,
}

/// An integration: `acme/salesforce`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntegrationAddress {
    /// The customer's name.
    pub customer: String,
    /// The integration's name.
    pub integration: String,
}

/// An integration object: `acme/salesforce/Account`. The object's own name may contain slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectAddress {
    /// The customer's name.
    pub customer: String,
    /// The integration's name.
    pub integration: String,
    /// The object's name, as the connector calls it.
    pub object: String,
}

/// Any of them; names everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A customer.
    Customer(CustomerAddress),
    /// An integration.
    Integration(IntegrationAddress),
    /// An integration object.
    Object(ObjectAddress),
}

impl Address {
    /// The customer's name.
    #[must_use]
    pub fn customer(&self) -> &str {
        match self {
            Self::Customer(address) => &address.customer,
            Self::Integration(address) => &address.customer,
            Self::Object(address) => &address.customer,
        }
    }

    /// The integration's name, if it says one.
    #[must_use]
    pub fn integration(&self) -> Option<&str> {
        match self {
            Self::Customer(_) => None,
            Self::Integration(address) => Some(&address.integration),
            Self::Object(address) => Some(&address.integration),
        }
    }

    /// The object's name, if it says one.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::Customer(_) | Self::Integration(_) => None,
            Self::Object(address) => Some(&address.object),
        }
    }
}

impl ObjectAddress {
    /// The integration it belongs to.
    #[must_use]
    pub fn integration(&self) -> IntegrationAddress {
        IntegrationAddress { customer: self.customer.clone(), integration: self.integration.clone() }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut parts = text.splitn(3, '/');
        let customer = name(parts.next().unwrap_or_default())?;
        let Some(integration) = parts.next() else { return Ok(Self::Customer(CustomerAddress { customer })) };
        let integration = name(integration)?;
        let Some(object) = parts.next() else {
            return Ok(Self::Integration(IntegrationAddress { customer, integration }));
        };
        if object.is_empty() || object.len() > LONGEST_OBJECT || object.chars().any(char::is_control) {
            return Err(AddressError::Object);
        }
        Ok(Self::Object(ObjectAddress { customer, integration, object: object.to_owned() }))
    }
}

macro_rules! exactly {
    ($($type:ident as $case:ident: $shape:literal, $format:literal ($($part:ident),+);)+) => {$(
        impl FromStr for $type {
            type Err = AddressError;

            fn from_str(text: &str) -> Result<Self, AddressError> {
                match text.parse()? {
                    Address::$case(address) => Ok(address),
                    _ => Err(AddressError::Shape($shape)),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, $(self.$part),+)
            }
        }
    )+};
}

exactly! {
    CustomerAddress as Customer: "a customer's name, such as acme", "{}" (customer);
    IntegrationAddress as Integration: "customer/integration, such as acme/salesforce", "{}/{}" (customer, integration);
    ObjectAddress as Object: "customer/integration/object, such as acme/salesforce/Account", "{}/{}/{}"
        (customer, integration, object);
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(address) => address.fmt(f),
            Self::Integration(address) => address.fmt(f),
            Self::Object(address) => address.fmt(f),
        }
    }
}

fn name(text: &str) -> Result<String, AddressError> {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let right =
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= LONGEST_NAME && text.chars().all(usable);
    if right { Ok(text.to_owned()) } else { Err(AddressError::Name(text.escape_debug().to_string())) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_two_and_three_parts_name_a_customer_an_integration_and_an_object() {
        assert_eq!("acme".parse::<Address>().unwrap().integration(), None);
        assert_eq!("acme/salesforce".parse::<Address>().unwrap().integration(), Some("salesforce"));
        let object: ObjectAddress = "acme/salesforce/Account".parse().unwrap();
        assert_eq!(object.object, "Account");
        assert_eq!(object.integration().to_string(), "acme/salesforce");
    }

    #[test]
    fn an_object_may_be_called_after_a_path() {
        assert_eq!("acme/rest/v1/users".parse::<Address>().unwrap().object(), Some("v1/users"));
    }

    #[test]
    fn what_names_nothing_is_refused_with_what_was_expected() {
        for wrong in ["", "/", "acme/", "acme//x", "acme/sf/", "-acme", "a b", "acme/sf/\u{7}", "é"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
        }
        let error = "acme/salesforce".parse::<ObjectAddress>().unwrap_err();
        assert_eq!(error.to_string(), "expected customer/integration/object, such as acme/salesforce/Account");
        assert!("acme/salesforce/Account".parse::<IntegrationAddress>().is_err());
    }

    proptest! {
        #[test]
        fn an_address_reads_back_as_it_prints(text in "[a-z0-9./_-]{0,20}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string(), text);
            }
        }
    }
}
