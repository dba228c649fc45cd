//! Secret values: typed, masked, wiped from memory when dropped.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng as _;
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use url::Url;

use super::Config;
use super::value::Text;

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// Where the state is kept. May hold a password: shown without it.
#[derive(Clone)]
pub struct StoreUrl(SecretString);

impl StoreUrl {
    /// The URL with its password, for the database driver only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// SQLite, as opposed to PostgreSQL.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.expose().starts_with("sqlite:")
    }
}

impl Text for StoreUrl {
    const KIND: &'static str = "store URL";
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if text.starts_with("sqlite:") || (postgres && Url::parse(text).is_ok()) {
            Ok(Self(text.into()))
        } else {
            Err("expected \"sqlite://path/to/file.db\" or \"postgres://user@host/database\"".to_owned())
        }
    }

    fn to_text(&self) -> String {
        if self.is_sqlite() {
            return self.expose().to_owned();
        }
        match Url::parse(self.expose()) {
            Ok(mut url) => {
                if url.password().is_some() {
                    // Fails only for URLs that cannot have a password; those have none to hide.
                    let _ = url.set_password(Some(MASK));
                }
                if url.query().is_some() {
                    // The driver takes `?password=` too.
                    url.set_query(Some(MASK));
                }
                url.into()
            }
            Err(_) => MASK.to_owned(),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A key of 32 bytes that encrypts credentials.
#[derive(Clone)]
pub struct SecretKey(Arc<SecretBox<[u8; 32]>>);

impl SecretKey {
    /// The bytes, for the cipher only.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// A new key from the operating system's random numbers.
    fn random() -> Result<Self, rand::rngs::SysError> {
        let mut key = SecretBox::new(Box::new([0; 32]));
        rand::rngs::SysRng.try_fill_bytes(secrecy::ExposeSecretMut::expose_secret_mut(&mut key))?;
        Ok(Self(Arc::new(key)))
    }
}

impl Text for SecretKey {
    const KIND: &'static str = "key";
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let decoded = hex::decode(text).ok().or_else(|| STANDARD.decode(text).ok());
        let decoded = Zeroizing::new(decoded.unwrap_or_default());
        let mut bytes: [u8; 32] = decoded
            .as_slice()
            .try_into()
            .map_err(|_| "expected 32 bytes in hexadecimal or base64, as `openssl rand -hex 32` prints".to_owned())?;
        let key = Self(Arc::new(SecretBox::new(Box::new(bytes))));
        bytes.zeroize();
        Ok(key)
    }

    fn to_text(&self) -> String {
        MASK.to_owned()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The key file could not be read or made.
#[derive(Debug, thiserror::Error)]
#[error("key file {}: cannot {operation}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    /// `read it`, `make it`, `use it`.
    pub operation: &'static str,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Config {
    /// The key that encrypts credentials: the configured one, else the one in `<data_dir>/secret.key`, which is made
    /// with a random key, readable by its owner only, when it does not exist.
    ///
    /// # Errors
    /// [`KeyFileError`] when that file can neither be read nor made, or holds no key.
    pub fn secret_key(&self) -> Result<SecretKey, KeyFileError> {
        match &self.secrets.key {
            Some(key) => Ok(key.clone()),
            None => key_from_file(&self.host.data_dir.join("secret.key")),
        }
    }
}

fn key_from_file(path: &Path) -> Result<SecretKey, KeyFileError> {
    let failed = |operation| move |source| KeyFileError { path: path.to_owned(), operation, source };
    match std::fs::read_to_string(path) {
        Ok(_) if is_exposed(path) => {
            Err(failed("use it")(format!("other users can read it; run `chmod 600 {}`", path.display()).into()))
        }
        Ok(text) => SecretKey::from_text(&Zeroizing::new(text)).map_err(|e| failed("use it")(e.into())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key = SecretKey::random().map_err(|e| failed("make it")(e.into()))?;
            match write_key(path, &key) {
                Ok(()) => Ok(key),
                // Another process was faster: its key is the one.
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => key_from_file(path),
                Err(e) => Err(failed("make it")(e.into())),
            }
        }
        Err(e) => Err(failed("read it")(e.into())),
    }
}

/// Whether others than the owner may read a file.
fn is_exposed(path: &Path) -> bool {
    #[cfg(unix)]
    return std::fs::metadata(path)
        .is_ok_and(|file| std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0);
    #[cfg(not(unix))]
    false
}

/// Writes the whole key under another name and links it into place: no reader ever sees half a key, and of two
/// processes that try, one wins.
fn write_key(path: &Path, key: &SecretKey) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let text = Zeroizing::new(format!("{}\n", hex::encode(key.expose())));
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    linked.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_from_hexadecimal_and_from_base64_and_never_shows() {
        let key = SecretKey::from_text(&"ab".repeat(32)).unwrap();
        assert_eq!(key.expose(), &[0xab; 32]);
        assert_eq!(SecretKey::from_text(&STANDARD.encode([7; 32])).unwrap().expose(), &[7; 32]);
        assert_eq!(format!("{key:?} {}", key.to_text()), "*** ***");
        assert!(SecretKey::from_text("abcd").is_err());
    }

    #[test]
    fn the_password_of_a_store_url_never_shows() {
        let url = StoreUrl::from_text("postgres://ada:hunter2@db:5432/syncline?password=hunter3").unwrap();
        assert_eq!(url.to_text(), "postgres://ada:***@db:5432/syncline?***");
        assert_eq!(format!("{url:?}"), url.to_text());
        assert!(StoreUrl::from_text("mysql://db").is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/secret.key");
        let made = key_from_file(&path).unwrap();
        let read = key_from_file(&path).unwrap();
        assert_eq!(made.expose(), read.expose());
        assert_ne!(made.expose(), &[0; 32]);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            let error = key_from_file(&path).unwrap_err();
            assert!(error.source.to_string().contains("chmod 600"), "{error:?}");
        }
    }

    #[test]
    fn a_spoilt_key_file_is_an_error_and_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        std::fs::write(&path, "half a k").unwrap();
        assert!(key_from_file(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half a k");
    }
}
