//! Every bundled connector, whatever it is written in, passes the conformance suite with the whole matrix against its
//! synthetic provider: the fake of its name, or the one that its own folder describes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value as Json;
use syncline_tests::fakes::schema::Provider;
use syncline_tests::fakes::{FakeProviders, Options, Tenant};
use syncline_tests::rig::program;

/// Records of each object: several pages of ten, and few enough to try everything on all of them.
const RECORDS: u32 = 40;

/// Checks that only some providers can be asked: those whose queries end somewhere.
const CAPPED: &str = "SY-1405";

/// Checks that an object may be without: its records do not change, are not deleted, or hold only known fields.
const OF_SOME_OBJECTS: [&str; 4] = ["SY-1408", "SY-1504", "SY-1505", "SY-1603"];

macro_rules! every_bundled_connector {
    ($($name:ident)+) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                passes(stringify!($name), &[]).await;
            }
        )+
    };
}

every_bundled_connector! { birch freshdesk hubspot intercom pipedrive salesforce zendesk }

/// The first sync of a large object goes another way.
#[tokio::test(flavor = "multi_thread")]
async fn salesforce_by_bulk_jobs() {
    passes("salesforce", &["--set", "bulk_above=5", "--set", "bulk_page=10"]).await;
}

#[test]
fn no_built_connector_is_left_out() {
    let built: Vec<PathBuf> = std::fs::read_dir(plugins()).unwrap().map(|file| file.unwrap().path()).collect();
    let components = built.iter().filter(|path| path.extension().is_some_and(|end| end == "wasm"));
    let mut names: Vec<String> = components.map(|path| path.file_stem().unwrap().to_string_lossy().into()).collect();
    names.sort();
    assert_eq!(names, NAMES);
}

async fn passes(name: &str, options: &[&str]) {
    let project = Project::lay_out(name);
    let provider = Provider::ALL.into_iter().find(|provider| provider.name() == name);
    let fakes = match provider {
        Some(provider) => Some(fake(provider).await),
        None => None,
    };
    let mut command = tokio::process::Command::new(program("syncline").unwrap());
    command.args(["--json", "connector", "test"]).arg(project.0.path()).args(options).stdin(Stdio::null());
    command.env("SYNCLINE__CONNECTORS__CACHE", shared_cache()).current_dir(project.0.path());
    if let Some(addr) = fakes.as_ref().zip(provider).and_then(|(fakes, provider)| fakes.addr(provider)) {
        command.args(["--provider", &format!("http://{addr}")]);
    }
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: no report: {said}"));
    let findings: Vec<Finding<'_>> =
        report.get("findings").and_then(Json::as_array).unwrap().iter().map(Finding).collect();

    let failed: Vec<String> = findings.iter().filter(|finding| finding.is("failed")).map(Finding::told).collect();
    assert!(failed.is_empty(), "{name} does not pass:\n{}", failed.join("\n"));
    assert!(output.status.success(), "{name}: {said}");
    // A report is green as well where nothing was looked at.
    let left_out = |finding: &&Finding<'_>| {
        let code = finding.text("code");
        finding.is("skipped") && code != CAPPED && !OF_SOME_OBJECTS.contains(&code)
    };
    let skipped: Vec<String> = findings.iter().filter(left_out).map(Finding::told).collect();
    assert!(skipped.is_empty(), "{name} is not tried with the whole matrix:\n{}", skipped.join("\n"));
}

async fn fake(provider: Provider) -> FakeProviders {
    let tenants = vec![Tenant::named("a")];
    let options = Options { providers: vec![provider], tenants, records_per_object: RECORDS, ..Options::default() };
    FakeProviders::start(options).await.unwrap()
}

/// A connector's own folder, with the component that was built for the tests in the place of its `dist`.
struct Project(tempfile::TempDir);

impl Project {
    fn lay_out(name: &str) -> Self {
        let folder = if name == "birch" { "template" } else { name };
        let from = workspace().join("plugins").join(folder);
        assert!(from.join("connector.toml").is_file(), "{} has no connector.toml", from.display());
        let project = Self(tempfile::tempdir().unwrap());
        for entry in std::fs::read_dir(&from).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "dist") {
            std::os::unix::fs::symlink(entry.path(), project.0.path().join(entry.file_name())).unwrap();
        }
        let (file, dist) = (format!("{name}.wasm"), project.0.path().join("dist"));
        std::fs::create_dir(&dist).unwrap();
        let built = plugins().join(&file);
        std::os::unix::fs::symlink(&built, dist.join(&file)).unwrap();
        assert!(built.is_file(), "{} is not built: run `cargo xtask test`", built.display());
        project
    }
}

/// One check of one object.
struct Finding<'r>(&'r Json);

impl Finding<'_> {
    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    fn is(&self, result: &str) -> bool {
        self.text("result") == result
    }

    fn told(&self) -> String {
        let [code, name, object, reason] = ["code", "name", "object", "reason"].map(|member| self.text(member));
        let lines = self.0["evidence"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let evidence: String = lines.map(|line| format!("\n    {line}")).collect();
        format!("{code} {name} {object}: {reason}{evidence}")
    }
}

fn plugins() -> PathBuf {
    let folder = std::env::var_os("SYNCLINE_TEST_PLUGINS")
        .unwrap_or_else(|| panic!("SYNCLINE_TEST_PLUGINS names no folder of built connectors: run `cargo xtask test`"));
    workspace().join(folder)
}

/// Compiling the runtime of JavaScript or Python takes longer than the suite: once is enough.
fn shared_cache() -> PathBuf {
    plugins().with_file_name("compiled")
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
