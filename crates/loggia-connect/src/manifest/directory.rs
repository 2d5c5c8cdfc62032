//! The directory of connectors: the embedded manifests, and those of further folders.
//!
//! A list or a search needs a few texts of each manifest, so an entry holds these, and the manifest is read when it is
//! asked for. Invariant: names are unique. A file of the user replaces an embedded
//! manifest, and a notice says so; a second file of one name is not used, and a notice names both.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConnectorManifest, ManifestError};

/// The manifests that are compiled in, each with its name.
static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/connectors.rs"));

/// Returns the manifests that are compiled in: the name and the text of each.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED.iter().copied()
}

/// All connectors that can be added.
#[derive(Debug, Clone, Default)]
pub struct ManifestDirectory {
    /// In the order of names.
    entries: Vec<ManifestEntry>,
    notices: Vec<DirectoryNotice>,
}

/// A connector of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The name.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One sentence for people.
    pub description: String,
    /// The categories.
    pub categories: Vec<String>,
    /// The names of the tools that the manifest writes.
    pub tools: Vec<String>,
    /// The source of the manifest.
    pub origin: ManifestOrigin,
    text: Cow<'static, str>,
}

/// The source of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestOrigin {
    /// Compiled in.
    Embedded,
    /// A file.
    File(PathBuf),
}

/// A fact about the directory that its user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryNotice {
    /// A file replaces another manifest of the same name.
    Replaced {
        /// The name.
        name: String,
        /// The file that counts.
        file: PathBuf,
        /// The source that does not count any more.
        replaced: ManifestOrigin,
    },
    /// Two files have one name. The first one is in the directory, and a connector that needs one of them is refused.
    Duplicate(DuplicateManifest),
    /// A file or a folder cannot be used.
    Unusable {
        /// The file or folder.
        file: PathBuf,
        /// The problems, one on each line.
        reason: String,
    },
}

/// Two manifests of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateManifest {
    /// The name.
    pub name: String,
    /// The files.
    pub files: [PathBuf; 2],
}

impl fmt::Display for DuplicateManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DuplicateManifest { name, files: [first, second] } = self;
        write!(
            f,
            "the manifest '{name}' is in two files, {} and {}: rename one of the manifests, or remove one",
            first.display(),
            second.display()
        )
    }
}

impl std::error::Error for DuplicateManifest {}

impl ManifestDirectory {
    /// Returns the directory of the embedded manifests.
    pub fn embedded() -> ManifestDirectory {
        let mut directory = ManifestDirectory::default();
        for (name, text) in embedded() {
            match ManifestEntry::read(Cow::Borrowed(text), ManifestOrigin::Embedded) {
                Ok(entry) => directory.insert(entry),
                // A test reads all embedded manifests.
                Err(reason) => directory
                    .notices
                    .push(DirectoryNotice::Unusable { file: PathBuf::from(format!("{name}.toml")), reason }),
            }
        }
        directory
    }

    /// Adds the files `*.toml` of a folder. A file that cannot be used is a notice.
    pub fn add_folder(&mut self, folder: &Path) {
        let files = std::fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        let mut files = match files {
            Ok(files) => files,
            Err(error) => {
                let (file, reason) = (folder.to_owned(), format!("the folder cannot be read: {error}"));
                return self.notices.push(DirectoryNotice::Unusable { file, reason });
            }
        };
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        for file in files {
            if let Err(reason) = self.add_file(&file) {
                self.notices.push(DirectoryNotice::Unusable { file, reason });
            }
        }
    }

    /// Adds one file. The error has its problems, one on each line.
    pub fn add_file(&mut self, file: &Path) -> Result<(), String> {
        let unreadable = |error: &dyn fmt::Display| format!("the file cannot be read: {error}");
        // The size in the metadata would not bound a file that grows, or a device.
        let text = std::fs::File::open(file).and_then(crate::import::bounded_text);
        let text = text.map_err(|error| unreadable(&error))?;
        let manifest = ConnectorManifest::parse(&text, &file.display().to_string())
            .map_err(|error| error.to_string())?;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if stem != manifest.name {
            return Err(format!(
                "its name is '{}', so the file must be called {}.toml",
                manifest.name, manifest.name
            ));
        }
        let entry = ManifestEntry::read(Cow::Owned(text), ManifestOrigin::File(file.to_owned()))?;
        self.insert(entry);
        Ok(())
    }

