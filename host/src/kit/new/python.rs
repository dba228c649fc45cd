//! A Python project: the template, and the SDK's package beside it, because the SDK is on no registry.

use super::{File, Name, PROVIDER, folder};

const TEMPLATE: &[File] = folder!(true, "template-py" => "", [
    ".gitignore",
    "README.md",
    "cassettes/people.json",
    "connector.py",
    "connector.toml",
    "people.py",
    "requirements.txt",
    "tests/__init__.py",
    "tests/provider.py",
    "tests/test_people.py",
]);

/// The SDK's package.
pub(in crate::kit) const SDK: &[File] = folder!(false, "sdk-py/syncline" => "syncline/", [
    "__init__.py",
    "connector.py",
    "context.py",
    "cursor.py",
    "errors.py",
    "guest.py",
    "http.py",
    "listing.py",
    "manifest.py",
    "page.py",
    "testing.py",
    "time.py",
]);

const SDK_README: &[File] = folder!(false, "sdk-py" => "syncline/", ["README.md"]);

pub(super) fn files(name: &Name) -> Vec<(String, String)> {
    let files = [TEMPLATE, PROVIDER, SDK, SDK_README];
    files.into_iter().flatten().map(|file| (file.path.to_owned(), file.text(name))).collect()
}
