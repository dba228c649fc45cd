//! Reading what landed: by object, and as the change feed of an integration.

use serde::Serialize;

use super::sql::sql;
use super::{Store, StoreError, read};
use crate::domain::{IntegrationId, ObjectId};

/// A landed interaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct InteractionRow {
    /// The object's name.
    pub object: String,
    /// The provider's id.
    pub id: String,
    /// `present`, `deleted`, `merged`.
    pub state: String,
    /// The record it was merged into.
    pub merged_into: Option<String>,
    /// The provider's version of this state.
    pub provider_version: Option<String>,
    /// When the provider last changed it.
    pub provider_updated_at: Option<String>,
    /// Position in the integration's feed.
    pub change_seq: i64,
    /// When its content last changed here, unix milliseconds.
    pub changed_at: i64,
    /// The record.
    #[sqlx(try_from = "Option<String>")]
    pub data: Json,
}

/// JSON text that is printed as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(Option<String>);

impl From<Option<String>> for Json {
    fn from(text: Option<String>) -> Self {
        Self(text)
    }
}

impl Json {
    /// The text; none for a tombstone without data.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => serializer.serialize_none(),
            Some(text) => match serde_json::from_str::<&serde_json::value::RawValue>(text) {
                Ok(raw) => raw.serialize(serializer),
                Err(_) => serializer.serialize_str(text),
            },
        }
    }
}

/// Selects [`InteractionRow`]s by a condition, with whatever order and limit follow it.
macro_rules! interactions {
    ($condition:literal) => {
        sql!(
            "SELECT o.name AS object, x.external_id AS id, x.state, x.merged_into, x.provider_version,
                    x.provider_updated_at, x.change_seq, x.changed_at, ",
            text("x.data"),
            " AS data
             FROM interactions x JOIN objects o ON o.id = x.object_id
             WHERE ",
            $condition
        )
    };
}

impl Store {
    /// The interactions of an object in the order of their ids, behind `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn interactions(
        &self,
        object: ObjectId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<InteractionRow>, StoreError> {
        let list = interactions!("x.object_id = $1 AND x.external_id > $2 ORDER BY x.external_id LIMIT $3");
        read!(self, |db, sql| {
            sqlx::query_as(sql(list))
                .bind(object.0)
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(db)
                .await
                .during("list interactions")
        })
    }

    /// One interaction of an object; none if nothing of that id landed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn interaction(&self, object: ObjectId, id: &str) -> Result<Option<InteractionRow>, StoreError> {
        let one = interactions!("x.object_id = $1 AND x.external_id = $2");
        read!(self, |db, sql| {
            sqlx::query_as(sql(one)).bind(object.0).bind(id).fetch_optional(db).await.during("read an interaction")
        })
    }

    /// What changed in an integration behind a position of its feed, oldest first. A record shows once, at its latest
    /// change; positions have gaps.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes(
        &self,
        integration: IntegrationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<InteractionRow>, StoreError> {
        let list = interactions!("x.integration_id = $1 AND x.change_seq > $2 ORDER BY x.change_seq LIMIT $3");
        read!(self, |db, sql| {
            sqlx::query_as(sql(list))
                .bind(integration.0)
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(db)
                .await
                .during("read the feed")
        })
    }

    /// Counts of an object's interactions: present, gone, rejected.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn interaction_counts(&self, object: ObjectId) -> Result<(i64, i64, i64), StoreError> {
        let counts = sql!(
            "SELECT COALESCE(SUM(CASE WHEN state = 'present' THEN 1 ELSE 0 END), 0),
                    COALESCE(SUM(CASE WHEN state = 'present' THEN 0 ELSE 1 END), 0),
                    (SELECT COUNT(*) FROM rejected WHERE object_id = $1)
             FROM interactions WHERE object_id = $1"
        );
        read!(self, |db, sql| {
            sqlx::query_as(sql(counts)).bind(object.0).fetch_one(db).await.during("count interactions")
        })
    }
}
