//! What people do: customers, integrations and objects are added, listed, paused, resumed, triggered and reset.

mod rows;

use std::time::Duration;

pub use rows::{CustomerRow, IntegrationRow, NewIntegration, ObjectFilter, ObjectRow, RunFilter, RunRow};

use super::credentials::{PUT_FIELD, SealedField};
use super::outbox::millis;
use super::schedule::RING_RUNS;
use super::sql::{Sql, id_list, sql};
use super::{Store, StoreError, read, write, write_one};
use crate::domain::schedule::DEFAULT_INTERVAL;
use crate::domain::{CustomerId, IntegrationId, ObjectId, ObjectType, RunId};

/// Which objects a pause, a resume or an interval is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every object of a customer.
    Customer(CustomerId),
    /// Every object of an integration.
    Integration(IntegrationId),
    /// One object.
    Object(ObjectId),
}

pub(super) const CANCEL_DISPATCHED: Sql = sql!(
    "UPDATE runs SET state = 'cancelled', finished_at = ",
    now,
    " WHERE state = 'dispatched' AND object_id IN ",
    ids("$1"),
    " RETURNING object_id"
);
pub(super) const DEACTIVATE: Sql = sql!("UPDATE objects SET active = 0 WHERE id IN ", ids("$1"));

impl Store {
    /// Adds a customer.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken.
    pub async fn add_customer(
        &self,
        name: &str,
        title: &str,
        interval: Option<Duration>,
    ) -> Result<CustomerId, StoreError> {
        let insert = sql!(
            "INSERT INTO customers (name, title, interval_ms, created_at) VALUES ($1, $2, $3, ",
            now,
            ")
             ON CONFLICT (name) DO NOTHING RETURNING id"
        );
        let id: Option<i64> = write!(self, "add a customer", |tx, sql| {
            let id = sqlx::query_scalar(sql(insert))
                .bind(name)
                .bind(title)
                .bind(interval.map(millis))
                .fetch_optional(&mut *tx)
                .await
                .during("add a customer")?;
            Ok(id)
        })?;
        id.map(CustomerId).ok_or_else(|| StoreError::Exists { kind: "customer", name: name.to_owned() })
    }

