use clap::CommandFactory as _;

use super::output::tests::Buffer;
use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

/// Runs a command as `main` does, without a process: exit code, standard output, standard error.
fn run(line: &str) -> (u8, String, String) {
    let Cli { global, command } = parse(line).unwrap();
    let (out, err) = (Buffer::default(), Buffer::default());
    let output = Output::to(global.json, Box::new(out.clone()), Box::new(err.clone()));
    let mut context = Context { global, output };
    let result = tokio::runtime::Runtime::new().unwrap().block_on(dispatch(command, &mut context));
    let exit = result.map_or_else(
        |failure| {
            context.output.failure(&failure);
            failure.exit
        },
        |()| Exit::Ok,
    );
    (exit.code(), out.text(), err.text())
}

fn help(words: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut here = &mut command;
    for word in words {
        here = here.find_subcommand_mut(word).unwrap();
    }
    here.render_help().to_string()
}

/// Without the options that all commands have.
fn own_help(words: &[&str]) -> String {
    let help = help(words);
    let (own, rest) = help.split_once("\nGlobal options:").unwrap();
    let (_, examples) = rest.split_once("\nExamples:").unwrap();
    format!("{own}\nExamples:{examples}")
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_shows_every_command_with_examples() {
    insta::assert_snapshot!(help(&[]), @r#"
Keeps copies of customers' data from other companies' services: runs connectors, syncs on schedule,
lands changes

Usage: syncline [OPTIONS] <COMMAND>

Commands:
  run           Start the host, or some roles of it
  migrate       Bring the store's tables up to date
  status        Show how objects, queues and hosts are doing
  customer      Customers: the tenants whose data is kept
  integration   Integrations: one customer's connection to one provider
  object        Integration objects: what is scheduled, such as acme/salesforce/Account
  runs          Runs: what happened
  connector     Connectors: look into them and try them out, without a store
  interactions  Interactions: what landed
  config        Check the configuration, or show it
  explain       Explain a check of `connector test` by its code
  completions   Print completions for a shell
  help          Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version

Global options:
      --config <PATH>               Configuration file [default: syncline.toml, if it exists] [env:
                                    SYNCLINE_CONFIG]
  -o, --option <SECTION.KEY=VALUE>  Set one configuration value, as in `-o schedule.tick=5s`; wins
                                    over file and environment
      --json                        Print data as JSON; streams as one object a line
  -v, --verbose...                  Say more: -v debug, -vv trace
  -q, --quiet...                    Say less: -q errors only, -qq nothing
      --color <WHEN>                When to use colours; NO_COLOR is respected [default: auto]
                                    [possible values: auto, always, never]

Examples:
  syncline run                                   start everything, with SQLite under ./data
  syncline connector inspect plugins/crm.wasm    what a connector says of itself
  syncline customer add acme
  syncline integration add acme/hubspot --secret token=env:HUBSPOT_TOKEN
  syncline object trigger acme/hubspot
  syncline status --watch

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not authorised, 5 check failed, 75 try again,
78 configuration
"#);
}

#[test]
fn help_of_integration_add_says_how_secrets_are_given() {
    insta::assert_snapshot!(help(&["integration", "add"]), @r#"
Add an integration: check it, discover its objects, schedule them

Usage: syncline integration add [OPTIONS] <CUSTOMER/INTEGRATION>

Arguments:
  <CUSTOMER/INTEGRATION>  Customer and a name for the integration

Options:
      --connector <NAME>      Name of the connector; the integration's name unless said
      --object <NAMES>        Objects to sync, separated by commas; all that are discovered unless
                              said
      --interval <DURATION>   How often its objects are synced, unless one has its own interval
      --pin <DIGEST|VERSION>  Stay on one build of the connector (sha256:DIGEST) or on one version;
                              follows the newest unless said
  -h, --help                  Print help

Connection:
      --set <KEY=VALUE>       Set one configuration value; JSON where it is JSON, else text; dots
                              reach into objects
      --config-json <JSON>    The whole configuration, as a JSON object
      --config-file <PATH>    The whole configuration, from a .json or .toml file
      --secret <NAME=SOURCE>  A credential: `token=@path` from a file, `token=env:NAME` from the
                              environment, `token=-` asked for or read from standard input
      --auth <SCHEME>         Which of the connector's ways to authenticate; its first one unless
                              said

Global options:
      --config <PATH>               Configuration file [default: syncline.toml, if it exists] [env:
                                    SYNCLINE_CONFIG]
  -o, --option <SECTION.KEY=VALUE>  Set one configuration value, as in `-o schedule.tick=5s`; wins
                                    over file and environment
      --json                        Print data as JSON; streams as one object a line
  -v, --verbose...                  Say more: -v debug, -vv trace
  -q, --quiet...                    Say less: -q errors only, -qq nothing
      --color <WHEN>                When to use colours; NO_COLOR is respected [default: auto]
                                    [possible values: auto, always, never]

Examples:
  syncline integration add acme/hubspot --secret token=env:HUBSPOT_TOKEN
  syncline integration add acme/crm-eu --connector hubspot --secret token=- --object contacts,deals
  syncline integration add acme/salesforce --set domain=acme.my.salesforce.com
      --secret client-id=@id --secret client-secret=@secret --secret refresh-token=@refresh
"#);
}

#[test]
fn help_of_connector_new_and_build_says_what_they_take() {
    insta::assert_snapshot!(own_help(&["connector", "new"]), @r#"
Begin a new connector: a project that builds, with one object and its tests

Usage: syncline connector new [OPTIONS] <NAME>

Arguments:
  <NAME>  What integrations will call the provider, such as `acme-crm`

Options:
      --lang <LANGUAGE>  What to write it in [default: rust] [possible values: rust, js, python]
      --dir <PATH>       The folder to make; one of the connector's name unless said
  -h, --help             Print help (see more with '--help')

Examples:
  syncline connector new acme-crm
  syncline connector new acme-crm --lang python --dir connectors/acme
"#);
    insta::assert_snapshot!(own_help(&["connector", "build"]), @r#"
Build the connector in a folder into dist/NAME.wasm

Usage: syncline connector build [OPTIONS] [DIR]

Arguments:
  [DIR]  The connector's folder, with its connector.toml [default: .]

Options:
      --watch          Build again whenever something is saved, until Ctrl-C
      --read <OBJECT>  Read the first page of this object after each build
  -h, --help           Print help

Connection:
      --set <KEY=VALUE>       Set one configuration value; JSON where it is JSON, else text; dots
                              reach into objects
      --config-json <JSON>    The whole configuration, as a JSON object
      --config-file <PATH>    The whole configuration, from a .json or .toml file
      --secret <NAME=SOURCE>  A credential: `token=@path` from a file, `token=env:NAME` from the
                              environment, `token=-` asked for or read from standard input
      --auth <SCHEME>         Which of the connector's ways to authenticate; its first one unless
                              said

Examples:
  syncline connector build
  syncline connector build connectors/acme --watch
  syncline connector build --watch --read people
"#);
}

#[test]
fn every_command_has_a_help_text() {
    fn look(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().filter(|inner| inner.get_name() != "help").for_each(look);
    }
    let mut command = Cli::command();
    command.build();
    look(&command);
}

#[test]
fn commands_read_as_they_are_written() {
    for line in [
        "syncline run --role scheduler,api --migrate -o schedule.tick=1s",
        "syncline migrate --dry-run",
        "syncline status --watch --every 500ms --json",
        "syncline customer add acme --title ACME --interval 1h",
        "syncline customer list",
        "syncline customer set-interval acme default",
        "syncline integration add acme/salesforce --set a.b=1 --secret token=env:T --object Account,Contact",
        "syncline integration list acme",
        "syncline integration check acme/salesforce",
        "syncline integration pause acme/salesforce",
        "syncline integration resume acme/salesforce",
        "syncline integration set-credentials acme/salesforce --secret token=-",
        "syncline integration discover acme/salesforce --add Case,Task",
        "syncline integration set-interval acme/salesforce 15m",
        "syncline integration add acme/x --connector hubspot --pin 1.2.3",
        "syncline object list acme/salesforce --state failing",
        "syncline object show acme/salesforce/Account",
        "syncline object trigger acme/salesforce/Account acme/salesforce/Contact --force",
        "syncline object pause acme/salesforce/Account acme/hubspot globex",
        "syncline object confirm-deletes acme/hubspot/owners --yes",
        "syncline object list --state active,rate-limited",
        "syncline object resume acme/salesforce/Account",
        "syncline object set-interval acme/salesforce/Account 1d",
        "syncline object set-interval acme/salesforce/Account default",
        "syncline object reset-cursor acme/salesforce/Account --to abc --yes",
        "syncline runs list acme --outcome failed --since 1d --limit 5",
        "syncline runs show 42",
        "syncline connector new acme-crm --lang python --dir x",
        "syncline connector build x --watch --read people --secret token=@t",
        "syncline connector list",
        "syncline connector inspect a.wasm",
        "syncline connector check a.wasm --secret token=@t",
        "syncline connector discover a.wasm --config-json {}",
        "syncline connector read a.wasm contact --pages 0 --cursor x --secret token=-",
        "syncline interactions list acme/salesforce/Account --deleted --limit 1",
        "syncline interactions export acme/salesforce/Account --format csv --out x.csv",
        "syncline interactions export acme/salesforce --changes --after 12 --limit 5",
        "syncline connector read crm contact --limit 5 --diagnostics",
        "syncline config validate x.toml",
        "syncline config show schedule --sources",
        "syncline completions fish",
        "syncline --json -vv --color never status",
    ] {
        parse(line).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
    }
}

#[test]
fn wrong_commands_are_usage_errors_with_a_suggestion() {
    for (line, told) in [
        ("syncline statsu", "status"),
        ("syncline object show acme/salesforce", "customer/integration/object"),
        ("syncline object set-interval a/b/c 0s", "at least 1s"),
        ("syncline integration add a/b --secret token=plain", "never an argument"),
        ("syncline run --role chef", "scheduler"),
        ("syncline object list --state sick", "quarantined"),
        ("syncline runs list --outcome broken", "rate-limited"),
        ("syncline integration add a/b --pin latest", "neither sha256:DIGEST nor a version"),
        ("syncline customer add a --interval 5ms", "at least 1s"),
        ("syncline interactions export a/b --after 5", "--changes"),
        ("syncline connector new AcmeCRM", "such as `acme-crm`"),
        ("syncline connector new crm --lang go", "python"),
        ("syncline connector read x y --cursor a --cursor-file b", "cannot be used with"),
    ] {
        let refusal = parse(line).unwrap_err();
        assert!(refusal.use_stderr() && refusal.to_string().contains(told), "{line}: {refusal}");
        assert_eq!(refusal.exit_code(), 2);
    }
}

#[test]
fn all_roles_run_unless_some_are_named() {
    let roles = |line: &str| match parse(line).unwrap().command {
        Command::Run(args) => args.roles().len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((roles("syncline run"), roles("syncline run --role api,api,scheduler")), (4, 2));
}

#[test]
fn more_and_less_talk_move_the_level() {
    let directives = |line: &str, base: &str| parse(line).unwrap().global.directives(base);
    assert_eq!(directives("syncline status", "info,a=debug"), "info,a=debug");
    assert_eq!(directives("syncline status -v", "warn"), "info");
    assert_eq!(directives("syncline status -vvvvv", "info"), "trace");
    assert_eq!(directives("syncline status -qq", "info"), "error");
    assert_eq!(directives("syncline status -qqqqq", "info"), "off");
}

#[test]
fn a_wrong_configuration_ends_with_78_and_a_right_one_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "[schedule]\ntick = \"1s\"\n").unwrap();
    let (code, out, err) = run(&format!("syncline config validate {}", path.display()));
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("is right"), "{err}");

    std::fs::write(&path, "[schedule]\ntik = \"1s\"\n").unwrap();
    let (code, out, err) = run(&format!("syncline config validate {}", path.display()));
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(err.contains("a.toml:2:1") && err.contains("did you mean `tick`?"), "{err}");
    let (_, _, err) = run(&format!("syncline --json config validate {}", path.display()));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&err).unwrap()["error"]["exit"], 78);
}

#[test]
fn config_show_prints_values_with_their_sources_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "[store]\nurl = \"postgres://ada:hunter2@db/x\"\n").unwrap();
    let (code, out, _) = run(&format!("syncline --config {} config show store --sources", path.display()));
    assert_eq!(code, 0);
    let out = out.replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!(out, @r#"
store.url = "postgres://ada:***@db/x"  # a.toml:2
store.max_connections = 10             # default
store.busy_timeout = "5s"              # default
store.keep_history = "30d"             # default
store.statement_timeout = "10s"        # default
"#);

    let (code, out, _) = run(&format!("syncline --config {} --json config show store.url", path.display()));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json[0]["value"]), (0, &"postgres://ada:***@db/x".into()));

    let (code, _, err) = run(&format!("syncline --config {} config show stor", path.display()));
    assert_eq!(code, 3);
    assert!(err.contains("did you mean `store`?"), "{err}");
}

#[test]
fn what_config_show_prints_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "[egress]\nroutes = { \"*.x\" = \"http://h:1\" }\nallow_hosts = [\"h\"]\n").unwrap();
    let (_, shown, _) = run(&format!("syncline --config {} config show", path.display()));
    std::fs::write(&path, &shown).unwrap();
    let (code, again, err) = run(&format!("syncline --config {} config show", path.display()));
    assert_eq!(code, 0, "{err}");
    assert_eq!(again, shown);
}

#[test]
fn completions_know_the_commands() {
    let (code, out, _) = run("syncline completions bash");
    assert_eq!(code, 0);
    assert!(out.contains("reset-cursor"));
}
