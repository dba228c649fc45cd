//! What the connector says about itself and about its objects.

use serde_json::{Map, Value, json};
use syncline_sdk::{AuthScheme, DeleteMode, Manifest, OAuth2, ObjectType};

use crate::config;
use crate::fields::{FieldList, Kind};
use crate::objects::Object;

/// The connector's manifest. There is one host, the org's own: it serves the tokens as well as the data.
pub(crate) fn manifest() -> Manifest {
    let oauth = OAuth2::new("https://{domain}/services/oauth2/token")
        .authorize_url("https://{domain}/services/oauth2/authorize")
        .scope("api")
        .scope("refresh_token")
        .grant("refresh-token")
        .grant("client-credentials");
    Manifest::new("salesforce", env!("CARGO_PKG_VERSION"), "Salesforce")
        .config_schema(config::SCHEMA)
        .auth(AuthScheme::oauth2("oauth", oauth))
        .host("{domain}")
        // Salesforce publishes a daily quota, which the org shares with all its other programs, and 25 long requests at
        // once. This is a pace that a small org's quota of 15,000 a day bears for some hours.
        .rate(100, 60, 4)
}

/// The object as it is offered to the host.
pub(crate) fn object_type(object: &Object, fields: &FieldList) -> ObjectType {
    let deletes = if fields.keeps_deleted() { DeleteMode::Tombstones } else { DeleteMode::None };
    ObjectType::incremental(object.name.as_str(), object.interaction_type)
        .schema(record_schema(fields).to_string())
        .primary_key(&["Id"])
        .deletes(deletes)
}

/// JSON Schema of a record: every field may be null, and fields added later are welcome.
fn record_schema(fields: &FieldList) -> Value {
    let mut properties = Map::new();
    properties.insert("attributes".to_owned(), json!({"type": "object"}));
    for field in fields.iter() {
        let kind = match field.kind {
            Kind::Text | Kind::Time => "string",
            Kind::Bool => "boolean",
            Kind::Number => "number",
        };
        properties.insert(field.name.clone(), json!({"type": [kind, "null"]}));
    }
    json!({"type": "object", "required": ["Id", "SystemModstamp"], "properties": properties})
}
