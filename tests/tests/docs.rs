//! What the documentation points at is there: every relative link of every page, and the heading that it names.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Folders that tools fill.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "dist"];

/// A page: what it can be pointed at by, and what it points at.
#[derive(Default)]
struct Page {
    anchors: BTreeSet<String>,
    links: Vec<String>,
}

fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap());
                // As GitHub does it: the second heading of a name gets a number.
                let mut names = std::iter::once(slug.clone()).chain((1..).map(|number| format!("{slug}-{number}")));
                page.anchors.insert(names.find(|name| !page.anchors.contains(name)).unwrap());
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            _ => {}
        }
    }
    page
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// Every page below a folder.
fn pages(folder: &Path, found: &mut BTreeMap<PathBuf, Page>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with('.') || NOT_OURS.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.insert(path.clone(), read(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The links below a folder that lead nowhere, each with its page.
fn broken(root: &Path) -> Vec<String> {
    let mut known = BTreeMap::new();
    pages(root, &mut known);
    let mut broken = Vec::new();
    for (path, page) in &known {
        for link in page.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(file, name)| (file, Some(name)));
            let target = if file.is_empty() { path.clone() } else { plain(&path.parent().unwrap().join(file)) };
            let there = target.starts_with(root) && target.exists();
            let found = anchor.is_none_or(|name| known.get(&target).is_some_and(|page| page.anchors.contains(name)));
            if !there || !found {
                broken.push(format!("{}: {link}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    broken
}

/// Without `..`, so that two ways to one file are the same.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    let broken = broken(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn a_link_to_nothing_is_found_and_code_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let page = "# A `b`, c\n# Twice\n# Twice\n[1](b.md) [2](#a-b-c) [3](#twice-1) [4](https://a.example) [5](b.md#b) [6](.)\n\
                ```\n[7](gone.md)\n```\n`[8](gone.md)` [9](gone.md) [10](#gone) [11](b.md#gone) [12](../..)\n";
    std::fs::write(folder.path().join("a.md"), page).unwrap();
    std::fs::write(folder.path().join("b.md"), "# B\n").unwrap();
    assert_eq!(broken(folder.path()), ["a.md: gone.md", "a.md: #gone", "a.md: b.md#gone", "a.md: ../.."]);
}

/// The tests that a page names, as a link whose text is code: name and file.
fn tests_named(page: &str) -> Vec<(&str, &str)> {
    let links = page.split("[`").skip(1).filter_map(|rest| rest.split_once("`]("));
    let links = links.filter_map(|(name, rest)| Some((name, rest.split_once(')')?.0)));
    links.filter(|(_, file)| file.ends_with(".rs")).collect()
}

#[test]
fn every_test_that_the_page_on_reliability_names_is_there() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    let page = std::fs::read_to_string(docs.join("reliability.md")).unwrap();
    let named = tests_named(&page);
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let gone = named.iter().filter(|(name, file)| {
        let source = std::fs::read_to_string(docs.join(file)).unwrap_or_default();
        !source.contains(&format!("fn {name}("))
    });
    let gone: Vec<_> = gone.collect();
    assert!(gone.is_empty(), "these tests are not where the page says: {gone:?}");
}
