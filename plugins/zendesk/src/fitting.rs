//! Asking for fewer rows when they are too large.

use syncline_sdk::Interaction;

use crate::failure::Failure;

/// What the host takes in a page is 8 MiB and 1,000 records.
const PAGE_BYTES: usize = 7 << 20;
const PAGE_RECORDS: usize = 1_000;

/// Reads fewer rows at once until they fit the host's page.
pub(crate) fn fitting<T>(
    mut limit: u32,
    mut read: impl FnMut(u32) -> Result<(Vec<Interaction>, T), Failure>,
) -> Result<(Vec<Interaction>, T), Failure> {
    loop {
        match read(limit) {
            Ok((records, _)) if limit > 1 && !fits(&records) => {}
            Err(failure) if limit > 1 && failure.is_too_large() => {}
            result => return result,
        }
        limit = (limit / 4).max(1);
    }
}

/// Whether the host takes these records in one page.
pub(crate) fn fits(records: &[Interaction]) -> bool {
    records.len() <= PAGE_RECORDS && bytes(records) <= PAGE_BYTES
}

/// Bytes of these records' data.
pub(crate) fn bytes(records: &[Interaction]) -> usize {
    records.iter().map(|record| record.data.len()).sum()
}
