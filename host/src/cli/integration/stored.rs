//! What is done with an integration that is stored.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{DiscoverArgs, IntegrationArgs, IntegrationIntervalArgs, SetCredentialsArgs, add};
use crate::app;
use crate::app::keepers::Keeper;
use crate::cli::context::Context;
use crate::cli::exit::{self, Exit, Failure};
use crate::cli::fit::{self, Connection};
use crate::cli::output::Row;
use crate::cli::probe::{self, Probe};
use crate::cli::{human, interval};
use crate::config::Config;
use crate::connector::{Connector, Pin};
use crate::domain::IntegrationId;
use crate::egress::{CredentialStore as _, field};
use crate::kit::line::Setting;
use crate::store::Store;
use crate::store::admin::{IntegrationRow, ObjectFilter, Scope};

/// An integration with the connector that it uses.
struct Stored {
    row: IntegrationRow,
    settings: Json,
    connector: std::sync::Arc<Connector>,
    keeper: Keeper,
}

impl Stored {
    async fn load(config: &Config, store: &Store, args: &IntegrationArgs) -> Result<Self, Failure> {
        let row = store.integration(&args.integration.customer, &args.integration.integration).await?;
        let settings = serde_json::from_str(&row.config)
            .map_err(|error| Failure::new(Exit::Failure, "the stored configuration is damaged").caused_by(&error))?;
        let pin = row.pin.as_deref().and_then(|pin| pin.parse::<Pin>().ok());
        let catalog = probe::catalog(config).await?;
        let connector = probe::resolve(config, &catalog, &row.provider, pin.as_ref()).await?;
        let keeper = app::keeper(config, store).map_err(|error| exit::no_key(&error))?;
        Ok(Self { row, settings, connector, keeper })
    }

    fn id(&self) -> IntegrationId {
        IntegrationId(self.row.id)
    }

    /// A probe with the stored credentials; renewed tokens are stored.
    async fn probe(&self, config: &Config) -> Result<Probe, Failure> {
        let gate = app::gate(config, &self.keeper).map_err(|error| probe::no_gate(&error))?;
        let connector = std::sync::Arc::clone(&self.connector);
        let page_size = config.retrieve.page_records;
        let setting = Setting {
            integration: self.id(),
            ..Setting::of(&self.settings, &self.row.auth, page_size, probe::budget(config))
        };
        Probe::open(&gate, connector, setting).await
    }
}

pub(super) async fn check(args: &IntegrationArgs, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    let stored = Stored::load(&config, &store, args).await?;
    let address = args.integration.to_string();
    let report = stored.probe(&config).await?.check().await.map_err(|failure| {
        let unauthorized = failure.exit == Exit::Auth;
        let failure = failure.at(address.clone());
        if unauthorized {
            failure.help(format!("`syncline integration set-credentials {address}` replaces them"))
        } else {
            failure
        }
    })?;
    let done = json!({
        "integration": address, "ok": true, "state": stored.row.state, "requests": report.requests,
        "wall_ms": u64::try_from(report.wall.as_millis()).unwrap_or(u64::MAX),
    });
    let waits = match stored.row.state.as_str() {
        "active" => String::new(),
        state => format!("; it is {state}: `syncline integration resume {address}` syncs it again"),
    };
    Ok(context.output.done(&done, &format!("{address}: configuration and credentials are right{waits}"))?)
}

pub(super) async fn set_paused(args: &IntegrationArgs, paused: bool, context: &mut Context) -> Result<(), Failure> {
    let (_, store) = context.open().await?;
    let row = store.integration(&args.integration.customer, &args.integration.integration).await?;
    let reason = paused.then_some("paused by an operator");
    store.set_integration_paused(IntegrationId(row.id), paused, reason).await?;
    let state = if paused { "paused" } else { "active" };
    let sentence = format!("{} is {state} ({})", args.integration, human::count(objects(&row), "object"));
    Ok(context.output.done(&json!({ "integration": args.integration.to_string(), "state": state }), &sentence)?)
}

fn objects(row: &IntegrationRow) -> usize {
    usize::try_from(row.objects).unwrap_or(0)
}