    fn insert(&mut self, entry: ManifestEntry) {
        match self.entries.binary_search_by(|known| known.name.cmp(&entry.name)) {
            Ok(at) => {
                let name = entry.name.clone();
                let file = match (&self.entries[at].origin, &entry.origin) {
                    (ManifestOrigin::File(first), ManifestOrigin::File(second)) => {
                        let files = [first.clone(), second.clone()];
                        return self
                            .notices
                            .push(DirectoryNotice::Duplicate(DuplicateManifest { name, files }));
                    }
                    (_, ManifestOrigin::File(file)) => file.clone(),
                    (_, ManifestOrigin::Embedded) => PathBuf::from(format!("{name}.toml")),
                };
                let old = std::mem::replace(&mut self.entries[at], entry);
                self.notices.push(DirectoryNotice::Replaced { name, file, replaced: old.origin });
            }
            Err(at) => self.entries.insert(at, entry),
        }
    }

    /// Returns the connectors, in the order of their names.
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// Returns the facts that the user should know.
    pub fn notices(&self) -> &[DirectoryNotice] {
        &self.notices
    }

    /// Returns the files of a name that two folders have.
    pub fn duplicate(&self, name: &str) -> Option<&DuplicateManifest> {
        self.notices.iter().find_map(|notice| match notice {
            DirectoryNotice::Duplicate(duplicate) if duplicate.name == name => Some(duplicate),
            _ => None,
        })
    }

    /// Returns the connector of this name. Capitals do not count.
    pub fn get(&self, name: &str) -> Option<&ManifestEntry> {
        let name = name.to_lowercase();
        self.entries.binary_search_by(|known| known.name.as_str().cmp(&name)).ok().map(|at| &self.entries[at])
    }
}

impl ManifestEntry {
    /// Reads the few texts of an entry.
    fn read(text: Cow<'static, str>, origin: ManifestOrigin) -> Result<ManifestEntry, String> {
        #[derive(Deserialize)]
        struct EntryFields {
            name: String,
            title: String,
            description: String,
            #[serde(default)]
            categories: Vec<String>,
            #[serde(default)]
            backends: Vec<BackendFields>,
        }
        #[derive(Deserialize)]
        struct BackendFields {
            #[serde(default)]
            tools: Vec<ToolFields>,
        }
        #[derive(Deserialize)]
        struct ToolFields {
            name: String,
        }
        let fields: EntryFields = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
        let mut tools: Vec<String> = Vec::new();
        for tool in fields.backends.into_iter().flat_map(|backend| backend.tools) {
            if !tools.contains(&tool.name) {
                tools.push(tool.name);
            }
        }
        let EntryFields { name, title, description, categories, .. } = fields;
        Ok(ManifestEntry { name, title, description, categories, tools, origin, text })
    }

    /// Reads the whole manifest.
    pub fn manifest(&self) -> Result<ConnectorManifest, ManifestError> {
        let file = match &self.origin {
            ManifestOrigin::Embedded => format!("{}.toml", self.name),
            ManifestOrigin::File(file) => file.display().to_string(),
        };
        ConnectorManifest::parse(&self.text, &file)
    }

    /// Returns the text of the manifest.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ManifestOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestOrigin::Embedded => f.write_str("the manifest that Loggia has"),
            ManifestOrigin::File(file) => file.display().fmt(f),
        }
    }
}

impl fmt::Display for DirectoryNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DirectoryNotice::Replaced { name, file, replaced } => {
                write!(f, "the connector '{name}' is read from {}, not from {replaced}", file.display())
            }
            DirectoryNotice::Duplicate(duplicate) => duplicate.fmt(f),
            DirectoryNotice::Unusable { file, reason } => {
                write!(f, "{} cannot be used:\n{reason}", file.display())
            }
        }
    }
}
