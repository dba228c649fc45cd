//! The program as people run it: built, with its own process, folder and SQLite store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// A folder to run the program in.
struct Place(TempDir);

/// What the program said.
struct Said {
    exit: i32,
    out: String,
    err: String,
}

impl Said {
    fn by(command: &mut Command) -> Self {
        let done = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { exit: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
    }
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("SYNCLINE_CONFIG")
            .env("TEST_TOKEN", "hunter2-hunter2")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::by(&mut self.command(arguments))
    }

    /// The same as somebody whom permissions stop: root goes where it likes.
    fn run_as_anybody(&self, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        if std::fs::metadata(self.0.path()).unwrap().uid() == 0 {
            command.uid(65_534).gid(65_534);
        }
        Said::by(&mut command)
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("data/syncline.db")
    }

    fn right(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.exit, 0, "{arguments:?}: {}", said.err);
        said
    }

    fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.right(&[&["--json"], arguments].concat()).out).unwrap()
    }

    /// Changes the database behind the program's back.
    fn execute(&self, statement: &'static str) {
        let path = self.database();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let options = SqliteConnectOptions::new().filename(path);
            let mut database = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query(statement).execute(&mut database).await.unwrap();
            database.close().await.unwrap();
        });
    }

    /// Points the program to the connectors, and their provider to a port where nobody listens.
    fn with_plugins(self) -> Self {
        let config = format!(
            "[connectors]\ndir = {:?}\n[egress]\nretries = 0\n[egress.routes]\n\"api.hubapi.com\" = \"http://127.0.0.1:9\"\n",
            plugins()
        );
        std::fs::write(self.0.path().join("syncline.toml"), config).unwrap();
        self
    }
}

fn plugins() -> PathBuf {
    match std::env::var_os("SYNCLINE_TEST_PLUGINS") {
        Some(folder) => folder.into(),
        None => panic!("SYNCLINE_TEST_PLUGINS names no folder of built connectors: run `cargo xtask test`"),
    }
}

#[test]
fn migrations_are_shown_first_and_run_once() {
    let place = Place::new();
    let planned = place.json(&["migrate", "--dry-run"]);
    assert_eq!((&planned["before"], &planned["migrations"][0]["version"]), (&Json::from(0), &Json::from(1)));
    assert_eq!(place.json(&["migrate", "--dry-run"])["before"], 0, "a dry run changes nothing");
    assert!(place.right(&["migrate"]).err.contains("0001 init"));
    assert!(place.right(&["migrate"]).err.starts_with("nothing to do"));
}

#[test]
fn a_customer_is_added_once_and_listed() {
    let place = Place::new();
    place.right(&["customer", "add", "acme", "--title", "ACME Inc.", "--interval", "1h"]);
    let again = place.run(&["customer", "add", "acme"]);
    assert_eq!((again.exit, again.err.as_str()), (1, "error: there is a customer `acme` already\n"));
    let customers = place.json(&["customer", "list"]);
    assert_eq!((&customers[0]["title"], &customers[0]["interval_ms"]), (&"ACME Inc.".into(), &3_600_000.into()));
    assert_eq!(
        place.right(&["customer", "list"]).out,
        "CUSTOMER  TITLE      INTEGRATIONS  OBJECTS  INTERVAL\nacme      ACME Inc.  0             0        1h\n"
    );
    place.right(&["customer", "set-interval", "acme", "default"]);
    assert_eq!(place.json(&["customer", "list"])[0]["interval_ms"], Json::Null);
}

#[test]
fn what_is_empty_is_an_empty_list() {
    let place = Place::new();
    for list in [
        &["customer", "list"][..],
        &["integration", "list"],
        &["object", "list"],
        &["object", "list", "--state", "failing,new"],
        &["runs", "list", "--outcome", "failed,needs-auth", "--since", "1d"],
    ] {
        assert_eq!(place.json(list), Json::Array(Vec::new()), "{list:?}");
        let said = place.right(list);
        assert!(said.out.is_empty() && said.err.starts_with("no "), "{list:?}: {}", said.err);
    }
    let status = place.json(&["status"]);
    assert_eq!((&status["objects"], &status["unwell"]), (&0.into(), &Json::Array(Vec::new())));
    assert!(place.right(&["status"]).out.starts_with("customers     0\n"));
}

