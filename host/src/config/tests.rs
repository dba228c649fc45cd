use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NO_ENV: [(&str, &str); 0] = [];

/// A file of this name, so that errors name it the same on every machine.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, toml: &str) -> Result<Loaded, ConfigErrors> {
        Config::load(Some(&self.file("syncline.toml", toml)), NO_ENV, &[])
    }

    /// What is printed when this file is refused.
    fn refusal(&self, toml: &str) -> String {
        self.tell(&self.load(toml).unwrap_err())
    }

    fn tell(&self, errors: &ConfigErrors) -> String {
        errors.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn load_env<const N: usize>(env: [(&str, &str); N]) -> Result<Loaded, ConfigErrors> {
    let folder = Folder::new();
    Config::load(Some(&folder.file("syncline.toml", "")), env, &[])
}

fn source_of<'a>(loaded: &'a Loaded, key: &str) -> &'a Setting {
    loaded.settings.iter().find(|setting| setting.key == key).unwrap()
}

#[test]
fn nothing_has_to_be_configured() {
    let loaded = load_env([]).unwrap();
    let config = loaded.config;
    assert_eq!(config.store.url.expose(), "sqlite://data/syncline.db");
    assert_eq!(config.queue.kind, QueueKind::Embedded);
    assert_eq!(config.schedule.interval, crate::domain::schedule::DEFAULT_INTERVAL);
    assert_eq!(config.limits.memory.bytes(), 64 << 20);
    assert!(config.egress.allow_hosts.is_empty() && config.providers.is_empty() && config.secrets.key.is_none());
    assert!(loaded.settings.iter().all(|setting| setting.source == Source::Default));
}

#[test]
fn later_layers_win_and_each_value_knows_its_source() {
    let folder = Folder::new();
    let toml = "[schedule]\ninterval = \"1h\"\ntick = \"30s\"\nthrottle = \"7m\"\n";
    let path = folder.file("syncline.toml", toml);
    let env = [("SYNCLINE__SCHEDULE__TICK", "20s"), ("SYNCLINE__SCHEDULE__THROTTLE", "8m"), ("PATH", "/bin")];
    let options = ["schedule.throttle=9m".to_owned()];
    let loaded = Config::load(Some(&path), env, &options).unwrap();

    assert_eq!(loaded.config.schedule.interval, Duration::from_secs(3_600));
    assert_eq!(loaded.config.schedule.tick, Duration::from_secs(20));
    assert_eq!(loaded.config.schedule.throttle, Duration::from_secs(540));
    assert_eq!(source_of(&loaded, "schedule.interval").source, Source::File { path: path.clone(), line: 2 });
    let tick = Source::Environment("SYNCLINE__SCHEDULE__TICK".to_owned());
    assert_eq!(source_of(&loaded, "schedule.tick").source, tick);
    assert_eq!(source_of(&loaded, "schedule.throttle").source, Source::Option);
    assert_eq!(source_of(&loaded, "schedule.sweep").source, Source::Default);
    assert_eq!(loaded.file, Some(path));
}

#[test]
fn lists_tables_and_providers_read_from_the_file_and_from_the_environment() {
    let folder = Folder::new();
    let from_file = folder
        .load(
            "[egress]\nallow_hosts = [\"localhost\", \"*.corp\"]\nroutes = { \"*.x.com\" = \"http://localhost:1\" }\n\
             [providers.salesforce]\ninterval = \"1d\"\n[providers.hubspot]\n",
        )
        .unwrap()
        .config;
    let from_env = load_env([
        ("SYNCLINE__EGRESS__ALLOW_HOSTS", "localhost, *.corp"),
        ("SYNCLINE__EGRESS__ROUTES", "*.x.com=http://localhost:1"),
        ("SYNCLINE__PROVIDERS__SALESFORCE__INTERVAL", "1d"),
    ])
    .unwrap()
    .config;
    for config in [from_file, from_env] {
        assert_eq!(config.egress.allow_hosts, ["localhost", "*.corp"]);
        assert_eq!(config.egress.routes["*.x.com"].as_str(), "http://localhost:1/");
        assert_eq!(config.providers["salesforce"].interval, Some(Duration::from_secs(86_400)));
    }
}

