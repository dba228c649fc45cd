//! Adding the credential: the last thing that happens to a request, and only for hosts that may see it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::credentials::{Credentials, field};
use super::target::Target;
use crate::domain::AuthKind;

/// Fields that must never be shown.
const SECRET_FIELDS: &[&str] =
    &[field::TOKEN, field::PASSWORD, field::KEY, field::CLIENT_SECRET, field::REFRESH_TOKEN, field::ACCESS_TOKEN];

/// Headers that frame a message: a scheme that wants to write one of these is refused.
const FRAMING: &[&str] = &["host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "trailer"];

/// What an auth scheme writes into a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing: the connector declares no authentication.
    Nothing,
    Bearer,
    AccessToken,
    Basic,
    Header(HeaderName),
    Query(String),
}

impl Slot {
    /// The slot of a scheme; none if this host does not know the scheme or must not write there.
    pub(super) fn of(kind: &AuthKind) -> Option<Self> {
        match kind {
            AuthKind::Bearer => Some(Self::Bearer),
            AuthKind::Basic => Some(Self::Basic),
            AuthKind::OAuth2(_) => Some(Self::AccessToken),
            AuthKind::Query(name) => (!name.is_empty()).then(|| Self::Query(name.clone())),
            AuthKind::Header(name) => HeaderName::try_from(name.as_str())
                .ok()
                .filter(|name| !FRAMING.contains(&name.as_str()))
                .map(Self::Header),
            AuthKind::Other(_) => None,
        }
    }

    /// The header that a connector must leave alone.
    pub(super) const fn header(&self) -> Option<&HeaderName> {
        if let Self::Header(name) = self { Some(name) } else { None }
    }

    /// The query parameter that a connector must leave alone.
    pub(super) fn query(&self) -> Option<&str> {
        if let Self::Query(name) = self { Some(name) } else { None }
    }

    /// Writes the credential. The message of an error holds no value.
    pub(super) fn write(&self, with: &Credentials, target: &mut Target, headers: &mut HeaderMap) -> Result<(), String> {
        let value = |name: &str| with.get(name).ok_or_else(|| format!("credential field {name:?} is missing"));
        match self {
            Self::Nothing => {}
            Self::Bearer => set(headers, AUTHORIZATION, &format!("Bearer {}", value(field::TOKEN)?))?,
            Self::AccessToken => set(headers, AUTHORIZATION, &format!("Bearer {}", value(field::ACCESS_TOKEN)?))?,
            Self::Basic => set(headers, AUTHORIZATION, &format!("Basic {}", BASE64_STANDARD.encode(pair(with))))?,
            Self::Header(name) => set(headers, name.clone(), value(field::KEY)?)?,
            Self::Query(name) => *target = target.with_query(name, value(field::KEY)?),
        }
        Ok(())
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) -> Result<(), String> {
    let mut value =
        HeaderValue::try_from(text).map_err(|_| format!("the credential does not fit into the header {name:?}"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn pair(credentials: &Credentials) -> String {
    let value = |name| credentials.get(name).unwrap_or_default();
    format!("{}:{}", value(field::USERNAME), value(field::PASSWORD))
}

/// The values of these credentials that must never be shown.
pub(super) fn secrets(credentials: &Credentials) -> Vec<SecretString> {
    let secret = |name: &&str| credentials.fields.get(*name).filter(|value| !value.expose_secret().is_empty()).cloned();
    let mut secrets: Vec<SecretString> = SECRET_FIELDS.iter().filter_map(secret).collect();
    // Some providers take their key as the user and want no password.
    if credentials.get(field::PASSWORD).is_none() {
        secrets.extend(secret(&field::USERNAME));
    } else {
        secrets.push(SecretString::from(pair(credentials)));
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(fields: &[(&str, &str)]) -> Credentials {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect();
        Credentials { version: 1, fields }
    }

    fn written(kind: &AuthKind, fields: &[(&str, &str)]) -> Result<(String, HeaderMap), String> {
        let mut target = Target::parse("https://x.com/p?a=1").unwrap();
        let mut headers = HeaderMap::new();
        Slot::of(kind).unwrap().write(&credentials(fields), &mut target, &mut headers)?;
        Ok((target.url().to_string(), headers))
    }

    #[test]
    fn each_scheme_writes_into_its_own_place() {
        let (url, headers) = written(&AuthKind::Bearer, &[("token", "t")]).unwrap();
        assert_eq!(
            (url.as_str(), &headers[AUTHORIZATION]),
            ("https://x.com/p?a=1", &HeaderValue::from_static("Bearer t"))
        );
        assert!(headers[AUTHORIZATION].is_sensitive());
        let (_, headers) = written(&AuthKind::Basic, &[("username", "Aladdin"), ("password", "open sesame")]).unwrap();
        assert_eq!(headers[AUTHORIZATION], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let (_, headers) = written(&AuthKind::Header("X-Api-Key".to_owned()), &[("key", "k")]).unwrap();
        assert_eq!(headers["x-api-key"], "k");
        let (url, headers) = written(&AuthKind::Query("api key".to_owned()), &[("key", "a&b=/")]).unwrap();
        assert_eq!(url, "https://x.com/p?a=1&api+key=a%26b%3D%2F");
        assert!(headers.is_empty());
    }

    #[test]
    fn a_credential_cannot_split_a_header_and_errors_do_not_show_it() {
        let error = written(&AuthKind::Bearer, &[("token", "t\r\nhost: evil")]).unwrap_err();
        assert!(!error.contains("evil"), "{error}");
        assert!(written(&AuthKind::Bearer, &[]).unwrap_err().contains("\"token\""));
    }

    #[test]
    fn schemes_that_would_write_framing_are_refused() {
        for name in ["Host", "transfer-encoding", "", "a b"] {
            assert_eq!(Slot::of(&AuthKind::Header(name.to_owned())), None, "{name}");
        }
        assert_eq!(Slot::of(&AuthKind::Other("magic".to_owned())), None);
    }

    #[test]
    fn a_user_without_password_is_taken_for_the_secret() {
        let exposed = |fields: &[(&str, &str)]| -> Vec<String> {
            secrets(&credentials(fields)).iter().map(|secret| secret.expose_secret().to_owned()).collect()
        };
        assert_eq!(exposed(&[("username", "sk_live"), ("password", "")]), ["sk_live"]);
        assert_eq!(exposed(&[("username", "ann"), ("password", "pw")]), ["pw", "ann:pw"]);
    }
}
