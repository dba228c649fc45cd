//! Reads the WIT of the contract, as far as the contract uses it, and writes it as Markdown.
//!
//! It reads line by line, which is how the files are laid out, and stops at a line that it does not know: nothing of the
//! contract can be missing from the page.

use std::fmt::Write as _;

/// An interface or a world.
#[derive(Debug, Default)]
pub(super) struct Interface {
    kind: &'static str,
    name: String,
    doc: String,
    /// What a world imports and exports: `import http`.
    ends: Vec<String>,
    items: Vec<Item>,
}

/// A type or a function.
#[derive(Debug, Default)]
struct Item {
    /// `record`, `variant`, `enum`, `type`, `function`.
    kind: &'static str,
    name: String,
    doc: String,
    /// What a `type` stands for, or a function's parameters and result.
    is: String,
    members: Vec<Member>,
}

/// A field or a case.
#[derive(Debug)]
struct Member {
    name: String,
    /// Empty for a case that carries nothing.
    is: String,
    doc: String,
}

/// Reads one file.
pub(super) fn read(text: &str) -> Interface {
    let mut interface = Interface::default();
    let mut open: Option<Item> = None;
    let mut doc = String::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(words) = line.strip_prefix("///") {
            let words = words.trim();
            let gap = if words.is_empty() { "\n\n" } else { " " };
            doc.push_str(if doc.is_empty() || doc.ends_with('\n') { "" } else { gap });
            doc.push_str(words);
            continue;
        }
        let doc = std::mem::take(&mut doc);
        let named =
            |word: &str| line.strip_prefix(word).and_then(|rest| rest.trim().strip_suffix(" {")).map(str::to_owned);
        let begun = ["interface", "world", "record", "variant", "enum"]
            .into_iter()
            .find_map(|kind| named(kind).map(|name| (kind, name)));
        match (begun, &mut open) {
            (Some((kind @ ("interface" | "world"), name)), None) => {
                interface = Interface { kind, name, doc, ..interface };
            }
            (Some((kind, name)), None) => open = Some(Item { kind, name, doc, ..Item::default() }),
            (None, Some(item)) if line != "}" => item.members.push(member(line, doc)),
            (None, _) if line == "}" => interface.items.extend(open.take()),
            (None, None) => outside(line, doc, &mut interface),
            _ => panic!("one type inside another: {line}"),
        }
    }
    interface
}

/// A line between types.
fn outside(line: &str, doc: String, interface: &mut Interface) {
    let statement = line.trim_end_matches(';');
    // `use` says where names are from; the page has them all.
    if line.is_empty() || statement.starts_with("package ") || statement.starts_with("use ") {
        return;
    }
    if statement.starts_with("import ") || statement.starts_with("export ") {
        return interface.ends.push(statement.to_owned());
    }
    let item = match (statement.split_once(": func"), statement.strip_prefix("type ")) {
        (Some((name, is)), _) => Item { kind: "function", name: name.to_owned(), is: is.to_owned(), ..Item::default() },
        (None, Some(alias)) => {
            let (name, is) = alias.split_once(" = ").unwrap();
            Item { kind: "type", name: name.to_owned(), is: is.to_owned(), ..Item::default() }
        }
        _ => panic!("a line of WIT that this reader does not know: {line}"),
    };
    interface.items.push(Item { doc, ..item });
}

/// `name: type,`, `name(type),` or `name,`.
fn member(line: &str, doc: String) -> Member {
    let line = line.strip_suffix(',').unwrap_or_else(|| panic!("no field and no case: {line}"));
    let (name, is) = match line.split_once(": ") {
        Some(field) => field,
        None => line.split_once('(').map_or((line, ""), |(name, is)| (name, is.strip_suffix(')').unwrap())),
    };
    Member { name: name.to_owned(), is: is.to_owned(), doc }
}

