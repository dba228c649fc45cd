//! The baseline: fetches HubSpot's contacts, parses them and upserts them, without Syncline. As a person would write it
//! for this one purpose: one stream, one transaction per page, one bulk statement in it; records are parsed once, for
//! their id and time, and stored as they came. No queue, no lease, no resuming, no feed, no sandbox, no policy.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{QueryBuilder, Sqlite};

use crate::clocks;
use crate::database::Database;

/// The properties that the connector asks for, encoded as it does: both get the same bytes.
pub(crate) const PROPERTIES: &str = "lastmodifieddate%2Cemail%2Cfirstname%2Clastname%2Cphone%2Cjobtitle%2C\
    lifecyclestage%2Chubspot_owner_id%2Cassociatedcompanyid%2Ccreatedate%2Chs_merged_object_ids%2C\
    hs_calculated_merged_vids";

/// What to fetch and where to put it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where HubSpot is.
    #[arg(long)]
    url: String,
    /// Its token.
    #[arg(long)]
    token: String,
    /// Where to put the records; nowhere if not given.
    #[arg(long)]
    store: Option<String>,
    /// Instead of fetching all: ask so many times for changes, of which there are none.
    #[arg(long)]
    searches: Option<u64>,
}

/// What it took, printed as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) peak_bytes: u64,
}

/// Runs it in a process of its own.
pub(crate) fn child(programs: &Path, url: &str, token: &str, more: &[&str]) -> Result<Report> {
    let mut command = Command::new(programs.join("syncline-bench"));
    let output = command.args(["native", "--url", url, "--token", token]).args(more).output()?;
    if !output.status.success() {
        bail!("the native program failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("the native program said something else")
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    updated_at: Cow<'a, str>,
}

/// A row as it is stored.
type Row<'a> = (Record<'a>, &'a RawValue);

/// Does the work and prints what it took.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let began = Instant::now();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let store = match &options.store {
        Some(url) => Some(prepare(url).await?),
        None => None,
    };
    let (records, bytes) = match options.searches {
        None => fetch_all(options, &client, store.as_ref()).await?,
        Some(count) => search(options, &client, store.as_ref().context("--store is missing")?, count).await?,
    };
    let wall = began.elapsed().as_secs_f64();
    let (_, peak_bytes) = clocks::memory(std::process::id())?;
    let cpu = clocks::process_cpu(std::process::id())?.as_secs_f64();
    println!("{}", serde_json::to_string(&Report { records, bytes, wall, cpu, peak_bytes })?);
    Ok(())
}

async fn prepare(url: &str) -> Result<Database> {
    let database = Database::open(url).await?;
    let (json, time) = match database {
        Database::Postgres(_) => ("JSONB", "TIMESTAMPTZ"),
        Database::Sqlite(_) => ("TEXT", "TEXT"),
    };
    let table =
        format!("CREATE TABLE contacts (id TEXT PRIMARY KEY, data {json} NOT NULL, updated_at {time} NOT NULL)");
    database.run(table).await?;
    database.run("CREATE TABLE cursors (id BIGINT PRIMARY KEY, since TEXT NOT NULL)").await?;
    Ok(database)
}

async fn fetch_all(options: &Options, client: &reqwest::Client, store: Option<&Database>) -> Result<(u64, u64)> {
    let first = format!("{}/crm/v3/objects/contacts?limit=100&archived=false&properties={PROPERTIES}", options.url);
    let (mut next, mut records, mut bytes) = (Some(first.clone()), 0, 0);
    while let Some(url) = next.take() {
        let body = client.get(&url).bearer_auth(&options.token).send().await?.error_for_status()?.bytes().await?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        let parsed: Result<Vec<Row<'_>>, _> =
            page.results.iter().map(|raw| Ok((serde_json::from_str(raw.get())?, *raw))).collect();
        let rows = parsed.map_err(|error: serde_json::Error| error)?;
        records += rows.len() as u64;
        bytes += body.len() as u64;
        if let Some(store) = store {
            upsert(store, &rows).await?;
        }
        let after = page.paging.and_then(|paging| paging.next).map(|next| next.after);
        next = after.map(|after| {
            let after: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
            format!("{first}&after={after}")
        });
    }
    Ok((records, bytes))
}

async fn upsert(store: &Database, rows: &[Row<'_>]) -> Result<()> {
    match store {
        Database::Postgres(pool) => {
            const UPSERT: &str = "INSERT INTO contacts (id, data, updated_at)
                SELECT id, data::JSONB, at::TIMESTAMPTZ FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS r (id, data, at)
                ON CONFLICT (id) DO UPDATE SET data = EXCLUDED.data, updated_at = EXCLUDED.updated_at";
            sqlx::query(UPSERT)
                .bind(rows.iter().map(|(record, _)| &*record.id).collect::<Vec<_>>())
                .bind(rows.iter().map(|(_, raw)| raw.get()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(record, _)| &*record.updated_at).collect::<Vec<_>>())
                .execute(pool)
                .await?;
        }
        Database::Sqlite(pool) => {
            let mut statement = QueryBuilder::<Sqlite>::new("INSERT INTO contacts (id, data, updated_at) ");
            statement.push_values(rows, |mut values, (record, raw)| {
                values.push_bind(&*record.id).push_bind(raw.get()).push_bind(&*record.updated_at);
            });
            statement.push(" ON CONFLICT (id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at");
            statement.build().execute(pool).await?;
        }
    }
    Ok(())
}

/// Asks for changes as the connector does, each time with a cursor that is read before and written after.
async fn search(options: &Options, client: &reqwest::Client, store: &Database, count: u64) -> Result<(u64, u64)> {
    let url = format!("{}/crm/v3/objects/contacts/search", options.url);
    let (mut records, mut bytes) = (0, 0);
    for id in 0..count {
        store.run(format!("INSERT INTO cursors (id, since) VALUES ({id}, '4000000000000')")).await?;
    }
    for id in 0..count {
        let id = i64::try_from(id)?;
        let read = "SELECT since FROM cursors WHERE id = $1";
        let write = "UPDATE cursors SET since = $2 WHERE id = $1";
        let since: String = match store {
            Database::Postgres(pool) => sqlx::query_scalar(read).bind(id).fetch_one(pool).await?,
            Database::Sqlite(pool) => sqlx::query_scalar(read).bind(id).fetch_one(pool).await?,
        };
        let body = serde_json::json!({
            "filterGroups": [{"filters": [
                {"propertyName": "lastmodifieddate", "operator": "GTE", "value": since},
                {"propertyName": "hs_object_id", "operator": "GT", "value": "0"},
            ]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["email", "firstname", "lastname"],
            "limit": 200,
        });
        let request = client.post(&url).bearer_auth(&options.token).header("content-type", "application/json");
        let body = request.body(body.to_string()).send().await?.error_for_status()?.bytes().await?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        records += page.results.len() as u64;
        bytes += body.len() as u64;
        match store {
            Database::Postgres(pool) => sqlx::query(write).bind(id).bind(&since).execute(pool).await.map(drop)?,
            Database::Sqlite(pool) => sqlx::query(write).bind(id).bind(&since).execute(pool).await.map(drop)?,
        }
    }
    Ok((records, bytes))
}

/// How long something took as seconds for a million of what it did.
pub(crate) fn per_million(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1_000_000.0 / count.max(1) as f64
}
