//! Sins against what the host keeps for a guest, and the answers that no honest toolchain produces.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bindings::syncline::connector::http::{self, Method, Request};
use crate::bindings::syncline::connector::log::{self, Level};
use crate::bindings::syncline::connector::types::{Error, Interaction, Page};
use crate::{page, record, sins, wasi};

/// Everything that [`commit`] does on request.
pub const NAMES: &[&str] = &[
    "hog-at-once",
    "hog-by-pages",
    "unreachable",
    "out-of-bounds",
    "divide-by-zero",
    "spin-after-answer",
    "spin-clock",
    "sleep-often",
    "random-for-ever",
    "random-at-once",
    "hoard-timers",
    "hoard-headers",
    "hoard-requests",
    "header-huge",
    "header-count",
    "method-huge",
    "fields-huge",
    "fields-escapes",
    "error-huge",
    "error-nul",
    "not-utf8",
    "not-utf8-cursor",
    "nul-cursor",
    "nul-id",
    "nameless",
    "long-id",
    "nul-data",
    "raw-nul-data",
    "deep-json",
    "many-digits",
    "not-an-object",
    "same-id",
    "merged-into-itself",
    "odd-dates",
    "thread",
    "stdin",
    "panic-long",
    "panic-in-drop",
];

/// The memory of a guest that may stop giving it back: what the host frees behind an answer is then an endless call.
struct Trapdoor;

static NEVER_FREE: AtomicBool = AtomicBool::new(false);

