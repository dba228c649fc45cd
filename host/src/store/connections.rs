//! How many connections a Postgres server has to give.

use super::error::During as _;
use super::{Backend, Store, StoreError, held};

/// The connections of a Postgres server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Connections {
    /// The most that the server takes.
    pub most: i64,
    /// Those of them that it keeps for administrators.
    pub reserved: i64,
    /// Those that are open, but not by this store.
    pub used: i64,
}

impl Connections {
    /// How many this store can have.
    #[must_use]
    pub const fn free(&self) -> i64 {
        self.most - self.reserved - self.used
    }
}

impl Store {
    /// What the server has to give at this moment. None for SQLite, which has no server.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn connections(&self) -> Result<Option<Connections>, StoreError> {
        // `reserved_connections` came with Postgres 16. Whose connection it is may be hidden, that it is there is not.
        const ASK: &str = "SELECT current_setting('max_connections')::BIGINT AS most,
                current_setting('superuser_reserved_connections')::BIGINT
                    + COALESCE(current_setting('reserved_connections', true)::BIGINT, 0) AS reserved,
                (SELECT COUNT(*) FROM pg_stat_activity WHERE datname IS NOT NULL) AS used";
        let Backend::Postgres(postgres) = &self.backend else { return Ok(None) };
        let ask = held!(postgres, |db| sqlx::query_as(ASK).fetch_one(db).await.during("ask for connections"));
        let mut all: Connections = ask.await?;
        all.used = (all.used - i64::from(postgres.pool.size())).max(0);
        Ok(Some(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_or_in_use_is_not_free() {
        assert_eq!(Connections { most: 100, reserved: 3, used: 40 }.free(), 57);
        assert_eq!(Connections { most: 10, reserved: 3, used: 9 }.free(), -2);
    }
}
