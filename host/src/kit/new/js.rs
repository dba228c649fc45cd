//! A JavaScript project: the template, and the SDK beside it, because the SDK is on no registry.

use super::{File, Name, PROVIDER, folder};

const TEMPLATE: &[File] = folder!(true, "template-js" => "", [
    ".gitignore",
    "README.md",
    "cassettes/people.json",
    "component.js",
    "connector.js",
    "connector.toml",
    "package-lock.json",
    "package.json",
    "people.js",
    "tests/people.test.js",
    "tests/provider.js",
]);

const SDK: &[File] = folder!(false, "sdk-js" => "sdk/", [
    "README.md",
    "cursor.js",
    "errors.js",
    "guest.js",
    "http.js",
    "json.js",
    "manifest.js",
    "package.json",
    "page.js",
    "sockets.js",
    "syncline.js",
    "testing.js",
    "text.js",
]);

pub(super) fn files(name: &Name) -> Vec<(String, String)> {
    // In this repository the SDK lies beside the template, in a new project inside of it.
    let own = |file: &File| file.text(name).replace("../../sdk-js/", "../sdk/").replace("../sdk-js/", "./sdk/");
    let own = TEMPLATE.iter().chain(PROVIDER).map(|file| (file.path.to_owned(), own(file)));
    own.chain(SDK.iter().map(|file| (file.path.to_owned(), file.text(name)))).collect()
}
