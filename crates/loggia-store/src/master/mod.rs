//! The master keys: the one that new records are sealed with, and older ones that records may still be
//! sealed with. They are a text of base64 keys, newest first, and come from a file that only its owner can
//! read, from a variable of the environment, from a command (which is how a key management service or a
//! vault of another kind is asked), or from the operating system's keyring.

mod tool;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_auth::client::with_advice;
use loggia_auth::secret::Secret;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::envelope::{self, KEY_LEN};
use crate::error::StoreError;
pub use tool::KeyTool;

/// Most keys, and so the longest text that is read.
const MOST_KEYS: usize = 32;
const MOST_BYTES: u64 = 4096;

pub(crate) type Key = Zeroizing<[u8; KEY_LEN]>;

/// The keys that open the vault.
#[derive(Clone)]
pub struct MasterKeys {
    keys: Vec<(String, Key)>,
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKeys").field("names", &self.names()).finish_non_exhaustive()
    }
}

impl MasterKeys {
    /// One new key.
    pub fn generate() -> MasterKeys {
        MasterKeys { keys: Vec::new() }.rotated()
    }

    /// The same keys and a new one, with which everything is sealed from now on.
    pub fn rotated(&self) -> MasterKeys {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        envelope::fill(&mut key[..]);
        let mut keys = vec![named(key)];
        keys.extend(self.keys.iter().take(MOST_KEYS - 1).cloned());
        MasterKeys { keys }
    }

    /// Only the newest key: for when nothing is sealed with another any more.
    pub fn newest(&self) -> MasterKeys {
        MasterKeys { keys: self.keys[..1].to_vec() }
    }

    /// Reads keys: 32 bytes each in base64, apart by spaces, lines or commas, newest first.
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
            0 => Err(wrong("there is none")),
            1..=MOST_KEYS => Ok(MasterKeys { keys }),
            _ => Err(wrong("there are more than 32")),
        }
    }

    /// The keys as a text that [`parse`](MasterKeys::parse) reads.
    pub fn to_text(&self) -> Secret {
        let lines: Zeroizing<Vec<String>> =
            Zeroizing::new(self.keys.iter().map(|(_, key)| STANDARD.encode(&key[..])).collect());
        Secret::new(lines.join("\n"))
    }

    /// Reads the keys of a file, or makes one where there is none. Nobody but its owner may be able to read
    /// it.
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
                    // Another process was faster: its key is the one.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => MasterKeys::from_file(path),
                    made => made.map(|()| keys).map_err(|error| unusable(path, &error)),
                }
            }
            Err(error) => Err(unusable(path, &error)),
        }
    }

    /// Replaces the keys in a file, whole or not at all.
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

    /// Reads the keys in a variable of the environment.
    pub fn from_env(variable: &str) -> Result<MasterKeys, StoreError> {
        let text = std::env::var(variable).map_err(|_| StoreError::Key(format!("{variable} is not set")))?;
        MasterKeys::parse(&Secret::new(text))
    }

    /// The name of the newest key.
    pub fn current(&self) -> &str {
        &self.keys[0].0
    }

    /// The names of the keys, newest first. A name says nothing about its key.
    pub fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn newest_key(&self) -> (&str, &Key) {
        (&self.keys[0].0, &self.keys[0].1)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|(known, _)| known == name).map(|(_, key)| key)
    }
}

fn named(key: Key) -> (String, Key) {
    let name = digest(&SHA256, &[b"loggia master key".as_slice(), &key[..]].concat());
    (URL_SAFE_NO_PAD.encode(&name.as_ref()[..9]), key)
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Key(format!("{}: {}", path.display(), with_advice(error)))
}

fn read(path: &Path) -> io::Result<Secret> {
    let mut file = fs::File::open(path)?;
    check_private(&file.metadata()?)?;
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES as usize));
    Read::take(&mut file, MOST_BYTES).read_to_string(&mut text)?;
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

/// A new name in a folder lasts only when the folder is on the disk too.
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
        _ => Err(io::Error::other("others than its owner can use it; take their rights away with chmod 600")),
    }
}

#[cfg(not(unix))]
fn check_private(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
