//! The Zendesk connector against the fake Zendesk.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use syncline_fakes::{
    FakeProviders, Options,
    faults::{Fault, Knobs, Trouble},
    schema::Provider,
};
use syncline_sdk::Connector as _;
use syncline_sdk::testing::Harness;
use zendesk::Zendesk;

use crate::bridge::Bridge;
use crate::reader::Reader;

const MINUTE_MS: u32 = 60_000;

async fn fakes(records: u32) -> FakeProviders {
    let knobs = Knobs { rates: [(Provider::Zendesk, 10)].into(), ..Knobs::default() };
    let options =
        Options { providers: vec![Provider::Zendesk], records_per_object: records, knobs, ..Options::default() };
    FakeProviders::start(options).await.unwrap()
}

fn bridge(fakes: &FakeProviders) -> Bridge {
    let pair = BASE64_STANDARD.encode("admin@a.test/token:token-a");
    Bridge { addr: fakes.addr(Provider::Zendesk).unwrap(), authorization: format!("Basic {pair}") }
}

/// A reader of every object.
fn readers<'a>(fakes: &'a FakeProviders, config: &Value) -> Vec<Reader<'a>> {
    let harness = Harness::new(&Zendesk).config(config).http(bridge(fakes));
    Zendesk.check(&harness.ctx()).unwrap();
    let objects = Zendesk.discover(&harness.ctx()).unwrap();
    let reader = |object: syncline_sdk::ObjectType| Reader {
        fakes,
        provider: Provider::Zendesk,
        connector: &Zendesk,
        bridge: bridge(fakes),
        config: config.clone(),
        object: object.name,
        deletes: object.deletes,
        cursor: None,
        landed: BTreeMap::new(),
        pass: BTreeSet::new(),
    };
    objects.into_iter().map(reader).collect()
}

/// Lets everything become visible, reads on, and compares.
fn end(fakes: &FakeProviders, readers: &mut [Reader<'_>]) {
    fakes.clear_faults();
    fakes.advance(2 * MINUTE_MS);
    assert!(fakes.settled());
    for reader in readers {
        assert!(reader.run(10_000), "{} never ends", reader.object);
        reader.assert_truth();
        assert!(!reader.landed.is_empty(), "{}", reader.object);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_changes_between_and_during_runs_end_as_the_truth() {
    let fakes = fakes(150).await;
    tokio::task::block_in_place(|| {
        let config = json!({"subdomain": "a", "page_size": 40});
        let mut readers = readers(&fakes, &config);
        let mut state = 11_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..25 {
            for reader in &mut readers {
                fakes.change(u32::try_from(random(12)).unwrap());
                fakes.advance(u32::try_from(random(40_000)).unwrap());
                // Some runs end in the middle, as where a host dies.
                reader.run(1 + usize::try_from(random(6)).unwrap());
            }
        }
        end(&fakes, &mut readers);
        assert!(fakes.stats().total().limited > 0, "the limit of the exports was met");
        assert_eq!(fakes.stats().total().early, 0, "and kept to");
    });
    fakes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_every_kind_cost_time_and_no_record() {
    let fakes = fakes(120).await;
    tokio::task::block_in_place(|| {
        let mut readers = readers(&fakes, &json!({"subdomain": "a", "page_size": 25}));
        let status = |status, html| Trouble::Status { status, retry_after: None, html };
        let troubles = [
            // The body of 422 says that the cursor is no longer known.
            status(422, false),
            status(429, false),
            status(500, false),
            status(503, true),
            Trouble::CutBody,
            Trouble::Empty,
            Trouble::Malformed,
            Trouble::Html,
        ];
        for trouble in troubles {
            for reader in &mut readers {
                fakes.change(5);
                fakes.advance(MINUTE_MS / 2);
                fakes.inject(Fault { skip: 1, ..Fault::new(trouble.clone(), 1) });
                reader.run(4);
            }
        }
        end(&fakes, &mut readers);
    });
    fakes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_with_more_rows_than_an_export_shows_is_read_to_its_end() {
    let fakes = fakes(50).await;
    tokio::task::block_in_place(|| {
        let mut readers = readers(&fakes, &json!({"subdomain": "a"}));
        readers.iter_mut().for_each(|reader| assert!(reader.run(1_000)));
        for object in ["organizations", "ticket_comments", "tickets", "users"] {
            fakes.edit("a", Provider::Zendesk, |world, now| {
                for _ in 0..2_300 {
                    world.create(object, now).unwrap();
                }
            });
        }
        fakes.advance(MINUTE_MS + 1_000);
        // And rows of a later second behind them. No ticket is deleted: the comments of a deleted one cannot be asked for.
        fakes.edit("a", Provider::Zendesk, |world, now| {
            for object in ["organizations", "ticket_comments", "tickets", "users"] {
                world.create(object, now).unwrap();
            }
            assert!(world.update("organizations", 2_000, now));
        });
        end(&fakes, &mut readers);
        let of = |name: &str| fakes.stats().total().requests.get(name).copied().unwrap_or(0);
        assert!(of("zendesk.comments") >= 50 && of("zendesk.list") >= 23, "both ways out were taken");
    });
    fakes.stop().await;
}
