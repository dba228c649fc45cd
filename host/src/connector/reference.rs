//! `docs/reference/contract.md`, written from the WIT and from what the host holds connectors to.

mod wit;

use std::fmt::Write as _;

use super::{contract, inspect, load, log, manifest, text, world};
use crate::config::reference::default_of;
use crate::domain::batch::MAX_DATA_BYTES;
use crate::domain::{FaultKind, MAX_ID_BYTES};
use crate::egress::{headers, prepare, target};
use crate::kit::contract::FILES;

/// The files in the order in which they read best.
const ORDER: [&str; 5] = ["world.wit", "connector.wit", "types.wit", "http.wit", "log.wit"];

/// The reference page.
fn markdown() -> String {
    let files = ORDER.map(|file| FILES.iter().find(|(name, _)| *name == file).unwrap().1);
    let interfaces = files.map(wit::read);
    let mut page = introduction();
    wit::write(&mut page, &interfaces);
    page.push_str(&the_manifest());
    page.push_str(&limits());
    page.push_str(&headers_and_methods());
    page.push_str(&imports());
    page
}

fn introduction() -> String {
    format!(
        "\
# The contract

<!-- Written from wit/v{version} and the host's constants: UPDATE_DOCS=1 cargo test -p syncline reference -->

What a host and a connector say to each other, version {version}: the files of [`wit/v{version}`](../../wit/v{version}) in the order in
which they read best, then [what the host checks in a manifest](#the-manifest), [the limits](#limits),
[headers and methods](#headers-and-methods), and [what a component may import](#what-a-component-may-import).
[wit/README.md](../../wit/README.md) says how the contract evolves, and how `wasi:http` differs from the interface `http`.

Nobody has to write against this by hand: the SDKs for [Rust](../../plugins/sdk/README.md),
[JavaScript](../../plugins/sdk-js/README.md) and [Python](../../plugins/sdk-py/README.md) put it into words of their languages.
",
        version = world::NEWEST
    )
}

fn the_manifest() -> String {
    format!(
        "
## The manifest

What `describe` answers, the [record `manifest`](#the-record-manifest), is checked when the component is loaded. A host
that finds something wrong does not run the component, and tells everything that is wrong at once.

| field | must be |
|---|---|
| `name` | a lower-case letter, then lower-case letters, digits and dashes; at most {name} bytes |
| `version` | a semantic version: `1.2.0` |
| `title` | not empty, at most {title} bytes, without control characters |
| `config-schema` | a JSON Schema (draft 2020-12), at most {schema} |
| `hosts` | at most {hosts} patterns: labels of lower-case letters, digits and dashes; `*.` only in front of two labels or more; \
`{{property}}` only for a property of `config-schema`; a port after a colon; no scheme, no path |
| `auth` | at most {schemes} schemes |
| `auth` `name` | spelled like `name`; no two alike |
| `auth` `hosts` | patterns as in `hosts`, as many |
| `auth` `kind` `header` | the name of a header, and none of {reserved} |
| `auth` `kind` `query`, `other` | 1 to 64 bytes, without control characters |
| `auth` `kind` `oauth2` | `token-url` and `authorize-url`: absolute URLs without user information, `{{property}}` as in `hosts`; \
`scopes` and `grants`: each 1 to 512 visible ASCII characters, at most {scopes} scopes |
| `rate` | `requests` and `per-seconds` at least 1 |

`describe` has {cpu} s of CPU and {wall} s in all, and no HTTP.

Likewise what `discover` answers: at most {types} objects; names not empty, at most {object} bytes, without control
characters, no two alike; `interaction-type` one of {kinds}; `by-absence` only with `full`; `schema` a JSON Schema. Otherwise the call
fails as `{contract}`, or as `{output}` where there are too many.
",
        name = manifest::NAME_BYTES,
        title = manifest::TITLE_BYTES,
        schema = bytes(manifest::SCHEMA_BYTES),
        hosts = manifest::HOSTS,
        schemes = manifest::SCHEMES,
        reserved = listed(&manifest::RESERVED_HEADERS),
        scopes = manifest::SCOPES,
        cpu = load::DESCRIBE_CPU.as_secs(),
        wall = load::DESCRIBE_WALL.as_secs(),
        types = count(contract::OBJECT_TYPES),
        object = contract::OBJECT_NAME_BYTES,
        kinds = listed(&contract::INTERACTION_TYPES),
        contract = FaultKind::Contract.as_str(),
        output = FaultKind::Output.as_str(),
    )
}

fn limits() -> String {
    let mut page = "
## Limits

Those without a key are part of the contract: the same on every host. Those with a key are defaults, which an operator may change;
a connector that needs more than the default will not run everywhere.

| what | at most | key | beyond it |
|---|---|---|---|
"
    .to_owned();
    let class = |kind: FaultKind| format!("the call fails as `{}`", kind.as_str());
    let (output, rejected) = (class(FaultKind::Output), "the record is rejected, the rest of the page lands");
    let cursor = format!("{output}; empty or with NUL, as `{}`", FaultKind::Contract.as_str());
    let wait = format!("{} to {} s", contract::WAIT_SECONDS.start(), count(*contract::WAIT_SECONDS.end()));
    let fixed: [(&str, String, &str); 10] = [
        ("records in a page", count(contract::PAGE_RECORDS), &output),
        ("a page, all records together", bytes(contract::PAGE_BYTES), &output),
        ("a cursor", bytes(contract::CURSOR_BYTES), &cursor),
        ("`wait`, on an empty page only", wait, "is brought into that range"),
        ("a record's `id`", format!("{MAX_ID_BYTES} bytes, not empty, without NUL"), rejected),
        ("a record's `data`", bytes(MAX_DATA_BYTES), rejected),
        ("the message of an error", bytes(text::MESSAGE_BYTES), "is cut"),
        (
            "the log of a run",
            format!("{} lines, {}", count(log::LINES), bytes(log::BYTES)),
            "lines are counted, not kept",
        ),
        ("a line of the log", bytes(text::MESSAGE_BYTES), "is cut"),
        ("a URL", bytes(target::MAX_URL_BYTES), "`denied`"),
    ];
    for (what, most, beyond) in fixed {
        let _ = writeln!(page, "| {what} | {most} | | {beyond} |");
    }
    let (cpu, wall, memory) = (class(FaultKind::Cpu), class(FaultKind::Wall), class(FaultKind::Memory));
    let set: [(&str, &str, &str, &str); 12] = [
        ("the body of a request", "egress", "request_bytes", "`denied`"),
        ("the headers of a request", "egress", "header_bytes", "`denied`"),
        ("the body of a response, decoded", "egress", "response_bytes", "`too-large`"),
        ("the headers of a response", "egress", "header_bytes", "`too-large`"),
        ("one request, waits and repetitions included", "egress", "total_timeout", "`timeout`"),
        ("redirects", "egress", "max_redirects", "`denied`"),
        ("requests in a page", "limits", "requests_per_page", "`budget-spent`"),
        ("requests in a slice of a run", "limits", "requests_per_run", "`budget-spent`"),
        ("CPU of a call", "limits", "cpu_per_call", &cpu),
        ("time of a call, HTTP included", "limits", "wall_per_call", &wall),
        ("memory of a call", "limits", "memory", &memory),
        ("the component's file", "limits", "component_bytes", "is not loaded"),
    ];
    for (what, section, key, beyond) in set {
        let most = default_of(section, key);
        let _ = writeln!(page, "| {what} | {most} | [`{section}.{key}`](../configuration.md#{section}) | {beyond} |");
    }
    page
}

fn headers_and_methods() -> String {
    let prefixes: Vec<String> = headers::REFUSED_PREFIXES.iter().map(|prefix| format!("{prefix}*")).collect();
    let methods = prepare::METHODS.each_ref().map(http::Method::as_str);
    format!(
        "
## Headers and methods

A connector may send {methods}; another method is `denied`.

A request is `denied` if it brings a header that the host writes: {refused}, {prefixes}, or the one of its own
auth scheme. `{ignored}` is ignored.

Left out of every response: {removed}.
",
        methods = listed(&methods),
        refused = listed(headers::REFUSED),
        prefixes = listed(&prefixes),
        ignored = headers::IGNORED,
        removed = listed(headers::REMOVED),
    )
}

fn imports() -> String {
    format!(
        "
## What a component may import

The interfaces of the contract: {world}. And of WASI 0.2 what language runtimes ask for to start, and the one to send
requests with: {wasi}. Behind them are clocks, random numbers, captured output and the egress gate; no environment, no
arguments, and a file system without a single folder.

A component that imports anything else is refused when it is loaded, and told why. So is one that exports
`{server}`, one for a newer contract than {newest} or an older one than {oldest}, one of WASI 0.3, and a core module.
",
        world = listed(&inspect::WORLD),
        wasi = listed(&inspect::WASI),
        server = inspect::SERVER,
        newest = world::NEWEST,
        oldest = world::OLDEST,
    )
}

/// `a`, `b`, `c`.
fn listed(names: &[impl std::fmt::Display]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn bytes(bytes: usize) -> String {
    match (bytes >> 20, bytes >> 10) {
        (mib, _) if mib > 0 && mib << 20 == bytes => format!("{mib} MiB"),
        (_, kib) if kib > 0 && kib << 10 == bytes => format!("{kib} KiB"),
        _ => format!("{bytes} bytes"),
    }
}

/// With a comma for every thousand.
fn count(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn the_page_in_the_repository_is_the_one_the_contract_says() {
    crate::reference::kept("reference/contract.md", &markdown());
}