pub(super) async fn set_interval(args: &IntegrationIntervalArgs, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    let address = &args.integration.integration;
    let row = store.integration(&address.customer, &address.integration).await?;
    store.set_interval(Scope::Integration(IntegrationId(row.id)), args.interval.0).await?;
    let changed = app::apply_intervals(&config, &store).await?;
    Ok(interval::report(&mut context.output, &address.to_string(), args.interval, changed)?)
}

pub(super) async fn set_credentials(args: &SetCredentialsArgs, context: &mut Context) -> Result<(), Failure> {
    if args.secrets.secrets.is_empty() {
        return Err(Failure::new(Exit::Usage, "no credentials are given").help("for example --secret token=env:NAME"));
    }
    let (config, store) = context.open().await?;
    let stored = Stored::load(&config, &store, &args.integration).await?;
    let manifest = &stored.connector.manifest;
    let scheme = fit::scheme(Some(stored.row.auth.as_str()).filter(|name| !name.is_empty()), manifest)?;
    let given = fit::secrets(&args.secrets, scheme, manifest)?;

    let mut secrets = stored.keeper.load(stored.id()).await?.fields;
    // Tokens that the old credentials gave must not hide that the new ones are wrong.
    for host_written in [field::ACCESS_TOKEN, field::ACCESS_TOKEN_EXPIRES_AT] {
        if secrets.contains_key(host_written) {
            secrets.insert(host_written.to_owned(), SecretString::from(""));
        }
    }
    secrets.extend(given);
    fit::complete(&secrets, scheme, manifest)?;
    let connection = Connection { config: stored.settings.clone(), auth: stored.row.auth.clone(), secrets };
    let connector = std::sync::Arc::clone(&stored.connector);
    let probe = Probe::in_memory(&config, connector, &connection, config.retrieve.page_records).await?;
    probe.check().await?;
    let sealed = stored.keeper.seal(stored.id(), &probe.credentials().await?)?;
    store.set_credentials(stored.id(), &sealed).await?;

    let address = args.integration.integration.to_string();
    let resumed = if stored.row.state == "needs-auth" { "; its objects are synced again" } else { "" };
    let sentence = format!("{address} has new credentials, checked with {}{resumed}", manifest.title);
    Ok(context.output.done(&json!({ "integration": address, "ok": true }), &sentence)?)
}

#[derive(Serialize)]
struct Discovered {
    object: String,
    interaction_type: String,
    mode: &'static str,
    deletes: &'static str,
    synced: bool,
}

impl Row for Discovered {
    const HEADERS: &'static [&'static str] = &["object", "type", "mode", "deletes", "synced"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.object.clone(),
            self.interaction_type.clone(),
            self.mode.to_owned(),
            self.deletes.to_owned(),
            if self.synced { "yes" } else { "no" }.to_owned(),
        ]
    }
}

pub(super) async fn discover(args: &DiscoverArgs, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    let stored = Stored::load(&config, &store, &args.integration).await?;
    let discovered = stored.probe(&config).await?.discover().await?.0;
    if args.add_all || !args.objects.is_empty() {
        let chosen = add::choose(discovered.clone(), &args.objects)?;
        store.sync_objects(stored.id(), &chosen).await?;
        app::apply_intervals(&config, &store).await?;
        context.output.note(&format!("{} up to date", human::count(chosen.len(), "object")))?;
    }
    let filter = ObjectFilter {
        customer: Some(stored.row.customer.clone()),
        integration: Some(stored.row.name.clone()),
        ..ObjectFilter::default()
    };
    let known: Vec<String> = store.objects(&filter).await?.into_iter().map(|row| row.object).collect();
    let rows: Vec<Discovered> = discovered
        .into_iter()
        .map(|object| Discovered {
            synced: known.contains(&object.name),
            object: object.name,
            interaction_type: object.interaction_type,
            mode: object.mode.as_str(),
            deletes: object.deletes.as_str(),
        })
        .collect();
    Ok(context.output.rows(&rows, "the provider offers no objects")?)
}
