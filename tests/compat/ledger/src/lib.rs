//! A connector for a provider that does not exist, which uses as much of the contract as fits into a page: every kind of
//! authentication but `other`, incremental and full objects, deletions and merges, pages, a wait, attributes.

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_sdk::{
    AuthKind, AuthScheme, Connector, Context, DeleteMode, Error, Interaction, Manifest, OAuth2, ObjectType, Page,
    export_connector,
};

#[derive(Default)]
struct Ledger;

#[derive(Deserialize)]
struct Config {
    #[serde(default = "eu")]
    region: String,
}

fn eu() -> String {
    "eu".to_owned()
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    changed: Option<String>,
    #[serde(default)]
    gone: bool,
    merged_into: Option<String>,
}

impl Connector for Ledger {
    fn describe(&self) -> Manifest {
        let name = if cfg!(feature = "fetch") { "ledger-fetch" } else { "ledger" };
        let oauth = OAuth2::new("https://api.ledger.example/{region}/token")
            .authorize_url("https://api.ledger.example/consent")
            .scope("rows.read")
            .grant("refresh-token");
        Manifest::new(name, "0.1.0", "Ledger")
            .config_schema(r#"{"type": "object", "properties": {"region": {"type": "string", "default": "eu"}}}"#)
            .auth(AuthScheme::bearer("token"))
            .auth(AuthScheme::new("basic", AuthKind::Basic))
            .auth(AuthScheme::new("header", AuthKind::Header("x-ledger-key".to_owned())))
            .auth(AuthScheme::new("query", AuthKind::Query("key".to_owned())).only_host("api.ledger.example"))
            .auth(AuthScheme::oauth2("oauth", oauth))
            .host("api.ledger.example")
            .rate(100, 1, 4)
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        ask(ctx, &url(ctx, "me")?).map(drop)
    }

    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        // Asks first, as connectors with custom objects do.
        self.check(ctx)?;
        let entries = ObjectType::incremental("entries", "note").deletes(DeleteMode::Tombstones).default_interval(600);
        Ok(vec![entries, ObjectType::full("people", "contact").primary_key(&["id"])])
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        ctx.info(&format!("page of {object}, {} records wanted", ctx.page_size().unwrap_or(0)));
        let after = cursor.unwrap_or("start");
        if after == "not-ready" {
            return Ok(Page::wait("start", 1));
        }
        let body = ask(ctx, &format!("{}?after={after}", url(ctx, object)?))?;
        let listing: Listing<'_> =
            serde_json::from_slice(&body).map_err(|error| Error::Unexpected(error.to_string()))?;
        let records: Result<Vec<_>, Error> = listing.rows.into_iter().map(record).collect();
        Ok(match listing.next {
            Some(next) => Page::more(records?, next),
            None => Page::done(records?, "start").pass_complete(),
        })
    }
}

fn url(ctx: &Context<'_>, path: &str) -> Result<String, Error> {
    let Config { region } = ctx.config()?;
    Ok(format!("https://api.ledger.example/{region}/{path}"))
}

fn record(raw: &RawValue) -> Result<Interaction, Error> {
    let row: Row = serde_json::from_str(raw.get()).map_err(|error| Error::Unexpected(error.to_string()))?;
    let record = match (row.merged_into, row.gone) {
        (Some(into), _) => Interaction::merged(row.id, into),
        (None, true) => Interaction::deleted(row.id),
        (None, false) => Interaction::present(row.id, raw).version("1"),
    };
    Ok(match row.changed {
        Some(at) => record.updated_at(at),
        None => record,
    })
}

/// The body of the answer to a GET.
#[cfg(not(feature = "fetch"))]
fn ask(ctx: &Context<'_>, url: &str) -> Result<Vec<u8>, Error> {
    Ok(ctx.get(url).send()?.error_for_status()?.body)
}

/// The same through a client that knows nothing of the contract.
#[cfg(feature = "fetch")]
fn ask(_: &Context<'_>, url: &str) -> Result<Vec<u8>, Error> {
    use wstd::http::{Body, Client, Request};

    let failed = |error: String| Error::Unavailable(error);
    wstd::runtime::block_on(async {
        let request = Request::get(url).header("accept", "application/json").body(Body::empty());
        let request = request.map_err(|error| failed(error.to_string()))?;
        let mut response = Client::new().send(request).await.map_err(|error| failed(format!("{error:?}")))?;
        match response.status().as_u16() {
            401 => return Err(Error::Unauthorized("refused".to_owned())),
            429 => return Err(Error::RateLimited(None)),
            200 => {}
            other => return Err(Error::Unexpected(format!("status {other}"))),
        }
        let body = response.body_mut().contents().await.map_err(|error| failed(format!("{error:?}")))?;
        Ok(body.to_vec())
    })
}

export_connector!(Ledger);
