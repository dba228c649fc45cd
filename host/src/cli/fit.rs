//! Whether a connection fits its connector: configuration by the schema, auth scheme, credential fields. Asks nobody.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use secrecy::SecretString;
use serde_json::{Map, Value as Json};

use super::connection::{ConnectionArgs, SecretArgs};
use super::exit::{Exit, Failure};
use crate::config::nearest::nearest;
use crate::domain::{AuthKind, AuthScheme, Manifest};
use crate::egress::field;
use crate::kit::project::Trial;

/// A connection that fits its connector.
#[derive(Debug)]
pub struct Connection {
    /// The configuration: a JSON object, valid by the connector's schema.
    pub config: Json,
    /// Name of the auth scheme; empty where the connector has none.
    pub auth: String,
    /// The credentials, every required one among them.
    pub secrets: BTreeMap<String, SecretString>,
}

/// Judges the arguments by what the connector says of itself, and reads the secrets.
///
/// # Errors
/// [`Failure`] with everything that is wrong with the configuration, or with the credentials.
pub fn connection(args: &ConnectionArgs, manifest: &Manifest) -> Result<Connection, Failure> {
    connection_or(args, &Trial::default(), manifest)
}

/// The same with what a project says, where the arguments say nothing else.
///
/// # Errors
/// [`Failure`] with everything that is wrong with the configuration, or with the credentials.
pub fn connection_or(args: &ConnectionArgs, otherwise: &Trial, manifest: &Manifest) -> Result<Connection, Failure> {
    let mut settings = otherwise.config.clone();
    settings.extend(args.config()?);
    let config = config(settings, manifest)?;
    let scheme = scheme(args.auth.as_deref().or(otherwise.auth.as_deref()), manifest)?;
    let mut secrets = secrets(&args.secrets, scheme, manifest)?;
    for (name, value) in &otherwise.secrets {
        secrets.entry(name.clone()).or_insert_with(|| SecretString::from(value.as_str()));
    }
    complete(&secrets, scheme, manifest)?;
    Ok(Connection { config, auth: scheme.map(|scheme| scheme.name.clone()).unwrap_or_default(), secrets })
}

/// Judges a configuration by the connector's schema.
fn config(config: Map<String, Json>, manifest: &Manifest) -> Result<Json, Failure> {
    let config = Json::Object(config);
    let schema: Json = serde_json::from_str(&manifest.config_schema)?;
    // The schema was checked when the connector was loaded.
    let validator = jsonschema::draft202012::new(&schema)
        .map_err(|error| Failure::new(Exit::Failure, format!("the connector's schema is not usable: {error}")))?;
    let errors: Vec<_> = validator.iter_errors(&config).collect();
    if errors.is_empty() {
        drop(errors);
        return Ok(config);
    }
    let known: Vec<&str> = schema
        .get("properties")
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let what = format!("the configuration does not fit connector {} {}", manifest.name, manifest.version);
    let mut failure = Failure::new(Exit::Usage, what);
    let mut unexpected = Vec::new();
    for error in &errors {
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { "the object itself" } else { place.as_str() };
        failure.causes.push(format!("{place}: {error}"));
        if let ValidationErrorKind::AdditionalProperties { unexpected: names } = error.kind() {
            unexpected.extend(names.iter().cloned());
        }
    }
    for name in unexpected {
        if let Some(near) = nearest(&name, known.iter().copied()) {
            failure = failure.help(format!("did you mean `{near}` instead of `{name}`?"));
        }
    }
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(failure.help(format!("its settings: {known}; give them with --set NAME=VALUE or --config-file")))
}

/// The scheme that is picked by name, or the first.
///
/// # Errors
/// [`Failure`] when there is none of that name, or this host cannot do what it says.
pub fn scheme<'m>(name: Option<&str>, manifest: &'m Manifest) -> Result<Option<&'m AuthScheme>, Failure> {
    let scheme = match name {
        None => manifest.auth.first(),
        Some(name) => Some(manifest.auth.iter().find(|scheme| scheme.name == name).ok_or_else(|| {
            Failure::not_found("auth scheme", name, manifest.auth.iter().map(|scheme| scheme.name.as_str()))
        })?),
    };
    match scheme {
        Some(AuthScheme { kind: AuthKind::Other(kind), name, .. }) => Err(Failure::new(
            Exit::Failure,
            format!("auth scheme `{name}` is of kind `{kind}`, which this version of syncline does not know"),
        )),
        scheme => Ok(scheme),
    }
}

/// Reads the credentials that are given for a scheme.
///
/// # Errors
/// [`Failure`] when one cannot be read, or is none that the scheme has.
pub fn secrets(
    args: &SecretArgs,
    scheme: Option<&AuthScheme>,
    manifest: &Manifest,
) -> Result<BTreeMap<String, SecretString>, Failure> {
    let known = scheme.map(|scheme| fields(&scheme.kind)).unwrap_or_default();
    for secret in &args.secrets {
        if !known.contains(&secret.name.as_str()) {
            let what = match scheme {
                Some(scheme) => format!("auth scheme `{}` has no credential `{}`", scheme.name, secret.name),
                None => format!("connector {} takes no credentials", manifest.name),
            };
            let failure = Failure::new(Exit::Usage, what);
            return Err(match nearest(&secret.name, known.iter().copied()) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None if known.is_empty() => failure,
                None => failure.help(format!("it has: {}", known.join(", "))),
            });
        }
    }
    args.read()
}

