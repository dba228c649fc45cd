//! Judges the manifest that `describe` gave. All problems at once, each in words its author can act on.

use std::collections::HashSet;

use semver::Version;

use super::contract::schema;
use super::error::LoadError;
use super::text;
use super::world::RawManifest;
use crate::domain::{AuthKind, AuthScheme, Manifest};

pub(super) const NAME_BYTES: usize = 64;
pub(super) const TITLE_BYTES: usize = 200;
pub(super) const HOSTS: usize = 64;
pub(super) const SCHEMES: usize = 16;
pub(super) const SCHEMA_BYTES: usize = 256 << 10;
pub(super) const SCOPES: usize = 200;

/// Headers that the host writes itself; no credential may go there under another name.
pub(super) const RESERVED_HEADERS: [&str; 6] =
    ["connection", "content-length", "cookie", "host", "proxy-authorization", "transfer-encoding"];

/// Turns a raw manifest into one to rely on.
pub(crate) fn validate(raw: RawManifest) -> Result<Manifest, LoadError> {
    let mut problems = Vec::new();
    if !is_name(&raw.name) {
        problems.push(format!(
            "name {:?} is not a lower-case letter, then letters, digits and dashes, {NAME_BYTES} at most",
            text::clean(&raw.name, NAME_BYTES)
        ));
    }
    let version = Version::parse(&raw.version).unwrap_or_else(|error| {
        problems.push(format!("version {:?} is not a semantic one: {error}", text::clean(&raw.version, 64)));
        Version::new(0, 0, 0)
    });
    if raw.title.trim().is_empty() || text::clean(&raw.title, TITLE_BYTES) != raw.title {
        problems.push(format!("title is empty, longer than {TITLE_BYTES} bytes or has control characters"));
    }
    let properties = properties(&raw.config_schema, &mut problems);
    hosts("hosts", &raw.hosts, &properties, &mut problems);
    auth(&raw.auth, &properties, &mut problems);
    if raw.rate.is_some_and(|rate| rate.requests == 0 || rate.per_seconds == 0) {
        problems.push("rate: requests and per-seconds must be at least 1".to_owned());
    }
    if !problems.is_empty() {
        return Err(LoadError::Manifest { problems });
    }
    Ok(Manifest {
        name: raw.name,
        version,
        title: raw.title,
        config_schema: raw.config_schema,
        auth: raw.auth,
        hosts: raw.hosts,
        rate: raw.rate,
    })
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The configuration's property names, which hosts and URLs may refer to.
fn properties(config_schema: &str, problems: &mut Vec<String>) -> HashSet<String> {
    if config_schema.len() > SCHEMA_BYTES {
        problems.push(format!("config-schema is {} bytes, at most {SCHEMA_BYTES} are allowed", config_schema.len()));
        return HashSet::new();
    }
    match schema(config_schema) {
        Ok(schema) => schema
            .get("properties")
            .and_then(|properties| properties.as_object())
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default(),
        Err(why) => {
            problems.push(format!("config-schema {why}"));
            HashSet::new()
        }
    }
}

fn hosts(place: &str, hosts: &[String], properties: &HashSet<String>, problems: &mut Vec<String>) {
    if hosts.len() > HOSTS {
        problems.push(format!("{place}: {} patterns, at most {HOSTS} are allowed", hosts.len()));
    }
    for pattern in hosts.iter().take(HOSTS) {
        if let Err(why) = host(pattern, properties) {
            problems.push(format!("{place}: {:?} {why}", text::clean(pattern, 260)));
        }
    }
}

/// `api.example.com`, `*.example.com`, `{subdomain}.example.com`, each with a port if need be.
fn host(pattern: &str, properties: &HashSet<String>) -> Result<(), String> {
    let (name, port) = match pattern.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (pattern, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().unwrap_or(0) == 0) {
        return Err("is no host: no scheme, and after a colon only a port".to_owned());
    }
    let plain = placeholders(name, properties)?;
    let labels = plain.strip_prefix("*.").unwrap_or(&plain);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if plain.len() > 253 || !labels.split('.').all(is_label) {
        return Err("is no host: lower-case letters, digits, dashes and dots; `*.` only in front; no path".to_owned());
    }
    if plain.starts_with("*.") && !labels.contains('.') {
        return Err("is too wide: name at least two labels after `*.`".to_owned());
    }
    Ok(())
}

/// Puts a letter in the place of every `{property}`, which must be one of the configuration.
fn placeholders(text: &str, properties: &HashSet<String>) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((property, tail)) = after.split_once('}') else {
            return Err("has a `{` without `}`".to_owned());
        };
        if !properties.contains(property) {
            return Err(format!("names {{{property}}}, which is no property of config-schema"));
        }
        plain.push_str(before);
        plain.push('x');
        rest = tail;
    }
    plain.push_str(rest);
    Ok(plain)
}

