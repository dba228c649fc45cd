//! See the body of this name in `host/src/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| syncline::fuzz::rows(bytes));
