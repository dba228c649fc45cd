//! Names: is this URL one that the connector declared and the operator allows? No I/O.
//!
//! Addresses are judged where they are known, in [`super::dial`].

use serde_json::Value;

use super::config::EgressConfig;
use super::denial::{Denial, Rule};
use super::patterns::{self, HostPattern, PatternError};
use super::target::Target;
use crate::domain::{AuthScheme, Manifest};

/// The rules for one integration: its connector's declarations with its configuration filled in.
#[derive(Debug)]
pub(super) struct Policy {
    connector: String,
    declared: Vec<HostPattern>,
    credential: Vec<HostPattern>,
    operator: Operator,
}

/// The operator's part of the rules.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    allow_http: bool,
    deny: Vec<HostPattern>,
    routed: Vec<HostPattern>,
}

impl Operator {
    pub(super) fn new(config: &EgressConfig) -> Self {
        Self {
            allow_http: config.allow_http,
            deny: config.deny_hosts.clone(),
            routed: config.routes.iter().map(|(pattern, _)| pattern.clone()).collect(),
        }
    }

    /// Scheme and refused hosts.
    pub(super) fn check(&self, target: &Target) -> Result<(), Denial> {
        if !target.is_https() && !self.allow_http && !matches_any(&self.routed, target) {
            return Err(Denial::new(
                Rule::Scheme,
                format!("{} must be asked over https (`egress.allow_http = true` would allow http)", target.host()),
            ));
        }
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.matches_host(target.host())) {
            return Err(Denial::new(
                Rule::Operator,
                format!(
                    "host {:?} is refused by the operator: \"{pattern}\" in `egress.deny_hosts`",
                    target.authority()
                ),
            ));
        }
        Ok(())
    }
}

impl Policy {
    pub(super) fn new(
        manifest: &Manifest,
        scheme: Option<&AuthScheme>,
        config: &Value,
        operator: Operator,
    ) -> Result<Self, PatternError> {
        let bind = |patterns: &[String]| -> Result<Vec<HostPattern>, PatternError> {
            patterns.iter().map(|pattern| patterns::bind(pattern, config)).collect()
        };
        Ok(Self {
            connector: manifest.name.clone(),
            declared: bind(&manifest.hosts)?,
            credential: bind(scheme.map_or(&[], |scheme| scheme.hosts.as_slice()))?,
            operator,
        })
    }

    /// Judges a URL that a connector or a provider's redirect named.
    pub(super) fn check(&self, target: &Target) -> Result<(), Denial> {
        self.operator.check(target)?;
        if matches_any(&self.declared, target) {
            return Ok(());
        }
        Err(Denial::new(
            Rule::Host,
            format!(
                "host {:?} is not declared by connector {:?}; its manifest would have to list it: hosts = [{:?}]",
                target.authority(),
                self.connector,
                target.authority()
            ),
        ))
    }

    /// Whether the credential may be shown to that host.
    pub(super) fn may_see_credential(&self, target: &Target) -> bool {
        self.credential.is_empty() || matches_any(&self.credential, target)
    }
}

pub(super) fn matches_any(patterns: &[HostPattern], target: &Target) -> bool {
    patterns.iter().any(|pattern| pattern.matches(target.host(), target.port(), target.default_port()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::AuthKind;

    fn policy(hosts: &[&str], credential: &[&str], egress: &EgressConfig) -> Policy {
        let scheme = AuthScheme {
            name: "key".to_owned(),
            kind: AuthKind::Bearer,
            hosts: credential.iter().map(|host| (*host).to_owned()).collect(),
        };
        let manifest = Manifest {
            name: "acme".to_owned(),
            version: semver::Version::new(1, 0, 0),
            title: "Acme".to_owned(),
            config_schema: "{}".to_owned(),
            auth: vec![scheme.clone()],
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            rate: None,
        };
        Policy::new(&manifest, Some(&scheme), &json!({ "sub": "corp" }), Operator::new(egress)).unwrap()
    }

    fn check(policy: &Policy, url: &str) -> Result<(), Denial> {
        policy.check(&Target::parse(url).unwrap())
    }

    #[test]
    fn only_declared_hosts_and_ports_pass_and_the_refusal_names_the_line_that_would_help() {
        let policy = policy(&["api.acme.com", "{sub}.acme.com", "files.acme.com:8443"], &[], &EgressConfig::default());
        for url in ["https://api.acme.com/x", "https://corp.acme.com/", "https://files.acme.com:8443/"] {
            assert_eq!(check(&policy, url), Ok(()), "{url}");
        }
        for url in ["https://acme.com/", "https://files.acme.com/", "https://api.acme.com:8443/", "https://1.1.1.1/"] {
            assert_eq!(check(&policy, url).unwrap_err().rule, Rule::Host, "{url}");
        }
        let message = check(&policy, "https://evil.com:444/?token=1").unwrap_err().message;
        assert_eq!(
            message,
            "host \"evil.com:444\" is not declared by connector \"acme\"; its manifest would have to list it: hosts = [\"evil.com:444\"]"
        );
    }

    #[test]
    fn http_needs_the_operator() {
        let refused = check(&policy(&["acme.com"], &[], &EgressConfig::default()), "http://acme.com/").unwrap_err();
        assert_eq!(refused.rule, Rule::Scheme);
        assert!(refused.message.contains("egress.allow_http"));
        let allowed = EgressConfig { allow_http: true, ..EgressConfig::default() };
        assert_eq!(check(&policy(&["acme.com"], &[], &allowed), "http://acme.com/"), Ok(()));
        let routed = EgressConfig {
            routes: vec![("acme.com".parse().unwrap(), "http://127.0.0.1:1".parse().unwrap())],
            ..EgressConfig::default()
        };
        assert_eq!(check(&policy(&["acme.com"], &[], &routed), "http://acme.com/"), Ok(()));
    }

    #[test]
    fn the_operator_can_refuse_a_declared_host() {
        let egress = EgressConfig { deny_hosts: vec!["*.acme.com".parse().unwrap()], ..EgressConfig::default() };
        let refused = check(&policy(&["api.acme.com"], &[], &egress), "https://api.acme.com/").unwrap_err();
        assert_eq!(refused.rule, Rule::Operator);
    }

    #[test]
    fn a_credential_is_shown_to_its_own_hosts_only() {
        let narrow = policy(&["*.acme.com"], &["api.acme.com"], &EgressConfig::default());
        let sees = |policy: &Policy, url| policy.may_see_credential(&Target::parse(url).unwrap());
        assert!(sees(&narrow, "https://api.acme.com/"));
        assert!(!sees(&narrow, "https://cdn.acme.com/"));
        assert!(sees(&policy(&["*.acme.com"], &[], &EgressConfig::default()), "https://cdn.acme.com/"));
    }
}
