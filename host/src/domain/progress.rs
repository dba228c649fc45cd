//! Whether a run gets anywhere: what only somebody can judge who sees page after page. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{CallError, Cursor, FaultKind, Outcome, Page};

/// Times that a run may be sent back to an earlier cursor.
const MOST_REWINDS: u32 = 3;

/// The pages of one run so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Hashes of the cursors.
    seen: HashSet<u64>,
    empty_pages: u32,
    most_empty_pages: u32,
    rewinds: u32,
}

impl Progress {
    /// A run that begins at this cursor and may have so many empty pages in a row while there is more to read.
    #[must_use]
    pub fn new(from: Option<&Cursor>, most_empty_pages: u32) -> Self {
        Self { seen: from.into_iter().map(fingerprint).collect(), empty_pages: 0, most_empty_pages, rewinds: 0 }
    }

    /// Takes the next page into account.
    ///
    /// # Errors
    /// [`FaultKind::Stalled`] where its cursor came before although there is more to read, or too many pages in a row
    /// were empty. Waiting for the provider is no stall.
    pub fn judge(&mut self, page: &Page) -> Result<(), CallError> {
        let waits = page.wait_seconds.is_some();
        if page.more && !waits && !self.seen.insert(fingerprint(&page.cursor)) {
            let text = "the cursor came before in this run although there is more to read".to_owned();
            return Err(CallError::Fault(FaultKind::Stalled, text));
        }
        self.empty_pages = if page.more && !waits && page.interactions.is_empty() { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > self.most_empty_pages {
            let text = format!("{} empty pages in a row although there is more to read", self.empty_pages);
            return Err(CallError::Fault(FaultKind::Stalled, text));
        }
        Ok(())
    }

    /// The run is sent back to an earlier cursor: what came before may come again.
    ///
    /// # Errors
    /// How the run ends where it has been sent back too often.
    pub fn rewound(&mut self) -> Result<(), Outcome> {
        if self.rewinds == MOST_REWINDS {
            let message = "the provider keeps forgetting the cursor".to_owned();
            return Err(Outcome::Failed { class: "cursor-expired".to_owned(), message });
        }
        self.rewinds += 1;
        self.seen.clear();
        Ok(())
    }
}

fn fingerprint(cursor: &Cursor) -> u64 {
    let mut hasher = DefaultHasher::new();
    cursor.0.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cursor: &str, more: bool, wait_seconds: Option<u64>) -> Page {
        Page { interactions: Vec::new(), cursor: Cursor(cursor.to_owned()), more, wait_seconds, pass_complete: false }
    }

    #[test]
    fn a_cursor_that_comes_back_while_there_is_more_is_a_stall() {
        let mut progress = Progress::new(Some(&Cursor("a".to_owned())), 10);
        assert!(progress.judge(&page("b", true, None)).is_ok());
        assert!(matches!(progress.judge(&page("a", true, None)), Err(CallError::Fault(FaultKind::Stalled, _))));
        assert!(progress.judge(&page("a", false, None)).is_ok());
        progress.rewound().unwrap();
        assert!(progress.judge(&page("a", true, None)).is_ok());
    }

    #[test]
    fn waiting_is_no_stall_and_endless_empty_pages_are_one() {
        let mut progress = Progress::new(None, 2);
        for _ in 0..100 {
            assert!(progress.judge(&page("a", true, Some(1))).is_ok());
        }
        assert!(progress.judge(&page("b", true, None)).is_ok());
        assert!(progress.judge(&page("c", true, None)).is_ok());
        assert!(progress.judge(&page("d", true, None)).is_err());
    }
}
