//! Keys of the vault: reading them from text and from the key file, and refusing those that protect nothing.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroize as _;

/// Bytes of an AES-256 key.
pub(super) const KEY_BYTES: usize = 32;

/// A key made of fewer different byte values is a pattern, not randomness: 32 random bytes hold about 30.
const MIN_DISTINCT_BYTES: usize = 16;

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes in any accepted spelling.
    #[error("the encryption key must be {KEY_BYTES} random bytes, as 64 hexadecimal digits or as base64")]
    Spelling,
    /// 32 bytes that anybody could guess.
    #[error("the encryption key is weak (few different bytes); make one with `openssl rand -hex 32`")]
    Weak,
    /// The key file is readable for others.
    #[error("{path} can be read by other users; run `chmod 600 {path}`")]
    Exposed {
        /// The key file.
        path: PathBuf,
    },
    /// A line of the key file is not `<version> <key>`.
    #[error("{path}, line {line}: expected `<version> <key>`, with a version of at least 1")]
    Line {
        /// The key file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// The key file holds no key.
    #[error("{path} holds no key")]
    Empty {
        /// The key file.
        path: PathBuf,
    },
    /// The key file cannot be read or made.
    #[error("cannot use the key file {path}")]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// One key of the vault. Its bytes are wiped when it goes.
pub struct VaultKey {
    version: i64,
    bytes: [u8; KEY_BYTES],
}

impl VaultKey {
    /// Takes a key as bytes.
    ///
    /// # Errors
    /// If the bytes are a pattern.
    pub fn from_bytes(version: i64, bytes: [u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let mut seen = [false; 256];
        for byte in bytes {
            if let Some(flag) = seen.get_mut(usize::from(byte)) {
                *flag = true;
            }
        }
        let key = Self { version, bytes };
        if seen.iter().filter(|flag| **flag).count() < MIN_DISTINCT_BYTES { Err(KeyError::Weak) } else { Ok(key) }
    }

    /// Reads a key from text: 64 hexadecimal digits, or base64 in either alphabet, padded or not.
    ///
    /// # Errors
    /// If it is not 32 bytes, or a pattern.
    pub fn from_text(version: i64, text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let standard = GeneralPurpose::new(&alphabet::STANDARD, EITHER_PADDING);
        let url_safe = GeneralPurpose::new(&alphabet::URL_SAFE, EITHER_PADDING);
        let mut decoded = hex::decode(text)
            .ok()
            .or_else(|| standard.decode(text).ok())
            .or_else(|| url_safe.decode(text).ok())
            .ok_or(KeyError::Spelling)?;
        let bytes = <[u8; KEY_BYTES]>::try_from(decoded.as_slice());
        decoded.zeroize();
        Self::from_bytes(version, bytes.map_err(|_| KeyError::Spelling)?)
    }

    /// Makes a random key.
    #[must_use]
    pub fn generate(version: i64) -> Self {
        Self { version, bytes: rand::random() }
    }

    /// The version that is stored beside what the key sealed.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// Reads the keys of a file, or makes the file with one new key, readable for its owner only.
    ///
    /// The file holds one key a line, `<version> <key>`; blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// If the file is readable for others, malformed, or cannot be read or made.
    pub fn read_or_create(path: &Path) -> Result<Vec<Self>, KeyError> {
        let file_error = |source| KeyError::File { path: path.to_owned(), source };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(file_error)?;
            }
            Err(error) => return Err(file_error(error)),
            Ok(_) => {}
        }
        // Looked at again after a possible creation: another process may have been first.
        if fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned() });
        }
        let mut text = fs::read_to_string(path).map_err(file_error)?;
        let keys = parse_lines(&text, path);
        text.zeroize();
        keys
    }
}

impl Drop for VaultKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaultKey(version {})", self.version)
    }
}

fn parse_lines(text: &str, path: &Path) -> Result<Vec<VaultKey>, KeyError> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || KeyError::Line { path: path.to_owned(), line: number + 1 };
        let (version, key) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let version = version.parse::<i64>().ok().filter(|version| *version > 0).ok_or_else(wrong)?;
        keys.push(VaultKey::from_text(version, key)?);
    }
    if keys.is_empty() { Err(KeyError::Empty { path: path.to_owned() }) } else { Ok(keys) }
}

/// Writes a new key beside the path and links it into place: never half a file, never over somebody else's key.
fn create(path: &Path) -> io::Result<()> {
    let key = VaultKey::generate(1);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:016x}.new", rand::random::<u64>()));
    let draft = PathBuf::from(draft);
    let mut line = format!("{} {}\n", key.version(), hex::encode(key.bytes()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    line.zeroize();
    // The draft is gone either way; that it cannot be removed matters less than what went wrong before.
    let removed = fs::remove_file(&draft);
    written.and(removed)
}
