//! Whether a run gets anywhere: what only somebody can judge who sees page after page. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::batch::Record;
use super::{CallError, Cursor, FaultKind, Interaction, Outcome, Page};

/// Times that a run may be sent back to an earlier cursor.
const MOST_REWINDS: u32 = 3;

/// Records that cannot be kept which say nothing yet about the rest, whatever their share.
const FEW: f64 = 10.0;

/// How much is put up with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Empty pages in a row while there is more to read.
    pub empty_pages: u32,
    /// Records that cannot be kept.
    pub rejected: u32,
    /// Share of the records read that these may be, once there are more than ten of them.
    pub rejected_share: f64,
}

/// The pages of one run so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Hashes of the cursors.
    seen: HashSet<u64>,
    empty_pages: u32,
    patience: Patience,
    rewinds: u32,
    records: usize,
    rejected: usize,
}

impl Progress {
    /// A run that begins at this cursor.
    #[must_use]
    pub fn new(from: Option<&Cursor>, patience: Patience) -> Self {
        let seen = from.into_iter().map(fingerprint).collect();
        Self { seen, empty_pages: 0, patience, rewinds: 0, records: 0, rejected: 0 }
    }

    /// Takes the next page into account.
    ///
    /// # Errors
    /// [`FaultKind::Stalled`] where its cursor came before although there is more to read, or too many pages in a row
    /// were empty. Waiting for the provider is no stall. [`FaultKind::Contract`] where too many of the run's records
    /// cannot be kept: a page that is refused moves no cursor, so nothing is lost while somebody mends the connector.
    pub fn judge(&mut self, page: &Page) -> Result<(), CallError> {
        let waits = page.wait_seconds.is_some();
        if page.more && !waits && !self.seen.insert(fingerprint(&page.cursor)) {
            let text = "the cursor came before in this run although there is more to read".to_owned();
            return Err(CallError::Fault(FaultKind::Stalled, text));
        }
        self.empty_pages = if page.more && !waits && page.interactions.is_empty() { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > self.patience.empty_pages {
            let text = format!("{} empty pages in a row although there is more to read", self.empty_pages);
            return Err(CallError::Fault(FaultKind::Stalled, text));
        }
        self.keepable(&page.interactions)
    }

    fn keepable(&mut self, records: &[Interaction]) -> Result<(), CallError> {
        let mut last = None;
        for reason in records.iter().filter_map(|record| Record::from(record).check().err()) {
            self.rejected += 1;
            last = Some(reason);
        }
        self.records += records.len();
        let Some(reason) = last else { return Ok(()) };
        let Patience { rejected, rejected_share, .. } = self.patience;
        if self.rejected as f64 > f64::from(rejected).min((self.records as f64 * rejected_share).max(FEW)) {
            let text = format!(
                "{} of {} records cannot be kept, more than `retrieve.rejected_records` and `retrieve.rejected_share` \
                 put up with; the last one: {reason}",
                self.rejected, self.records
            );
            return Err(CallError::Fault(FaultKind::Contract, text));
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
    use crate::domain::RecordState;

    const PATIENCE: Patience = Patience { empty_pages: 2, rejected: 100, rejected_share: 0.01 };

    fn page(cursor: &str, more: bool, wait_seconds: Option<u64>) -> Page {
        Page { interactions: Vec::new(), cursor: Cursor(cursor.to_owned()), more, wait_seconds, pass_complete: false }
    }

    #[test]
    fn a_cursor_that_comes_back_while_there_is_more_is_a_stall() {
        let mut progress = Progress::new(Some(&Cursor("a".to_owned())), PATIENCE);
        assert!(progress.judge(&page("b", true, None)).is_ok());
        assert!(matches!(progress.judge(&page("a", true, None)), Err(CallError::Fault(FaultKind::Stalled, _))));
        assert!(progress.judge(&page("a", false, None)).is_ok());
        progress.rewound().unwrap();
        assert!(progress.judge(&page("a", true, None)).is_ok());
    }

    #[test]
    fn waiting_is_no_stall_and_endless_empty_pages_are_one() {
        let mut progress = Progress::new(None, PATIENCE);
        for _ in 0..100 {
            assert!(progress.judge(&page("a", true, Some(1))).is_ok());
        }
        assert!(progress.judge(&page("b", true, None)).is_ok());
        assert!(progress.judge(&page("c", true, None)).is_ok());
        assert!(progress.judge(&page("d", true, None)).is_err());
    }

    fn records(good: usize, nameless: usize) -> Page {
        let record = |id: String| Interaction {
            id,
            version: None,
            updated_at: None,
            state: RecordState::Present,
            data: "{}".to_owned(),
        };
        let ids = (0..good).map(|id| id.to_string()).chain(vec![String::new(); nameless]);
        Page { interactions: ids.map(record).collect(), ..page("a", false, None) }
    }

    #[test]
    fn a_few_records_that_cannot_be_kept_are_put_up_with_and_many_are_not() {
        let kept = |pages: &[(usize, usize)]| {
            let mut progress = Progress::new(None, PATIENCE);
            pages.iter().all(|(good, nameless)| progress.judge(&records(*good, *nameless)).is_ok())
        };
        assert!(kept(&[(0, 10)]) && !kept(&[(0, 11)]));
        assert!(kept(&[(990, 10), (990, 10), (900, 0)]), "one in a hundred");
        assert!(!kept(&[(990, 10), (89, 11)]), "more than one in a hundred");
        assert!(kept(&[(100_000, 100)]) && !kept(&[(100_000, 101)]));
        let Err(CallError::Fault(FaultKind::Contract, text)) = Progress::new(None, PATIENCE).judge(&records(5, 20))
        else {
            panic!("put up with");
        };
        assert!(text.contains("20 of 25 records") && text.contains("it has no id"), "{text}");
    }
}
