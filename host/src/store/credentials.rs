//! Sealed credentials and provider pauses: what the egress gate keeps for all hosts. Plaintext never comes here.

use std::time::Duration;

use super::outbox::millis;
use super::sql::{Sql, sql};
use super::{Store, StoreError, read, write, write_one};
use crate::domain::IntegrationId;

/// One sealed field, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SealedField {
    /// Name of the field.
    pub field: String,
    /// Which key sealed it.
    pub key_version: i64,
    /// The cipher's nonce.
    pub nonce: Vec<u8>,
    /// The encrypted text and its tag.
    pub ciphertext: Vec<u8>,
}

/// Stores a sealed field, or replaces it.
pub(super) const PUT_FIELD: Sql = sql!(
    "INSERT INTO credentials (integration_id, field, key_version, nonce, ciphertext, updated_at)
     VALUES ($1, $2, $3, $4, $5, ",
    now,
    ")
     ON CONFLICT (integration_id, field) DO UPDATE SET key_version = EXCLUDED.key_version,
        nonce = EXCLUDED.nonce, ciphertext = EXCLUDED.ciphertext, updated_at = EXCLUDED.updated_at"
);

impl Store {
    /// The sealed fields of an integration and the version of the set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_credentials(&self, integration: IntegrationId) -> Result<(i64, Vec<SealedField>), StoreError> {
        let version = sql!("SELECT credentials_version FROM integrations WHERE id = $1");
        let fields = sql!("SELECT field, key_version, nonce, ciphertext FROM credentials WHERE integration_id = $1");
        read!(self, |db, sql| {
            // The version first: fields that are newer than it make the next save fail and load again, never the reverse.
            let version: Option<i64> = sqlx::query_scalar(sql(version))
                .bind(integration.0)
                .fetch_optional(&mut *db)
                .await
                .during("read credentials")?;
            let fields =
                sqlx::query_as(sql(fields)).bind(integration.0).fetch_all(db).await.during("read credentials")?;
            Ok((version.unwrap_or(0), fields))
        })
    }

    /// Replaces these fields and raises the version, all or nothing. `false`, and nothing is changed, when `expected` is
    /// given and is not the version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_credentials(
        &self,
        integration: IntegrationId,
        expected: Option<i64>,
        fields: &[SealedField],
    ) -> Result<bool, StoreError> {
        let raise = sql!(
            "UPDATE integrations SET credentials_version = credentials_version + 1
             WHERE id = $1 AND ($2 IS NULL OR credentials_version = $2)"
        );
        write!(self, "store credentials", |tx, sql| {
            let raised = sqlx::query(sql(raise))
                .bind(integration.0)
                .bind(expected)
                .execute(&mut *tx)
                .await
                .during("store credentials")?;
            if raised.rows_affected() == 0 {
                return Ok(false);
            }
            for field in fields {
                sqlx::query(sql(PUT_FIELD))
                    .bind(integration.0)
                    .bind(&field.field)
                    .bind(field.key_version)
                    .bind(&field.nonce)
                    .bind(&field.ciphertext)
                    .execute(&mut *tx)
                    .await
                    .during("store credentials")?;
            }
            Ok(true)
        })
    }

    /// Takes the right to renew an integration's tokens for so long at most; `false` if another host has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_refresh(&self, integration: IntegrationId, ttl: Duration) -> Result<bool, StoreError> {
        let begin =
            sql!("UPDATE integrations SET refresh_until = ", now, " + $2 WHERE id = $1 AND refresh_until < ", now);
        write_one!(self, "begin a token refresh", |db, sql| {
            let taken = sqlx::query(sql(begin))
                .bind(integration.0)
                .bind(millis(ttl))
                .execute(db)
                .await
                .during("begin a token refresh")?
                .rows_affected();
            Ok(taken == 1)
        })
    }

    /// Gives that right back.
    ///
    /// # Errors
    /// When the database fails; the right then ends by itself.
    pub async fn end_refresh(&self, integration: IntegrationId) -> Result<(), StoreError> {
        let end = sql!("UPDATE integrations SET refresh_until = 0 WHERE id = $1");
        write_one!(self, "end a token refresh", |db, sql| {
            sqlx::query(sql(end)).bind(integration.0).execute(db).await.during("end a token refresh")?;
            Ok(())
        })
    }

    /// Keeps a pause that the provider asked for, from now on; one that ends before what is kept already changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause(&self, integration: IntegrationId, lasts: Duration) -> Result<(), StoreError> {
        let pause = sql!(
            "UPDATE integrations SET paused_until = ",
            now,
            " + $2 WHERE id = $1 AND paused_until < ",
            now,
            " + $2"
        );
        write_one!(self, "keep a pause", |db, sql| {
            let lasts = millis(lasts);
            sqlx::query(sql(pause)).bind(integration.0).bind(lasts).execute(db).await.during("keep a pause")?;
            Ok(())
        })
    }

    /// What is left of the pause that the provider asked for; none if it did not or it is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause_left(&self, integration: IntegrationId) -> Result<Option<Duration>, StoreError> {
        let left =
            sql!("SELECT paused_until - ", now, " FROM integrations WHERE id = $1 AND paused_until > ", now_once);
        let left: Option<i64> = read!(self, |db, sql| {
            sqlx::query_scalar(sql(left)).bind(integration.0).fetch_optional(db).await.during("read a pause")
        })?;
        Ok(left.and_then(|left| u64::try_from(left).ok()).map(Duration::from_millis))
    }
}