#[test]
fn the_defaults_of_paths_follow_the_data_folder() {
    let config = load_env([("SYNCLINE__HOST__DATA_DIR", "/var/lib/syncline")]).unwrap().config;
    assert_eq!(config.store.url.expose(), "sqlite:///var/lib/syncline/syncline.db");
    assert_eq!(config.connectors.cache, PathBuf::from("/var/lib/syncline/cache"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let folder = Folder::new();
    let toml = r#"[schedule]
intervall = "5m"
tick = 30
throttle = "soon"

[retrieve]
concurrency = 0
lease = "10s"
sweep = "5s"

[egress]
allow_hosts = ["ok", 7]

[retreive]
concurrency = 9
"#;
    insta::assert_snapshot!(folder.refusal(toml), @r#"
error: unknown key `intervall` in [schedule]
  --> syncline.toml:2:1
   |
 2 | intervall = ****
   | ^^^^^^^^^
   = help: did you mean `interval`?

error: `schedule.tick`: expected a quoted duration, found an integer
  --> syncline.toml:3:8
   |
 3 | tick = 30
   |        ^^

error: `schedule.throttle`: expected a duration such as "500ms", "30s", "180m", "2h" or "1d"
  --> syncline.toml:4:12
   |
 4 | throttle = "soon"
   |            ^^^^^^

error: `retrieve.concurrency`: must be from 1 to 10000
  --> syncline.toml:7:15
   |
 7 | concurrency = 0
   |               ^

error: unknown key `sweep` in [retrieve]
  --> syncline.toml:9:1
   |
 9 | sweep = ****
   | ^^^^^
   = help: `sweep` is a key of [schedule]

error: `egress.allow_hosts`: expected a quoted text, found an integer
  --> syncline.toml:12:22
   |
12 | allow_hosts = ["ok", 7]
   |                      ^

error: unknown section `retreive`
  --> syncline.toml:14:2
   |
14 | [retreive]
   |  ^^^^^^^^
   = help: did you mean `retrieve`?

7 problems in the configuration
"#);
}

#[test]
fn broken_syntax_is_told_together_with_what_is_wrong_elsewhere() {
    let folder = Folder::new();
    insta::assert_snapshot!(folder.refusal("[schedule]\ntick = 5 m\n[log]\nlevel = \"loud=x=y\"\n"), @r#"
error: string values must be quoted, expected literal string
  --> syncline.toml:2:8
   |
 2 | tick = 5 m
   |        ^^^

error: `log.level`: expected a level such as "info", or "info,syncline::egress=debug"
  --> syncline.toml:4:9
   |
 4 | level = "loud=x=y"
   |         ^^^^^^^^^^

2 problems in the configuration
"#);
}

#[test]
fn wrong_variables_and_options_are_told_like_wrong_lines() {
    let folder = Folder::new();
    let path = folder.file("syncline.toml", "");
    let env = [("SYNCLINE__SCHEDULE__INTERVALL", "5m"), ("SYNCLINE__HTTP__ENABLED", "yes")];
    let options = ["schedul.interval=5m".to_owned(), "nonsense".to_owned(), "queue.kind=kafka".to_owned()];
    let errors = Config::load(Some(&path), env, &options).unwrap_err();
    insta::assert_snapshot!(folder.tell(&errors), @r#"
error: `http.enabled`: expected true or false
  --> environment variable SYNCLINE__HTTP__ENABLED

error: unknown key `schedule.intervall`
  --> environment variable SYNCLINE__SCHEDULE__INTERVALL
   = help: did you mean SYNCLINE__SCHEDULE__INTERVAL?

error: expected section.key=value
  --> option -o

error: `queue.kind`: expected "embedded" or "sqs"
  --> option -o queue.kind

error: unknown key `schedul.interval`
  --> option -o schedul.interval
   = help: did you mean `schedule.interval`?

5 problems in the configuration
"#);
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let errors = Config::load(Some(Path::new("missing.toml")), NO_ENV, &[]).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert_eq!(errors.0[0].place, Place::File("missing.toml".into()));
}

#[test]
fn a_heartbeat_is_at_most_a_third_of_the_lease() {
    assert!(load_env([("SYNCLINE__RETRIEVE__LEASE", "30s"), ("SYNCLINE__RETRIEVE__HEARTBEAT", "10s")]).is_ok());
    let errors = load_env([("SYNCLINE__RETRIEVE__HEARTBEAT", "10001ms")]).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert_eq!(errors.0[0].place, Place::Environment("SYNCLINE__RETRIEVE__HEARTBEAT".to_owned()));
    assert!(errors.0[0].message.contains("a third of `retrieve.lease` (30s)"), "{errors}");
}

#[test]
fn a_secret_can_come_from_a_file_and_never_shows() {
    let folder = Folder::new();
    let key = "5a".repeat(32);
    let file = folder.file("key", &format!("{key}\n"));
    let file = file.to_str().unwrap();
    let by_variable = load_env([("SYNCLINE__SECRETS__KEY_FILE", file)]).unwrap();
    let by_file = folder.load(&format!("[secrets]\nkey_file = {file:?}\n")).unwrap();
    for loaded in [by_variable, by_file] {
        assert_eq!(loaded.config.secrets.key.as_ref().unwrap().expose(), &[0x5a; 32]);
        assert!(!format!("{loaded:?}").contains("5a5a"));
        assert_eq!(source_of(&loaded, "secrets.key").value, "***");
    }
}

#[test]
fn a_secret_given_twice_or_by_a_missing_file_is_an_error() {
    let errors = load_env([("SYNCLINE__STORE__URL", "sqlite://a"), ("SYNCLINE__STORE__URL_FILE", "/b")]).unwrap_err();
    assert!(errors.to_string().contains("both `store.url` and `store.url_file` are set"), "{errors}");
    let errors = load_env([("SYNCLINE__STORE__URL_FILE", "/does/not/exist")]).unwrap_err();
    assert!(errors.to_string().contains("the file /does/not/exist cannot be read"), "{errors}");
}

#[test]
fn only_secrets_can_come_from_a_file() {
    let errors = load_env([("SYNCLINE__SCHEDULE__TICK_FILE", "/x")]).unwrap_err();
    assert!(errors.to_string().contains("unknown key `schedule.tick_file`"), "{errors}");
}

#[test]
fn no_refusal_repeats_a_secret() {
    let secret = "hunter2";
    for toml in [
        format!("[secrets]\nkey = \"{secret}\""),
        format!("[secrets]\nkye = \"{secret}\""),
        format!("[secrets]\nkey = \"{secret}"),
        format!("[secrets]\nold_keys = [\"{secret}\", 5]"),
        format!("[secrets]\nold_keys = [\n \"{secret}\n]"),
        format!("secrets = {{ key = \"{secret}\", old_keys = 7 }}"),
        format!("store = {{ url = \"postgres://a:{secret}@b/c\", max_connections = 0 }}"),
        format!("[secret]\nkey = \"{secret}\""),
        format!("[store]\nurl = \"mysql://a:{secret}@b\""),
    ] {
        let told = Folder::new().refusal(&toml);
        assert!(!told.contains(secret), "{told}");
    }
    let errors = Config::load(None, NO_ENV, &[secret.to_owned(), format!("secrets.key={secret}")]).unwrap_err();
    assert!(errors.0.len() == 2 && !errors.to_string().contains(secret), "{errors}");
}

proptest! {
    #[test]
    fn no_text_makes_loading_panic(toml in "(\\[|\\]|=|\"|'|\n| |\\.|key|url|secrets|schedule|tick|5m|é|\t){0,40}") {
        let folder = Folder::new();
        if let Err(errors) = folder.load(&toml) {
            prop_assert!(!errors.to_string().is_empty() && !errors.0.is_empty());
        }
    }

    #[test]
    fn every_value_shown_reads_back_as_itself(tick_ms in 100_u64..3_600_000, memory in 1_u64 << 20..512 << 20) {
        let tick = Duration::from_millis(tick_ms);
        let options =
            [format!("schedule.tick={tick_ms}ms"), format!("limits.memory={memory}")];
        let loaded = Config::load(Some(&Folder::new().file("a", "")), NO_ENV, &options).unwrap();
        let again: Vec<String> = loaded
            .settings
            .iter()
            .filter(|setting| setting.source == Source::Option)
            .map(|setting| format!("{}={}", setting.key, setting.value.as_str().unwrap()))
            .collect();
        let again = Config::load(Some(&Folder::new().file("a", "")), NO_ENV, &again).unwrap().config;
        prop_assert_eq!(again.schedule.tick, tick);
        prop_assert_eq!(again.limits.memory.bytes(), memory);
    }
}
