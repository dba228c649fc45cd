//! What is due is dispatched: once, in turns, and nothing else.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use syncline::domain::schedule::interval_share;
use syncline::domain::{ObjectId, Outcome};
use syncline::queue::{Message, QueueName};
use syncline::store::runs::Finish;

use crate::support::{Db, LEASE, ME, THROTTLE, finish};

on_both!(
    an_object_that_was_never_synced_is_due_at_once,
    an_object_that_is_due_later_is_not_dispatched,
    an_object_is_dispatched_once_per_throttle_window_however_often_the_scheduler_ticks,
    the_throttle_window_counts_although_a_lost_run_is_forgotten,
    a_paused_held_or_quarantined_object_is_not_dispatched,
    a_request_waits_for_the_end_of_the_throttle_window_unless_it_is_forced,
    a_request_during_a_run_is_kept_until_the_run_is_over,
    an_outage_coalesces_into_one_run_per_object,
    after_an_outage_the_runs_begin_one_after_the_other_within_ten_minutes,
    only_what_was_left_lying_for_an_interval_is_put_off,
    a_thousand_objects_created_together_are_dispatched_apart_after_their_first_sync,
    no_more_than_asked_for_are_dispatched_and_the_longest_due_come_first,
    sixteen_schedulers_dispatch_each_of_ten_thousand_objects_exactly_once,
    a_customer_with_ten_thousand_does_not_keep_the_others_waiting,
    a_run_that_used_its_slice_up_goes_behind_its_customers_work_and_an_interrupted_one_before_it,
    an_object_whose_records_are_landing_can_be_dispatched,
);

async fn an_object_that_was_never_synced_is_due_at_once(db: Db) {
    let object = db.one_object().await;
    assert_eq!(db.dispatch().await, 1);
    let run = db.last_run(object).await;
    assert_eq!((run.trigger.as_str(), run.state.as_str()), ("schedule", "dispatched"));
    assert_eq!(run.object, "acme/crm/contacts");
    let row = db.row(object).await;
    assert_eq!((row.active, row.epoch, row.dispatched_at.is_some()), (1, 0, true));
    let expected = Message::Retrieve { run: syncline::domain::RunId(run.id), object };
    assert_eq!(db.messages(QueueName::Retrieve).await, [expected]);
}

async fn an_object_that_is_due_later_is_not_dispatched(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let row = db.end(&claim, Outcome::Succeeded).await;
    let interval = row.due_at - row.synced_at.unwrap();
    assert_eq!(interval, 180 * 60_000);
    db.pass(Duration::from_secs(180 * 60 - 10)).await;
    assert_eq!(db.dispatch().await, 0);
    db.pass(Duration::from_secs(11)).await;
    assert_eq!(db.dispatch().await, 1);
}

async fn an_object_is_dispatched_once_per_throttle_window_however_often_the_scheduler_ticks(db: Db) {
    let object = db.one_object().await;
    for _ in 0..3 {
        let claim = db.start(object).await;
        // Ends at once and is due at once: only the throttle stands between this run and the next.
        let ending = finish(Outcome::Failed { class: "other".to_owned(), message: "no".to_owned() });
        db.finish(ME, claim.lease, &syncline::store::runs::Finish { due_in: Duration::ZERO, ..ending })
            .await
            .unwrap()
            .unwrap();
        for _ in 0..5 {
            assert_eq!(db.dispatch().await, 0);
        }
        db.pass(THROTTLE - Duration::from_secs(10)).await;
        assert_eq!(db.dispatch().await, 0);
        db.pass(Duration::from_secs(11)).await;
    }
    assert_eq!(db.count("runs").await, 3);
}

async fn the_throttle_window_counts_although_a_lost_run_is_forgotten(db: Db) {
    let object = db.one_object().await;
    assert_eq!(db.dispatch().await, 1);
    db.reset_cursor(object, None).await.unwrap();
    assert_eq!(db.dispatch().await, 0);
    db.pass(THROTTLE).await;
    assert_eq!(db.dispatch().await, 1);
}