    /// Every customer, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customers(&self) -> Result<Vec<CustomerRow>, StoreError> {
        read!(self, |db, sql| sqlx::query_as(sql(rows::CUSTOMERS)).fetch_all(db).await.during("list customers"))
    }

    /// Adds an integration with its objects and sealed credentials, in one transaction: no host sees it without them.
    /// `seal` gets the id that the credentials are sealed for. The objects are due at once.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the customer has one of that name, [`StoreError::Seal`] when `seal` fails.
    pub async fn add_integration<E: std::error::Error + Send + Sync + 'static>(
        &self,
        new: &NewIntegration,
        seal: impl Fn(IntegrationId) -> Result<Vec<SealedField>, E>,
    ) -> Result<IntegrationId, StoreError> {
        let insert = sql!(
            "INSERT INTO integrations (customer_id, name, provider, config, auth, pin, interval_ms, created_at)
             VALUES ($1, $2, $3, ",
            json("$4"),
            ", $5, $6, $7, ",
            now,
            ")
             ON CONFLICT (customer_id, name) DO NOTHING RETURNING id"
        );
        let id: Option<i64> = write!(self, "add an integration", |tx, sql| {
            let id: Option<i64> = sqlx::query_scalar(sql(insert))
                .bind(new.customer.0)
                .bind(&new.name)
                .bind(&new.provider)
                .bind(&new.config)
                .bind(&new.auth)
                .bind(&new.pin)
                .bind(new.interval.map(millis))
                .fetch_optional(&mut *tx)
                .await
                .during("add an integration")?;
            if let Some(id) = id {
                let objects = rows::object_list(&new.objects);
                sqlx::query(sql(rows::UPSERT_OBJECTS))
                    .bind(id)
                    .bind(&objects)
                    .bind(millis(DEFAULT_INTERVAL))
                    .execute(&mut *tx)
                    .await
                    .during("add objects")?;
                let sealed = seal(IntegrationId(id)).map_err(|error| StoreError::Seal(Box::new(error)))?;
                for field in &sealed {
                    sqlx::query(sql(PUT_FIELD))
                        .bind(id)
                        .bind(&field.field)
                        .bind(field.key_version)
                        .bind(&field.nonce)
                        .bind(&field.ciphertext)
                        .execute(&mut *tx)
                        .await
                        .during("store credentials")?;
                }
            }
            Ok(id)
        })?;
        id.map(IntegrationId).ok_or_else(|| StoreError::Exists { kind: "integration", name: new.name.clone() })
    }

    /// Brings an integration's objects in step with what was discovered: new ones are added and due at once, known ones
    /// get the new schema. None is removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sync_objects(&self, integration: IntegrationId, objects: &[ObjectType]) -> Result<u64, StoreError> {
        let list = rows::object_list(objects);
        write_one!(self, "add objects", |db, sql| {
            let done = sqlx::query(sql(rows::UPSERT_OBJECTS))
                .bind(integration.0)
                .bind(&list)
                .bind(millis(DEFAULT_INTERVAL))
                .execute(db)
                .await
                .during("add objects")?;
            Ok(done.rows_affected())
        })
    }

    /// Every integration, by customer and name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn integrations(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        read!(self, |db, sql| {
            sqlx::query_as(sql(rows::INTEGRATIONS)).fetch_all(db).await.during("list integrations")
        })
    }

    /// One integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] with the nearest name.
    pub async fn integration(&self, customer: &str, name: &str) -> Result<IntegrationRow, StoreError> {
        let all = self.integrations().await?;
        let wanted = format!("{customer}/{name}");
        let near = nearest(&wanted, all.iter().map(|row| format!("{}/{}", row.customer, row.name)));
        all.into_iter().find(|row| row.customer == customer && row.name == name).ok_or(StoreError::NotFound {
            kind: "integration",
            name: wanted,
            near,
        })
    }

    /// One customer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] with the nearest name.
    pub async fn customer(&self, name: &str) -> Result<CustomerRow, StoreError> {
        let all = self.customers().await?;
        let near = nearest(name, all.iter().map(|row| row.name.clone()));
        all.into_iter().find(|row| row.name == name).ok_or(StoreError::NotFound {
            kind: "customer",
            name: name.to_owned(),
            near,
        })
    }

    /// The objects that match, by customer, integration and name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn objects(&self, filter: &ObjectFilter) -> Result<Vec<ObjectRow>, StoreError> {
        read!(self, |db, sql| {
            sqlx::query_as(sql(rows::OBJECTS))
                .bind(&filter.customer)
                .bind(&filter.integration)
                .bind(&filter.object)
                .bind(filter.limit.map_or(i64::MAX, i64::from))
                .bind(i32::from(filter.unwell))
                .fetch_all(db)
                .await
                .during("list objects")
        })
    }

    /// One object.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] with the nearest name.
    pub async fn object(&self, customer: &str, integration: &str, name: &str) -> Result<ObjectRow, StoreError> {
        let siblings = self
            .objects(&ObjectFilter {
                customer: Some(customer.to_owned()),
                integration: Some(integration.to_owned()),
                ..ObjectFilter::default()
            })
            .await?;
        let near = nearest(name, siblings.iter().map(|row| row.object.clone()));
        siblings.into_iter().find(|row| row.object == name).ok_or_else(|| StoreError::NotFound {
            kind: "object",
            name: format!("{customer}/{integration}/{name}"),
            near,
        })
    }

    /// The latest runs that match, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        let states = (!filter.states.is_empty()).then(|| serde_json::json!(filter.states).to_string());
        read!(self, |db, sql| {
            sqlx::query_as(sql(rows::RUNS))
                .bind(Option::<i64>::None)
                .bind(&filter.customer)
                .bind(&filter.integration)
                .bind(&filter.object)
                .bind(&states)
                .bind(filter.since.map(millis))
                .bind(i64::from(filter.limit))
                .fetch_all(db)
                .await
                .during("list runs")
        })
    }

    /// One run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn run(&self, id: RunId) -> Result<RunRow, StoreError> {
        let row: Option<RunRow> = read!(self, |db, sql| {
            sqlx::query_as(sql(rows::RUNS))
                .bind(id.0)
                .bind(Option::<String>::None)
                .bind(Option::<String>::None)
                .bind(Option::<String>::None)
                .bind(Option::<String>::None)
                .bind(Option::<i64>::None)
                .bind(1_i64)
                .fetch_optional(db)
                .await
                .during("read a run")
        })?;
        row.ok_or_else(|| StoreError::NotFound { kind: "run", name: id.to_string(), near: None })
    }

    /// "Sync now": makes objects due. The throttle window still counts unless `force`; an object that is running runs
    /// again when it is done. A run that dispatch has put off begins now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trigger(&self, objects: &[ObjectId], throttle: Duration, force: bool) -> Result<u64, StoreError> {
        let trigger = sql!(
            "UPDATE objects SET requested = 1,
                    due_at = CASE WHEN $3 = 0 AND dispatched_at + $2 > ",
            now,
            " THEN dispatched_at + $2 ELSE ",
            now,
            " END,
                    dispatched_at = CASE WHEN $3 = 1 THEN NULL ELSE dispatched_at END
             WHERE id IN ",
            ids("$1")
        );
        // One that waits because a connector or a provider said so has been claimed before.
        let hurry = sql!(
            "UPDATE runs SET not_before = ",
            now,
            " WHERE state = 'dispatched' AND claims = 0 AND not_before > ",
            now,
            " AND object_id IN ",
            ids("$1"),
            " RETURNING id"
        );
        let list = id_list(objects.iter().map(|id| id.0));
        write!(self, "trigger objects", |tx, sql| {
            let done = sqlx::query(sql(trigger))
                .bind(&list)
                .bind(millis(throttle))
                .bind(i32::from(force))
                .execute(&mut *tx)
                .await
                .during("trigger objects")?;
            let runs: Vec<i64> =
                sqlx::query_scalar(sql(hurry)).bind(&list).fetch_all(&mut *tx).await.during("trigger objects")?;
            if !runs.is_empty() {
                sqlx::query(sql(RING_RUNS))
                    .bind(id_list(runs))
                    .bind(0_i64)
                    .execute(&mut *tx)
                    .await
                    .during("trigger objects")?;
            }
            Ok(done.rows_affected())
        })
    }

    /// Stops or resumes the scheduling of objects. What is dispatched and not yet running is cancelled; what is running
    /// ends its slice. Resuming also lifts a quarantine; what should have run meanwhile is due now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_paused(&self, objects: &[ObjectId], paused: bool, reason: Option<&str>) -> Result<(), StoreError> {
        let set = sql!(
            "UPDATE objects SET state = $2, state_reason = $3, attempts = 0,
                    due_at = CASE WHEN $2 = 'active' THEN ",
            greatest,
            "(due_at, ",
            now,
            ") ELSE due_at END
             WHERE id IN ",
            ids("$1")
        );
        let list = id_list(objects.iter().map(|id| id.0));
        write!(self, "pause or resume objects", |tx, sql| {
            sqlx::query(sql(set))
                .bind(&list)
                .bind(if paused { "paused" } else { "active" })
                .bind(reason)
                .execute(&mut *tx)
                .await
                .during("pause or resume objects")?;
            if paused {
                let cancelled: Vec<i64> = sqlx::query_scalar(sql(CANCEL_DISPATCHED))
                    .bind(&list)
                    .fetch_all(&mut *tx)
                    .await
                    .during("cancel runs")?;
                sqlx::query(sql(DEACTIVATE)).bind(id_list(cancelled)).execute(&mut *tx).await.during("cancel runs")?;
            }
            Ok(())
        })
    }

    /// Stops or resumes a whole integration. Resuming one that needed credentials makes its objects due at once, any other
    /// those that should have run meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_integration_paused(
        &self,
        integration: IntegrationId,
        paused: bool,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let set = sql!("UPDATE integrations SET state = $2, state_reason = $3, paused_until = 0 WHERE id = $1");
        let hold = sql!(
            "UPDATE objects SET held = $2,
                    due_at = CASE WHEN $2 = 1 THEN due_at
                                  WHEN last_outcome = 'needs-auth' THEN ",
            now,
            " ELSE ",
            greatest,
            "(due_at, ",
            now,
            ") END
             WHERE integration_id = $1"
        );
        let objects = sql!("SELECT id FROM objects WHERE integration_id = $1");
        write!(self, "pause or resume an integration", |tx, sql| {
            sqlx::query(sql(set))
                .bind(integration.0)
                .bind(if paused { "paused" } else { "active" })
                .bind(reason)
                .execute(&mut *tx)
                .await
                .during("pause or resume an integration")?;
            sqlx::query(sql(hold))
                .bind(integration.0)
                .bind(i64::from(paused))
                .execute(&mut *tx)
                .await
                .during("pause or resume an integration")?;
            if paused {
                let all: Vec<i64> = sqlx::query_scalar(sql(objects))
                    .bind(integration.0)
                    .fetch_all(&mut *tx)
                    .await
                    .during("cancel runs")?;
                let cancelled: Vec<i64> = sqlx::query_scalar(sql(CANCEL_DISPATCHED))
                    .bind(id_list(all))
                    .fetch_all(&mut *tx)
                    .await
                    .during("cancel runs")?;
                sqlx::query(sql(DEACTIVATE)).bind(id_list(cancelled)).execute(&mut *tx).await.during("cancel runs")?;
            }
            Ok(())
        })
    }

    /// Sets or clears the interval of one layer. Call [`Store::apply_intervals`] afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_interval(&self, scope: Scope, interval: Option<Duration>) -> Result<(), StoreError> {
        let (statement, id) = match scope {
            Scope::Customer(id) => (sql!("UPDATE customers SET interval_ms = $2 WHERE id = $1"), id.0),
            Scope::Integration(id) => (sql!("UPDATE integrations SET interval_ms = $2 WHERE id = $1"), id.0),
            Scope::Object(id) => (sql!("UPDATE objects SET interval_ms = $2 WHERE id = $1"), id.0),
        };
        write_one!(self, "set an interval", |db, sql| {
            sqlx::query(sql(statement))
                .bind(id)
                .bind(interval.map(millis))
                .execute(db)
                .await
                .during("set an interval")?;
            Ok(())
        })
    }

    /// Puts an object's cursor elsewhere, without one to the very beginning. A run that is going on is fenced.
    ///
    /// Not for objects whose deletes show by absence, unless to the beginning: a pass that starts in the middle would
    /// count as a complete one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reset_cursor(&self, object: ObjectId, to: Option<&str>) -> Result<(), StoreError> {
        let reset = sql!(
            "UPDATE objects SET cursor = $2, epoch = epoch + 1, lease_owner = NULL, lease_until = NULL, active = 0,
                    attempts = 0, fails = 0, pass_seq = cursor_seq, pending_sweep_seq = NULL, due_at = ",
            now,
            "
             WHERE id = $1"
        );
        let cancel = sql!(
            "UPDATE runs SET state = 'cancelled', finished_at = ",
            now,
            "
             WHERE object_id = $1 AND state IN ('dispatched', 'running')"
        );
        write!(self, "reset a cursor", |tx, sql| {
            sqlx::query(sql(reset)).bind(object.0).bind(to).execute(&mut *tx).await.during("reset a cursor")?;
            sqlx::query(sql(cancel)).bind(object.0).execute(&mut *tx).await.during("reset a cursor")?;
            Ok(())
        })
    }

    /// Stores sealed credentials of an integration and takes it back to work if it waited for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_credentials(&self, integration: IntegrationId, fields: &[SealedField]) -> Result<(), StoreError> {
        self.put_credentials(integration, None, fields).await?;
        let row: Option<String> = read!(self, |db, sql| {
            sqlx::query_scalar(sql(sql!("SELECT state FROM integrations WHERE id = $1")))
                .bind(integration.0)
                .fetch_optional(db)
                .await
                .during("read an integration")
        })?;
        if row.as_deref() == Some("needs-auth") {
            self.set_integration_paused(integration, false, None).await?;
        }
        Ok(())
    }
}

/// The name nearest to what was asked for, if any is near.
fn nearest(wanted: &str, names: impl Iterator<Item = String>) -> Option<String> {
    names
        .map(|name| (strsim::jaro_winkler(wanted, &name), name))
        .filter(|(likeness, _)| *likeness > 0.75 && *likeness < 1.0)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
