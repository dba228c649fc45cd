//! Calls to SQS for each job, counted by a proxy in front of the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::bench::Options;
use crate::children::Fakes;
use crate::database::Backend;
use crate::report::{Figure, Target};
use crate::site::Site;

/// What is counted.
const OPERATIONS: [&str; 4] = ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "SendMessage"];

/// Counts of the operations, in their order.
type Counts = Arc<[AtomicU64; 4]>;

pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let (Some(sqs), Some(_)) = (&bench.sqs, &bench.postgres) else { return Ok(Vec::new()) };
    let mut figures = many_objects(bench, sqs).await?;
    figures.extend(one_stream(bench, sqs).await?);
    Ok(figures)
}

/// Many objects due at once, one page each: a retrieve and a process job for each of them.
async fn many_objects(bench: &Options, sqs: &str) -> Result<Vec<Figure>> {
    let objects = bench.scaled(1_000, 50);
    let fakes = Fakes::start(&bench.programs, 50, Duration::ZERO)?;
    figures(bench, sqs, &fakes, objects, &format!("{objects} objects at once")).await
}

/// One object with many pages: nearly all jobs are process jobs, which come one by one.
async fn one_stream(bench: &Options, sqs: &str) -> Result<Vec<Figure>> {
    let fakes = Fakes::start(&bench.programs, bench.scaled(30_000, 2_000), Duration::ZERO)?;
    figures(bench, sqs, &fakes, 1, "one full sync").await
}

async fn figures(bench: &Options, sqs: &str, fakes: &Fakes, objects: u64, what: &str) -> Result<Vec<Figure>> {
    let (endpoint, counts) = proxy(sqs).await?;
    let queue = |kind: &str| format!("bench-{kind}-{}-{objects}", std::process::id());
    let options = [
        "queue.kind=sqs".to_owned(),
        "queue.sqs.create=true".to_owned(),
        "queue.sqs.region=us-east-1".to_owned(),
        format!("queue.sqs.endpoint={endpoint}"),
        format!("queue.sqs.retrieve={}", queue("retrieve")),
        format!("queue.sqs.process={}", queue("process")),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut site = Site::new(bench, Backend::Postgres, fakes, &options).await?;
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        site.environment.push((name, "test".to_owned()));
    }
    let ids = site.add(fakes, objects).await?;
    let _host = site.host(bench)?;
    let read = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    let before = read();
    site.start(&ids).await?;
    site.wait(objects).await?;
    // Doorbells for what has landed already are still to be heard.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = read();
    let runs = site.database.number("SELECT CAST(SUM(slice + 1) AS BIGINT) FROM runs").await?;
    let batches = site.database.number("SELECT COUNT(*) FROM batches").await?;
    let jobs = (runs + batches).max(1) as f64;
    let of =
        |place: usize| (after.get(place).copied().unwrap_or(0) - before.get(place).copied().unwrap_or(0)) as f64 / jobs;
    let figure = |way: &str, value: f64| Figure::new(format!("SQS calls for a job, {what}: {way}"), value, "");
    Ok(vec![
        figure("sending", of(0) + of(3)).target(Target::AtMost(0.2)),
        figure("receiving", of(1)).target(Target::AtMost(0.2)),
        figure("deleting", of(2)).target(Target::AtMost(0.2)),
    ])
}

/// Passes everything on and counts the operations that clients ask for.
async fn proxy(server: &str) -> Result<(String, Counts)> {
    let url = Url::parse(server)?;
    let address: SocketAddr =
        format!("{}:{}", url.host_str().context("no host")?, url.port().context("no port")?).parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let counts: Counts = Arc::default();
    let counting = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counts = Arc::clone(&counting);
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(address).await else { return };
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut window = Vec::new();
                let mut buffer = vec![0; 16 << 10];
                while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                    let piece = buffer.get(..read).unwrap_or_default();
                    count(&mut window, piece, &counts);
                    if to_server.write_all(piece).await.is_err() {
                        break;
                    }
                }
                back.abort();
            });
        }
    });
    Ok((endpoint, counts))
}

/// Finds `AmazonSQS.<operation>` followed by the end of its header line, also across pieces.
fn count(window: &mut Vec<u8>, piece: &[u8], counts: &Counts) {
    window.extend_from_slice(piece);
    let mut counted_to = 0;
    for (operation, counter) in OPERATIONS.iter().zip(counts.iter()) {
        let needle = format!("AmazonSQS.{operation}\r");
        for (place, _) in window.windows(needle.len()).enumerate().filter(|(_, part)| *part == needle.as_bytes()) {
            counter.fetch_add(1, Ordering::Relaxed);
            counted_to = counted_to.max(place + needle.len());
        }
    }
    // What was counted goes, and all but what may be the beginning of a name.
    let keep_from = counted_to.max(window.len().saturating_sub(40));
    window.drain(..keep_from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_once_however_they_are_cut() {
        let text = b"x-amz-target: AmazonSQS.SendMessageBatch\r\n...x-amz-target: AmazonSQS.ReceiveMessage\r\nmore";
        for size in 1..text.len() {
            let (counts, mut window) = (Counts::default(), Vec::new());
            text.chunks(size).for_each(|piece| count(&mut window, piece, &counts));
            let counted = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            assert_eq!(counted, [1, 1, 0, 0], "in pieces of {size}");
        }
    }
}