async fn a_paused_held_or_quarantined_object_is_not_dispatched(db: Db) {
    let customer = db.customer_of("acme").await;
    let (_, objects) = db.integration_of(customer, &["paused", "quarantined"]).await;
    let held = db.integration_with(customer, "other", vec![crate::support::object_type("held")]).await.0;
    db.execute(&format!("UPDATE objects SET state = 'quarantined' WHERE id = {}", objects[1])).await;
    db.set_paused(&objects[..1], true, Some("on purpose")).await.unwrap();
    db.set_integration_paused(held, true, None).await.unwrap();
    assert_eq!(db.dispatch().await, 0);

    db.set_integration_paused(held, false, None).await.unwrap();
    assert_eq!(db.dispatch().await, 1);
    db.set_paused(&objects, false, None).await.unwrap();
    assert_eq!(db.dispatch().await, 2);
}

async fn a_request_waits_for_the_end_of_the_throttle_window_unless_it_is_forced(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let dispatched = db.end(&claim, Outcome::Succeeded).await.dispatched_at.unwrap();

    assert_eq!(db.trigger(&[object], THROTTLE, false).await.unwrap(), 1);
    assert_eq!(db.row(object).await.due_at, dispatched + 60_000);
    assert_eq!(db.dispatch().await, 0);
    assert_eq!(db.trigger(&[object], THROTTLE, true).await.unwrap(), 1);
    assert_eq!(db.dispatch().await, 1);
    assert_eq!(db.last_run(object).await.trigger, "manual");
    assert_eq!(db.trigger(&[ObjectId(999)], THROTTLE, true).await.unwrap(), 0);
}

async fn a_request_during_a_run_is_kept_until_the_run_is_over(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.trigger(&[object], THROTTLE, false).await.unwrap();
    assert_eq!(db.dispatch().await, 0, "nothing ever runs twice in parallel");
    let row = db.end(&claim, Outcome::Succeeded).await;
    assert!(row.due_at <= row.now, "due at once");
    db.apply_intervals(Some(Duration::from_secs(7)), &BTreeMap::new()).await.unwrap();
    db.pass(THROTTLE).await;
    assert_eq!(db.dispatch().await, 1);
    assert_eq!(db.last_run(object).await.trigger, "manual");
}

async fn an_outage_coalesces_into_one_run_per_object(db: Db) {
    let objects = db.crowd("acme", 20).await;
    for object in &objects {
        let claim = db.start(*object).await;
        db.end(&claim, Outcome::Succeeded).await;
    }
    db.messages(QueueName::Retrieve).await;
    db.pass(Duration::from_secs(10 * 24 * 3_600)).await;
    assert_eq!(db.dispatch().await, 20);
    assert_eq!(db.dispatch().await, 0);
    assert_eq!(db.count("runs WHERE state = 'dispatched'").await, 20);
    db.pass(TEN_MINUTES).await;
    assert_eq!(db.messages(QueueName::Retrieve).await.len(), 20);
    assert_eq!(db.dispatch().await, 0);
}

const TEN_MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The most of these times in a twentieth of a stretch that begins at 0, over what each would have if they lay evenly.
fn peak_over_mean(times: &[i64], stretch_ms: i64) -> f64 {
    let mut twentieths = [0_u32; 20];
    for time in times {
        twentieths[usize::try_from(time * 20 / stretch_ms).unwrap()] += 1;
    }
    f64::from(*twentieths.iter().max().unwrap()) * 20.0 / times.len() as f64
}

/// How much later than dispatched the runs that nobody has claimed may begin, by object.
async fn put_off(db: &Db) -> BTreeMap<ObjectId, i64> {
    let runs = db.texts("SELECT object_id || ' ' || (not_before - dispatched_at) FROM runs WHERE state = 'dispatched'");
    let pairs = runs.await.into_iter().map(|run| {
        let (object, later) = run.split_once(' ').unwrap();
        (ObjectId(object.parse().unwrap()), later.parse().unwrap())
    });
    pairs.collect()
}

/// Makes objects look as if they had been read just now.
async fn read_just_now(db: &Db) {
    let now = db.now_ms().await.unwrap();
    let read = "synced_at = $, dispatched_at = $, due_at = $ + effective_interval_ms".replace('$', &now.to_string());
    db.execute(&format!("UPDATE objects SET {read}")).await;
}

