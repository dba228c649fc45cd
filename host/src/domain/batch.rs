//! A batch's payload: the records of one page as they are stored between the retriever and the processor.
//!
//! Compact and borrowed on the way back: decoding copies no record.

use serde::{Deserialize, Serialize};

use super::{Interaction, RecordState, check_id};

/// Bytes of a record's data at most.
pub const MAX_DATA_BYTES: usize = 1 << 20;

/// First byte of a payload: the format's version.
const FORMAT: u8 = 1;

/// One record of a stored batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// The provider's id, not yet validated.
    pub id: &'a str,
    /// The provider's version of this state.
    pub version: Option<&'a str>,
    /// When the provider last changed it.
    pub updated_at: Option<&'a str>,
    /// Whether it still exists.
    pub state: State<'a>,
    /// The provider's JSON, not yet validated.
    pub data: &'a str,
}

/// Whether a stored record still exists at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State<'a> {
    /// It exists.
    Present,
    /// It was deleted.
    Deleted,
    /// It was merged into another.
    MergedInto(&'a str),
}

impl Record<'_> {
    /// Whether it can be kept, by all that shows without reading its data.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn check(&self) -> Result<(), String> {
        check_id(self.id)?;
        let merged_into = match self.state {
            State::MergedInto(id) => Some(id),
            State::Present | State::Deleted => None,
        };
        if [self.version, self.updated_at, merged_into].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err("its version, time or merge target contains NUL".to_owned());
        }
        if self.data.len() > MAX_DATA_BYTES {
            return Err(format!("its data is {} bytes, {MAX_DATA_BYTES} are allowed", self.data.len()));
        }
        if self.data.is_empty() && self.state == State::Present {
            return Err("it has no data".to_owned());
        }
        Ok(())
    }
}

impl<'a> From<&'a Interaction> for Record<'a> {
    fn from(interaction: &'a Interaction) -> Self {
        Self {
            id: &interaction.id,
            version: interaction.version.as_deref(),
            updated_at: interaction.updated_at.as_deref(),
            state: match &interaction.state {
                RecordState::Present => State::Present,
                RecordState::Deleted => State::Deleted,
                RecordState::MergedInto(id) => State::MergedInto(id),
            },
            data: &interaction.data,
        }
    }
}

/// Encodes the records of a page; none for a page without any.
#[must_use]
pub fn encode(interactions: &[Interaction]) -> Option<Vec<u8>> {
    if interactions.is_empty() {
        return None;
    }
    let records: Vec<Record<'_>> = interactions.iter().map(Record::from).collect();
    let mut payload = Vec::with_capacity(interactions.iter().map(Interaction::size_bytes).sum::<usize>() + 16);
    payload.push(FORMAT);
    postcard::to_extend(&records, payload).ok()
}

/// Decodes a payload.
///
/// # Errors
/// A text that says what is wrong: an unknown format or damaged bytes.
pub fn decode(payload: &[u8]) -> Result<Vec<Record<'_>>, String> {
    match payload.split_first() {
        None => Ok(Vec::new()),
        Some((&FORMAT, records)) => postcard::from_bytes(records).map_err(|error| error.to_string()),
        Some((other, _)) => Err(format!("batch format {other} is unknown to this host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_survives_the_way_there_and_back() {
        let page = vec![
            Interaction {
                id: "1".to_owned(),
                version: Some("v".to_owned()),
                updated_at: None,
                state: RecordState::Present,
                data: "{\"n\":1e400}".to_owned(),
            },
            Interaction {
                id: "2".to_owned(),
                version: None,
                updated_at: None,
                state: RecordState::MergedInto("1".to_owned()),
                data: String::new(),
            },
        ];
        let payload = encode(&page).unwrap();
        let records = decode(&payload).unwrap();
        assert_eq!(records, page.iter().map(Record::from).collect::<Vec<_>>());
        assert!(encode(&[]).is_none());
    }

    #[test]
    fn damaged_and_newer_payloads_are_told() {
        assert!(decode(&[9, 0]).unwrap_err().contains("format 9"));
        assert!(decode(&[FORMAT, 200]).is_err());
    }
}
