//! Where the CPU of a page goes behind the connector: each stage of it alone, through the host's own code. What the HTTP
//! and the connector cost is told by `sandbox`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cpu_time::ProcessTime;
use syncline::domain::{Cursor, Interaction, ObjectId, RunId, batch};
use syncline::process::prepare::{self, Validators};
use syncline::process::{BATCH_BYTES, BATCHES};
use syncline::store::runs::PageCommit;

use crate::bench::Options;
use crate::children::Fakes;
use crate::database::Backend;
use crate::report::Figure;
use crate::sandbox;
use crate::site::{self, OBJECT, Site};

/// Measures all stages on each database.
pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let records = bench.scaled(50_000, 2_000);
    let fakes = Fakes::start(&bench.programs, records, Duration::ZERO)?;
    let pages = pages(bench, &fakes, records).await?;
    let mut figures = Vec::new();
    for backend in bench.backends() {
        figures.extend(stages(bench, backend, &fakes, &pages).await?);
    }
    Ok(figures)
}

/// What the connector makes of all contacts.
async fn pages(bench: &Options, fakes: &Fakes, records: u64) -> Result<Vec<Vec<Interaction>>> {
    let connector = site::connector(bench, "hubspot").await?;
    let cx = sandbox::call(Arc::new(sandbox::door(fakes)?));
    let (mut pages, mut cursor, mut count) = (Vec::new(), None, 0);
    while count < records {
        let (page, _) = connector.fetch(&cx, OBJECT, cursor.as_ref()).await;
        let page = page.map_err(|error| anyhow::anyhow!("the connector failed: {error:?}"))?;
        count += page.interactions.len() as u64;
        pages.push(page.interactions);
        cursor = Some(page.cursor);
    }
    Ok(pages)
}

async fn stages(bench: &Options, backend: Backend, fakes: &Fakes, pages: &[Vec<Interaction>]) -> Result<Vec<Figure>> {
    let site = Site::new(bench, backend, fakes, &[]).await?;
    let object = *site.add(fakes, 1).await?.first().context("no object")?;
    let store = &site.store;
    let lease = claimed(&site, object).await?;
    let (mut encode, mut commit, mut read, mut check, mut land) = Default::default();
    for (place, page) in pages.iter().enumerate() {
        let payload = timed(&mut encode, async { Ok(batch::encode(page)) }).await?;
        let page = PageCommit {
            cursor: Some(Cursor(place.to_string())),
            payload,
            records: i64::try_from(page.len())?,
            requests: 1,
            sweep_seq: None,
            pass_ends: false,
        };
        let seq = timed(&mut commit, async { Ok(store.commit_page("bench", lease, &page).await?) }).await?;
        ensure!(seq.is_ok(), "the lease is lost");
    }
    let known = store.landing_object(object).await?.context("the object is gone")?;
    let validator = Validators::default().of(object, &known.record_schema);
    loop {
        let batches =
            timed(&mut read, async { Ok(store.committed_batches(object, BATCHES, BATCH_BYTES).await?) }).await?;
        if batches.is_empty() {
            break;
        }
        let landing =
            timed(&mut check, async { Ok(prepare::landing(object, &known, &batches, &validator, 0.5)) }).await?;
        ensure!(landing.rejected.is_empty(), "records are rejected");
        timed(&mut land, async { Ok(store.land(&landing).await?) }).await?;
    }
    let figure = |(what, took): (&str, Duration)| {
        let micros = took.as_secs_f64() * 1e6 / pages.len() as f64;
        Figure::new(format!("a page of 100 records, {}: {what}, CPU", backend.title()), micros, "us")
    };
    let stages =
        [("encode", encode), ("commit", commit), ("read back", read), ("check and hash", check), ("land", land)];
    Ok(stages.into_iter().map(figure).collect())
}

/// Dispatches and claims the object, as scheduler and retriever do.
async fn claimed(site: &Site, object: ObjectId) -> Result<syncline::store::runs::Lease> {
    site.start(&[object]).await?;
    site.store.dispatch_due(10, Duration::from_millis(1)).await?;
    let run = RunId(site.database.number("SELECT MAX(id) FROM runs").await?);
    let claim = site.store.claim(run, object, "bench", Duration::from_secs(600)).await?;
    Ok(claim.context("the object is not to be had")?.lease)
}

/// Adds what a stage takes of CPU, on whichever threads.
async fn timed<T>(total: &mut Duration, stage: impl Future<Output = Result<T>>) -> Result<T> {
    let before = ProcessTime::now();
    let done = stage.await;
    *total += before.elapsed();
    done
}
