//! `syncline integration add`: everything is proved before anything is stored.

use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::IntegrationAddArgs;
use crate::app;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::human;
use crate::cli::probe::{self, Probe};
use crate::cli::{exit, fit};
use crate::config::Config;
use crate::domain::{CustomerId, ObjectType};
use crate::egress::field;
use crate::store::admin::NewIntegration;
use crate::store::{Store, StoreError};

#[derive(Serialize)]
struct Added<'a> {
    integration: String,
    connector: &'a str,
    version: String,
    digest: String,
    auth: &'a str,
    objects: Vec<&'a str>,
}

pub(super) async fn run(args: &IntegrationAddArgs, context: &mut Context) -> Result<(), Failure> {
    let (config, store) = context.open().await?;
    let customer = customer(&store, args).await?;
    // A key that cannot be read is told before the provider is asked: it may hand out a token that must be kept.
    let keeper = app::keeper(&config, &store).map_err(|error| exit::no_key(&error))?;
    let catalog = probe::catalog(&config).await?;
    let connector = probe::resolve(&config, &catalog, args.connector(), args.pin.as_ref()).await?;
    let connection = fit::connection(&args.connection, &connector.manifest)?;

    let probe = Probe::in_memory(&config, connector, &connection, config.retrieve.page_records).await?;
    let manifest = &probe.connector().manifest;
    context.output.note(&format!("asking {} for a check and for what it has", manifest.title))?;
    probe.check().await?;
    let discovered = probe.discover().await?.0;
    let objects = choose(discovered, &args.objects)?;
    let credentials = probe.credentials().await?;
    let rotated = credentials.iter().any(|(name, value)| {
        let given = connection.secrets.get(name).map(|given| given.expose_secret());
        name == field::REFRESH_TOKEN && given != Some(value.expose_secret())
    });

    let new = NewIntegration {
        customer,
        name: args.integration.integration.clone(),
        provider: manifest.name.clone(),
        config: connection.config.to_string(),
        auth: connection.auth.clone(),
        pin: args.pin.as_ref().map(ToString::to_string),
        interval: args.interval,
        objects,
    };
    store.add_integration(&new, |id| keeper.seal(id, &credentials)).await.map_err(|error| {
        let failure = not_added(error, args);
        if rotated {
            failure.help("the provider has replaced the refresh token during the check: connect anew to get another")
        } else {
            failure
        }
    })?;
    report(&config, &store, context, &probe, args, &new).await
}

async fn customer(store: &Store, args: &IntegrationAddArgs) -> Result<CustomerId, Failure> {
    let name = &args.integration.customer;
    let customer = store.customer(name).await.map_err(|error| {
        let absent = matches!(error, StoreError::NotFound { .. });
        let failure = Failure::from(error);
        if absent { failure.help(format!("`syncline customer add {name}` adds it")) } else { failure }
    })?;
    let taken =
        |row: &crate::store::admin::IntegrationRow| row.customer == *name && row.name == args.integration.integration;
    if store.integrations().await?.iter().any(taken) {
        let exists = StoreError::Exists { kind: "integration", name: args.integration.to_string() };
        return Err(not_added(exists, args));
    }
    Ok(CustomerId(customer.id))
}

fn not_added(error: StoreError, args: &IntegrationAddArgs) -> Failure {
    match error {
        StoreError::Exists { kind, .. } => {
            let address = args.integration.to_string();
            Failure::from(StoreError::Exists { kind, name: address.clone() })
                .help(format!("`syncline integration set-credentials {address}` replaces its credentials"))
        }
        error => error.into(),
    }
}

/// The objects that were asked for; all of them where none was named.
pub(super) fn choose(discovered: Vec<ObjectType>, wanted: &[String]) -> Result<Vec<ObjectType>, Failure> {
    if wanted.is_empty() {
        return if discovered.is_empty() {
            Err(Failure::new(Exit::CheckFailed, "the provider offers no objects with these credentials"))
        } else {
            Ok(discovered)
        };
    }
    let known: Vec<&str> = discovered.iter().map(|object| object.name.as_str()).collect();
    let mut unknown = wanted.iter().filter(|name| !known.contains(&name.as_str()));
    if let Some(first) = unknown.next() {
        let mut failure = Failure::not_found("object", first, known.iter().copied());
        for name in unknown {
            let other = Failure::not_found("object", name, known.iter().copied());
            failure.causes.push(other.what);
            failure.help.extend(other.help);
        }
        return Err(failure.help(format!("there are: {}", human::brief(&known.join(", "), 400))));
    }
    Ok(discovered.into_iter().filter(|object| wanted.contains(&object.name)).collect())
}

async fn report(
    config: &Config,
    store: &Store,
    context: &mut Context,
    probe: &Probe,
    args: &IntegrationAddArgs,
    new: &NewIntegration,
) -> Result<(), Failure> {
    app::apply_intervals(config, store).await?;
    let manifest = &probe.connector().manifest;
    let added = Added {
        integration: args.integration.to_string(),
        connector: &manifest.name,
        version: manifest.version.to_string(),
        digest: probe.connector().pin().to_string(),
        auth: &new.auth,
        objects: new.objects.iter().map(|object| object.name.as_str()).collect(),
    };
    let sentence = format!(
        "added {} with {} {}: {}, due now: {}",
        added.integration,
        manifest.name,
        manifest.version,
        human::count(added.objects.len(), "object"),
        human::brief(&added.objects.join(", "), 200)
    );
    Ok(context.output.done(&added, &sentence)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeleteMode, SyncMode};

    fn object(name: &str) -> ObjectType {
        ObjectType {
            name: name.to_owned(),
            interaction_type: "custom".to_owned(),
            schema: "{}".to_owned(),
            primary_key: Vec::new(),
            mode: SyncMode::Full,
            deletes: DeleteMode::None,
            default_interval_seconds: None,
        }
    }

    #[test]
    fn all_objects_are_taken_unless_some_are_named() {
        let all = || vec![object("Account"), object("Contact")];
        let names = |wanted: &[&str]| -> Vec<String> {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            choose(all(), &wanted).unwrap().into_iter().map(|object| object.name).collect()
        };
        assert_eq!(names(&[]), ["Account", "Contact"]);
        assert_eq!(names(&["Contact"]), ["Contact"]);
        assert_eq!(choose(Vec::new(), &[]).unwrap_err().exit, Exit::CheckFailed);
    }

    #[test]
    fn every_unknown_object_is_told_with_the_nearest() {
        let wanted = ["Acount".to_owned(), "Contact".to_owned(), "Contcat".to_owned()];
        let failure = choose(vec![object("Account"), object("Contact")], &wanted).unwrap_err();
        insta::assert_snapshot!(failure.render(false), @r"
        error: there is no object `Acount`
          because: there is no object `Contcat`
          help: did you mean `Account`?
          help: did you mean `Contact`?
          help: there are: Account, Contact
        ");
        assert_eq!(failure.exit, Exit::NotFound);
    }
}
