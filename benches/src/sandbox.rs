//! What the sandbox costs: an instance, and a connector in it against the same connector compiled natively. Both run on
//! one thread with the same HTTP client under them; the thread's own clock counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use hubspot::HubSpot;
use syncline::connector::{CallContext, CallLimits, Connector, GuestLog};
use syncline::domain::Cursor;
use syncline::domain::http::{Http, HttpError, Request, Response};
use syncline_sdk::Connector as _;
use tokio::runtime::Runtime;

use crate::bench::Options;
use crate::children::Fakes;
use crate::clocks::{self, thread_cpu};
use crate::native::per_million;
use crate::report::{Figure, Target};
use crate::site::{self, OBJECT};

/// The way out for both: to the fake itself, or to answers that it gave before.
pub(crate) struct Door {
    client: reqwest::Client,
    base: String,
    token: String,
    kept: Mutex<HashMap<String, Response>>,
    from_memory: bool,
}

impl Door {
    async fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        let path = request.url.replace("https://api.hubapi.com", "");
        if self.from_memory {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            return kept.get(&path).cloned().ok_or(HttpError::Unreachable(path));
        }
        let failed = |error: reqwest::Error| HttpError::Unreachable(error.to_string());
        let url = format!("{}{path}", self.base);
        let mut sent = match request.method.as_str() {
            "POST" => self.client.post(url),
            _ => self.client.get(url),
        };
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let answer = sent.bearer_auth(&self.token).send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let response = Response { status, headers, body: answer.bytes().await.map_err(failed)? };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(path, response.clone());
        Ok(response)
    }
}

#[async_trait::async_trait]
impl Http for Door {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.exchange(request).await
    }
}

/// The same door as a native connector sees it.
struct Blocking<'a>(&'a Runtime, &'a Door);

impl syncline_sdk::Http for Blocking<'_> {
    fn send(&self, request: syncline_sdk::Request) -> Result<syncline_sdk::Response, syncline_sdk::HttpError> {
        let method = if request.method == syncline_sdk::Method::Post { "POST" } else { "GET" };
        let request = Request {
            method: method.to_owned(),
            url: request.url,
            headers: request.headers,
            body: request.body.map(Bytes::from),
            idempotent: request.idempotent,
            timeout_ms: None,
            accept_status: Vec::new(),
        };
        let answer = self.0.block_on(self.1.exchange(request));
        let answer = answer.map_err(|error| syncline_sdk::HttpError::Unreachable(error.to_string()))?;
        Ok(syncline_sdk::Response {
            status: answer.status,
            headers: answer.headers,
            body: Vec::from(answer.body),
            attributes: Vec::new(),
        })
    }
}

/// A log that nobody reads, and the wall clock.
struct Silent;

impl syncline_sdk::Log for Silent {
    fn emit(&self, _: syncline_sdk::Level, _: &str) {}
}

impl syncline_sdk::Clock for Silent {
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let records = bench.scaled(bench.records.min(50_000), 5_000);
    let fakes = Fakes::start(&bench.programs, records, Duration::ZERO)?;
    let connector = site::connector(bench, "hubspot").await?;
    let (calls, rounds) = (bench.scaled(2_000, 200), bench.scaled(5, 1));
    // A thread of its own, with a runtime of its own: both ways run on it and on nothing else.
    let figures = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut figures = vec![instantiation(&runtime, &connector, calls)?];
        figures.extend(both_ways(&runtime, &connector, &fakes, records, rounds)?);
        Ok::<_, anyhow::Error>(figures)
    });
    figures.await?
}

/// The way to the fake itself.
pub(crate) fn door(fakes: &Fakes) -> Result<Door> {
    Ok(Door {
        client: reqwest::Client::builder().no_proxy().build()?,
        base: fakes.url(),
        token: fakes.token.clone(),
        kept: Mutex::default(),
        from_memory: false,
    })
}

/// A call of the HubSpot connector by this way.
pub(crate) fn call(http: Arc<dyn Http>) -> CallContext {
    CallContext {
        config: "{}".into(),
        auth: "private-app".into(),
        page_size: 1_000,
        http,
        log: Arc::new(GuestLog::without_secrets()),
        limits: CallLimits { hostcall_bytes: 64 << 20, ..CallLimits::default() },
        moment: None,
    }
}