#[test]
fn a_name_that_does_not_exist_ends_with_3_and_the_nearest_one() {
    let place = Place::new();
    place.right(&["customer", "add", "acme"]);
    for command in [
        &["customer", "set-interval", "acmee", "1h"][..],
        &["integration", "add", "acmee/hubspot"],
        &["integration", "list", "acmee"],
        &["object", "list", "acmee"],
        &["object", "show", "acmee/crm/Account"],
        &["object", "trigger", "acmee/crm"],
        &["runs", "list", "acmee"],
        &["interactions", "export", "acmee"],
    ] {
        let said = place.run(command);
        assert_eq!(said.exit, 3, "{command:?}: {}", said.err);
        assert!(said.err.contains("there is no customer `acmee`"), "{command:?}: {}", said.err);
        assert!(said.err.contains("did you mean `acme`?"), "{command:?}: {}", said.err);
    }
    let failure = place.run(&["--json", "runs", "show", "7"]);
    let error: Json = serde_json::from_str(&failure.err).unwrap();
    assert_eq!((failure.exit, &error["error"]["what"]), (3, &"there is no run `7`".into()));
}

#[test]
fn a_store_of_another_schema_is_refused_with_what_to_do() {
    let place = Place::new();
    place.right(&["migrate"]);
    place.execute(
        "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    );
    for command in [&["customer", "list"][..], &["migrate"], &["migrate", "--dry-run"], &["run"]] {
        let newer = place.run(command);
        assert_eq!(newer.exit, 78, "{command:?}: {}", newer.err);
        assert!(newer.err.contains("schema 9999") && newer.err.contains("run a newer syncline"), "{}", newer.err);
    }
    place.execute("DELETE FROM _sqlx_migrations WHERE version > 1");
    let older = place.run(&["status"]);
    assert_eq!(older.exit, 78, "{}", older.err);
    assert!(older.err.contains("run `syncline migrate`"), "{}", older.err);
}

/// Starts a host that takes no port.
const RUN: [&str; 3] = ["-o", "http.enabled=false", "run"];

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_name_and_what_to_do() {
    let place = Place::new();
    std::fs::create_dir(place.0.path().join("data")).unwrap();
    std::fs::write(place.database(), "Dear diary, nothing happened today either. ".repeat(200)).unwrap();
    for command in [&RUN[..], &["migrate"], &["status"]] {
        let said = place.run(command);
        assert_eq!(said.exit, 78, "{command:?}: {}", said.err);
        let told = "the SQLite file data/syncline.db is not a SQLite database: correct `store.url`";
        assert!(said.err.contains(told), "{command:?}: {}", said.err);
    }
    std::fs::remove_file(place.database()).unwrap();
    std::fs::create_dir(place.database()).unwrap();
    let said = place.run(&RUN);
    assert!(said.exit == 78 && said.err.contains("data/syncline.db cannot be opened"), "{}", said.err);
    let said = place.run(&[&["-o", "store.url=sqlite:///proc/nowhere/x.db"], &RUN[..]].concat());
    assert!(said.exit == 78 && said.err.contains("/proc/nowhere/x.db cannot be opened"), "{}", said.err);
}

#[test]
fn a_damaged_database_is_refused_with_how_to_mend_it() {
    let place = Place::new();
    place.right(&["migrate"]);
    place.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let mut bytes = std::fs::read(place.database()).unwrap();
    // The list of tables, behind the header that says that it is a database.
    bytes[100..4_000].fill(0xff);
    std::fs::write(place.database(), bytes).unwrap();
    for command in [&RUN[..], &["migrate"], &["status"]] {
        let said = place.run(command);
        assert_eq!(said.exit, 1, "{command:?}: {}", said.err);
        for told in ["data/syncline.db is damaged", "restore a backup", "`sqlite3 data/syncline.db .recover`"] {
            assert!(said.err.contains(told), "{command:?}: {}", said.err);
        }
    }
}

#[test]
fn a_database_that_cannot_be_written_is_refused_by_a_host_and_still_read() {
    let place = Place::new();
    place.right(&["customer", "add", "acme"]);
    place.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let (outer, data) = (place.0.path().to_owned(), place.0.path().join("data"));
    allow(&outer, 0o755);
    allow(&data, 0o777);
    allow(&place.database(), 0o444);
    let said = place.run_as_anybody(&RUN);
    assert_eq!(said.exit, 78, "{}", said.err);
    for told in ["data/syncline.db cannot be written", "let this user write the file and its folder"] {
        assert!(said.err.contains(told), "{}", said.err);
    }
    let said = place.run_as_anybody(&["customer", "add", "globex"]);
    assert!(said.exit == 78 && said.err.contains("data/syncline.db cannot be written"), "{}", said.err);
    let said = place.run_as_anybody(&["customer", "list"]);
    assert!(said.exit == 0 && said.out.contains("acme"), "{}", said.err);

    allow(&data, 0o555);
    for beside in ["data/syncline.db-wal", "data/syncline.db-shm"] {
        let _ = std::fs::remove_file(outer.join(beside));
    }
    let said = place.run_as_anybody(&[&RUN[..], &["--role", "scheduler"]].concat());
    assert!(said.exit == 78 && said.err.contains("the SQLite file data/syncline.db cannot be"), "{}", said.err);
}

#[test]
fn a_database_that_cannot_be_reached_is_told_with_where_to_look() {
    let said = Place::new().run(&["-o", "store.url=postgres://ada:hunter2@127.0.0.1:9/x", "status"]);
    assert_eq!(said.exit, 75, "{}", said.err);
    assert!(said.err.contains("store.url") && !said.err.contains("hunter2"), "{}", said.err);
}

#[test]
fn a_connector_is_inspected_without_a_store() {
    let place = Place::new();
    let path = plugins().join("hubspot.wasm");
    let inspected = place.json(&["connector", "inspect", path.to_str().unwrap()]);
    assert_eq!((&inspected["name"], &inspected["auth"][0]["kind"]), (&"hubspot".into(), &"bearer".into()));
    assert!(inspected["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(inspected["config_schema"]["properties"].is_object());
    let imports = inspected["imports"].as_array().unwrap();
    assert!(imports.iter().all(|import| !import.as_str().unwrap().contains("sockets")));
    assert!(!place.0.path().join("data/syncline.db").exists());

    let text = place.right(&["connector", "inspect", path.to_str().unwrap()]).out;
    assert!(text.starts_with("connector  hubspot ") && text.contains("--secret token=..."), "{text}");
    let missing = place.run(&["connector", "inspect", "nowhere.wasm"]);
    assert_eq!(missing.exit, 3, "{}", missing.err);
}

#[test]
fn connectors_are_listed_with_those_that_are_refused() {
    let place = Place::new();
    let folder = place.0.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(plugins().join("hubspot.wasm"), folder.join("hubspot.wasm")).unwrap();
    std::fs::write(folder.join("broken.wasm"), "#!/bin/sh\n").unwrap();
    let listed = place.json(&["connector", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["refused"]), (&"hubspot".into(), &Json::Null));
    assert!(listed[1]["refused"].as_str().unwrap().contains("not a WebAssembly file"));
    let near = place.run(&["connector", "inspect", "hubspt"]);
    assert!(near.exit == 3 && near.err.contains("did you mean `hubspot`?"), "{}", near.err);
    let refused = place.run(&["connector", "inspect", "broken"]);
    assert!(refused.exit == 1 && refused.err.contains("is refused"), "{}", refused.err);
}

#[test]
fn an_integration_that_is_not_proved_is_not_stored() {
    let place = Place::new().with_plugins();
    place.right(&["customer", "add", "acme"]);
    let add = |more: &[&str]| place.run(&[&["integration", "add", "acme/hubspot"], more].concat());

    let wrong = add(&["--set", "page_siez=5", "--set", "overlap_seconds=-1", "--secret", "token=env:TEST_TOKEN"]);
    assert_eq!(wrong.exit, 2, "{}", wrong.err);
    for told in ["/overlap_seconds: -1 is less than", "'page_siez' was unexpected", "did you mean `page_size`"] {
        assert!(wrong.err.contains(told), "{told}: {}", wrong.err);
    }
    let without = add(&[]);
    assert!(without.exit == 4 && without.err.contains("--secret token=env:TOKEN"), "{}", without.err);
    let pinned = add(&["--pin", "9.9.9", "--secret", "token=env:TEST_TOKEN"]);
    assert!(pinned.exit == 3 && pinned.err.contains("has no version 9.9.9"), "{}", pinned.err);
    let unreachable = add(&["--secret", "token=env:TEST_TOKEN"]);
    assert_eq!(unreachable.exit, 75, "{}", unreachable.err);
    assert!(!unreachable.err.contains("hunter2"), "{}", unreachable.err);

    assert_eq!(place.json(&["integration", "list"]), Json::Array(Vec::new()));
}