async fn after_an_outage_the_runs_begin_one_after_the_other_within_ten_minutes(db: Db) {
    let seldom = db.crowd("seldom", 1_000).await;
    let often = db.crowd("often", 1_000).await;
    db.execute(&format!("UPDATE objects SET effective_interval_ms = 60000 WHERE id >= {}", often[0])).await;
    read_just_now(&db).await;
    db.pass(DAY).await;
    assert_eq!(db.dispatch().await, 2_000, "one run for each object");
    let later = put_off(&db).await;
    for (objects, stretch) in [(&seldom, TEN_MINUTES), (&often, Duration::from_secs(60))] {
        let later: Vec<i64> = objects.iter().map(|object| later[object]).collect();
        let peak = peak_over_mean(&later, i64::try_from(stretch.as_millis()).unwrap());
        assert!(peak <= 1.5, "{peak} within {stretch:?}");
    }
    // They wait in the outbox, and nothing brings them forward or makes another run of them.
    let rung = async || db.messages(QueueName::Retrieve).await.len();
    let mut ready = rung().await;
    db.sweep(Duration::from_secs(60), 10_000).await.unwrap();
    assert_eq!(db.dispatch().await, 0);
    ready += rung().await;
    assert!(ready < 200, "{ready} of 2,000 begin at once");
    db.pass(Duration::from_secs(60)).await;
    ready += rung().await;
    assert!((1_050..1_300).contains(&ready), "{ready} within a minute, of 1,000 that have one and 1,000 that have ten");
    db.pass(TEN_MINUTES).await;
    ready += rung().await;
    assert_eq!((ready, db.dispatch().await, db.count("runs").await), (2_000, 0, 2_000));
}

async fn only_what_was_left_lying_for_an_interval_is_put_off(db: Db) {
    let objects = db.crowd("acme", 7).await;
    let [lying, asked, forced, late, throttled, resumed, hurried] = objects[..] else { panic!("{objects:?}") };
    read_just_now(&db).await;
    db.set_paused(&[resumed], true, None).await.unwrap();
    db.pass(DAY).await;
    let never = {
        let customer = db.customer_of("new").await;
        db.integration_of(customer, &["contacts"]).await.1[0]
    };
    let now = db.now_ms().await.unwrap();
    let interval = 180 * 60_000;
    db.trigger(&[asked], THROTTLE, false).await.unwrap();
    db.trigger(&[forced], THROTTLE, true).await.unwrap();
    db.set_paused(&[resumed], false, None).await.unwrap();
    db.execute(&format!("UPDATE objects SET due_at = {} WHERE id = {late}", now - interval + 60_000)).await;
    db.execute(&format!("UPDATE objects SET dispatched_at = {} WHERE id = {throttled}", now - interval)).await;
    assert_eq!(db.dispatch().await, 8);
    let later = put_off(&db).await;
    for object in [lying, hurried] {
        assert!(later[&object] > 0, "{object} begins at once: {later:?}");
        let claim = db.claim_run(db.last_run(object).await.id, object).await;
        assert!(claim.is_none(), "{object} was claimed before its time");
    }
    for object in [asked, forced, late, throttled, resumed, never] {
        assert_eq!(later[&object], 0, "{object}");
    }

    // Somebody asks for it meanwhile: it begins now, and once more when it is over, as whatever runs does.
    let rung = async || db.messages(QueueName::Retrieve).await.into_iter().map(object_of).collect::<HashSet<_>>();
    assert_eq!(rung().await, [asked, forced, late, throttled, resumed, never].into());
    db.trigger(&[hurried], THROTTLE, false).await.unwrap();
    assert_eq!(rung().await, [hurried].into());
    let claim = db.claim_run(db.last_run(hurried).await.id, hurried).await.unwrap();
    assert!(db.end(&claim, Outcome::Succeeded).await.due_at <= db.now_ms().await.unwrap());
    db.pass(TEN_MINUTES).await;
    assert_eq!(rung().await, [lying].into());
    assert!(db.claim_run(db.last_run(lying).await.id, lying).await.is_some());
}

