//! Which providers there are, and how their objects and fields are described. No records and no behaviour.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{api::Api, freshdesk, hubspot, intercom, pipedrive, salesforce, zendesk};

/// A provider that can be imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Provider {
    /// HubSpot CRM v3.
    HubSpot,
    /// Salesforce REST and Bulk 2.0.
    Salesforce,
    /// Zendesk Support.
    Zendesk,
    /// Freshdesk API v2.
    Freshdesk,
    /// Intercom REST 2.14.
    Intercom,
    /// Pipedrive, API v2 and what is left of v1.
    Pipedrive,
}

impl Provider {
    /// All of them, in a fixed order: new ones come last, or the seeded choices of the others change.
    pub const ALL: [Self; 6] =
        [Self::HubSpot, Self::Salesforce, Self::Zendesk, Self::Freshdesk, Self::Intercom, Self::Pipedrive];

    /// How it behaves. The only place that leads from a provider to its module.
    pub(crate) fn api(self) -> &'static dyn Api {
        match self {
            Self::HubSpot => &hubspot::HubSpot,
            Self::Salesforce => &salesforce::Salesforce,
            Self::Zendesk => &zendesk::Zendesk,
            Self::Freshdesk => &freshdesk::Freshdesk,
            Self::Intercom => &intercom::Intercom,
            Self::Pipedrive => &pipedrive::Pipedrive,
        }
    }

    /// The name in options, control requests and counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Zendesk => "zendesk",
            Self::Freshdesk => "freshdesk",
            Self::Intercom => "intercom",
            Self::Pipedrive => "pipedrive",
        }
    }

    /// The host name that clients believe they talk to, as a pattern.
    pub fn host(self) -> &'static str {
        self.api().host()
    }

    /// The objects that the provider has.
    pub fn objects(self) -> &'static [Object] {
        self.api().objects()
    }

    /// An object by its exact name.
    pub fn object(self, name: &str) -> Option<&'static Object> {
        self.objects().iter().find(|object| object.name == name)
    }
}

/// What a field holds. The value itself is made in `content` from the record's id and revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A given name; never changes.
    FirstName,
    /// A family name; never changes.
    LastName,
    /// Both names; never changes.
    FullName,
    /// A company name; never changes.
    Company,
    /// A web domain; never changes.
    Domain,
    /// An e-mail address, unique in the object; never changes.
    Email,
    /// A phone number, sometimes null.
    Phone,
    /// One of a list.
    Pick(&'static [&'static str]),
    /// An amount with two decimals, sometimes null.
    Money,
    /// A whole number below this.
    Count(u64),
    /// Prose of about this many bytes; now and then with quotes, commas, line breaks and emoji.
    Text(usize),
    /// A calendar day.
    Date,
    /// A point in time.
    Moment,
    /// The id of a record of another object of the same provider that existed from the start.
    Ref(&'static str),
    /// A boolean.
    Flag,
    /// Always null.
    Nothing,
}

/// A field and what it holds.
#[derive(Debug)]
pub struct Field {
    /// The provider's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// An object (a table) of a provider.
#[derive(Debug)]
pub struct Object {
    /// The provider's name: `contacts`, `Contact`.
    pub name: &'static str,
    /// Salesforce: the three letters every id starts with. HubSpot: the first id.
    pub key: Key,
    /// HubSpot: the property that holds the last modification. Empty for owners.
    pub modified: &'static str,
    /// Records can be merged.
    pub merges: bool,
    /// Owners and users: few, never deleted, and outside the ordinary endpoints at HubSpot.
    pub people: bool,
    /// Everything but the system fields.
    pub fields: &'static [Field],
}

/// How ids of an object look.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// Whole numbers from this one on, with gaps.
    From(u64),
    /// 18 characters with this prefix.
    Prefix(&'static str),
}

/// A field; for the tables of the providers.
pub(crate) const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}
