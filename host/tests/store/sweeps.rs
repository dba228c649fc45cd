//! Mark and sweep: what a complete pass did not show is gone, unless that is too much to be believed.

use syncline::domain::{Interaction, ObjectId, batch};
use syncline::store::landing::Landed;
use syncline::store::runs::{Claim, PageCommit};

use super::landing::record;
use crate::support::{Db, ME, page};

on_both!(
    what_a_complete_pass_did_not_show_is_swept,
    a_sweep_that_deletes_too_much_waits_for_a_person,
    a_swept_record_that_comes_back_is_present_again,
    a_page_behind_the_pass_is_no_part_of_it,
    a_later_pass_that_shows_everything_withdraws_a_refused_sweep,
);

impl Db {
    /// Reads a whole pass in pages of these records and lands it.
    async fn pass_of(&self, claim: &Claim, pages: &[&[&str]]) -> Landed {
        let object = claim.lease.object;
        let began = self.number(&format!("SELECT pass_seq FROM objects WHERE id = {object}")).await.unwrap();
        for (n, ids) in pages.iter().enumerate() {
            let records: Vec<Interaction> = ids.iter().map(|id| record(id, "{}")).collect();
            let last = n + 1 == pages.len();
            let page = PageCommit {
                payload: batch::encode(&records),
                sweep_seq: last.then_some(began),
                pass_ends: last,
                ..page("c")
            };
            self.commit_page(ME, claim.lease, &page).await.unwrap().unwrap();
        }
        self.land_all(object).await
    }

    async fn present(&self, object: ObjectId) -> String {
        let states = self.states(object).await;
        states.iter().filter(|(_, state)| *state == "present").map(|(id, _)| id.as_str()).collect()
    }
}

async fn start(db: &Db) -> (ObjectId, Claim) {
    let object = db.one_object().await;
    (object, db.start(object).await)
}

async fn what_a_complete_pass_did_not_show_is_swept(db: Db) {
    let (object, claim) = start(&db).await;
    let integration = claim.integration;
    assert_eq!(db.pass_of(&claim, &[&["a", "b"], &["c", "d"]]).await, Landed { inserted: 4, ..Landed::default() });
    let before = db.changes(integration, 0, 10).await.unwrap();
    let again = db.pass_of(&claim, &[&["d", "a"], &["c"]]).await;
    assert_eq!(again, Landed { unchanged: 3, swept: 1, ..Landed::default() });
    assert_eq!(db.present(object).await, "acd");
    let change = db.changes(integration, before[3].change_seq, 10).await.unwrap();
    assert_eq!(change.len(), 1);
    assert_eq!((change[0].id.as_str(), change[0].state.as_str()), ("b", "deleted"));
    // An empty page can end a pass as well.
    let empty = db.pass_of(&claim, &[&["a", "c"], &[]]).await;
    assert_eq!(empty, Landed { unchanged: 2, swept: 1, ..Landed::default() });
    assert_eq!(db.present(object).await, "ac");
}

async fn a_sweep_that_deletes_too_much_waits_for_a_person(db: Db) {
    let (object, claim) = start(&db).await;
    db.pass_of(&claim, &[&["a", "b", "c", "d"]]).await;
    assert_eq!(db.confirm_sweep(object).await.unwrap(), 0, "there is none");
    let refused = db.pass_of(&claim, &[&["a"]]).await;
    assert_eq!(refused, Landed { unchanged: 1, sweep_refused: 3, ..Landed::default() });
    assert_eq!(db.present(object).await, "abcd");
    assert_eq!(db.row(object).await.pending_sweep_seq, Some(1));

    let feed = db.changes(claim.integration, 0, 10).await.unwrap();
    let last = feed.last().unwrap().change_seq;
    assert_eq!(db.confirm_sweep(object).await.unwrap(), 3);
    assert_eq!(db.present(object).await, "a");
    let changes = db.changes(claim.integration, last, 10).await.unwrap();
    assert_eq!(changes.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["b", "c", "d"]);
    assert_eq!(db.confirm_sweep(object).await.unwrap(), 0);
    assert_eq!(db.row(object).await.pending_sweep_seq, None);
}

async fn a_swept_record_that_comes_back_is_present_again(db: Db) {
    let (object, claim) = start(&db).await;
    db.pass_of(&claim, &[&["a", "b", "c"]]).await;
    db.pass_of(&claim, &[&["a", "b"]]).await;
    assert_eq!(db.present(object).await, "ab");
    let back = db.pass_of(&claim, &[&["a", "b", "c"]]).await;
    assert_eq!(back, Landed { changed: 1, unchanged: 2, ..Landed::default() });
    assert_eq!(db.present(object).await, "abc");
    assert_eq!(db.count("interactions WHERE external_id = 'c' AND data IS NOT NULL").await, 1);
}

async fn a_page_behind_the_pass_is_no_part_of_it(db: Db) {
    let (object, claim) = start(&db).await;
    db.pass_of(&claim, &[&["a", "b", "c"]]).await;
    // The pass ends, and the first page of the next has been fetched when both land together.
    let records = [record("a", "{}"), record("b", "{}")];
    let last = PageCommit { payload: batch::encode(&records), sweep_seq: Some(1), pass_ends: true, ..page("c") };
    db.commit_page(ME, claim.lease, &last).await.unwrap().unwrap();
    db.fetch(&claim, &[record("d", "{}")]).await;
    let landed = db.land_all(object).await;
    assert_eq!(landed, Landed { inserted: 1, unchanged: 2, swept: 1, ..Landed::default() });
    assert_eq!(db.present(object).await, "abd");
}

async fn a_later_pass_that_shows_everything_withdraws_a_refused_sweep(db: Db) {
    let (object, claim) = start(&db).await;
    db.pass_of(&claim, &[&["a", "b", "c"]]).await;
    assert_eq!(db.pass_of(&claim, &[&[]]).await.sweep_refused, 3);
    assert_eq!(db.pass_of(&claim, &[&["a", "b", "c"]]).await.unchanged, 3);
    assert_eq!(db.confirm_sweep(object).await.unwrap(), 0);
    assert_eq!(db.present(object).await, "abc");
}
