//! One landing of an object at a time in this process. Two would read and check the same batches, and the database would
//! let only one of them have its way.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ObjectId;

/// The objects that are being landed, and whether a bell rang for them meanwhile.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ObjectId, bool>>);

/// The right to land an object, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    object: ObjectId,
}

impl Turns {
    /// The turn for an object. None while somebody has it: they look once more before they end it.
    pub(super) fn take(&self, object: ObjectId) -> Option<Turn<'_>> {
        match self.entries().entry(object) {
            Entry::Occupied(mut rang) => {
                rang.insert(true);
                None
            }
            Entry::Vacant(free) => {
                free.insert(false);
                Some(Turn { turns: self, object })
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<ObjectId, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Ends the turn of who found nothing more to land; gives it back where a bell rang since it began or since this was
    /// asked last.
    pub(super) fn end(self) -> Option<Self> {
        let mut entries = self.turns.entries();
        if entries.insert(self.object, false) == Some(true) {
            drop(entries);
            return Some(self);
        }
        // Ended under the lock, and not once more when it is dropped: a bell that rings from here on finds the place free.
        entries.remove(&self.object);
        drop(entries);
        std::mem::forget(self);
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.entries().remove(&self.object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_that_rings_during_a_landing_is_answered_by_it_and_one_after_it_by_the_next() {
        let (turns, object) = (Turns::default(), ObjectId(7));
        let turn = turns.take(object).unwrap();
        assert!(turns.take(ObjectId(8)).is_some(), "another object");
        assert!(turns.take(object).is_none() && turns.take(object).is_none());
        let turn = turn.end().expect("a bell rang");
        assert!(turn.end().is_none(), "and none since");
        drop(turns.take(object).expect("free again"));
        assert!(turns.take(object).is_some(), "what fails leaves its place");
    }
}