/// Checks that no credential is missing.
///
/// # Errors
/// [`Failure`] with all that are missing.
pub fn complete(
    secrets: &BTreeMap<String, SecretString>,
    scheme: Option<&AuthScheme>,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let Some(scheme) = scheme else { return Ok(()) };
    let missing: Vec<&str> = required(&scheme.kind).into_iter().filter(|name| !secrets.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = format!("credentials are missing for {} (auth scheme `{}`)", manifest.name, scheme.name);
    let failure = Failure::new(Exit::Auth, what);
    let failure = missing.into_iter().fold(failure, |failure, name| {
        let variable = name.replace('-', "_").to_uppercase();
        failure.help(format!("--secret {name}=env:{variable}, {name}=@FILE, or {name}=- to be asked"))
    });
    let others: Vec<&str> =
        manifest.auth.iter().map(|other| other.name.as_str()).filter(|name| *name != scheme.name).collect();
    Err(if others.is_empty() { failure } else { failure.help(format!("or another --auth: {}", others.join(", "))) })
}

/// The credential fields that must be given.
#[must_use]
pub fn required(kind: &AuthKind) -> Vec<&'static str> {
    let mut fields = kind.required_fields().to_vec();
    if let AuthKind::OAuth2(oauth) = kind
        && !oauth.grants.iter().any(|grant| grant == "client-credentials")
    {
        fields.push(field::REFRESH_TOKEN);
    }
    fields
}

/// The credential fields that may be given.
fn fields(kind: &AuthKind) -> Vec<&'static str> {
    let mut fields = kind.required_fields().to_vec();
    if matches!(kind, AuthKind::OAuth2(_)) {
        fields.extend([field::REFRESH_TOKEN, field::ACCESS_TOKEN]);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OAuth2;

    fn manifest() -> Manifest {
        let oauth = |grants: &[&str]| {
            AuthKind::OAuth2(OAuth2 {
                token_url: "https://crm.example/token".to_owned(),
                authorize_url: None,
                scopes: Vec::new(),
                grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            })
        };
        let scheme = |name: &str, kind| AuthScheme { name: name.to_owned(), kind, hosts: Vec::new() };
        Manifest {
            name: "crm".to_owned(),
            version: semver::Version::new(1, 0, 0),
            title: "CRM".to_owned(),
            config_schema: r#"{"type": "object", "additionalProperties": false, "required": ["domain"],
                "properties": {"domain": {"type": "string"}, "pages": {"type": "integer", "minimum": 1}}}"#
                .to_owned(),
            auth: vec![
                scheme("consent", oauth(&["refresh-token"])),
                scheme("server", oauth(&["refresh-token", "client-credentials"])),
                scheme("token", AuthKind::Bearer),
                scheme("magic", AuthKind::Other("magic".to_owned())),
            ],
            hosts: Vec::new(),
            rate: None,
        }
    }

    fn args(set: &[&str], secrets: &[&str], auth: Option<&str>) -> ConnectionArgs {
        ConnectionArgs {
            set: set.iter().map(|text| text.parse().unwrap()).collect(),
            secrets: SecretArgs { secrets: secrets.iter().map(|text| text.parse().unwrap()).collect() },
            auth: auth.map(str::to_owned),
            ..ConnectionArgs::default()
        }
    }

    #[test]
    fn everything_wrong_with_a_configuration_is_told_at_once_with_its_place() {
        let failure = connection(&args(&["domian=x", "pages=0"], &[], None), &manifest()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let text = failure.render(false);
        assert!(text.contains("/pages: 0 is less than the minimum of 1"), "{text}");
        assert!(text.contains("\"domain\" is a required property"), "{text}");
        assert!(text.contains("did you mean `domain` instead of `domian`?"), "{text}");
        assert!(text.contains("its settings: domain, pages"), "{text}");
    }

    #[test]
    fn a_refresh_token_is_required_unless_the_scheme_does_without_consent() {
        let told = |auth| connection(&args(&["domain=x"], &[], Some(auth)), &manifest()).unwrap_err();
        let consent = told("consent");
        assert_eq!(consent.exit, Exit::Auth);
        assert!(consent.render(false).contains("refresh-token=env:REFRESH_TOKEN"));
        let server = told("server").render(false);
        assert!(server.contains("client-secret=@FILE") && !server.contains("refresh-token=env"), "{server}");
    }

    #[test]
    fn a_credential_or_a_scheme_that_does_not_exist_is_told_with_the_nearest() {
        let failure = connection(&args(&["domain=x"], &["tokn=@x"], Some("token")), &manifest()).unwrap_err();
        assert_eq!((failure.exit, failure.help.as_slice()), (Exit::Usage, &["did you mean `token`?".to_owned()][..]));
        let failure = connection(&args(&["domain=x"], &[], Some("tokem")), &manifest()).unwrap_err();
        assert_eq!(
            (failure.exit, failure.help.as_slice()),
            (Exit::NotFound, &["did you mean `token`?".to_owned()][..])
        );
        assert!(connection(&args(&["domain=x"], &[], Some("magic")), &manifest()).is_err());
    }

    #[test]
    fn a_connection_that_fits_has_configuration_scheme_and_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        std::fs::write(&path, "s3cret\n").unwrap();
        let secret = format!("token=@{}", path.display());
        let fits = connection(&args(&["domain=x"], &[&secret], Some("token")), &manifest()).unwrap();
        assert_eq!((fits.config["domain"].as_str(), fits.auth.as_str()), (Some("x"), "token"));
        assert!(fits.secrets.contains_key("token"));
    }
}
