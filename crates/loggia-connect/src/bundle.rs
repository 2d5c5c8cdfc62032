//! MCPB bundles: ZIP files with a program and its `manifest.json`
//! (<https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md>).
//!
//! Invariant: unpacking writes files below one folder alone, within bounds, and no links. A placeholder that is not known is an
//! error, so that no program gets it as text.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde_json::Value;
use zip::ZipArchive;

use crate::config_file::{ProgramSandbox, Stdio};
use crate::manifest::BundleProgram;
use crate::secret::Secret;

/// The maximum number of bytes of a bundle.
pub const MOST_BUNDLE: u64 = 256 << 20;
/// The maximum number of bytes of all unpacked files.
const MOST_UNPACKED: u64 = 1 << 30;
/// The maximum number of entries.
const MOST_ENTRIES: usize = 100_000;
/// The maximum number of bytes of `manifest.json`.
const MOST_MANIFEST: u64 = 1 << 20;
const MANIFEST: &str = "manifest.json";

/// The reason why a bundle cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleError(String);

/// A bundle, as the bytes of its file.
pub struct Bundle<R>(ZipArchive<R>);

impl<R: Read + Seek> Bundle<R> {
    /// Reads the directory of a bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if it is no ZIP file, or has too many entries.
    pub fn open(file: R) -> Result<Bundle<R>, BundleError> {
        let archive =
            ZipArchive::new(file).map_err(|error| BundleError(format!("it is no ZIP file: {error}")))?;
        match archive.len() {
            len if len > MOST_ENTRIES => Err(BundleError(format!("it has more than {MOST_ENTRIES} entries"))),
            _ => Ok(Bundle(archive)),
        }
    }

    /// Returns the text of its `manifest.json`.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if it has none, or it is too long.
    pub fn manifest(&mut self) -> Result<String, BundleError> {
        let entry = self.0.by_name(MANIFEST).map_err(|_| BundleError(format!("it has no {MANIFEST}")))?;
        let mut text = String::new();
        entry
            .take(MOST_MANIFEST + 1)
            .read_to_string(&mut text)
            .map_err(|error| BundleError(format!("its {MANIFEST} cannot be read: {error}")))?;
        match text.len() as u64 > MOST_MANIFEST {
            true => Err(BundleError(format!("its {MANIFEST} is longer than 1 MiB"))),
            false => Ok(text),
        }
    }

    /// Writes its files into `folder`, which must be empty.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if an entry is a link, is encrypted or leads out of the folder, the files are too large, or a file
    /// cannot be written. Some files may have been written then.
    pub fn unpack(&mut self, folder: &Path) -> Result<(), BundleError> {
        let mut left = MOST_UNPACKED;
        for index in 0..self.0.len() {
            let entry = self.0.by_index(index).map_err(|error| BundleError(error.to_string()))?;
            let name = entry.name().map_err(|error| BundleError(error.to_string()))?.into_owned();
            let refused = |reason: &dyn fmt::Display| BundleError(format!("its entry {name:?} {reason}"));
            let is_absolute = name.starts_with('/') || name.contains('\\');
            let path = entry.enclosed_name().filter(|_| !is_absolute);
            let path = path.ok_or_else(|| refused(&"leads out of the folder"))?;
            if entry.is_symlink() {
                return Err(refused(&"is a link"));
            }
            let path = folder.join(path);
            if entry.is_dir() {
                std::fs::create_dir_all(&path)
                    .map_err(|error| refused(&format_args!("cannot be made: {error}")))?;
                continue;
            }
            let is_program = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            left -= write(entry, &path, left, is_program)
                .map_err(|error| refused(&format_args!("cannot be written: {error}")))?;
        }
        Ok(())
    }
}

/// Writes a file that must not exist, and returns its length. Fails if it has more than `most` bytes.
fn write(content: impl Read, path: &Path, most: u64, is_program: bool) -> std::io::Result<u64> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if is_program { 0o700 } else { 0o600 });
    #[cfg(not(unix))]
    let _ = is_program;
    let mut file = options.open(path)?;
    let written = std::io::copy(&mut content.take(most.saturating_add(1)), &mut file)?;
    match written > most {
        true => Err(std::io::Error::other("the files of the bundle are larger than 1 GiB")),
        false => Ok(written),
    }
}

/// Returns the digest of the bytes of a bundle, as manifests write it.
pub fn bundle_digest(bytes: &[u8]) -> String {
    let hex: String = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The folders of a user that a bundle may name.
#[derive(Debug, Clone, Default)]
pub struct UserFolders {
    /// `${HOME}`.
    pub home: Option<PathBuf>,
    /// `${DESKTOP}`.
    pub desktop: Option<PathBuf>,
    /// `${DOCUMENTS}`.
    pub documents: Option<PathBuf>,
    /// `${DOWNLOADS}`.
    pub downloads: Option<PathBuf>,
}

/// The values of the placeholders in a bundle's `manifest.json`.
struct Placeholders<'a> {
    folder: &'a Path,
    folders: &'a UserFolders,
    program: &'a BundleProgram,
}

