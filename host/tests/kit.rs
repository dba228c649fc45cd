//! The kit as connector authors use it: the program in an empty folder outside of this repository, and a language's
//! own tools.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

/// Where what cargo builds for these tests stays, so that only the first run takes long.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/kit");

/// An empty folder to work in.
struct Place(TempDir);

/// What a program said.
struct Said {
    exit: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.path()).env("CARGO_TARGET_DIR", TARGET).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(env!("CARGO_BIN_EXE_syncline"), arguments))
    }

    /// Makes a project and does with it what its README says: its own tests, a build, the conformance suite, a reading.
    fn new_project(&self, language: &str, test: &[&str]) -> Json {
        let made = self.run(&["connector", "new", "acme-crm", "--lang", language]);
        assert_eq!(made.exit, 0, "{}", made.err);
        if language == "rust" {
            // The versions of this repository: what is there already need not be fetched.
            std::fs::copy(repository().join("Cargo.lock"), self.path("acme-crm/Cargo.lock")).unwrap();
        }
        let mut tests = self.command(test[0], &test[1..]);
        let tests = said(tests.current_dir(self.path("acme-crm")));
        assert_eq!(tests.exit, 0, "{}{}", tests.out, tests.err);

        let built = self.run(&["--json", "connector", "build", "acme-crm"]);
        assert_eq!(built.exit, 0, "{}", built.err);
        let built: Json = serde_json::from_str(&built.out).unwrap();
        assert_eq!((&built["name"], &built["contract"]), (&"acme-crm".into(), &"0.1.0".into()));
        let component = self.path("acme-crm/dist/acme-crm.wasm");
        assert_eq!(component.metadata().unwrap().len(), built["size_bytes"].as_u64().unwrap());
        let shown = self.run(&["--json", "connector", "inspect", "acme-crm/dist/acme-crm.wasm"]);
        let shown: Json = serde_json::from_str(&shown.out).unwrap();
        assert_eq!((&shown["title"], &shown["hosts"][0]), (&"AcmeCrm".into(), &"api.acme-crm.example".into()));

        let proved = self.run(&["connector", "test", "acme-crm"]);
        assert_eq!(proved.exit, 0, "{}{}", proved.out, proved.err);
        assert!(proved.out.contains("0 failed, 0 skipped"), "{}", proved.out);
        let read = self.run(&["connector", "read", "acme-crm", "people", "--pages", "0"]);
        assert_eq!((read.exit, read.out.lines().count()), (0, 120), "{}", read.err);
        built
    }

    /// A crate that cargo builds in a second, and that is no connector.
    fn with_crate(self) -> Self {
        self.write("connector.toml", "[build]\nlanguage = \"rust\"\n");
        self.write(
            "Cargo.toml",
            "[package]\nname = \"idle\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
        );
        self.write("src/lib.rs", "pub fn idle() {}\n");
        self
    }
}

fn said(command: &mut Command) -> Said {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { exit: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn a_new_rust_project_passes_its_tests_and_builds_outside_of_this_repository() {
    let built = Place::new().new_project("rust", &["cargo", "test", "--quiet"]);
    let imports = built["imports"].as_array().unwrap();
    assert!(imports.iter().any(|import| import == "syncline:connector/http@0.1.0"), "{imports:?}");
}

#[test]
fn a_new_javascript_project_passes_its_tests_and_builds() {
    Place::new().new_project("js", &["node", "--test"]);
}

#[test]
fn a_new_python_project_passes_its_tests_and_builds() {
    let built = Place::new().new_project("python", &["python3", "-m", "unittest"]);
    let imports = built["imports"].as_array().unwrap();
    assert!(!imports.iter().any(|import| import.as_str().unwrap().starts_with("wasi:")), "{imports:?}");
}

#[test]
fn what_the_host_would_refuse_is_refused_with_the_reason_and_not_kept() {
    let place = Place::new().with_crate();
    let said = place.run(&["connector", "build"]);
    assert_eq!(said.exit, 5, "{}", said.err);
    assert!(said.err.contains("exports no `syncline:connector/connector`"), "{}", said.err);
    assert!(said.out.is_empty() && !place.path("dist").exists());
}

#[test]
fn what_the_compiler_says_passes_through() {
    let place = Place::new().with_crate();
    place.write("src/lib.rs", "pub fn idle() -> u8 { missing }\n");
    let said = place.run(&["connector", "build"]);
    assert_eq!(said.exit, 1, "{}", said.err);
    assert!(
        said.err.contains("cannot find value `missing`") && said.err.contains("`cargo build` failed"),
        "{}",
        said.err
    );
}

#[test]
fn a_tool_that_is_not_installed_is_told_with_what_to_install() {
    let place = Place::new().with_crate();
    let mut command = place.command(env!("CARGO_BIN_EXE_syncline"), &["connector", "build"]);
    let told = said(command.env("PATH", place.path("nowhere")));
    assert_eq!(told.exit, 1, "{}", told.err);
    assert!(told.err.contains("there is no `cargo`") && told.err.contains("https://rustup.rs"), "{}", told.err);
}

#[test]
fn a_folder_that_is_no_project_or_is_in_use_is_told() {
    let place = Place::new();
    let build = place.run(&["connector", "build"]);
    assert_eq!(build.exit, 78, "{}", build.err);
    assert!(build.err.contains("there is no connector.toml") && build.err.contains("connector new"), "{}", build.err);

    place.write("crm/mine", "");
    let new = place.run(&["connector", "new", "crm"]);
    assert_eq!(new.exit, 1, "{}", new.err);
    assert!(new.err.contains("is not empty") && new.err.contains("--dir"), "{}", new.err);
}

#[test]
fn watching_builds_again_after_a_save() {
    let place = Place::new().with_crate();
    let mut command = place.command(env!("CARGO_BIN_EXE_syncline"), &["connector", "build", "--watch"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let wait_for = |text: &str| loop {
        let line = lines.recv_timeout(Duration::from_secs(120)).expect(text);
        if line.contains(text) {
            break;
        }
    };
    wait_for("exports no");
    wait_for("waiting for changes");
    place.write("src/lib.rs", "pub fn idle() -> u8 { missing }\n");
    wait_for("cannot find value `missing`");
    wait_for("waiting for changes");
    child.kill().unwrap();
    child.wait().unwrap();
}
