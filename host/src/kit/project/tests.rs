use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Project, String> {
    read::read(Path::new("crm"), PathBuf::from("crm/connector.toml"), text.to_owned()).map_err(|e| e.to_string())
}

#[test]
fn a_project_says_its_language_and_how_to_try_it() {
    let project = read(
        "[build]\nlanguage = \"python\"\n[test]\nconfig = { subdomain = \"acme\", pages = 5, rate = 0.5, on = [true] }\n\
         auth = \"token\"\nsecrets = { token = \"t\" }\nobjects = [\"people\"]\nprovider = \"provider.toml\"\n\
         index_lag_ms = 30_000\ncassettes = [\"cassettes/people.json\"]\n",
    )
    .unwrap();
    assert_eq!(project.language, Language::Python);
    let Trial { config, auth, secrets, objects, provider, index_lag_ms, cassettes } = project.trial;
    assert_eq!(Json::Object(config), json!({"subdomain": "acme", "pages": 5, "rate": 0.5, "on": [true]}));
    assert_eq!((auth.as_deref(), secrets["token"].as_str(), objects), (Some("token"), "t", vec!["people".to_owned()]));
    assert_eq!(provider, Some(PathBuf::from("crm/provider.toml")));
    assert_eq!(index_lag_ms, 30_000);
    assert_eq!(cassettes, [PathBuf::from("crm/cassettes/people.json")]);
}

#[test]
fn the_language_is_all_that_must_be_there() {
    assert_eq!(read("[build]\nlanguage = \"rust\"\n").unwrap().trial, Trial::default());
    for nothing in ["", "[test]\n", "[build]\n"] {
        let told = read(nothing).unwrap_err();
        assert!(told.contains("`build.language` is missing") && told.contains("\"rust\" or \"js\""), "{told}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let told = read(
        "[build]\nlanguage = \"pyton\"\n\n[test]\nobject = [\"people\"]\nsecrets = { token = 5 }\nprovider = \"\"\n\
         config = \"x\"\nindex_lag_ms = -1\n[tests]\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(told, @r#"
error: `build.language`: expected "rust" or "js" or "python"
  --> crm/connector.toml:2:12
   |
 2 | language = "pyton"
   |            ^^^^^^^
   = help: did you mean "python"?

error: unknown key `object` in [test]
  --> crm/connector.toml:5:1
   |
 5 | object = ["people"]
   | ^^^^^^
   = help: did you mean `objects`?

error: `test.secrets.token`: expected text in quotes, found an integer
  --> crm/connector.toml:6:21
   |
 6 | secrets = { token = 5 }
   |                     ^

error: `test.provider` is empty
  --> crm/connector.toml:7:12
   |
 7 | provider = ""
   |            ^^

error: `test.config`: expected a table, found text
  --> crm/connector.toml:8:10
   |
 8 | config = "x"
   |          ^^^

error: `test.index_lag_ms`: expected milliseconds, a whole number
  --> crm/connector.toml:9:16
   |
 9 | index_lag_ms = -1
   |                ^^

error: unknown key `tests` in the file
  --> crm/connector.toml:10:2
   |
10 | [tests]
   |  ^^^^^
   = help: did you mean `test`?

7 problems in the configuration
"#);
}

#[test]
fn a_file_that_is_no_toml_is_told_by_its_line() {
    let told = read("[build]\nlanguage = \"rust\n").unwrap_err();
    assert!(told.contains("crm/connector.toml:2:"), "{told}");
}

#[test]
fn a_folder_without_the_file_is_told_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let told = Project::open(folder.path()).unwrap_err().to_string();
    assert!(told.contains("there is no connector.toml") && told.contains("connector new"), "{told}");
}
