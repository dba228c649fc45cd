//! Fields of a Salesforce record: the system's own and the object's.

use serde_json::{Map, Value, json};

use crate::{
    content::{id, salesforce_time},
    dataset::{Record, State, Table},
    schema::{Field, Kind, Object},
};

/// A field that a query can name.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// `Id`
    Id,
    /// `CreatedDate`
    Created,
    /// `LastModifiedDate`: not moved by the system's own changes.
    Modified,
    /// `SystemModstamp`
    Stamp,
    /// `IsDeleted`; users have none.
    Deleted,
    /// `MasterRecordId`; only where records merge.
    Master,
    /// `IsActive`; only users.
    Active,
    /// One of the object's own.
    Own(&'static Field),
}

impl Column {
    /// All columns of an object.
    pub fn all(object: &'static Object) -> Vec<Self> {
        let mut columns = vec![Self::Id, Self::Created, Self::Modified, Self::Stamp];
        columns.push(if object.people { Self::Active } else { Self::Deleted });
        if object.merges {
            columns.push(Self::Master);
        }
        columns.extend(object.fields.iter().map(Self::Own));
        columns
    }

    /// The column of this name, in any case.
    pub fn find(object: &'static Object, name: &str) -> Option<Self> {
        Self::all(object).into_iter().find(|column| column.name().eq_ignore_ascii_case(name))
    }

    /// The name in Salesforce's spelling.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Id => "Id",
            Self::Created => "CreatedDate",
            Self::Modified => "LastModifiedDate",
            Self::Stamp => "SystemModstamp",
            Self::Deleted => "IsDeleted",
            Self::Master => "MasterRecordId",
            Self::Active => "IsActive",
            Self::Own(field) => field.name,
        }
    }

    /// The type in `describe`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Created | Self::Modified | Self::Stamp => "datetime",
            Self::Deleted | Self::Active => "boolean",
            Self::Master => "reference",
            Self::Own(field) => match field.kind {
                Kind::Flag => "boolean",
                Kind::Money => "currency",
                Kind::Count(_) => "int",
                Kind::Date => "date",
                Kind::Moment => "datetime",
                Kind::Ref(_) | Kind::Nothing => "reference",
                Kind::Email => "email",
                Kind::Phone => "phone",
                Kind::Pick(_) => "picklist",
                Kind::Text(bytes) if bytes > 80 => "textarea",
                Kind::Domain => "url",
                Kind::FirstName | Kind::LastName | Kind::FullName | Kind::Company | Kind::Text(_) => "string",
            },
        }
    }

    /// The time in a system column, in ms.
    pub fn time(&self, record: &Record) -> Option<i64> {
        match self {
            Self::Created => Some(record.created_ms),
            Self::Modified => Some(record.modified_ms),
            Self::Stamp => Some(record.stamp_ms),
            Self::Id | Self::Deleted | Self::Master | Self::Active | Self::Own(_) => None,
        }
    }

    /// The value as JSON holds it.
    pub fn value(&self, table: &Table, record: &Record) -> Value {
        match self {
            Self::Id => json!(id(table.object, record.seq)),
            Self::Created => json!(salesforce_time(record.created_ms)),
            Self::Modified => json!(salesforce_time(record.modified_ms)),
            Self::Stamp => json!(salesforce_time(record.stamp_ms)),
            Self::Deleted => json!(deleted(table, record)),
            Self::Active => json!(record.state == State::Live),
            Self::Master => match record.state {
                State::Merged { into } => json!(id(table.object, into)),
                State::Live | State::Deleted { .. } | State::Purged => Value::Null,
            },
            Self::Own(field) => table.value(field, record),
        }
    }
}

/// Whether a record is in the bin. Users never are.
pub fn deleted(table: &Table, record: &Record) -> bool {
    record.state != State::Live && !table.object.people
}

/// Every field.
pub fn all(table: &Table, record: &Record) -> Map<String, Value> {
    Column::all(table.object).iter().map(|c| (c.name().to_owned(), c.value(table, record))).collect()
}
