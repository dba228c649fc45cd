//! Configuration and credentials of a connection, as commands take them.
//!
//! A secret is never an argument: the argument says where the secret is.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal as _, Read as _, stdin};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Value as Json};

use super::exit::{Exit, Failure};
use crate::egress::field;

/// Configuration and credentials of a connection.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Set one configuration value; JSON where it is JSON, else text; dots reach into objects
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Assignment::from_str)]
    pub set: Vec<Assignment>,
    /// The whole configuration, as a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "config_file")]
    pub config_json: Option<String>,
    /// The whole configuration, from a .json or .toml file
    #[arg(long, value_name = "PATH")]
    pub config_file: Option<PathBuf>,
    /// The credentials.
    #[command(flatten)]
    pub secrets: SecretArgs,
    /// Which of the connector's ways to authenticate; its first one unless said
    #[arg(long, value_name = "SCHEME")]
    pub auth: Option<String>,
}

/// Credentials, by where they are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct SecretArgs {
    /// A credential: `token=@path` from a file, `token=env:NAME` from the environment, `token=-` asked for or read
    /// from standard input
    #[arg(long = "secret", value_name = "NAME=SOURCE", value_parser = SecretArg::from_str)]
    pub secrets: Vec<SecretArg>,
}

/// `key=value`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Before the first `=`.
    pub key: String,
    /// After it.
    pub value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err("expected key=value".to_owned()),
        }
    }
}

/// A credential's name and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretArg {
    /// The credential field, such as `token`.
    pub name: String,
    /// Where it is.
    pub source: SecretSource,
}

/// Where a credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// Asked for on a terminal, else all of standard input.
    Stdin,
}

impl FromStr for SecretArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, source) = text.split_once('=').ok_or("expected name=source, such as token=@path")?;
        let source = match (source, source.strip_prefix('@'), source.strip_prefix("env:")) {
            ("-", _, _) => SecretSource::Stdin,
            (_, Some(path), _) if !path.is_empty() => SecretSource::File(path.into()),
            (_, _, Some(variable)) if !variable.is_empty() => SecretSource::Environment(variable.to_owned()),
            _ => {
                return Err("a secret is never an argument, others can read it there: \
                            use name=@path, name=env:VARIABLE or name=-"
                    .to_owned());
            }
        };
        if name.is_empty() {
            return Err("expected a name before the `=`".to_owned());
        }
        Ok(Self { name: name.to_owned(), source })
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

impl ConnectionArgs {
    /// The configuration: the whole one, if given, with the single values set in it.
    ///
    /// # Errors
    /// [`Failure`] when it is no object or cannot be read.
    pub fn config(&self) -> Result<Map<String, Json>, Failure> {
        let whole = match (&self.config_json, &self.config_file) {
            (Some(text), _) => serde_json::from_str(text)
                .map_err(|error| Failure::new(Exit::Usage, "--config-json is not JSON").caused_by(&error))?,
            (None, Some(path)) => read_config(path)?,
            (None, None) => Json::Object(Map::new()),
        };
        let Json::Object(mut config) = whole else {
            return Err(Failure::new(Exit::Usage, "the connection's configuration is not an object"));
        };
        for Assignment { key, value } in &self.set {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.clone()));
            set(&mut config, key, value).ok_or_else(|| {
                Failure::new(Exit::Usage, format!("--set {key}: a part before the last is no object"))
            })?;
        }
        Ok(config)
    }
}

impl SecretArgs {
    /// The credentials, read from where they are.
    ///
    /// # Errors
    /// [`Failure`] when one cannot be read, is empty, or is named twice.
    pub fn read(&self) -> Result<BTreeMap<String, SecretString>, Failure> {
        let mut secrets = BTreeMap::new();
        let from_stdin = self.secrets.iter().filter(|secret| secret.source == SecretSource::Stdin).count();
        if from_stdin > 1 && !stdin().is_terminal() {
            return Err(Failure::new(Exit::Usage, "only one secret can come from standard input"));
        }
        for SecretArg { name, source } in &self.secrets {
            let value = read_secret(name, source).map_err(|error| {
                let what = format!("the secret `{name}` cannot be read");
                Failure::new(Exit::Failure, what).at(source.to_string()).caused_by(&*error)
            })?;
            // There are accounts without a password and clients without a secret; nothing else is ever empty.
            if value.is_empty() && !matches!(name.as_str(), field::PASSWORD | field::CLIENT_SECRET) {
                let what = format!("the secret `{name}` is empty");
                return Err(Failure::new(Exit::Failure, what).at(source.to_string()));
            }
            if secrets.insert(name.clone(), SecretString::from(value.as_str())).is_some() {
                return Err(Failure::new(Exit::Usage, format!("the secret `{name}` is given twice")));
            }
        }
        Ok(secrets)
    }
}

