//! Two customers with the same connector and the same provider: not a byte of one is seen with the other.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline::store::admin::RunFilter;
use syncline_tests::canary;
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

on_both_footings! {
    two_customers_of_one_connector_see_nothing_of_each_other,
}