async fn a_thousand_objects_created_together_are_dispatched_apart_after_their_first_sync(db: Db) {
    const INTERVAL_MS: i64 = 180 * 60_000;
    let twentieth = Duration::from_millis(INTERVAL_MS.unsigned_abs() / 20);
    let sync = async || {
        let jobs = db.messages(QueueName::Retrieve).await;
        for job in &jobs {
            let Message::Retrieve { run, object } = *job else { panic!("{job:?}") };
            let claim = db.claim(run, object, ME, LEASE).await.unwrap().unwrap();
            let interval_share = interval_share(object, !claim.synced);
            let ending = Finish { interval_share, ..finish(Outcome::Succeeded) };
            db.finish(ME, claim.lease, &ending).await.unwrap().unwrap();
        }
        jobs.len()
    };
    db.crowd("acme", 1_000).await;
    assert_eq!(db.dispatch().await, 1_000, "never synced: all at once");
    assert_eq!(sync().await, 1_000);
    for interval in 0..2 {
        let mut times = Vec::new();
        for tick in 0..20 {
            db.pass(twentieth).await;
            let dispatched = db.dispatch().await;
            assert_eq!(sync().await as u64, dispatched, "something was put off");
            times.extend(vec![tick * INTERVAL_MS / 20; usize::try_from(dispatched).unwrap()]);
        }
        assert_eq!(times.len(), 1_000, "each once in an interval");
        let peak = peak_over_mean(&times, INTERVAL_MS);
        assert!(peak <= 1.5, "{peak} in interval {interval} after the first sync");
    }
}

async fn no_more_than_asked_for_are_dispatched_and_the_longest_due_come_first(db: Db) {
    let objects = db.crowd("acme", 5).await;
    for (n, object) in objects.iter().enumerate() {
        db.execute(&format!("UPDATE objects SET due_at = due_at - {n} * 1000 WHERE id = {object}")).await;
    }
    assert_eq!(db.dispatch_due(2, THROTTLE).await.unwrap(), 2);
    let rung: Vec<_> = db.messages(QueueName::Retrieve).await.into_iter().map(object_of).collect();
    assert_eq!(rung, [objects[4], objects[3]]);
    assert_eq!(db.dispatch_due(10, THROTTLE).await.unwrap(), 3);
}

async fn sixteen_schedulers_dispatch_each_of_ten_thousand_objects_exactly_once(db: Db) {
    db.crowd("acme", 10_000).await;
    let host = db.second_host().await;
    let schedulers: Vec<_> = (0..16)
        .map(|n| {
            let store = if n % 2 == 0 { db.store() } else { host.clone() };
            tokio::spawn(async move {
                let mut all = 0;
                let mut idle = 0;
                while idle < 2 {
                    let dispatched = store.dispatch_due(300, THROTTLE).await.unwrap();
                    idle = if dispatched == 0 { idle + 1 } else { 0 };
                    all += dispatched;
                }
                all
            })
        })
        .collect();
    let mut all = 0;
    for scheduler in schedulers {
        all += scheduler.await.unwrap();
    }
    assert_eq!(all, 10_000);
    assert_eq!(db.number("SELECT COUNT(DISTINCT object_id) FROM runs").await, Some(10_000));
    assert_eq!(db.count("runs").await, 10_000);
    let messages: HashSet<_> = db.messages(QueueName::Retrieve).await.into_iter().map(object_of).collect();
    assert_eq!(messages.len(), 10_000);
    assert_eq!(db.count("objects WHERE active = 1").await, 10_000);
    host.close().await;
}

/// The place in the order of service of the job that comes last of `customer`, but for a twentieth of them.
fn p95(order: &[ObjectId], customer: &HashSet<ObjectId>) -> usize {
    let places: Vec<_> = order.iter().enumerate().filter(|(_, o)| customer.contains(o)).map(|(n, _)| n + 1).collect();
    places[places.len() * 95 / 100 - 1]
}

