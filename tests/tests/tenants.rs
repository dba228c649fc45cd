//! Two customers with the same connector and the same provider: not a byte of one is seen with the other.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use syncline::domain::ObjectId;
use syncline::store::admin::RunFilter;
use syncline_tests::canary;
use syncline_tests::fakes::schema::Provider;
use syncline_tests::fakes::{self, Tenant, faults};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// What of one customer would be recognised anywhere: its credentials in any spelling.
fn assert_nothing_of(tenant: &Tenant, place: &str, text: &str) {
    assert_eq!(canary::found_of(tenant, text), None, "{place} shows a credential of {}", tenant.name);
}

async fn two_customers_of_one_connector_see_nothing_of_each_other(backend: Backend) {
    let both = [canary::named("ash", "0ash0"), canary::named("elm", "0elm0")];
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { tenants: both.to_vec(), rotate_refresh_tokens: true, ..fakes::Options::default() },
        objects: vec![],
        config: "[log]\nlevel = \"trace\"\n".to_owned(),
        ..RigOptions::default()
    })
    .await
    .unwrap();
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let synced = async || Ok(rig.objects().await?.iter().all(|object| object.synced_at.is_some()));
    rig.wait("the first sync", deadline, synced).await.unwrap();
    // Errors quote what went wrong: whose they are must not be mixed up either.
    rig.fakes.expire_tokens();
    for trouble in [faults::Trouble::Html, faults::Trouble::CutBody, faults::Trouble::Malformed] {
        // Not of the token endpoint: a refresh token that rotates is gone with an answer that nobody could read.
        for path in ["/crm/", "/services/data/"] {
            let path = Some(path.to_owned());
            rig.fakes.inject(faults::Fault { path, ..faults::Fault::new(trouble.clone(), 4) });
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    rig.settle(Duration::from_secs(60)).await.unwrap();

    let log = host.log();
    assert!(log.len() > 10_000, "the log says too little to prove anything");
    let dump = rig.dump().await.unwrap();
    for tenant in &both {
        assert_nothing_of(tenant, "the log", &log);
        assert_nothing_of(tenant, "the database", &dump);
    }

    // Every customer has what its own account holds: the fakes give an account to whoever shows its credentials, so a
    // request with the other's would have brought the other's records.
    let (mut seen, mut compared) = (Vec::new(), 0);
    for object in rig.objects().await.unwrap() {
        let name = format!("{}/{}/{}", object.customer, object.integration, object.object);
        let exported = rig.cli(&["interactions", "export", &name]).await.unwrap();
        for tenant in &both {
            assert_nothing_of(tenant, &name, &exported);
            let own = tenant.name == object.customer;
            assert!(own || !exported.contains(&tenant.salesforce_domain), "{name} names the other's account");
        }
        let runs = rig.store.runs(&RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
        for run in runs.iter().filter(|run| run.object.starts_with(&format!("{}/", object.customer))) {
            let text = format!("{run:?}");
            for tenant in both.iter().filter(|tenant| tenant.name != object.customer) {
                assert_nothing_of(tenant, &run.object, &text);
                assert!(!text.contains(&tenant.salesforce_domain), "{}: {text}", run.object);
            }
        }
        compared += usize::from(!exported.is_empty());
        seen.push((name, exported));
    }
    assert!(compared >= 4, "{compared} objects had records");
    for (name, exported) in &seen {
        let (customer, object) = name.split_once('/').unwrap();
        for (other, theirs) in &seen {
            let same = other.split_once('/').unwrap() == (customer, object);
            let like = other.ends_with(&format!("/{object}"));
            assert!(same || !like || exported.is_empty() || exported != theirs, "{name} holds what {other} holds");
        }
    }
    let found = rig.compare().await.unwrap();
    assert!(found.is_clean() && found.present > 0, "{found:#?}");
    host.drain(Duration::from_secs(15)).unwrap();
}

const PROVIDERS: [Provider; 2] = [Provider::HubSpot, Provider::Salesforce];

/// Puts a customer's own words into the first live record of every object at both providers.
fn plant(rig: &Rig, customer: &str, mark: &str) {
    for provider in PROVIDERS {
        let planted = rig.fakes.edit(customer, provider, |world, now| world.plant(&canary::content(mark), now));
        assert!(planted.unwrap() >= 5, "{customer} at {provider:?}: {planted:?}");
    }
}

/// Whether a customer's words are in a text, in any encoding.
fn holds(text: &str, mark: &str) -> bool {
    canary::found_among([&canary::words(mark)], text).is_some()
}

/// What one customer's records say, in data and in errors, is found with that customer and with nobody else.
async fn what_a_customers_records_say_is_found_with_that_customer_only(backend: Backend) {
    // A word of its records from the start, one of a change, and one of what its providers complain about.
    let marks = |name: &str| [format!("0{name}0"), format!("1{name}1"), format!("2{name}2")];
    let both = ["ash", "elm"];
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { tenants: both.map(Tenant::named).to_vec(), ..fakes::Options::default() },
        objects: vec![],
        config: "[log]\nlevel = \"trace\"\n".to_owned(),
        ..RigOptions::default()
    })
    .await
    .unwrap();
    for name in both {
        plant(&rig, name, &marks(name)[0]);
    }
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let synced = async || Ok(rig.objects().await?.iter().all(|object| object.synced_at.is_some()));
    rig.wait("the first sync", deadline, synced).await.unwrap();
    let first = exported(&rig).await;
    for name in both {
        plant(&rig, name, &marks(name)[1]);
        for path in ["/crm/", "/services/data/"] {
            let trouble = faults::Trouble::Says { status: 400, text: canary::content(&marks(name)[2]) };
            let (tenant, path) = (Some(name.to_owned()), Some(path.to_owned()));
            rig.fakes.inject(faults::Fault { tenant, path, ..faults::Fault::new(trouble, 3) });
        }
    }
    rig.wait("the complaints", deadline, async || Ok(rig.fakes.waiting() == 0)).await.unwrap();
    rig.settle(Duration::from_secs(60)).await.unwrap();

    // Records: those of the first sync hold the first word, those of the last the second; no customer's hold another's.
    for (records, which) in [(first, 0), (exported(&rig).await, 1)] {
        for name in both {
            let own = records.iter().filter(|(object, text)| of(object, name) && holds(text, &marks(name)[which]));
            let at =
                |provider: Provider| own.clone().any(|(object, _)| object.contains(&format!("/{}/", provider.name())));
            assert!(PROVIDERS.into_iter().all(at) && own.clone().count() >= 10, "{}", own.count());
            for (object, text) in records.iter().filter(|(object, _)| !of(object, name)) {
                assert!(!marks(name).iter().any(|mark| holds(text, mark)), "{object} holds what {name}'s records say");
            }
        }
    }
    // Errors: in runs, in what the command line says of runs and objects, and in the log.
    let runs = rig.store.runs(&RunFilter { limit: 10_000, ..RunFilter::default() }).await.unwrap();
    let mut told = BTreeMap::from(both.map(|name| (name, 0)));
    for run in &runs {
        let mut text = format!("{run:?}");
        if run.state != "succeeded" {
            text += &rig.cli(&["runs", "show", &run.id.to_string(), "--json"]).await.unwrap();
        }
        for name in both {
            let found = marks(name).iter().any(|mark| holds(&text, mark));
            assert!(!found || of(&run.object, name), "{}: {text}", run.object);
            *told.get_mut(name).unwrap() += usize::from(found);
        }
    }
    assert!(told.values().all(|runs| *runs >= 2), "the providers' words are in no run: {told:?}");
    for object in rig.objects().await.unwrap() {
        let name = format!("{}/{}/{}", object.customer, object.integration, object.object);
        let shown = rig.cli(&["object", "show", &name, "--json"]).await.unwrap();
        let others = both.iter().filter(|other| **other != object.customer);
        for mark in others.flat_map(|other| marks(other)) {
            assert!(!holds(&shown, &mark), "{name}: {shown}");
        }
    }
    let log = host.log();
    let mut lines = 0;
    for name in both {
        for line in log.lines().filter(|line| marks(name).iter().any(|mark| holds(line, mark))) {
            // What a provider complains about is quoted; what is in records is nobody's business.
            assert!(holds(line, &marks(name)[2]) && line.contains(name), "{line}");
            let others = both.iter().filter(|other| **other != name);
            assert!(others.clone().all(|other| !line.contains(*other)), "{line}");
            lines += 1;
        }
    }
    assert!(lines >= 2, "the log quotes nothing");
    let found = rig.compare().await.unwrap();
    assert!(found.is_clean() && found.present > 0, "{found:#?}");
    host.drain(Duration::from_secs(15)).unwrap();
}

/// Whether an object `customer/integration/name` is this customer's.
fn of(object: &str, customer: &str) -> bool {
    object.split('/').next() == Some(customer)
}

/// What landed of every object: as it is exported, and as it lies in the store.
async fn exported(rig: &Rig) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for object in rig.objects().await.unwrap() {
        let name = format!("{}/{}/{}", object.customer, object.integration, object.object);
        let exported = rig.cli(&["interactions", "export", &name]).await.unwrap();
        let landed = rig.landed(ObjectId(object.id)).await.unwrap();
        all.push((name, format!("{exported}\n{landed:?}")));
    }
    all
}

on_both_footings! {
    two_customers_of_one_connector_see_nothing_of_each_other,
    what_a_customers_records_say_is_found_with_that_customer_only,
}
