//! Master keys: the newest encrypts new records, older ones decrypt existing records. They are a text of base64 keys,
//! newest first. Sources: a file that only its owner can read, an environment variable, the output of a command (the
//! client of a key management service), or the keyring of the operating system.

mod tool;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_auth::error::with_advice;
use loggia_auth::secret::Secret;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::envelope::{self, KEY_LEN};
use crate::error::StoreError;
pub use tool::KeyTool;

/// The maximum number of keys, and the maximum number of bytes of their text.
const MAX_KEYS: usize = 32;
const MAX_BYTES: u64 = 4096;

pub(crate) type MasterKey = Zeroizing<[u8; KEY_LEN]>;

/// The keys that decrypt the vault.
#[derive(Clone)]
pub struct MasterKeys {
    keys: Vec<(String, MasterKey)>,
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKeys").field("names", &self.names()).finish_non_exhaustive()
    }
}

impl MasterKeys {
    /// Generates one new key.
    pub fn generate() -> MasterKeys {
        MasterKeys { keys: Vec::new() }.rotated()
    }

    /// Returns the same keys and a new one, which encrypts new records.
    pub fn rotated(&self) -> MasterKeys {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        envelope::fill(&mut key[..]);
        let mut keys = vec![named(key)];
        keys.extend(self.keys.iter().take(MAX_KEYS - 1).cloned());
        MasterKeys { keys }
    }

    /// Returns only the newest key, for use after a rotation.
    pub fn newest(&self) -> MasterKeys {
        MasterKeys { keys: self.keys[..1].to_vec() }
    }

    /// Reads keys: 32 bytes each in base64, separated by white space or commas, newest first.
    pub fn parse(text: &Secret) -> Result<MasterKeys, StoreError> {
        let wrong = |what: &str| StoreError::Key(what.to_owned());
        let parts =
            text.expose().split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty());
        let mut keys = Vec::new();
        for part in parts {
            let bytes = Zeroizing::new(STANDARD.decode(part).map_err(|_| wrong("a key is not base64"))?);
            let key = bytes[..].try_into().map_err(|_| wrong("a key does not have 32 bytes"))?;
            keys.push(named(Zeroizing::new(key)));
        }
        match keys.len() {
            0 => Err(wrong("it holds no key")),
            1..=MAX_KEYS => Ok(MasterKeys { keys }),
            _ => Err(wrong("it holds more than 32 keys")),
        }
    }

    /// Returns the keys as a text that [`parse`](MasterKeys::parse) reads.
    pub fn to_text(&self) -> Secret {
        let lines: Zeroizing<Vec<String>> =
            Zeroizing::new(self.keys.iter().map(|(_, key)| STANDARD.encode(&key[..])).collect());
        Secret::new(lines.join("\n"))
    }

    /// Reads the keys of a file, and creates the file with a new key if it does not exist. Fails if other users can
    /// read the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<MasterKeys, StoreError> {
        let path = path.as_ref();
        match read(path) {
            Ok(text) => MasterKeys::parse(&text).map_err(|error| match error {
                StoreError::Key(what) => StoreError::Key(format!("{}: {what}", path.display())),
                other => other,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = MasterKeys::generate();
                match create(path, &keys) {
                    // Another process created the file first: use its key.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => MasterKeys::from_file(path),
                    made => made.map(|()| keys).map_err(|error| unusable(path, &error)),
                }
            }
            Err(error) => Err(unusable(path, &error)),
        }
    }

    /// Replaces the keys in a file atomically.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StoreError> {
        let path = path.as_ref();
        let temporary = path.with_extension(format!("new-{}", std::process::id()));
        let replaced = create(&temporary, self)
            .and_then(|()| fs::rename(&temporary, path))
            .and_then(|()| sync_folder(path));
        if replaced.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        replaced.map_err(|error| unusable(path, &error))
    }

    /// Reads the keys from an environment variable.
    pub fn from_env(variable: &str) -> Result<MasterKeys, StoreError> {
        let text = std::env::var(variable).map_err(|_| StoreError::Key(format!("{variable} is not set")))?;
        MasterKeys::parse(&Secret::new(text))
    }

    /// Returns the name of the newest key.
    pub fn current(&self) -> &str {
        &self.keys[0].0
    }

    /// Returns the names of the keys, newest first. A name reveals nothing about its key.
    pub fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn newest_key(&self) -> (&str, &MasterKey) {
        (&self.keys[0].0, &self.keys[0].1)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&MasterKey> {
        self.keys.iter().find(|(known, _)| known == name).map(|(_, key)| key)
    }
}

fn named(key: MasterKey) -> (String, MasterKey) {
    let name = digest(&SHA256, &[b"loggia master key".as_slice(), &key[..]].concat());
    (URL_SAFE_NO_PAD.encode(&name.as_ref()[..9]), key)
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Key(format!("{}: {}", path.display(), with_advice(error)))
}

fn read(path: &Path) -> io::Result<Secret> {
    let mut file = fs::File::open(path)?;
    check_private(&file.metadata()?)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize));
    Read::take(&mut file, MAX_BYTES).read_to_string(&mut text)?;
    Ok(Secret::new(text.as_str()))
}

fn create(path: &Path, keys: &MasterKeys) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(keys.to_text().expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_folder(path)
}

/// Writes the folder to the disk. Otherwise a new file in it may be lost in a power failure.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn check_private(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    match metadata.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::other("other users can read it: run chmod 600 on it")),
    }
}

#[cfg(not(unix))]
fn check_private(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
