//! A full sync through the whole host, against the native program: CPU for a million records, and throughput.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bench::Options;
use crate::children::Fakes;
use crate::clocks;
use crate::database::{self, Backend};
use crate::native::{self, per_million};
use crate::peers::PEERS;
use crate::report::{Figure, Target};
use crate::site::{self, Site};

/// What a full sync took.
struct Took {
    cpu: f64,
    server_cpu: f64,
    records_per_second: f64,
    peak_bytes: f64,
}

/// Takes turns with the native program, so that what else the machine does disturbs both.
pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let records = bench.scaled(bench.records, bench.records.min(5_000));
    let fakes = Fakes::start(&bench.programs, records, Duration::ZERO)?;
    // The fakes render their pages once; after this they only hand them out.
    let warm = native::child(&bench.programs, &fakes.url(), &fakes.token, &[])?;
    ensure!(warm.records == records, "{} records instead of {records}", warm.records);
    let rounds = bench.scaled(3, 1);
    let mut figures = Vec::new();
    for backend in bench.backends() {
        let (mut hosts, mut natives) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            natives.push(native(bench, backend, &fakes, records).await?);
            hosts.push(host(bench, backend, &fakes, records, &[]).await?);
        }
        figures.extend(compare(backend, &hosts, &natives));
        if backend == Backend::Postgres {
            figures.extend(peers(bench, &fakes, records, cpu_of(&hosts)).await?);
            figures.extend(sizes(bench, &fakes, records, cpu_of(&hosts)).await?);
        }
    }
    let size = warm.bytes as f64 / warm.records as f64;
    figures.push(Figure::new("full sync: bytes of a record on the wire", size, "B"));
    Ok(figures)
}

fn of(took: &[Took], field: fn(&Took) -> f64) -> f64 {
    clocks::median(took.iter().map(field).collect())
}

fn cpu_of(took: &[Took]) -> f64 {
    of(took, |took| took.cpu)
}

fn compare(backend: Backend, hosts: &[Took], natives: &[Took]) -> Vec<Figure> {
    let title = backend.title();
    let figure = |what: &str, unit, field: fn(&Took) -> f64| {
        Figure::new(format!("full sync to {title}: {what}"), of(hosts, field), unit)
            .against("native", of(natives, field))
    };
    let cpu = figure("CPU for a million records", "s", |took| took.cpu);
    let mut figures = vec![
        // The target is for the database that carries the large installations.
        if backend == Backend::Postgres { cpu.target(Target::Times(3.0)) } else { cpu },
        figure("records a second", "/s", |took| took.records_per_second),
        figure("peak memory", "MiB", |took| took.peak_bytes / f64::from(1 << 20)),
    ];
    if backend == Backend::Postgres {
        figures.push(figure("Postgres's own CPU for a million records", "s", |took| took.server_cpu));
    }
    figures
}

async fn native(bench: &Options, backend: Backend, fakes: &Fakes, records: u64) -> Result<Took> {
    let directory = site::directory(bench)?;
    let url = site::fresh(bench, backend, &directory).await?;
    let server = server(bench, backend);
    let before = server_cpu(server)?;
    let report = native::child(&bench.programs, &fakes.url(), &fakes.token, &["--store", &url])?;
    ensure!(report.records == records, "the native program fetched {} records", report.records);
    Ok(Took {
        cpu: per_million(Duration::from_secs_f64(report.cpu), records),
        server_cpu: per_million(server_cpu(server)?.saturating_sub(before), records),
        records_per_second: records as f64 / report.wall,
        peak_bytes: report.peak_bytes as f64,
    })
}

/// The host against programs in Python. One round: they take long, and the ratio is far from any bound.
async fn peers(bench: &Options, fakes: &Fakes, records: u64, host: f64) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let Some(python) = &bench.python else { return Ok(figures) };
    for peer in &PEERS {
        let directory = site::directory(bench)?;
        let url = site::fresh(bench, Backend::Postgres, &directory).await?;
        let report = peer.run(python, &fakes.url(), &fakes.token, &url)?;
        ensure!(report.records == records, "{} fetched {} records", peer.name, report.records);
        let theirs = per_million(Duration::from_secs_f64(report.cpu), records);
        let figure = Figure::new("full sync to Postgres: CPU for a million records", host, "s");
        let figure = figure.against(peer.name, theirs);
        figures.push(if peer.product { figure.target(Target::Times(0.2)) } else { figure });
    }
    Ok(figures)
}

/// The host with smaller pages than HubSpot's largest, each once.
async fn sizes(bench: &Options, fakes: &Fakes, records: u64, largest: f64) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for size in [10, 30] {
        let option = format!("retrieve.page_records={size}");
        let took = host(bench, Backend::Postgres, fakes, records, &[&option]).await?;
        let name = format!("full sync to Postgres, pages of {size}: CPU for a million records");
        figures.push(Figure::new(name, took.cpu, "s").against("pages of 100", largest));
    }
    Ok(figures)
}

async fn host(bench: &Options, backend: Backend, fakes: &Fakes, records: u64, more: &[&str]) -> Result<Took> {
    let site = Site::new(bench, backend, fakes, more).await?;
    let objects = site.add(fakes, 1).await?;
    let server = server(bench, backend);
    let host = site.host(bench)?;
    let (own, theirs) = (clocks::process_cpu(host.pid())?, server_cpu(server)?);
    site.start(&objects).await?;
    site.wait(1).await?;
    let cpu = clocks::process_cpu(host.pid())?.saturating_sub(own);
    let server_cpu = server_cpu(server)?.saturating_sub(theirs);
    let landed = site.database.number("SELECT COUNT(*) FROM interactions WHERE state = 'present'").await?;
    ensure!(u64::try_from(landed)? == records, "{landed} records landed instead of {records}");
    Ok(Took {
        cpu: per_million(cpu, records),
        server_cpu: per_million(server_cpu, records),
        records_per_second: records as f64 / site.wall().await?.as_secs_f64(),
        peak_bytes: clocks::memory(host.pid())?.1 as f64,
    })
}

/// The database server's process, where there is one and it is ours.
fn server(bench: &Options, backend: Backend) -> Option<u32> {
    match backend {
        Backend::Sqlite => None,
        Backend::Postgres => bench.postgres.as_deref().and_then(database::server_pid),
    }
}

fn server_cpu(pid: Option<u32>) -> Result<Duration> {
    pid.map_or(Ok(Duration::ZERO), clocks::family_cpu)
}