async fn a_customer_with_ten_thousand_does_not_keep_the_others_waiting(db: Db) {
    let dispatch = async || while db.dispatch_due(1_000, THROTTLE).await.unwrap() > 0 {};
    let served = async |jobs| {
        let rows = db.take_outbox(QueueName::Retrieve, jobs, Duration::from_secs(60)).await.unwrap();
        let taken: Vec<_> = rows.iter().map(|row| (row.id, row.attempts)).collect();
        db.delete_outbox(&taken).await.unwrap();
        rows.iter().map(|row| object_of(Message::decode(&row.body).unwrap())).collect::<Vec<_>>()
    };
    // Twenty customers with ten objects each, alone.
    let mut small = HashSet::new();
    for customer in 0..20 {
        small.extend(db.crowd(&format!("small{customer}"), 10).await);
    }
    dispatch().await;
    let alone = p95(&served(1_000).await, &small);
    assert_eq!(alone, 190);

    // With a large one that comes first, all at once.
    db.execute("UPDATE objects SET active = 0, dispatched_at = NULL, due_at = 1000; DELETE FROM runs").await;
    let large: HashSet<_> = db.crowd("large", 10_000).await.into_iter().collect();
    db.execute(&format!("UPDATE objects SET due_at = 1 WHERE id >= {}", large.iter().map(|o| o.0).min().unwrap()))
        .await;
    dispatch().await;
    let begin = served(500).await;
    let beside = p95(&begin, &small);
    assert!(beside <= 2 * alone, "{beside} beside the large one, {alone} alone");
    assert_eq!(begin.iter().filter(|object| large.contains(object)).count(), 300, "nobody works for the large one");

    // They come back while the large one's work is not half done, and the clock has gone far ahead of the line.
    served(3_000).await;
    db.execute("UPDATE outbox SET order_key = order_key - 3600000, available_at = available_at - 3600000").await;
    let ids: Vec<_> = small.iter().map(|object| object.0.to_string()).collect();
    let ids = ids.join(",");
    db.execute(&format!(
        "UPDATE objects SET active = 0, dispatched_at = NULL WHERE id IN ({ids}); DELETE FROM runs WHERE object_id IN ({ids})"
    ))
    .await;
    dispatch().await;
    let beside = p95(&served(500).await, &small);
    assert!(beside <= 2 * alone, "{beside} behind what the large one has left, {alone} alone");
    let left = served(10_000).await;
    assert!(
        left.iter().all(|object| large.contains(object)) && left.len() == 10_000 - 300 - 3_000 - 300,
        "{}",
        left.len()
    );
}

async fn a_run_that_used_its_slice_up_goes_behind_its_customers_work_and_an_interrupted_one_before_it(db: Db) {
    let busy = db.crowd("busy", 5).await;
    let other = db.crowd("other", 1).await[0];
    db.dispatch().await;
    let claims = [
        db.claim_run(db.last_run(busy[0]).await.id, busy[0]).await.unwrap(),
        db.claim_run(db.last_run(busy[1]).await.id, busy[1]).await.unwrap(),
    ];
    db.execute(&format!(
        "DELETE FROM outbox WHERE dedup IN ('r{}', 'r{}')",
        claims[0].lease.run.0, claims[1].lease.run.0
    ))
    .await;
    db.give_back(ME, claims[0].lease, Duration::ZERO, true).await.unwrap().unwrap();
    db.give_back(ME, claims[1].lease, Duration::ZERO, false).await.unwrap().unwrap();
    let order: Vec<_> = db.messages(QueueName::Retrieve).await.into_iter().map(object_of).collect();
    let place = |object| order.iter().position(|o| *o == object).unwrap();
    assert_eq!(place(busy[0]), 5, "{order:?}");
    assert!(place(busy[1]) <= 1 && place(other) <= 1, "{order:?}");
}

async fn an_object_whose_records_are_landing_can_be_dispatched(db: Db) {
    let object = db.one_object().await;
    if db.is_sqlite() {
        return; // One writer: it waits for its turn.
    }
    // What landing holds on the object's row while it inserts rows that point at it.
    let share = format!("BEGIN; SELECT 1 FROM objects WHERE id = {object} FOR KEY SHARE");
    let landing = {
        let db = db.clone();
        tokio::spawn(async move { db.execute(&format!("{share}; SELECT pg_sleep(1); COMMIT")).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(db.dispatch().await, 1);
    assert!(!landing.is_finished());
    landing.await.unwrap();
}

fn object_of(message: Message) -> ObjectId {
    match message {
        Message::Retrieve { object, .. } | Message::Process { object, .. } => object,
    }
}
