//! The sins, by name. Those that send requests do so through the door of the contract, or with `-wasi` behind the name
//! through `wasi:http`.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use crate::ask::{Ask, Door};
use crate::bindings::syncline::connector::log::{self, Level};
use crate::bindings::syncline::connector::types::{Context, Error, Page};
use crate::{page, record, wasi};

/// Everything that `fetch` does on request.
pub const NAMES: &[&str] = &[
    "ok",
    "spin",
    "hog",
    "panic",
    "sleep",
    "huge-output",
    "huge-log",
    "log-flood",
    "print-flood",
    "log-escapes",
    "egress",
    "egress-wasi",
    "egress-many",
    "egress-many-wasi",
    "hoard-wasi",
    "unfinished-wasi",
    "wrong-length-wasi",
    "many-headers-wasi",
    "deep-stack",
    "deep-frames",
    "same-cursor",
    "cycle",
    "empty-forever",
    "big-cursor",
    "no-cursor",
    "wait-with-records",
    "wait-long",
    "no-id",
    "many-records",
    "huge-record",
    "bad-json",
    "exit",
    "files",
    "environment",
    "random",
    "state",
    "expired-badly",
    "unavailable",
];

/// Commits one. `cursor` is where the last page ended.
pub fn commit(name: &str, context: &Context, cursor: Option<String>) -> Result<Page, Error> {
    let step: u64 = cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let one = || vec![record("1", r#"{"id": "1"}"#)];
    let (name, door) = match name.strip_suffix("-wasi") {
        Some(name) => (name, Door::Wasi),
        None => (name, Door::Contract),
    };
    Ok(match name {
        "ok" => {
            log::emit(Level::Info, "fetched", &[("object".to_owned(), name.to_owned())]);
            page(one(), &(step + 1).to_string())
        }
        "spin" => spin(),
        "hog" => hog(),
        "panic" => panic!("the cart has no horse"),
        "sleep" => {
            std::thread::sleep(Duration::from_secs(3_600));
            page(Vec::new(), "late")
        }
        "huge-output" => page((0..32).map(|n| record(&n.to_string(), &"x".repeat(1 << 20))).collect(), "1"),
        "huge-log" => {
            log::emit(Level::Info, &"x".repeat(20 << 20), &[]);
            page(Vec::new(), "1")
        }
        "log-flood" => {
            for n in 0..20_000 {
                log::emit(Level::Warn, &format!("line {n}"), &[]);
            }
            page(one(), "1")
        }
        "print-flood" => {
            for n in 0..20_000 {
                println!("stdout {n}");
                eprintln!("stderr {n}");
            }
            page(one(), "1")
        }
        "log-escapes" => {
            log::emit(Level::Error, "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nERROR: forged line", &[]);
            page(one(), "1")
        }
        // Sends the request that the cursor spells out, and tells all it has seen of the answer.
        "egress" => match door.send(&Ask::read(cursor.as_deref().unwrap_or(&context.config))) {
            Ok(answer) => page(vec![record(&answer.status.to_string(), &answer.told())], "1"),
            Err(error) => return Err(Error::Unavailable(error)),
        },
        // Sends it again and again, until it is refused.
        "egress-many" => {
            let ask = Ask::read(cursor.as_deref().unwrap_or_default());
            let refused = (0..600).find_map(|sent| door.send(&ask).err().map(|error| (sent, error)));
            let (sent, error) = refused.unwrap_or((600, "never".to_owned()));
            return Err(Error::Unavailable(format!("after {sent}: {error}")));
        }
        // Lets eight answers come and reads none of them.
        "hoard" => {
            let ask = Ask::read(cursor.as_deref().unwrap_or_default());
            let answers = wasi::hoard(&ask, 8);
            let kept = answers.iter().filter(|answer| answer.is_ok()).count();
            let refused = answers.iter().find_map(|answer| answer.as_ref().err());
            page(vec![record(&format!("{kept} {refused:?}"), "{}")], "1")
        }
        "unfinished" => return Err(Error::Unavailable(wasi::unfinished())),
        "wrong-length" => return Err(Error::Unavailable(wasi::wrong_length())),
        "many-headers" => return Err(Error::Unavailable(wasi::many_headers())),
        "deep-stack" => page(vec![record(&descend(step).to_string(), "{}")], "1"),
        "deep-frames" => page(vec![record(&descend_with_frames(0).to_string(), "{}")], "1"),
        "same-cursor" => Page { more: true, ..page(one(), "same") },
        "cycle" => Page { more: true, ..page(one(), &((step + 1) % 3).to_string()) },
        "empty-forever" => Page { more: true, ..page(Vec::new(), &(step + 1).to_string()) },
        "big-cursor" => page(one(), &"c".repeat((16 << 10) + 1)),
        "no-cursor" => page(one(), ""),
        "wait-with-records" => Page { wait: Some(5), ..page(one(), "1") },
        "wait-long" => Page { wait: Some(u64::MAX), more: true, ..page(Vec::new(), "1") },
        "no-id" => page(vec![record("", "{}"), record("2", "{}")], "1"),
        "many-records" => page((0..1_001).map(|n| record(&n.to_string(), "{}")).collect(), "1"),
        "huge-record" => page(vec![record("1", &format!("{{\"x\": \"{}\"}}", "x".repeat((1 << 20) + 1)))], "1"),
        "bad-json" => page(vec![record("1", "{\"id\": "), record("2", "{}")], "1"),
        "exit" => std::process::exit(3),
        "files" => {
            let found = ["/", ".", "/etc/passwd", "/proc/self/environ"]
                .iter()
                .filter(|path| std::fs::read_dir(path).is_ok() || std::fs::read(path).is_ok())
                .count();
            let wrote = std::fs::write("/tmp/hostile", "x").is_ok();
            page(vec![record(&format!("{found} {wrote}"), "{}")], "1")
        }
        "environment" => {
            let id = format!("{} {}", std::env::vars().count(), std::env::args().count());
            page(vec![record(&id, "{}")], "1")
        }
        "random" => {
            // The keys of a hash map come from the host's random numbers.
            let map: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
            let order: Vec<String> = map.keys().map(ToString::to_string).collect();
            page(vec![record(&order.join(","), "{}")], "1")
        }
        // Counts its own calls, which only works if an instance survives one.
        "state" => {
            use std::sync::atomic::{AtomicU32, Ordering};
            static CALLS: AtomicU32 = AtomicU32::new(0);
            page(vec![record(&CALLS.fetch_add(1, Ordering::Relaxed).to_string(), "{}")], "1")
        }
        "expired-badly" => return Err(Error::CursorExpired(Some(String::new()))),
        "unavailable" => return Err(Error::Unavailable("\u{1b}[31m".repeat(10_000))),
        other => return Err(Error::Unexpected(format!("no object {other:?}"))),
    })
}

/// Computes for ever.
pub fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn hog() -> ! {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(vec![1; 1 << 20]);
        black_box(&held);
    }
}

/// Fills the stack that the host lends: nothing in here lives in linear memory.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { descend(depth + 1).wrapping_mul(3) ^ depth }
}

/// Fills the stack that the toolchain keeps at the bottom of linear memory.
fn descend_with_frames(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if frame[1] == u64::MAX { 0 } else { descend_with_frames(depth + 1) + black_box(frame)[2] }
}
