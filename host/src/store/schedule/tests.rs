//! The cost of a tick grows with what is due, not with how many objects exist: the plans say so.

use sqlx::AssertSqlSafe;

use super::*;
use crate::store::StoreOptions;

const MANY: i64 = 20_000;

async fn filled(url: String) -> Store {
    let store = Store::open(&StoreOptions { max_connections: 1, ..StoreOptions::new(url) }).await.unwrap();
    if let Backend::Postgres(postgres) = &store.backend {
        // Gone with the connection.
        sqlx::raw_sql("SET search_path TO pg_temp").execute(&postgres.pool).await.unwrap();
    }
    store.migrate().await.unwrap();
    let numbers = format!("WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})");
    let fill = format!(
        "INSERT INTO customers (id, name, title, created_at) VALUES (1, 'acme', 'ACME', 0);
         INSERT INTO integrations (id, customer_id, name, provider, config, auth, created_at)
         VALUES (1, 1, 'crm', 'hubspot', '{{}}', '', 0);
         {numbers} INSERT INTO objects (integration_id, customer_id, name, interaction_type, record_schema, mode, deletes,
            effective_interval_ms, due_at, created_at, lease_until)
         SELECT 1, 1, 'o' || n, 'contact', '{{}}', 'full', 'none', 1, 9000000000000 + n, 0, 9000000000000 + n FROM n;
         {numbers} INSERT INTO runs (object_id, window_start, trigger, state, dispatched_at, sent_at, not_before)
         SELECT n, 0, 'schedule', 'dispatched', 0, 9000000000000 + n, 0 FROM n;
         ANALYZE"
    );
    match &store.backend {
        Backend::Postgres(postgres) => drop(sqlx::raw_sql(AssertSqlSafe(fill)).execute(&postgres.pool).await.unwrap()),
        Backend::Sqlite { write, .. } => drop(sqlx::raw_sql(AssertSqlSafe(fill)).execute(write).await.unwrap()),
    }
    store
}

/// The plan of a statement, its parameters being these.
async fn plan(store: &Store, statement: Sql, parameters: &[&str]) -> String {
    let bound = |text: &str| {
        let bind = |text: String, (n, value): (usize, &&str)| text.replace(&format!("${}", n + 1), value);
        parameters.iter().enumerate().fold(text.to_owned(), bind)
    };
    let lines: Vec<String> = match &store.backend {
        Backend::Postgres(postgres) => {
            let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {}", bound(statement.postgres)));
            sqlx::query_scalar(explain).fetch_all(&postgres.pool).await.unwrap()
        }
        Backend::Sqlite { write, .. } => {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", bound(statement.sqlite)));
            let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(write).await.unwrap();
            rows.into_iter().map(|row| row.3).collect()
        }
    };
    lines.join("\n")
}

#[tokio::test]
async fn a_tick_searches_the_due_index_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(format!("sqlite://{}", folder.path().join("plan.db").display())).await;
    for (statement, parameters) in [(LOOK, &["60000"][..]), (DISPATCH_RUNS, &["1000", "60000"])] {
        let plan = plan(&store, statement, parameters).await;
        assert!(plan.contains("SEARCH objects USING INDEX objects_due (due_at<?)"), "{plan}");
        assert!(!plan.contains("SCAN objects"), "{plan}");
    }
    let plan = plan(&store, EXPIRED, &["1000"]).await;
    assert!(plan.contains("USING COVERING INDEX objects_lease (lease_until<?)"), "{plan}");
    store.close().await;
}

#[tokio::test]
async fn a_tick_searches_the_due_index_on_postgres() {
    let url = std::env::var("SYNCLINE_TEST_POSTGRES").expect(
        "SYNCLINE_TEST_POSTGRES is not set: run these tests with `cargo xtask test`, which starts a Postgres server",
    );
    let store = filled(url).await;
    let tick = plan(&store, DISPATCH, &["1000", "60000", "1"]).await;
    assert!(tick.contains("Index Scan using objects_due on objects"), "{tick}");
    assert!(tick.contains("Index Cond: (due_at <= "), "{tick}");
    let plan = plan(&store, EXPIRED, &["1000"]).await;
    assert!(plan.contains("Index Scan using objects_lease on objects"), "{plan}");
    assert!(plan.contains("Index Cond: (lease_until < "), "{plan}");
    store.close().await;
}
