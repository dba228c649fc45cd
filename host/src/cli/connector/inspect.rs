//! What connectors say of themselves.

use serde::Serialize;
use serde_json::Value as Json;

use super::ConnectorInspectArgs;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::Row;
use crate::cli::{human, probe};
use crate::config::Config;
use crate::connector::Connector;
use crate::domain::{AuthKind, AuthScheme, Manifest, chain};

#[derive(Serialize)]
struct Listed {
    name: String,
    version: Option<String>,
    digest: Option<String>,
    contract: Option<String>,
    size_bytes: Option<u64>,
    /// Why it does not run.
    refused: Option<String>,
}

impl Row for Listed {
    const HEADERS: &'static [&'static str] = &["connector", "version", "digest", "contract", "size", "refused"];

    fn cells(&self) -> Vec<String> {
        let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            self.name.clone(),
            optional(&self.version),
            self.digest.as_deref().map_or_else(|| "-".to_owned(), |digest| human::brief(digest, 20)),
            optional(&self.contract),
            self.size_bytes.map_or_else(|| "-".to_owned(), human::bytes),
            self.refused.clone().unwrap_or_default(),
        ]
    }
}

pub(super) async fn list(config: &Config, context: &mut Context) -> Result<(), Failure> {
    let catalog = probe::catalog(config).await?;
    let accepted = catalog.list().into_iter().map(|connector| Listed {
        name: connector.manifest.name.clone(),
        version: Some(connector.manifest.version.to_string()),
        digest: Some(connector.pin().to_string()),
        contract: Some(connector.contract.to_string()),
        size_bytes: Some(connector.size_bytes),
        refused: None,
    });
    let refused = catalog.refused().into_iter().map(|(path, why)| Listed {
        name: path.display().to_string(),
        version: None,
        digest: None,
        contract: None,
        size_bytes: None,
        refused: Some(chain(&*why)),
    });
    let rows: Vec<Listed> = accepted.chain(refused).collect();
    let nothing = format!("no connectors in {} (connectors.dir)", config.connectors.dir.display());
    Ok(context.output.rows(&rows, &nothing)?)
}

#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    /// The schema again, as JSON and not as text.
    config_schema: Json,
    digest: String,
    size_bytes: u64,
    contract: String,
    imports: &'a [String],
}

pub(super) async fn inspect(
    args: &ConnectorInspectArgs,
    config: &Config,
    context: &mut Context,
) -> Result<(), Failure> {
    let connector = probe::find(config, &args.connector).await?;
    let manifest = &connector.manifest;
    let inspected = Inspected {
        manifest,
        config_schema: serde_json::from_str(&manifest.config_schema)?,
        digest: connector.pin().to_string(),
        size_bytes: connector.size_bytes,
        contract: connector.contract.to_string(),
        imports: &connector.imports,
    };
    let fields = fields(&connector, &inspected.config_schema);
    // Through a value: a name that the manifest and this have in common must not be there twice.
    let json = serde_json::to_value(&inspected)?;
    Ok(context.output.item(&json, &fields)?)
}

fn fields(connector: &Connector, schema: &Json) -> Vec<(&'static str, String)> {
    let manifest = &connector.manifest;
    let mut fields = vec![
        ("connector", format!("{} {} ({})", manifest.name, manifest.version, manifest.title)),
        ("digest", connector.pin().to_string()),
        ("size", human::bytes(connector.size_bytes)),
        ("contract", connector.contract.to_string()),
        ("hosts", manifest.hosts.join(", ")),
    ];
    fields.extend(manifest.auth.iter().map(|scheme| ("auth", auth(scheme))));
    fields.extend(settings(schema).into_iter().map(|setting| ("setting", setting)));
    if let Some(rate) = manifest.rate {
        let concurrency = if rate.concurrency == 0 { String::new() } else { format!(", {} at once", rate.concurrency) };
        fields.push(("rate", format!("{} requests in {} s{concurrency}", rate.requests, rate.per_seconds)));
    }
    fields.push(("imports", connector.imports.join(", ")));
    fields
}

fn auth(scheme: &AuthScheme) -> String {
    let kind = match &scheme.kind {
        AuthKind::Bearer => "bearer token".to_owned(),
        AuthKind::Basic => "basic".to_owned(),
        AuthKind::Header(name) => format!("header {name}"),
        AuthKind::Query(name) => format!("query parameter {name}"),
        AuthKind::OAuth2(oauth) => format!("OAuth 2.0 at {}", oauth.token_url),
        AuthKind::Other(kind) => format!("{kind}, unknown here"),
    };
    let secrets: Vec<String> =
        crate::cli::fit::required(&scheme.kind).into_iter().map(|name| format!("--secret {name}=...")).collect();
    format!("{}: {kind}; {}", scheme.name, secrets.join(" "))
}

/// The settings of a configuration, one text for each.
fn settings(schema: &Json) -> Vec<String> {
    let required: Vec<&str> =
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    let properties = schema.get("properties").and_then(Json::as_object);
    let about = |(name, property): (&String, &Json)| {
        let text = |key: &str| property.get(key).and_then(Json::as_str);
        let kind = text("type").unwrap_or("any");
        let must = if required.contains(&name.as_str()) { ", required" } else { "" };
        let default = property.get("default").map(|value| format!(", default {value}")).unwrap_or_default();
        let description = text("description").map(|text| format!(": {text}")).unwrap_or_default();
        format!("{name} ({kind}{must}{default}){description}")
    };
    properties.into_iter().flatten().map(about).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_with_type_default_and_whether_they_are_required() {
        let schema = serde_json::json!({
            "required": ["domain"],
            "properties": {
                "domain": {"type": "string", "description": "Your domain"},
                "pages": {"type": "integer", "default": 5}
            }
        });
        assert_eq!(settings(&schema), ["domain (string, required): Your domain", "pages (integer, default 5)"]);
        assert!(settings(&serde_json::json!({"type": "object"})).is_empty());
    }
}
