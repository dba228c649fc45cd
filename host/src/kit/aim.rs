//! Pointing a connector at a synthetic provider: every host that it declares leads there.

use url::Url;

use super::line::AS_FAST_AS_IT_ANSWERS;
use crate::domain::{AuthKind, Manifest};
use crate::egress::EgressConfig;
use crate::egress::patterns::{PatternError, bind};

/// The same gate, with every host that the connector declares for this configuration leading to `origin`, as fast as
/// it answers.
///
/// # Errors
/// [`PatternError`] where a declared host does not fit the configuration.
pub fn at(
    mut egress: EgressConfig,
    manifest: &Manifest,
    config: &serde_json::Value,
    origin: &Url,
) -> Result<EgressConfig, PatternError> {
    let schemes = manifest.auth.iter();
    let endpoints = schemes.filter_map(|scheme| match &scheme.kind {
        AuthKind::OAuth2(oauth) => oauth.token_url.split('/').nth(2),
        AuthKind::Bearer | AuthKind::Basic | AuthKind::Header(_) | AuthKind::Query(_) | AuthKind::Other(_) => None,
    });
    let hosts = manifest.hosts.iter().map(String::as_str).chain(endpoints);
    let routes: Vec<_> =
        hosts.map(|host| Ok((bind(host, config)?, origin.clone()))).collect::<Result<_, PatternError>>()?;
    // The operator's own routes come behind: the author asked for this one.
    egress.routes.splice(0..0, routes);
    egress.provider_rates.insert(manifest.name.clone(), AS_FAST_AS_IT_ANSWERS);
    Ok(egress)
}
