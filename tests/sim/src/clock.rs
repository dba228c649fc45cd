//! The two clocks of a simulated world: the databases' own, and the one that hosts measure waits with.
//!
//! SQLite's is taken over by a function `unixepoch` of ours, which every new connection of this process gets and which
//! goes before the built-in one of that name. Postgres's is a function `clock_timestamp` in a schema that is searched
//! before the system's, see `database.rs`. Production SQL does not know of either.

use std::ffi::{c_char, c_int};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use libsqlite3_sys as ffi;
use tokio::time::Instant;

/// When every world begins, unix milliseconds.
pub const BEGIN_MS: i64 = 1_800_000_000_000;

static NOW_MS: AtomicI64 = AtomicI64::new(BEGIN_MS);

/// The time, unix milliseconds.
#[must_use]
pub fn now_ms() -> i64 {
    NOW_MS.load(Ordering::SeqCst)
}

/// Sets the time of this process: what SQLite says, and what [`monotonic`] says.
pub fn set(ms: i64) {
    NOW_MS.store(ms, Ordering::SeqCst);
}

/// The time as hosts measure it.
#[must_use]
pub fn monotonic() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let passed = u64::try_from(now_ms() - BEGIN_MS).unwrap_or(0);
    *ORIGIN.get_or_init(Instant::now) + Duration::from_millis(passed)
}

/// Takes SQLite's clock over, for every connection that this process opens from now on.
pub fn take_over_sqlite() {
    // SAFETY: the function has the signature of an extension's entry point, and lives as long as the process.
    #[expect(unsafe_code, reason = "SQLite is a C library")]
    unsafe {
        ffi::sqlite3_auto_extension(Some(on_open));
    }
}

/// Called by SQLite for each connection that is opened.
#[expect(unsafe_code, reason = "SQLite is a C library")]
unsafe extern "C" fn on_open(
    db: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    let name = c"unixepoch".as_ptr();
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS;
    // SAFETY: SQLite gives an open connection; name and function are static; there is no state to free.
    unsafe {
        ffi::sqlite3_create_function_v2(db, name, 2, flags, std::ptr::null_mut(), Some(unixepoch), None, None, None)
    }
}

/// `unixepoch('now', 'subsec')`: the only form that the store writes.
#[expect(unsafe_code, reason = "SQLite is a C library")]
unsafe extern "C" fn unixepoch(
    context: *mut ffi::sqlite3_context,
    _count: c_int,
    _arguments: *mut *mut ffi::sqlite3_value,
) {
    // A little more than the millisecond: the statements cut off what is behind it, and no rounding may take one away.
    let seconds = (now_ms() as f64 + 0.25) / 1_000.0;
    // SAFETY: SQLite gives the context of this call.
    unsafe { ffi::sqlite3_result_double(context, seconds) }
}
