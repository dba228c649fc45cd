//! Invariant 4: batches that come twice, late, out of order or in other groups leave the same table behind.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use syncline::domain::{Interaction, ObjectId, RecordState, batch};
use syncline::store::landing::CommittedBatch;

use super::landing::record;
use crate::support::{Db, object_type};

/// Pages of an object, and groups of pages as they are landed: with repetitions, in any order.
type Story = (Vec<Vec<Interaction>>, Vec<Vec<usize>>);

fn interaction() -> impl Strategy<Value = Interaction> {
    let state = prop_oneof![
        4 => Just(RecordState::Present),
        1 => Just(RecordState::Deleted),
        1 => (0..6_u8).prop_map(|id| RecordState::MergedInto(id.to_string())),
    ];
    (0..6_u8, 0..3_u8, state).prop_map(|(id, n, state)| {
        let data = if state == RecordState::Present { format!(r#"{{"n": {n}}}"#) } else { String::new() };
        Interaction { state, ..record(&id.to_string(), &data) }
    })
}

fn story() -> impl Strategy<Value = Story> {
    prop::collection::vec(prop::collection::vec(interaction(), 1..5), 1..7).prop_flat_map(|pages| {
        let all: Vec<usize> = (0..pages.len()).collect();
        let again = prop::collection::vec(0..pages.len(), 0..5);
        let order = again.prop_flat_map(move |again| Just([all.clone(), again].concat()).prop_shuffle());
        let groups = (order, prop::collection::vec(1..4_usize, 12)).prop_map(|(order, sizes)| {
            let mut rest = order.as_slice();
            let mut groups = Vec::new();
            for size in sizes {
                let (group, tail) = rest.split_at(size.min(rest.len()));
                let mut group = group.to_vec();
                group.sort_unstable();
                group.dedup();
                groups.push(group);
                rest = tail;
            }
            groups.retain(|group| !group.is_empty());
            groups
        });
        (Just(pages), groups)
    })
}

/// Tells one story on two objects, straight and as it came, and compares what landed.
async fn tell(db: &Db, pages: &[Vec<Interaction>], groups: &[Vec<usize>]) -> Result<(), TestCaseError> {
    let customer = db.customer_of(&format!("c{}", db.count("customers").await)).await;
    let (_, objects) = db.integration_with(customer, "crm", vec![object_type("a"), object_type("b")]).await;
    let mut batches = Vec::new();
    for object in &objects {
        let claim = db.start(*object).await;
        for page in pages {
            db.fetch(&claim, page).await;
        }
        batches.push(db.committed_batches(*object, 100, i64::MAX).await.unwrap());
    }
    for stored in &batches[0] {
        db.land_batches(objects[0], std::slice::from_ref(stored)).await.unwrap();
    }
    let mut changes = 0;
    for group in groups {
        let group: Vec<CommittedBatch> = group.iter().map(|page| batches[1][*page].clone()).collect();
        revive(db, &group).await;
        let landed = db.land_batches(objects[1], &group).await.unwrap();
        let all = landed.inserted + landed.changed + landed.unchanged + landed.stale;
        changes += landed.inserted + landed.changed;
        prop_assert!(all <= group.iter().map(records).sum::<u64>());
    }
    let straight = db.landed(objects[0]).await;
    prop_assert_eq!(&straight, &db.landed(objects[1]).await);
    prop_assert!(straight.len() as u64 <= changes);
    prop_assert_eq!(unique(db, objects[1]).await, straight.len() as i64);
    Ok(())
}

fn records(stored: &CommittedBatch) -> u64 {
    batch::decode(stored.payload.as_deref().unwrap()).unwrap().len() as u64
}

/// Lets batches come again although they have landed: a restore, or a destination that keeps no state of its own.
async fn revive(db: &Db, group: &[CommittedBatch]) {
    let ids: Vec<_> = group.iter().map(|stored| stored.id.to_string()).collect();
    db.execute(&format!("UPDATE batches SET state = 'committed' WHERE id IN ({})", ids.join(","))).await;
}

async fn unique(db: &Db, object: ObjectId) -> i64 {
    db.number(&format!("SELECT COUNT(DISTINCT change_seq) FROM interactions WHERE object_id = {object}")).await.unwrap()
}

fn tell_many(cases: u32, open: impl AsyncFn() -> Db) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(open());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let told = TestRunner::new(config).run(&story(), |(pages, groups)| runtime.block_on(tell(&db, &pages, &groups)));
    told.unwrap_or_else(|failure| panic!("{failure}"));
    runtime.block_on(db.discard());
}

#[test]
fn any_order_repetition_and_grouping_of_batches_lands_the_same_on_sqlite() {
    tell_many(60, Db::sqlite);
}

#[test]
fn any_order_repetition_and_grouping_of_batches_lands_the_same_on_postgres() {
    tell_many(60, Db::postgres);
}
