//! From one record of the REST API to an interaction.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_sdk::{Data, Error, Interaction};

use crate::stamp;

/// A record and its place in the order of a pass.
#[derive(Debug)]
pub(crate) struct Record {
    /// Second of its `SystemModstamp`.
    pub(crate) stamp: u64,
    pub(crate) interaction: Interaction,
}

/// What the connector itself reads of a record.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts<'a> {
    #[serde(rename = "Id", borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(rename = "SystemModstamp", borrow)]
    pub(crate) stamp: Cow<'a, str>,
    #[serde(rename = "IsDeleted", default)]
    pub(crate) deleted: Option<bool>,
    #[serde(rename = "MasterRecordId", borrow, default)]
    pub(crate) master: Option<Cow<'a, str>>,
}

impl Record {
    /// Reads the facts; the record itself is passed on as it came.
    pub(crate) fn from_rest(raw: &RawValue) -> Result<Self, Error> {
        let facts: Facts<'_> = serde_json::from_str(raw.get())
            .map_err(|error| Error::Unexpected(format!("a record lacks Id or SystemModstamp: {error}")))?;
        facts.record(raw)
    }

    /// What the record weighs in a page, about.
    pub(crate) fn bytes(&self) -> usize {
        let Interaction { id, data, .. } = &self.interaction;
        data.len() + id.len() + 128
    }
}

impl Facts<'_> {
    /// The record these facts are of. A tombstone carries no data: what was deleted there is not kept here.
    pub(crate) fn record(self, data: impl Data) -> Result<Record, Error> {
        let second = stamp::parse(&self.stamp)
            .ok_or_else(|| Error::Unexpected(format!("SystemModstamp {:?} is no time", self.stamp)))?;
        if self.id.is_empty() {
            return Err(Error::Unexpected("a record has an empty Id".to_owned()));
        }
        let id = self.id.into_owned();
        let interaction = match (self.deleted.unwrap_or(false), self.master.filter(|master| !master.is_empty())) {
            (false, _) => Interaction::present(id, data),
            (true, Some(master)) => Interaction::merged(id, master),
            (true, None) => Interaction::deleted(id),
        };
        let at = stamp::format(second);
        Ok(Record { stamp: second, interaction: interaction.version(at.as_str()).updated_at(at) })
    }
}

#[cfg(test)]
mod tests {
    use syncline_sdk::State;

    use super::*;

    fn record(text: &str) -> Result<Record, Error> {
        Record::from_rest(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn a_record_is_passed_on_as_it_came_and_stamped_in_utc() {
        let text = r#"{"Id":"001A","SystemModstamp":"2026-03-01T10:20:30.000+0000","Amount":1.50,"IsDeleted":false}"#;
        let Interaction { id, data, version, updated_at, state } = record(text).unwrap().interaction;
        assert_eq!((id.as_str(), data.as_str(), state), ("001A", text, State::Present));
        assert_eq!(version.as_deref(), Some("2026-03-01T10:20:30.000Z"));
        assert_eq!(updated_at, version);
    }

    #[test]
    fn a_deleted_row_is_a_tombstone_and_a_merged_one_names_the_winner() {
        let row =
            |rest: &str| record(&format!(r#"{{"Id":"1","SystemModstamp":"2026-03-01T10:20:30Z",{rest}}}"#)).unwrap();
        assert_eq!(row(r#""IsDeleted":true"#).interaction.state, State::Deleted);
        let merged = row(r#""IsDeleted":true,"MasterRecordId":"001B""#).interaction;
        assert_eq!(merged.state, State::MergedInto("001B".to_owned()));
        assert_eq!(merged.data, "");
    }

    #[test]
    fn an_archived_row_is_present() {
        let row = record(r#"{"Id":"1","SystemModstamp":"2026-03-01T10:20:30Z","IsDeleted":false,"IsArchived":true}"#);
        assert_eq!(row.unwrap().interaction.state, State::Present);
    }

    #[test]
    fn a_record_without_a_stamp_is_refused() {
        assert!(matches!(record(r#"{"Id":"1"}"#), Err(Error::Unexpected(_))));
        assert!(matches!(record(r#"{"Id":"1","SystemModstamp":"soon"}"#), Err(Error::Unexpected(_))));
    }
}
