//! What a message says: version, kind and ids. Less than 1 KiB, no cursor, no secret, no data.

use serde::{Deserialize, Serialize};

use crate::domain::{BatchId, ObjectId, RunId};

/// The newest message format this host writes and reads.
pub const VERSION: u32 = 1;

/// A pointer to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Message {
    /// Work on this run.
    Retrieve {
        /// The run.
        run: RunId,
        /// Its object.
        object: ObjectId,
    },
    /// Land what is committed of this object, at least up to this batch.
    Process {
        /// The batch.
        batch: BatchId,
        /// Its object.
        object: ObjectId,
    },
}

/// Why a body is not a message for this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Written by a newer host: leave it for one.
    #[error("message version {0} is newer than this host's {VERSION}")]
    Newer(u32),
    /// Not ours, or cut off.
    #[error("not a message: {0}")]
    Malformed(String),
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    #[serde(flatten)]
    message: T,
}

impl Message {
    /// Writes the body.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(&Envelope { v: VERSION, message: self }).unwrap_or_default()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`MessageError`] when it is newer than this host or not a message at all.
    pub fn decode(body: &str) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let malformed = |error: serde_json::Error| MessageError::Malformed(error.to_string());
        let version: Version = serde_json::from_str(body).map_err(malformed)?;
        if version.v > VERSION {
            return Err(MessageError::Newer(version.v));
        }
        let envelope: Envelope<Self> = serde_json::from_str(body).map_err(malformed)?;
        Ok(envelope.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_way_there_and_back() {
        let message = Message::Retrieve { run: RunId(7), object: ObjectId(9) };
        assert_eq!(message.encode(), r#"{"v":1,"kind":"retrieve","run":7,"object":9}"#);
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_newer_message_is_told_from_garbage() {
        assert_eq!(Message::decode(r#"{"v":2,"kind":"sing"}"#), Err(MessageError::Newer(2)));
        assert!(matches!(Message::decode("{\"v\":1"), Err(MessageError::Malformed(_))));
        assert!(matches!(Message::decode(r#"{"v":1,"kind":"sing"}"#), Err(MessageError::Malformed(_))));
    }
}
