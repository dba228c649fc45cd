//! Named places at which a test can have this process die or panic, or another one go first.
//!
//! Every write transaction passes two of them (`commit a page/before`, `commit a page/after`), and so does every effect
//! outside the database: a send, a receive, a delete, a call of a connector. Builds without debug assertions hold none.
//!
//! - `SYNCLINE_CRASH_AT=NAME[#N]` in the environment ends the process, without any goodbye, when it passes the place of
//!   that name for the N-th time (the first, unless told).
//! - `SYNCLINE_PANIC_AT=NAME[#N],...` has the task panic that passes such a place for the N-th time, once each.
//! - `SYNCLINE_POINTS_FILE=PATH` notes there each place once, when it is first passed, a line each.
//! - `SYNCLINE_HISTORY_FILE=PATH` gets a line for each [`note!`]: what no database sees, such as a page that was fetched and
//!   never committed.
//! - [`install`] hands every passing to a [`Hook`] of this process, which may hold it up for as long as it likes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use async_trait::async_trait;

/// Passes a place: `point!("commit a page", before)`. Nothing at all in builds without debug assertions.
macro_rules! point {
    ($operation:expr, $side:ident) => {
        #[cfg(debug_assertions)]
        $crate::points::pass(concat!($operation, "/", stringify!($side))).await
    };
}
pub(crate) use point;

/// Notes what is done under a lease: `note!("fetch", lease)`. Nothing at all in builds without debug assertions.
macro_rules! note {
    ($what:literal, $lease:expr) => {
        #[cfg(debug_assertions)]
        $crate::points::write_down($what, $lease.object.0, $lease.epoch)
    };
}
pub(crate) use note;

/// Is told of every passing.
#[async_trait]
pub trait Hook: Send + Sync {
    /// The task that calls passes this place, and goes on when the answer comes.
    async fn pass(&self, place: &'static str);
}

static HOOK: OnceLock<Box<dyn Hook>> = OnceLock::new();

/// Hands every passing from now on to this hook. The first one stays: false if there was one.
pub fn install(hook: Box<dyn Hook>) -> bool {
    HOOK.set(hook).is_ok()
}

/// A passing of a place that somebody waits for: `NAME[#N]`.
struct Wish {
    place: String,
    passing: u64,
    passed: AtomicU64,
}

impl Wish {
    fn parse(text: &str) -> Self {
        let counted = text.rsplit_once('#').and_then(|(place, passing)| Some((place, passing.parse().ok()?)));
        let (place, passing) = counted.unwrap_or((text, 1));
        Self { place: place.to_owned(), passing, passed: AtomicU64::new(0) }
    }

    /// Counts a passing. Whether it is the one.
    fn comes_true(&self, place: &str) -> bool {
        self.place == place && self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.passing
    }
}

/// What the environment asks for.
struct Armed {
    /// Where to end.
    crash: Option<Wish>,
    /// Where to panic.
    panics: Vec<Wish>,
    /// Where to note what was passed.
    notes: Option<PathBuf>,
    noted: Mutex<BTreeSet<&'static str>>,
}

impl Armed {
    fn from_environment() -> Self {
        let panics = std::env::var("SYNCLINE_PANIC_AT").unwrap_or_default();
        Self {
            crash: std::env::var("SYNCLINE_CRASH_AT").ok().as_deref().map(Wish::parse),
            panics: panics.split(',').map(Wish::parse).collect(),
            notes: std::env::var_os("SYNCLINE_POINTS_FILE").map(Into::into),
            noted: Mutex::new(BTreeSet::new()),
        }
    }

    #[expect(clippy::panic, reason = "what a test asks for")]
    fn pass(&self, place: &'static str) {
        if let Some(path) = &self.notes
            && self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(place)
            && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
        {
            let _ = writeln!(file, "{place}");
        }
        if self.crash.as_ref().is_some_and(|wish| wish.comes_true(place)) {
            std::process::abort();
        }
        if self.panics.iter().filter(|wish| wish.comes_true(place)).count() > 0 {
            panic!("asked to panic at {place}");
        }
    }
}

/// What [`point!`] becomes in builds with debug assertions.
pub async fn pass(place: &'static str) {
    static ARMED: OnceLock<Armed> = OnceLock::new();
    ARMED.get_or_init(Armed::from_environment).pass(place);
    if let Some(hook) = HOOK.get() {
        hook.pass(place).await;
    }
}

/// What [`note!`] becomes in builds with debug assertions: one line, in one write, so that many hosts can share the file.
pub fn write_down(what: &str, object: i64, epoch: i64) {
    static FILE: OnceLock<Option<std::fs::File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = std::env::var_os("SYNCLINE_HISTORY_FILE")?;
        std::fs::OpenOptions::new().create(true).append(true).open(path).ok()
    });
    if let Some(mut file) = file.as_ref() {
        let _ = file.write_all(format!("{what} {object} {epoch}\n").as_bytes());
    }
}
