//! The schema: migrating, refusing, and one shape on both databases.

use std::collections::BTreeSet;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use syncline::store::{FileProblem, Store, StoreError, StoreOptions};

use crate::support::Db;
use syncline::domain::Outcome;

on_both!(migrating_twice_changes_nothing, a_schema_that_is_not_this_binarys_is_refused, the_views_can_be_read);

async fn migrating_twice_changes_nothing(db: Db) {
    let known = db.schema_version().await.unwrap();
    assert!(known > 0);
    db.check_schema().await.unwrap();
    db.one_object().await;
    assert_eq!(db.migrate().await.unwrap(), (known, known));
    assert_eq!(db.count("objects").await, 1);
}

async fn a_schema_that_is_not_this_binarys_is_refused(db: Db) {
    let known = db.schema_version().await.unwrap();
    let newer = known + 1;
    db.execute(&format!("UPDATE _sqlx_migrations SET version = {newer} WHERE version = {known}")).await;
    let text = format!("the database has schema {newer}, newer than this binary's {known}: run a newer syncline");
    assert_eq!(db.check_schema().await.unwrap_err().to_string(), text);
    assert_eq!(db.migrate().await.unwrap_err().to_string(), text);

    db.execute("DELETE FROM _sqlx_migrations").await;
    let old = db.check_schema().await.unwrap_err();
    assert!(matches!(old, StoreError::SchemaOld { found: 0, .. }));
    let text = format!("the database has schema 0, this binary needs {known}: run `syncline migrate`");
    assert_eq!(old.to_string(), text);

    db.execute("DROP TABLE _sqlx_migrations").await;
    assert_eq!(db.check_schema().await.unwrap_err().to_string(), text);
}

#[tokio::test]
async fn a_page_that_is_damaged_is_told_with_the_file_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("syncline.db");
    let options = StoreOptions::new(format!("sqlite://{}", path.display()));
    let store = Store::open(&options).await.unwrap();
    store.migrate().await.unwrap();
    store.add_customer("acme", "ACME", None).await.unwrap();
    store.check_writable().await.unwrap();
    store.close().await;

    let mut raw = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let page: (i64, i64) =
        sqlx::query_as("SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'customers'")
            .fetch_one(&mut raw)
            .await
            .unwrap();
    raw.close().await.unwrap();
    let (root, size) = (usize::try_from(page.0).unwrap(), usize::try_from(page.1).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * size..root * size].fill(0xff);
    std::fs::write(&path, bytes).unwrap();

    // Nobody reads all of a large file at the start: such a page is met at work.
    let store = Store::open(&options).await.unwrap();
    store.check_schema().await.unwrap();
    let error = store.add_customer("globex", "Globex", None).await.unwrap_err();
    assert!(matches!(error, StoreError::File { problem: FileProblem::Corrupt, .. }), "{error:?}");
    assert!(!error.is_transient());
    let told = format!("the SQLite file {} is damaged: stop everything that uses it", path.display());
    assert!(error.to_string().starts_with(&told), "{error}");
}

async fn the_views_can_be_read(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.end(&claim, Outcome::Succeeded).await;
    let text = db
        .texts(
            "SELECT customer || ' ' || object || ' ' || state || ' ' || CAST(synced_at AS TEXT) || CAST(due_at AS TEXT)
             FROM integration_objects",
        )
        .await;
    assert!(text[0].starts_with("acme contacts active 20"), "{text:?}");
    let text = db
        .texts("SELECT customer || ' ' || object || ' ' || state || ' ' || CAST(finished_at AS TEXT) FROM run_history")
        .await;
    assert!(text[0].starts_with("acme contacts succeeded 20"), "{text:?}");
    assert_eq!(db.count("landed_interactions").await, 0);
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let (postgres, sqlite) = (Db::postgres().await, Db::sqlite().await);
    let columns = |lines: Vec<String>| lines.into_iter().collect::<BTreeSet<_>>();
    let in_postgres = postgres
        .texts(
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
             FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name NOT LIKE '\\_%'",
        )
        .await;
    let in_sqlite = sqlite
        .texts(
            "SELECT t.name || '.' || c.name || CASE WHEN c.\"notnull\" OR c.pk THEN ' NOT NULL' ELSE '' END
             FROM sqlite_master t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE '\\_%' ESCAPE '\\' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )
        .await;
    assert_eq!(columns(in_postgres), columns(in_sqlite));

    let in_postgres = postgres
        .texts(
            "SELECT table_name || '.' || column_name FROM information_schema.columns
             JOIN information_schema.views USING (table_schema, table_name) WHERE table_schema = current_schema()",
        )
        .await;
    let in_sqlite = sqlite
        .texts("SELECT t.name || '.' || c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'view'")
        .await;
    assert_eq!(columns(in_postgres), columns(in_sqlite));

    let named = "NOT LIKE '%\\_pkey' AND NAME NOT LIKE '%\\_key' AND NAME NOT LIKE '\\_%' ORDER BY 1";
    let in_postgres = postgres
        .texts(&format!(
            "SELECT indexname::TEXT FROM pg_indexes WHERE schemaname = current_schema() AND indexname {}",
            named.replace("NAME", "indexname")
        ))
        .await;
    let in_sqlite =
        sqlite.texts("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1").await;
    assert_eq!(columns(in_postgres), columns(in_sqlite));
    postgres.discard().await;
}