/// Writes the files' interfaces, with links from every use of a type to where it is described.
pub(super) fn write(page: &mut String, interfaces: &[Interface]) {
    let types: Vec<(&str, &str)> = interfaces
        .iter()
        .flat_map(|interface| &interface.items)
        .filter(|item| item.kind != "function")
        .map(|item| (item.name.as_str(), item.kind))
        .collect();
    // Writing to a string cannot fail.
    for Interface { kind, name, doc, ends, items } in interfaces {
        let _ = write!(page, "\n## The {kind} `{name}`\n\n{doc}\n");
        if !ends.is_empty() {
            page.push('\n');
        }
        for end in ends {
            let (verb, name) = end.split_once(' ').unwrap();
            let _ = writeln!(page, "- {verb}s [`{name}`](#the-interface-{name})");
        }
        for item in items {
            item.write(page, &types);
        }
    }
}

impl Item {
    fn write(&self, page: &mut String, types: &[(&str, &str)]) {
        let Self { kind, name, doc, is, members } = self;
        let _ = write!(page, "\n### The {kind} `{name}`\n\n");
        if *kind == "function" {
            let used = types.iter().filter(|(name, _)| words(is).any(|word| word == *name));
            let used: Vec<String> = used.map(|(name, _)| linked(name, types)).collect();
            let _ = write!(page, "```wit\n{name}: func{is}\n```\n\n{doc}\n");
            if !used.is_empty() {
                let _ = write!(page, "\nWith {}.\n", used.join(", "));
            }
            return;
        }
        page.push_str(doc);
        page.push('\n');
        if !is.is_empty() {
            let _ = write!(page, "\nIs {}.\n", linked(is, types));
        }
        if members.is_empty() {
            return;
        }
        let called = if *kind == "record" { "field" } else { "case" };
        let typed = members.iter().any(|member| !member.is.is_empty());
        let (head, line) = match (typed, *kind) {
            (false, _) => ("", ""),
            (true, "record") => (" type |", "---|"),
            (true, _) => (" carries |", "---|"),
        };
        let _ = write!(page, "\n| {called} |{head} meaning |\n|---|{line}---|\n");
        for Member { name, is, doc } in members {
            let is = match (typed, is.as_str()) {
                (false, _) => String::new(),
                (true, "") => "  |".to_owned(),
                (true, is) => format!(" {} |", linked(is, types)),
            };
            let _ = writeln!(page, "| `{name}` |{is} {} |", doc.replace("\n\n", " ").replace('|', "\\|"));
        }
    }
}

/// A type as code, and as a link if it names one of the contract's.
fn linked(is: &str, types: &[(&str, &str)]) -> String {
    match types.iter().find(|(name, _)| words(is).any(|word| word == *name)) {
        Some((name, kind)) => format!("[`{is}`](#the-{kind}-{name})"),
        None => format!("`{is}`"),
    }
}

fn words(is: &str) -> impl Iterator<Item = &str> {
    is.split(|char: char| !char.is_ascii_alphanumeric() && char != '-')
}

#[test]
fn every_kind_of_line_is_read() {
    let interface = read(
        "package a:b@0.1.0;\n\n/// About\n/// it.\ninterface i {\n    use t.{page};\n\n    /// An alias.\n    type a = string;\n\n    \
         /// A case.\n    variant v {\n        /// One.\n        one,\n        /// Two.\n        two(a),\n    }\n\n    \
         /// Does.\n    do: func(v: v) -> result<_, a>;\n}\n",
    );
    let mut page = String::new();
    write(&mut page, &[interface]);
    assert_eq!(
        page,
        "\n## The interface `i`\n\nAbout it.\n\n### The type `a`\n\nAn alias.\n\nIs `string`.\n\n### The variant `v`\n\nA \
         case.\n\n| case | carries | meaning |\n|---|---|---|\n| `one` |  | One. |\n| `two` | [`a`](#the-type-a) | Two. |\n\n### \
         The function `do`\n\n```wit\ndo: func(v: v) -> result<_, a>\n```\n\nDoes.\n\nWith [`a`](#the-type-a), \
         [`v`](#the-variant-v).\n"
    );
}

#[test]
#[should_panic(expected = "does not know")]
fn a_line_that_is_not_known_is_not_left_out() {
    read("interface i {\n    resource r;\n}\n");
}
