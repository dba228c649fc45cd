//! What is wrong with a description, and how it is told.

use super::*;

const RIGHT: &str = r#"[provider]
name = "elm"

[[object]]
name = "logs"
path = "/logs"
id = "id"
updated = "at"
paging = { style = "page", param = "page" }
fields = { text = "text:20" }
"#;

fn told(text: &str) -> String {
    parse(Path::new("provider.toml"), text).map(|_| ()).unwrap_err().to_string()
}

fn instead(old: &str, new: &str) -> String {
    assert!(RIGHT.contains(old));
    told(&RIGHT.replace(old, new))
}

#[test]
fn the_documented_examples_are_right() {
    for name in ["birch", "alder", "larch"] {
        documented(name);
    }
    assert!(parse(Path::new("provider.toml"), RIGHT).is_ok());
}

#[test]
fn the_template_of_new_connectors_describes_its_provider_rightly() {
    let text = include_str!("../../../../../plugins/template/provider.toml");
    let description = parse(Path::new("plugins/template/provider.toml"), text);
    let description = description.unwrap_or_else(|errors| panic!("{errors}"));
    let mut client = Client::new(description).with("authorization", "Bearer birch-token");
    assert_eq!(client.walk("/v1/people?limit=7", "/people", "/next", "after").len(), client.truth("people").len());
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest() {
    assert_eq!(
        instead("updated = ", "updatd = \"at\"\nupdated = "),
        "error: unknown field `updatd`\n  --> provider.toml:8:1\n   |\n 8 | updatd = \"at\"\n   | ^^^^^^\n   \
         = help: did you mean `updated`?\n\n1 problem in the configuration"
    );
    let told = instead("param = \"page\"", "parm = \"page\"");
    assert!(told.contains("provider.toml:9:") && told.contains("did you mean `param`"), "{told}");
    let told = instead("style = \"page\"", "style = \"pages\"");
    assert!(told.contains("provider.toml:9:") && told.contains("did you mean `page`"), "{told}");
    let told = instead("name = \"elm\"", "name = \"elm\"\nauth = { baerer = \"x\" }");
    assert!(told.contains("provider.toml:3:") && told.contains("did you mean `bearer`"), "{told}");
}

#[test]
fn values_that_make_no_sense_are_told_with_their_line() {
    for (old, new, line, words) in [
        ("\"text:20\"", "\"txet:20\"", 10, "did you mean `text`"),
        ("\"text:20\"", "\"text\"", 10, "text:200"),
        ("id = \"id\"", "id = { field = \"id\", format = \"x\" }", 7, "p-####"),
        ("updated = \"at\"", "updated = { field = \"at\", format = \"rfc3338\" }", 8, "did you mean `rfc3339`"),
        ("updated = \"at\"", "updated = \"a..t\"", 8, "paging.next"),
        ("id = \"id\"", "id = 5", 7, "a text or a table"),
        ("path = \"/logs\"", "path = \"/logs\"\ndeletes = \"abscence\"", 7, "did you mean `absence`"),
        ("path = \"/logs\"", "path = \"/logs\"\ndeletes = { style = \"tombstones\" }", 7, "need a `field`"),
        ("[provider]", "[limits]\nrate = \"fast\"\n[provider]", 2, "10/s"),
        ("[provider]", "[hazards]\nindex_lag = \"soon\"\n[provider]", 2, "30s"),
    ] {
        let told = instead(old, new);
        assert!(told.contains(&format!("provider.toml:{line}:")) && told.contains(words), "{told}");
    }
}

#[test]
fn everything_that_does_not_go_together_is_told_at_once() {
    let text = RIGHT
        .replace("path = \"/logs\"", "path = \"logs\"")
        .replace("style = \"page\"", "style = \"cursor\", first = 0, more = \"more\"")
        .replace("text = \"text:20\"", "id = \"text:20\", owner = \"ref:lgos\"");
    let told = told(&text);
    for words in [
        "a path begins with /",
        "`first` goes with style \"page\" only",
        "nobody could get beyond the first page",
        "has no room for anything else",
        "`id` and `id` are at the same place",
        "did you mean `logs`?",
        "6 problems",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[test]
fn a_description_without_objects_or_with_two_of_one_name_is_refused() {
    assert!(told("[provider]\nname = \"elm\"\n").contains("has no object"));
    let object = RIGHT.split_once("\n\n").unwrap().1;
    let told = told(&format!("{RIGHT}\n{object}"));
    assert!(told.contains("two objects \"logs\"") && told.contains("described twice"), "{told}");
}
