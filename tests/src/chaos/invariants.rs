//! What must be true of the database at every moment, asked of it in SQL.

use anyhow::Result;

use crate::rig::Rig;

/// What would be wrong, and how many rows say so.
const WRONGS: [(&str, &str); 6] = [
    (
        "a page was committed by a claim older than the page before",
        "SELECT COUNT(*) FROM (SELECT epoch, LAG(epoch) OVER (PARTITION BY object_id ORDER BY seq) AS before FROM batches) b \
         WHERE epoch < before",
    ),
    (
        "an object was dispatched twice in a window",
        "SELECT COUNT(*) FROM (SELECT object_id FROM runs GROUP BY object_id, window_start HAVING COUNT(*) > 1) d",
    ),
    (
        "an object has two active runs, or says that it has none",
        "SELECT COUNT(*) FROM objects o WHERE o.active <> (SELECT COUNT(*) FROM runs r WHERE r.object_id = o.id \
         AND r.state IN ('dispatched', 'running'))",
    ),
    (
        "a cursor is behind its batches",
        "SELECT COUNT(*) FROM objects o WHERE o.cursor_seq < (SELECT COALESCE(MAX(seq), 0) FROM batches b \
         WHERE b.object_id = o.id)",
    ),
    (
        "a run counted records that no batch holds: the cursor is ahead of them",
        "SELECT COUNT(*) FROM runs r WHERE r.interactions <> (SELECT COALESCE(SUM(records), 0) FROM batches b \
         WHERE b.run_id = r.id)",
    ),
    (
        "an object says that it landed what has not",
        "SELECT COUNT(*) FROM objects o JOIN batches b ON b.object_id = o.id WHERE b.state = 'committed' \
         AND b.seq <= o.landed_seq",
    ),
];

/// What is wrong right now; nothing, if all is as it must be.
///
/// # Errors
/// When the database fails.
pub async fn broken(rig: &Rig) -> Result<Vec<&'static str>> {
    let mut found = Vec::new();
    for (what, query) in WRONGS {
        if rig.count(query).await? > 0 {
            found.push(what);
        }
    }
    Ok(found)
}
