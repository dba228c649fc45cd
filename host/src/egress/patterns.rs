//! Host patterns: what a connector declares and what an operator configures.
//!
//! `api.x.com` is that host, `*.x.com` every host below it, `{domain}` takes the place of a configuration value and
//! `:8443` names a port (without one the scheme's own port is meant). Patterns are compared with parsed hosts, never
//! with text: case, international names and a trailing dot have been dealt with by then.

use std::fmt;
use std::str::FromStr;

use url::Host;

/// Why a pattern, or a configuration value in one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not a pattern at all.
    #[error("{pattern:?} is not a host pattern: {reason}")]
    Malformed {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The configuration lacks the value that a pattern names.
    #[error("host pattern {pattern:?} needs the configuration value {name:?}")]
    Missing {
        /// The pattern as written.
        pattern: String,
        /// The configuration key.
        name: String,
    },
    /// The configuration value is more than a piece of a host name.
    #[error(
        "configuration value {name:?} must be a plain host name or a part of one: letters, digits, `-` and `.` only"
    )]
    Unsafe {
        /// The configuration key.
        name: String,
    },
}

/// A host pattern without placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hosts {
    One(Host<String>),
    /// Every name that ends in this, with its leading dot.
    Below(String),
}

impl HostPattern {
    /// Whether a host matches, whatever the port.
    #[must_use]
    pub fn matches_host(&self, host: &Host<String>) -> bool {
        match (&self.hosts, host) {
            (Hosts::One(one), host) => one == host,
            (Hosts::Below(suffix), Host::Domain(name)) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            (Hosts::Below(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
        }
    }

    /// Whether a host and port match; `default_port` is the one of the scheme.
    #[must_use]
    pub fn matches(&self, host: &Host<String>, port: u16, default_port: u16) -> bool {
        self.port.unwrap_or(default_port) == port && self.matches_host(host)
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(pattern: &str) -> Result<Self, PatternError> {
        let malformed = |reason| PatternError::Malformed { pattern: pattern.to_owned(), reason };
        if pattern.contains("://") {
            return Err(malformed("leave out the scheme"));
        }
        if pattern.is_empty() || pattern.contains(|c: char| c.is_whitespace() || "/@?#\\%{}".contains(c)) {
            return Err(malformed("only a host name and a port may be in it"));
        }
        let (host, port) = split_port(pattern).ok_or_else(|| malformed("the port is not a number from 1 to 65535"))?;
        let (wild, host) = host.strip_prefix("*.").map_or((false, host), |rest| (true, rest));
        if host.contains('*') {
            return Err(malformed("`*.` may stand only at the beginning"));
        }
        let parsed = parse_host(host).ok_or_else(|| malformed("it is not a host name"))?;
        let hosts = match (wild, parsed) {
            (false, host) => Hosts::One(host),
            (true, Host::Domain(name)) if name.contains('.') => Hosts::Below(format!(".{name}")),
            (true, Host::Domain(_)) => return Err(malformed("`*.` needs at least two labels after it")),
            (true, Host::Ipv4(_) | Host::Ipv6(_)) => return Err(malformed("an address has no names below it")),
        };
        Ok(Self { hosts, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::One(host) => write!(f, "{host}")?,
            Hosts::Below(suffix) => write!(f, "*{suffix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Parses a host as a URL parser does, without a trailing dot.
pub(super) fn parse_host(text: &str) -> Option<Host<String>> {
    match Host::parse(text).ok()? {
        Host::Domain(name) => normal_name(&name).map(|name| Host::Domain(name.to_owned())),
        address => Some(address),
    }
}

/// A DNS name without its trailing dot; none if it has an empty or overlong label, or one with a dash at an end: no name
/// has such, no certificate can be issued for it, and resolvers disagree about it.
pub(super) fn normal_name(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    let fits = !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label);
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    (fits && plain).then_some(name)
}

fn split_port(pattern: &str) -> Option<(&str, Option<u16>)> {
    let after_bracket = pattern.rfind(']').map_or(0, |at| at + 1);
    match pattern.get(after_bracket..)?.rsplit_once(':') {
        None => Some((pattern, None)),
        Some((_, digits)) => {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let port = digits.parse::<u16>().ok().filter(|port| plain && *port > 0)?;
            Some((pattern.get(..pattern.len() - digits.len() - 1)?, Some(port)))
        }
    }
}

/// Puts the configuration's values into a declared pattern.
///
/// # Errors
/// If the pattern is malformed, a value is missing or not text, or the result is not a plain host name.
pub fn bind(pattern: &str, config: &serde_json::Value) -> Result<HostPattern, PatternError> {
    if !pattern.contains('{') {
        return pattern.parse();
    }
    let bound: HostPattern = substitute(pattern, config)?.parse()?;
    match &bound.hosts {
        Hosts::One(Host::Domain(_)) | Hosts::Below(_) => Ok(bound),
        Hosts::One(Host::Ipv4(_) | Host::Ipv6(_)) => Err(PatternError::Malformed {
            pattern: pattern.to_owned(),
            reason: "a configuration value made an address of it, and only names are taken from there",
        }),
    }
}

/// Replaces each `{name}` by a configuration value that is a plain piece of a host name: it cannot end the host, add a
/// port or user information, or bring a wildcard.
///
/// # Errors
/// If a brace does not close, or a value is missing, not text or not plain.
pub(super) fn substitute(pattern: &str, config: &serde_json::Value) -> Result<String, PatternError> {
    let mut text = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| PatternError::Malformed { pattern: pattern.to_owned(), reason: "a `{` is not closed" })?;
        let value = config
            .get(name)
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| PatternError::Missing { pattern: pattern.to_owned(), name: name.to_owned() })?;
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !plain || value.starts_with('.') || value.split('.').any(str::is_empty) {
            return Err(PatternError::Unsafe { name: name.to_owned() });
        }
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        pattern.parse::<HostPattern>().unwrap().matches_host(&parse_host(host).unwrap())
    }

    #[test]
    fn a_name_matches_itself_in_any_spelling_and_nothing_else() {
        assert!(matches("api.x.com", "api.x.com"));
        assert!(matches("API.x.com.", "api.X.com"));
        assert!(matches("api.x.com", "api.x.com."));
        assert!(matches("bücher.example", "xn--bcher-kva.example"));
        assert!(!matches("api.x.com", "x.com"));
        assert!(!matches("api.x.com", "evil.api.x.com"));
        assert!(!matches("api.x.com", "api.x.com.evil.com"));
        assert!(!matches("api.x.com", "apiax.com"));
    }

    #[test]
    fn a_wildcard_matches_below_its_name_only() {
        assert!(matches("*.x.com", "a.x.com"));
        assert!(matches("*.x.com", "a.b.x.com"));
        assert!(!matches("*.x.com", "x.com"));
        assert!(!matches("*.x.com", "evilx.com"));
        assert!(!matches("*.x.com", "a.x.com.evil.com"));
        assert!(!matches("*.0.0.1.com", "127.0.0.1"));
    }

    #[test]
    fn a_port_counts_only_if_it_is_declared() {
        let host = parse_host("x.com").unwrap();
        let plain: HostPattern = "x.com".parse().unwrap();
        assert!(plain.matches(&host, 443, 443) && !plain.matches(&host, 8443, 443));
        let other: HostPattern = "x.com:8443".parse().unwrap();
        assert!(other.matches(&host, 8443, 443) && !other.matches(&host, 443, 443));
        let v6: HostPattern = "[::1]:9000".parse().unwrap();
        assert!(v6.matches(&parse_host("[::1]").unwrap(), 9000, 80));
        assert_eq!(v6.to_string(), "[::1]:9000");
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        for pattern in [
            "",
            "*",
            "*.",
            "*.com",
            "*x.com",
            "a.*.com",
            "**.x.com",
            "https://x.com",
            "x.com/",
            "x.com/path",
            "u@x.com",
            "x.com:0",
            "x.com:65536",
            "x.com:+80",
            "x.com:",
            "x .com",
            "a..b",
            ".x.com",
            "x.com?y",
            "x%2ecom",
            "{domain}",
            "*.10.0.0.1",
            "[::1",
            "a:b:c",
            "-1",
            "-1:8443",
            "-a.x.com",
            "a-.x.com",
            "x.com-",
            "127.0.0.1-",
            "*.-x.com",
        ] {
            assert!(pattern.parse::<HostPattern>().is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn a_configuration_value_takes_its_place() {
        let config = json!({ "domain": "acme.zendesk.com", "sub": "Acme" });
        assert_eq!(bind("{domain}", &config).unwrap().to_string(), "acme.zendesk.com");
        assert_eq!(bind("{sub}.zendesk.com:8443", &config).unwrap().to_string(), "acme.zendesk.com:8443");
        assert_eq!(bind("*.{domain}", &config).unwrap().to_string(), "*.acme.zendesk.com");
        assert!(matches!(bind("{other}.x.com", &config), Err(PatternError::Missing { .. })));
        assert!(matches!(bind("{domain", &config), Err(PatternError::Malformed { .. })));
    }

    #[test]
    fn a_configuration_value_smuggles_nothing() {
        for value in [
            "evil.com/",
            "evil.com#",
            "evil.com?",
            "a@evil.com",
            "evil.com:80",
            "evil.com\\",
            "*",
            "*.com",
            "",
            ".",
            "..",
            ".evil",
            "evil.",
            "a..b",
            "a b",
            "a\n",
            "a\0",
            "%65vil",
            "{sub}",
            "[::1]",
            "ex\u{3002}com",
            "ｅvil",
        ] {
            let bound = bind("{sub}.zendesk.com", &json!({ "sub": value }));
            assert!(matches!(bound, Err(PatternError::Unsafe { .. })), "{value:?}: {bound:?}");
        }
        for value in ["127.0.0.1", "2130706433", "0x7f000001", "10.1"] {
            assert!(bind("{sub}", &json!({ "sub": value })).is_err(), "{value}");
        }
        for value in ["-", "-acme", "acme-"] {
            let bound = bind("{sub}.x.com", &json!({ "sub": value }));
            assert!(matches!(bound, Err(PatternError::Malformed { .. })), "{value}: {bound:?}");
        }
        assert!(bind("{sub}.x.com", &json!({ "sub": 7 })).is_err());
    }
}