// SAFETY: everything is the system's allocator's work.
unsafe impl GlobalAlloc for Trapdoor {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if NEVER_FREE.load(Ordering::Relaxed) {
            sins::spin();
        }
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static MEMORY: Trapdoor = Trapdoor;

/// Panics when it is thrown away.
struct Grudge;

impl Drop for Grudge {
    fn drop(&mut self) {
        panic!("not in peace");
    }
}

/// Commits one; none if the name is not among them.
pub fn commit(name: &str) -> Option<Result<Page, Error>> {
    let one = || vec![record("1", r#"{"id": "1"}"#)];
    let only = |record: Interaction| page(vec![record], "1");
    Some(Ok(match name {
        "hog-at-once" => {
            let mut held: Vec<u8> = Vec::new();
            held.resize(1 << 30, 1);
            page(one(), &black_box(held).len().to_string())
        }
        // The instruction itself, without an allocator that might be sensible; its refusal is no failure to the guest.
        "hog-by-pages" => loop {
            if core::arch::wasm32::memory_grow(0, 1) == usize::MAX {
                sins::spin();
            }
        },
        "unreachable" => core::arch::wasm32::unreachable(),
        "out-of-bounds" => {
            let far = black_box(0xffff_fff0_usize) as *const u64;
            // SAFETY: none; the sandbox ends it.
            page(one(), &unsafe { far.read_volatile() }.to_string())
        }
        "divide-by-zero" => {
            let zero = black_box(0_i64);
            page(one(), &1_i64.checked_div(zero).unwrap_or_else(|| core::arch::wasm32::unreachable()).to_string())
        }
        "spin-after-answer" => {
            NEVER_FREE.store(true, Ordering::Relaxed);
            page(one(), "1")
        }
        "spin-clock" => {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(3_600) {}
            page(one(), "1")
        }
        "sleep-often" => {
            for _ in 0..1_000_000 {
                std::thread::sleep(Duration::from_millis(20));
            }
            page(one(), "1")
        }
        "random-for-ever" => loop {
            black_box(wasip2::random::random::get_random_bytes(1 << 16));
        },
        "random-at-once" => page(one(), &wasip2::random::random::get_random_bytes(1 << 30).len().to_string()),
        "hoard-timers" => {
            let timers: Vec<_> =
                (0..10_000_000).map(|_| wasip2::clocks::monotonic_clock::subscribe_duration(1)).collect();
            page(one(), &timers.len().to_string())
        }
        "hoard-headers" => page(one(), &wasi::hoard_headers().to_string()),
        "hoard-requests" => page(one(), &wasi::hoard_requests().to_string()),
        "header-huge" => {
            return Some(Err(Error::Unavailable(ask("GET", vec![("x".to_owned(), "v".repeat(15 << 20))]))));
        }
        "header-count" => {
            let headers = (0..100_000).map(|n| (format!("x-{n}"), "v".to_owned())).collect();
            return Some(Err(Error::Unavailable(ask("GET", headers))));
        }
        "method-huge" => return Some(Err(Error::Unavailable(ask(&"M".repeat(1 << 20), Vec::new())))),
        "fields-huge" => {
            let fields: Vec<_> = (0..20_000).map(|n| (format!("key {n}"), "v".repeat(100))).collect();
            log::emit(Level::Info, "fields", &fields);
            page(one(), "1")
        }
        "fields-escapes" => {
            log::emit(Level::Info, "\0\u{9b}31m\u{202e}", &[("\u{1b}[2J\n".to_owned(), "\r\n\0".to_owned())]);
            page(one(), "1")
        }
        "error-huge" => return Some(Err(Error::Unexpected("e".repeat(20 << 20)))),
        "error-nul" => return Some(Err(Error::Other(("co\0de\n".to_owned(), "te\0xt\u{1b}]0;x\u{7}".to_owned())))),
        "not-utf8" => only(record(&not_utf8(), "{}")),
        "not-utf8-cursor" => page(one(), &not_utf8()),
        "nul-cursor" => page(one(), "a\0b"),
        "nul-id" => only(record("a\0b", "{}")),
        "nameless" => page((0..50).map(|_| record("", "{}")).collect(), "a"),
        "long-id" => only(record(&"i".repeat(513), "{}")),
        "nul-data" => only(record("1", r#"{"id": "1", "text": "a\u0000b"}"#)),
        "raw-nul-data" => only(record("1", "{\"id\": \"1\", \"text\": \"a\0b\"}")),
        "deep-json" => only(record("1", &format!("{{\"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000)))),
        "many-digits" => only(record("18446744073709551616", r#"{"id": 18446744073709551616, "x": 1e400}"#)),
        "not-an-object" => only(record("1", "[1, 2]")),
        "same-id" => page((0..1_000).map(|n| record("1", &format!("{{\"n\": {n}}}"))).collect(), "1"),
        "merged-into-itself" => {
            use crate::bindings::syncline::connector::types::RecordState;
            only(Interaction { state: RecordState::MergedInto("1".to_owned()), ..record("1", "{}") })
        }
        "odd-dates" => only(Interaction {
            version: Some("v\0".to_owned()),
            updated_at: Some("-99999-13-45T99:99:99Z\0".to_owned()),
            ..record("1", "{}")
        }),
        "thread" => {
            let started = std::thread::Builder::new().spawn(|| ()).is_ok();
            only(record(&started.to_string(), "{}"))
        }
        "stdin" => {
            let mut text = String::new();
            let read = std::io::Read::read_to_string(&mut std::io::stdin(), &mut text);
            only(record(&format!("{}", read.unwrap_or(0)), "{}"))
        }
        "panic-long" => panic!("\u{1b}[31m{}", "p".repeat(1 << 20)),
        "panic-in-drop" => {
            let _grudge = Grudge;
            page(one(), "1")
        }
        _ => return None,
    }))
}

/// Bytes that no text has, declared as one.
fn not_utf8() -> String {
    // SAFETY: nobody in here looks at it; the host does.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]) }
}

fn ask(method: &str, headers: Vec<(String, String)>) -> String {
    let request = Request {
        method: if method == "GET" { Method::Get } else { Method::Other(method.to_owned()) },
        url: "https://api.example.com/".to_owned(),
        headers,
        body: None,
        idempotent: false,
        attributes: Vec::new(),
    };
    match http::send(&request) {
        Ok(response) => format!("answered {}", response.status),
        Err(error) => format!("{error:?}").chars().take(300).collect(),
    }
}