/// A whole call that does nothing: a store, an instance, one look at the configuration, an error, and the end of all.
fn instantiation(runtime: &Runtime, connector: &Connector, calls: u64) -> Result<Figure> {
    struct Nowhere;

    #[async_trait::async_trait]
    impl Http for Nowhere {
        async fn send(&self, _: Request) -> Result<Response, HttpError> {
            Err(HttpError::Denied("nowhere".to_owned()))
        }
    }

    let cx = call(Arc::new(Nowhere));
    let once = || runtime.block_on(connector.fetch(&cx, "no such object", None));
    let mut micros = Vec::new();
    for _ in 0..10 {
        let before = thread_cpu()?;
        for _ in 0..calls / 10 {
            let (answer, _) = once();
            ensure!(answer.is_err(), "there is such an object");
        }
        micros.push((thread_cpu()? - before).as_secs_f64() * 1e6 / (calls / 10) as f64);
    }
    Ok(Figure::new("a connector's call that does nothing, its instance included: CPU", clocks::median(micros), "us")
        .target(Target::AtMost(100.0)))
}

fn both_ways(
    runtime: &Runtime,
    connector: &Connector,
    fakes: &Fakes,
    records: u64,
    rounds: u64,
) -> Result<Vec<Figure>> {
    let live = Arc::new(door(fakes)?);
    // The first pass fills the fake's pages and the memory.
    sandboxed(runtime, connector, &live, records)?;
    let kept = std::mem::take(&mut *live.kept.lock().unwrap_or_else(PoisonError::into_inner));
    let wide = kept.iter().map(|(path, page)| Ok((path.clone(), widened(page)?))).collect::<Result<_>>()?;
    let from_memory = |kept| Ok::<_, anyhow::Error>(Arc::new(Door { kept, from_memory: true, ..door(fakes)? }));
    let (memory, wide) = (from_memory(Mutex::new(kept))?, from_memory(Mutex::new(wide))?);
    let mut figures = Vec::new();
    for (what, door, target) in [
        ("", &live, Some(1.5)),
        (", without the HTTP", &memory, None),
        (", with records of 4 KiB more and without the HTTP", &wide, None),
    ] {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            inside.push(sandboxed(runtime, connector, door, records)?);
            outside.push(native(runtime, door, records)?);
        }
        let name = format!("fetching with the HubSpot connector in the sandbox{what}: CPU for a million records");
        let figure = Figure::new(name, clocks::median(inside), "s").against("native", clocks::median(outside));
        figures.push(match target {
            Some(times) => figure.target(Target::Times(times)),
            None => figure,
        });
    }
    Ok(figures)
}

/// The same page with eighty more properties in each record, as of an account that has made many of its own.
fn widened(page: &Response) -> Result<Response> {
    let mut body: serde_json::Value = serde_json::from_slice(&page.body)?;
    for row in body.get_mut("results").and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
        let Some(properties) = row.get_mut("properties").and_then(serde_json::Value::as_object_mut) else { continue };
        let more = |n| (format!("custom_property_{n:02}"), format!("what somebody wrote into field {n}").into());
        properties.extend((0..80).map(more));
    }
    Ok(Response { body: serde_json::to_vec(&body)?.into(), ..page.clone() })
}

fn sandboxed(runtime: &Runtime, connector: &Connector, door: &Arc<Door>, records: u64) -> Result<f64> {
    let cx = call(Arc::clone(door) as _);
    let (mut cursor, mut count) = (None, 0);
    let before = thread_cpu()?;
    // The full read ends where the first search would begin.
    while count < records {
        let (page, _) = runtime.block_on(connector.fetch(&cx, OBJECT, cursor.as_ref()));
        let page = page.map_err(|error| anyhow::anyhow!("the connector failed: {error:?}"))?;
        count += page.interactions.len() as u64;
        cursor = Some(Cursor(page.cursor.0));
    }
    Ok(per_million(thread_cpu()? - before, records))
}

fn native(runtime: &Runtime, door: &Door, records: u64) -> Result<f64> {
    let http = Blocking(runtime, door);
    let attributes = [("page-size".to_owned(), "1000".to_owned())];
    let (mut cursor, mut count) = (None::<String>, 0);
    let before = thread_cpu()?;
    while count < records {
        let cx = syncline_sdk::Context::new(&http, &Silent, &Silent, "{}", "private-app", &attributes);
        let page = HubSpot.fetch(&cx, OBJECT, cursor.as_deref()).ok().context("the native connector failed")?;
        count += page.interactions.len() as u64;
        cursor = Some(page.cursor);
    }
    Ok(per_million(thread_cpu()? - before, records))
}