fn read_config(path: &Path) -> Result<Json, Failure> {
    let refused = || Failure::new(Exit::Failure, "the configuration file is not usable").at(path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| refused().caused_by(&error))?;
    if path.extension().is_some_and(|extension| extension == "toml") {
        toml::from_str(&text).map_err(|error| refused().caused_by(&error))
    } else {
        serde_json::from_str(&text).map_err(|error| refused().caused_by(&error))
    }
}

/// Sets a value under a dotted key. `None` where a part before the last is there and no object.
fn set(config: &mut Map<String, Json>, key: &str, value: Json) -> Option<()> {
    match key.split_once('.') {
        None => {
            config.insert(key.to_owned(), value);
            Some(())
        }
        Some((first, rest)) => {
            let inner = config.entry(first).or_insert_with(|| Json::Object(Map::new()));
            set(inner.as_object_mut()?, rest, value)
        }
    }
}

/// Reads a credential. The last line end of a file is not part of it.
fn read_secret(name: &str, source: &SecretSource) -> Result<Zeroizing<String>, Box<dyn std::error::Error>> {
    let text = match source {
        SecretSource::File(path) => std::fs::read_to_string(path)?,
        SecretSource::Environment(variable) => std::env::var(variable)?,
        SecretSource::Stdin if stdin().is_terminal() => {
            let terminal = console::Term::stderr();
            terminal.write_str(&format!("{name}: "))?;
            terminal.read_secure_line()?
        }
        SecretSource::Stdin => {
            let mut text = String::new();
            stdin().read_to_string(&mut text)?;
            text
        }
    };
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.strip_suffix('\n').map_or(text.as_str(), |text| text.trim_end_matches('\r')).to_owned()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn single_values_are_set_into_the_whole_configuration() {
        let args = ConnectionArgs {
            config_json: Some(r#"{"region": "eu", "page": {"size": 10}}"#.to_owned()),
            set: ["page.size=20", "domain=acme", "deep.flag=true", "id=\"007\""].map(|s| s.parse().unwrap()).into(),
            ..ConnectionArgs::default()
        };
        let expected = serde_json::json!({
            "region": "eu", "page": {"size": 20}, "domain": "acme", "deep": {"flag": true}, "id": "007"
        });
        assert_eq!(Json::Object(args.config().unwrap()), expected);
    }

    #[test]
    fn a_configuration_can_come_from_a_file_and_must_be_an_object() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[page]\nsize = 5\n").unwrap();
        let args = ConnectionArgs { config_file: Some(path), ..ConnectionArgs::default() };
        assert_eq!(Json::Object(args.config().unwrap()), serde_json::json!({"page": {"size": 5}}));
        let args = ConnectionArgs { config_json: Some("[1]".to_owned()), ..ConnectionArgs::default() };
        assert_eq!(args.config().unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_secret_as_an_argument_is_refused_without_being_repeated() {
        let error = "token=hunter2".parse::<SecretArg>().unwrap_err();
        assert!(error.contains("never an argument") && !error.contains("hunter2"), "{error}");
        for wrong in ["token", "=@x", "token=", "token=@", "token=env:"] {
            assert!(wrong.parse::<SecretArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_read_from_a_file_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        let arg: SecretArg = format!("token=@{}", path.display()).parse().unwrap();
        let mut args = SecretArgs { secrets: vec![arg.clone()] };
        assert_eq!(args.read().unwrap()["token"].expose_secret(), "hunter2");
        args.secrets.push(arg);
        assert!(args.read().unwrap_err().what.contains("given twice"));
    }

    #[test]
    fn a_secret_that_is_not_there_is_told_with_its_place() {
        let secrets = vec!["token=env:SYNCLINE_TEST_NOT_SET".parse().unwrap()];
        let failure = SecretArgs { secrets }.read().unwrap_err();
        assert_eq!(failure.place.as_deref(), Some("environment variable SYNCLINE_TEST_NOT_SET"));
    }
}
