use std::collections::BTreeSet;

use super::*;
use crate::kit::contract;

/// Every file of a folder, by its path in it, but for what builds write.
fn tree(dir: &Path) -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if ["dist", "target", "node_modules", ".venv", "__pycache__", "Cargo.lock"].contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(path)
}

fn created(name: &str, language: Language) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let count = create(&name.parse().unwrap(), language, folder.path()).unwrap();
    assert_eq!(count, tree(folder.path()).len());
    folder
}

#[test]
fn a_rust_project_is_the_template_and_the_sdk() {
    let folder = created("birch", Language::Rust);
    let made = tree(folder.path());
    let (sdk, own): (BTreeSet<_>, BTreeSet<_>) = made.iter().cloned().partition(|path| path.starts_with("sdk/"));
    assert_eq!(own, tree(&repository("template")));
    let mut expected: BTreeSet<_> =
        tree(&repository("sdk")).into_iter().filter(|path| !path.starts_with("tests/")).collect();
    expected.extend(contract::FILES.iter().map(|(name, _)| format!("wit/{name}")));
    assert_eq!(sdk, expected.iter().map(|path| format!("sdk/{path}")).collect());
}

#[test]
fn a_javascript_project_is_the_template_and_the_sdk() {
    let folder = created("birch", Language::Js);
    let made = tree(folder.path());
    let (sdk, own): (BTreeSet<_>, BTreeSet<_>) = made.iter().cloned().partition(|path| path.starts_with("sdk/"));
    let mut template = tree(&repository("template-js"));
    template.insert("provider.toml".to_owned());
    assert_eq!(own, template);
    let expected = tree(&repository("sdk-js")).into_iter().filter(|path| !path.starts_with("test/"));
    assert_eq!(sdk, expected.map(|path| format!("sdk/{path}")).collect());
}

#[test]
fn a_python_project_is_the_template_and_the_package_of_the_sdk() {
    let folder = created("birch", Language::Python);
    let made = tree(folder.path());
    let (sdk, own): (BTreeSet<_>, BTreeSet<_>) = made.iter().cloned().partition(|path| path.starts_with("syncline/"));
    let mut template = tree(&repository("template-py"));
    template.insert("provider.toml".to_owned());
    assert_eq!(own, template);
    let mut expected = tree(&repository("sdk-py/syncline"));
    expected.insert("README.md".to_owned());
    assert_eq!(sdk, expected.iter().map(|path| format!("syncline/{path}")).collect());
}

#[test]
fn nothing_of_the_placeholder_and_of_this_repository_is_left_outside_of_the_sdk() {
    for (language, sdk) in [(Language::Rust, "sdk/"), (Language::Js, "sdk/"), (Language::Python, "syncline/")] {
        let folder = created("acme-crm", language);
        for path in tree(folder.path()).iter().filter(|path| !path.starts_with(sdk)) {
            let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
            assert!(!text.to_lowercase().contains("birch"), "{language} {path}");
            assert!(!text.contains("../sdk-") && !text.contains("\"../sdk\""), "{language} {path}");
        }
    }
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "").unwrap();
    let refused = create(&"crm".parse().unwrap(), Language::Rust, folder.path());
    assert!(matches!(refused, Err(NewError::Occupied { .. })));
    assert_eq!(tree(folder.path()).len(), 1);
}
