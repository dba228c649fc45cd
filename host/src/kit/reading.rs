//! One reading of an object, page by page, judged as a host at work would judge it; and what it leaves.

use std::collections::BTreeMap;

use super::line::Line;
use crate::connector::CallReport;
use crate::domain::outcome::Verdict;
use crate::domain::{
    CallError, Cursor, DeleteMode, Interaction, ObjectType, Outcome, Page, Patience, Progress, RecordState, check_id,
    classify,
};

/// What a reading may do until it counts as stalled: what hosts put up with by default. Records that cannot be kept are
/// shown one by one instead, however many.
pub(crate) const PATIENCE: Patience = Patience { empty_pages: 50, rejected: u32::MAX, rejected_share: 1.0 };

/// A reading in progress. Nothing but the cursor is carried from page to page.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Name of the object.
    pub object: String,
    /// Where the next page begins.
    pub cursor: Option<Cursor>,
    /// Pages read so far.
    pub pages: u32,
    progress: Progress,
}

/// What a step came to.
#[derive(Debug, Clone)]
pub enum Step {
    /// A page; the reading goes on if it says that there is more.
    Page(Page),
    /// The provider no longer knows the cursor: the reading goes on from another one.
    Rewound,
    /// The reading ends here.
    Ended(Outcome, CallError),
}

impl Reading {
    /// A reading from a cursor; from the very beginning if none.
    #[must_use]
    pub fn new(object: &str, cursor: Option<Cursor>) -> Self {
        let progress = Progress::new(cursor.as_ref(), PATIENCE);
        Self { object: object.to_owned(), cursor, pages: 0, progress }
    }

    /// Reads the next page.
    pub async fn step(&mut self, line: &Line) -> (Step, CallReport) {
        let (answer, report) = line.fetch(&self.object, self.cursor.as_ref()).await;
        (self.take(answer), report)
    }

    /// Takes an answer into account that somebody else has fetched from [`cursor`](Self::cursor).
    pub fn take(&mut self, answer: Result<Page, CallError>) -> Step {
        let judged = answer.and_then(|page| self.progress.judge(&page).map(|()| page));
        let error = match judged {
            Ok(page) => {
                self.pages += 1;
                self.cursor = Some(page.cursor.clone());
                return Step::Page(page);
            }
            Err(error) => error,
        };
        match classify(error.clone(), self.pages > 0) {
            Verdict::Rewind(resume) => match self.progress.rewound() {
                Ok(()) => {
                    self.cursor = resume.map(Cursor);
                    Step::Rewound
                }
                Err(outcome) => Step::Ended(outcome, error),
            },
            Verdict::End(outcome) => Step::Ended(outcome, error),
            Verdict::GiveBack(message) => Step::Ended(Outcome::Failed { class: "host".to_owned(), message }, error),
        }
    }
}

/// A record as it would have landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// Whether it exists.
    pub state: RecordState,
    /// When the provider changed it, as the connector says.
    pub updated_at: Option<String>,
    /// The provider's JSON.
    pub data: String,
    pass: u32,
}

/// Everything that would have landed, by id.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The records.
    pub rows: BTreeMap<String, Landed>,
    pass: u32,
}

impl Table {
    /// Lands a page: the later state of a record counts, and one without an id that can be kept is rejected.
    pub fn land(&mut self, page: &Page) {
        for record in page.interactions.iter().filter(|record| check_id(&record.id).is_ok()) {
            self.put(record);
        }
    }

    fn put(&mut self, record: &Interaction) {
        let landed = Landed {
            state: record.state.clone(),
            updated_at: record.updated_at.clone(),
            data: record.data.clone(),
            pass: self.pass,
        };
        self.rows.insert(record.id.clone(), landed);
    }

    /// Lands a page of an object, and what follows from it where it ends a complete reading.
    pub fn take(&mut self, page: &Page, object: &ObjectType) {
        self.land(page);
        if page.completes(object.mode) {
            self.pass_ends(object.deletes == DeleteMode::ByAbsence);
        }
    }

    /// A complete reading ends: what it did not meet is gone where deletes show by absence.
    pub fn pass_ends(&mut self, by_absence: bool) {
        if by_absence {
            for row in self.rows.values_mut().filter(|row| row.pass != self.pass) {
                row.state = RecordState::Deleted;
            }
        }
        self.pass += 1;
    }
}
