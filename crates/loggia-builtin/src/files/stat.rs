//! The metadata of a path, without reading its content.

use std::io::Read as _;

use cap_std::fs::{File, Metadata};
use loggia::JsonSchema;
use ring::digest::SHA256;
use serde::Serialize;

use super::path::RelPath;
use super::{Files, FilesError, Kind, Result, mime};

/// The metadata of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stat {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// The kind of thing at the path. A link has the kind of its target.
    pub kind: Kind,
    /// The size of a file in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The time of the last change, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// The media type, if the name shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The hash of the content. Absent for very large files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl Files {
    /// Describes a path.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        let path = self.parse(path)?;
        let metadata = self.metadata(&path)?;
        let kind = Kind::of(metadata.file_type());
        let is_file = kind == Kind::File;
        let hash = if is_file { self.hash_at(&path)? } else { None };
        Ok(Stat {
            path: path.to_string(),
            kind,
            size: is_file.then(|| metadata.len()),
            modified: modified(&metadata),
            mime_type: is_file.then(|| mime::by_name(path.name()).map(str::to_owned)).flatten(),
            hash,
        })
    }

    fn hash_at(&self, path: &RelPath) -> Result<Option<String>> {
        let (mut file, metadata) = self.open_file(path)?;
        self.hash_file(&mut file, &metadata).map_err(|e| FilesError::from_io(&path.to_string(), &e))
    }

    /// Returns the hash of a file that was just opened; `None` above the limit for writing.
    pub(super) fn hash_file(&self, file: &mut File, metadata: &Metadata) -> std::io::Result<Option<String>> {
        let limit = self.limits().write_max;
        if metadata.len() > limit {
            return Ok(None);
        }
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content)?;
        Ok((content.len() as u64 <= limit).then(|| hash(&content)))
    }
}

/// Returns the hash of `bytes`, as in [`Stat::hash`]: the first half of a SHA-256, in hexadecimal. It is short,
/// because it only detects accidents and a model has to copy it.
pub(super) fn hash(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&SHA256, bytes);
    digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn modified(metadata: &Metadata) -> Option<String> {
    let time = metadata.modified().ok()?.into_std();
    Some(humantime::format_rfc3339_seconds(time).to_string())
}