fn auth(schemes: &[AuthScheme], properties: &HashSet<String>, problems: &mut Vec<String>) {
    if schemes.len() > SCHEMES {
        problems.push(format!("auth: {} schemes, at most {SCHEMES} are allowed", schemes.len()));
        return;
    }
    let mut seen = HashSet::new();
    for scheme in schemes {
        let name = text::clean(&scheme.name, NAME_BYTES);
        if !is_name(&scheme.name) {
            problems.push(format!("auth: name {name:?} is not a lower-case letter, then letters, digits and dashes"));
        }
        if !seen.insert(scheme.name.as_str()) {
            problems.push(format!("auth: two schemes are called {name:?}"));
        }
        hosts(&format!("auth {name}: hosts"), &scheme.hosts, properties, problems);
        if let Err(why) = kind(&scheme.kind, properties) {
            problems.push(format!("auth {name}: {why}"));
        }
    }
}

fn kind(kind: &AuthKind, properties: &HashSet<String>) -> Result<(), String> {
    match kind {
        AuthKind::Bearer | AuthKind::Basic => Ok(()),
        AuthKind::Header(name) => match http::HeaderName::from_bytes(name.as_bytes()) {
            Err(_) => Err(format!("{:?} is no header name", text::clean(name, 64))),
            Ok(header) if RESERVED_HEADERS.contains(&header.as_str()) => {
                Err(format!("header {header} is written by the host"))
            }
            Ok(_) => Ok(()),
        },
        AuthKind::Query(name) if !is_word(name) => {
            Err("the name of a query parameter has 1 to 64 bytes and no control characters".to_owned())
        }
        AuthKind::Other(name) if !is_word(name) => {
            Err("the name of a kind has 1 to 64 bytes and no control characters".to_owned())
        }
        AuthKind::Query(_) | AuthKind::Other(_) => Ok(()),
        AuthKind::OAuth2(oauth2) => {
            if oauth2.scopes.len() > SCOPES || !oauth2.scopes.iter().chain(&oauth2.grants).all(|scope| is_scope(scope))
            {
                return Err(format!("at most {SCOPES} scopes, each a text without spaces or control characters"));
            }
            endpoint("token-url", &oauth2.token_url, properties)?;
            oauth2.authorize_url.as_deref().map_or(Ok(()), |url| endpoint("authorize-url", url, properties))
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && text::clean(name, 64) == name
}

fn is_scope(scope: &str) -> bool {
    (1..=512).contains(&scope.len()) && scope.bytes().all(|b| b.is_ascii_graphic())
}

fn endpoint(place: &str, endpoint: &str, properties: &HashSet<String>) -> Result<(), String> {
    let shown = || text::clean(endpoint, 260);
    let plain = placeholders(endpoint, properties).map_err(|why| format!("{place} {:?} {why}", shown()))?;
    match url::Url::parse(&plain) {
        Ok(url) if matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.has_host() => Ok(()),
        _ => Err(format!("{place} {:?} is no absolute URL", shown())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OAuth2;

    fn good() -> RawManifest {
        RawManifest {
            name: "zendesk".to_owned(),
            version: "1.2.0".to_owned(),
            title: "Zendesk".to_owned(),
            config_schema: r#"{"type": "object", "properties": {"subdomain": {"type": "string"}}}"#.to_owned(),
            auth: vec![AuthScheme {
                name: "oauth".to_owned(),
                kind: AuthKind::OAuth2(OAuth2 {
                    token_url: "https://{subdomain}.zendesk.com/oauth/tokens".to_owned(),
                    authorize_url: None,
                    scopes: Vec::new(),
                    grants: Vec::new(),
                }),
                hosts: Vec::new(),
            }],
            hosts: vec!["{subdomain}.zendesk.com".to_owned(), "*.zdassets.com:8443".to_owned()],
            rate: None,
        }
    }

    fn problems(raw: RawManifest) -> Vec<String> {
        match validate(raw) {
            Err(LoadError::Manifest { problems }) => problems,
            other => panic!("no problems: {other:?}"),
        }
    }

    #[test]
    fn a_good_manifest_passes() {
        assert_eq!(validate(good()).unwrap().version, Version::new(1, 2, 0));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let mut raw = good();
        raw.name = "Zendesk!".to_owned();
        raw.version = "1.2".to_owned();
        raw.title = "\u{1b}[31m".to_owned();
        raw.config_schema = "{".to_owned();
        raw.auth.push(raw.auth[0].clone());
        // The schema does not parse, so that no placeholder has a property either: twice in auth, once in hosts.
        assert_eq!(problems(raw).len(), 8);
    }

    #[test]
    fn a_host_pattern_is_a_host_and_nothing_else() {
        let bad = [
            "https://api.example.com",
            "api.example.com/v1",
            "*",
            "*.com",
            "a.*.com",
            "user@example.com",
            "API.example.com",
            "{nobody}.example.com",
            "{subdomain.example.com",
            "example.com:0",
            "example.com:99999",
            "",
            "-a.com",
            "a..com",
        ];
        for pattern in bad {
            let raw = RawManifest { hosts: vec![pattern.to_owned()], ..good() };
            assert_eq!(problems(raw).len(), 1, "{pattern}");
        }
    }

    #[test]
    fn a_credential_cannot_hide_in_a_header_of_the_host() {
        for header in ["Host", "transfer-encoding", "bad header"] {
            let mut raw = good();
            raw.auth[0].kind = AuthKind::Header(header.to_owned());
            assert_eq!(problems(raw).len(), 1, "{header}");
        }
    }
}