/// Returns the program of a bundle that was unpacked into `folder`, whose `manifest.json` has this text. `platform` is
/// `linux`, `darwin` or `win32`.
///
/// # Errors
///
/// [`BundleError`] if the manifest names no program for this platform, or a placeholder has no value.
pub fn bundle_program(
    manifest: &str,
    folder: &Path,
    program: &BundleProgram,
    folders: &UserFolders,
    platform: &str,
) -> Result<Stdio<Secret>, BundleError> {
    let manifest: Value = serde_json::from_str(manifest)
        .map_err(|error| BundleError(format!("its {MANIFEST} is no JSON: {error}")))?;
    let platforms = manifest["compatibility"]["platforms"].as_array();
    if platforms.is_some_and(|known| known.iter().all(|known| known != platform)) {
        return Err(BundleError(format!("it does not run on {platform}")));
    }
    let server = &manifest["server"];
    let config = &server["mcp_config"];
    let own = &config["platform_overrides"][platform];
    let member = |name: &str| if own[name].is_null() { &config[name] } else { &own[name] };
    let placeholders = Placeholders { folder, folders, program };
    let (command, mut args) = match (member("command").as_str(), server["type"].as_str()) {
        (Some(command), _) => {
            let args = member("args").as_array().map(Vec::as_slice).unwrap_or_default();
            let args = args.iter().filter_map(Value::as_str).map(|arg| placeholders.args(arg));
            let args: Vec<Vec<Secret>> = args.collect::<Result<_, _>>()?;
            (placeholders.command(command)?, args.into_iter().flatten().collect())
        }
        // The host starts a server of type uv itself.
        (None, Some("uv")) => {
            let entry = server["entry_point"].as_str().unwrap_or_default();
            let args = ["run", "--directory", &folder.display().to_string(), entry].map(Secret::new).to_vec();
            (Secret::new("uv"), args)
        }
        (None, _) => return Err(BundleError(format!("its {MANIFEST} names no command"))),
    };
    args.extend(program.args.iter().cloned());
    let mut env = BTreeMap::new();
    for values in [&config["env"], &own["env"]] {
        for (name, text) in values.as_object().into_iter().flatten() {
            if let Some(value) = placeholders.env(text.as_str().unwrap_or_default())? {
                env.insert(name.clone(), value);
            }
        }
    }
    env.extend(program.env.clone());
    let cwd = program.cwd.clone().unwrap_or_else(|| Secret::new(folder.display().to_string()));
    let sandbox = ProgramSandbox::default();
    Ok(Stdio { command, args, env, cwd: Some(cwd), start_timeout: None, sandbox })
}

impl Placeholders<'_> {
    /// Fills the command. A path of the bundle becomes absolute.
    fn command(&self, text: &str) -> Result<Secret, BundleError> {
        let command = self.text(text)?;
        let path = self.folder.join(command.expose());
        let is_of_bundle = command.expose().contains('/') && path.is_file();
        Ok(if is_of_bundle { Secret::new(path.display().to_string()) } else { command })
    }

    /// Fills an argument. One that is a value of the user becomes an argument for each value, and none without a value.
    fn args(&self, text: &str) -> Result<Vec<Secret>, BundleError> {
        match user_value(text) {
            Some(name) => Ok(self.program.values.of_bundle(name).to_vec()),
            None => Ok(vec![self.text(text)?]),
        }
    }

    /// Fills the value of an environment variable; `None` if it is a value that the user did not give.
    fn env(&self, text: &str) -> Result<Option<Secret>, BundleError> {
        match user_value(text) {
            Some(name) if self.program.values.of_bundle(name).is_empty() => Ok(None),
            _ => self.text(text).map(Some),
        }
    }

    fn text(&self, text: &str) -> Result<Secret, BundleError> {
        let mut filled = zeroize::Zeroizing::new(String::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let unclosed = || BundleError(format!("its {MANIFEST} has a placeholder without an end"));
            let (name, after) = after.split_once('}').ok_or_else(unclosed)?;
            filled.push_str(&self.value(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(Secret::new(filled.as_str()))
    }

    fn value(&self, name: &str) -> Result<zeroize::Zeroizing<String>, BundleError> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let value = match name {
            "__dirname" => Some(self.folder.display().to_string()),
            "HOME" => path(&self.folders.home),
            "DESKTOP" => path(&self.folders.desktop),
            "DOCUMENTS" => path(&self.folders.documents),
            "DOWNLOADS" => path(&self.folders.downloads),
            "pathSeparator" | "/" => Some(std::path::MAIN_SEPARATOR.to_string()),
            _ => name.strip_prefix("user_config.").and_then(|name| {
                let values = self.program.values.of_bundle(name);
                let texts: Vec<&str> = values.iter().map(Secret::expose).collect();
                (!texts.is_empty()).then(|| texts.join(","))
            }),
        };
        let value = value.ok_or_else(|| BundleError(format!("the placeholder ${{{name}}} has no value")))?;
        Ok(zeroize::Zeroizing::new(value))
    }
}

/// Returns the name of the user's value that a text consists of.
fn user_value(text: &str) -> Option<&str> {
    text.strip_prefix("${user_config.")?.strip_suffix('}').filter(|name| !name.contains('}'))
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BundleError {}

#[cfg(test)]
mod tests;
