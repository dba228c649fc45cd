//! The common case by far: a sync that finds nothing new. One object after the other, and many at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::bench::Options;
use crate::children::Fakes;
use crate::clocks;
use crate::database::Backend;
use crate::native;
use crate::report::{Figure, Target};
use crate::site::{self, Site};

/// Few records: an answer without any costs the same whatever the account holds.
const RECORDS: u64 = 100;

pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let fakes = Fakes::start(&bench.programs, RECORDS, Duration::ZERO)?;
    let mut figures = Vec::new();
    for backend in bench.backends() {
        figures.extend(backend_figures(bench, backend, &fakes).await?);
    }
    Ok(figures)
}

async fn backend_figures(bench: &Options, backend: Backend, fakes: &Fakes) -> Result<Vec<Figure>> {
    let (count, alone) = (bench.scaled(500, 50), bench.scaled(50, 10));
    let directory = site::directory(bench)?;
    let store = site::fresh(bench, backend, &directory).await?;
    let searches = (count * 4).to_string();
    let none = native::child(&bench.programs, &fakes.url(), &fakes.token, &["--store", &store, "--searches", "0"])?;
    let directory = site::directory(bench)?;
    let store = site::fresh(bench, backend, &directory).await?;
    let all = ["--store", store.as_str(), "--searches", searches.as_str()];
    let all = native::child(&bench.programs, &fakes.url(), &fakes.token, &all)?;
    ensure!(all.records == 0, "the native program found changes");
    let native_ms = (all.cpu - none.cpu) * 1000.0 / (count * 4) as f64;

    let site = Site::new(bench, backend, fakes, &["schedule.tick=100ms"]).await?;
    let objects = site.add(fakes, count).await?;
    let host = site.host(bench)?;
    site.start(&objects).await?;
    site.wait(count).await?;
    let fetched = site.database.number("SELECT CAST(SUM(interactions) AS BIGINT) FROM runs").await?;

    // What the host does anyway: looking for what is due, renewing, sweeping.
    let idle = Duration::from_secs(bench.scaled(5, 1));
    let before = clocks::process_cpu(host.pid())?;
    tokio::time::sleep(idle).await;
    let idle_ms = (clocks::process_cpu(host.pid())?.saturating_sub(before)).as_secs_f64() * 1000.0 / idle.as_secs_f64();

    let before = clocks::process_cpu(host.pid())?;
    site.again(&objects).await?;
    site.wait(2 * count).await?;
    let together = ms(clocks::process_cpu(host.pid())?.saturating_sub(before), count);

    let (before, began) = (clocks::process_cpu(host.pid())?, Instant::now());
    let mut runs = 2 * count;
    for object in objects.iter().take(usize::try_from(alone)?) {
        site.again(std::slice::from_ref(object)).await?;
        runs += 1;
        site.wait(runs).await?;
    }
    let apart = ms(clocks::process_cpu(host.pid())?.saturating_sub(before), alone)
        - idle_ms * began.elapsed().as_secs_f64() / alone as f64;
    let after = site.database.number("SELECT CAST(SUM(interactions) AS BIGINT) FROM runs").await?;
    ensure!(fetched == after, "there was something new");

    let title = backend.title();
    Ok(vec![
        Figure::new(format!("nothing new, {title}: CPU of an object, {count} together"), together, "ms")
            .against("native", native_ms)
            .target(Target::AtMost(5.0)),
        Figure::new(format!("nothing new, {title}: CPU of an object alone, above idle"), apart, "ms")
            .against("native", native_ms)
            .target(Target::AtMost(5.0)),
        Figure::new(format!("idle host, {title}: CPU for a second, ticking every 100 ms"), idle_ms, "ms"),
    ])
}

fn ms(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1000.0 / count as f64
}
