//! Folders with manifests of the user, beside the embedded manifests: those that the configuration names, and one in the data
//! folder.
//!
//! Invariant: one name is one file. A file replaces an embedded manifest, and two files of one name are an error that names
//! both.

use std::path::{Path, PathBuf};

use super::{DuplicateManifest, ManifestDirectory, embedded};

/// The folders with manifests of the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestFolders {
    /// The folders that the configuration names.
    configured: Vec<PathBuf>,
    /// The folder in the data folder, which need not exist.
    usual: Option<PathBuf>,
}

impl ManifestFolders {
    /// Uses the folders that a configuration names.
    pub fn new(configured: Vec<PathBuf>) -> ManifestFolders {
        ManifestFolders { configured, usual: None }
    }

    /// Also uses the folder in the data folder, if it exists.
    pub fn with_usual(self, folder: PathBuf) -> ManifestFolders {
        ManifestFolders { usual: Some(folder), ..self }
    }

    /// Returns the folders, each once.
    fn folders(&self) -> impl Iterator<Item = &Path> {
        let all = self.configured.iter().chain(&self.usual).enumerate();
        let first = all.filter(|(at, folder)| !self.configured[..*at].contains(folder));
        first.map(|(_, folder)| folder.as_path())
    }

    /// Returns the files that a manifest of this name may be in, whether they exist or not.
    pub fn candidates(&self, name: &str) -> Vec<PathBuf> {
        self.folders().map(|folder| folder.join(format!("{name}.toml"))).collect()
    }

    /// Returns the file of a manifest; `None` if no folder has one of this name.
    ///
    /// # Errors
    ///
    /// [`DuplicateManifest`] if two folders have one.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>, DuplicateManifest> {
        let mut files = self.candidates(name).into_iter().filter(|file| file.is_file());
        match (files.next(), files.next()) {
            (Some(first), Some(second)) => {
                Err(DuplicateManifest { name: name.to_owned(), files: [first, second] })
            }
            (first, _) => Ok(first),
        }
    }

    /// Reads the directory: the embedded manifests, and those of the folders. A folder that the configuration names and
    /// that cannot be read is a notice.
    pub fn directory(&self) -> ManifestDirectory {
        let mut directory = ManifestDirectory::embedded();
        for folder in self.folders() {
            if self.configured.iter().any(|configured| configured == folder) || folder.is_dir() {
                directory.add_folder(folder);
            }
        }
        directory
    }

    /// Returns the manifest of this name and the name of its place: a file of a folder, or else an embedded one.
    ///
    /// # Errors
    ///
    /// The reason why there is none, as a sentence.
    pub fn text(&self, name: &str) -> Result<(String, String), String> {
        if let Some(file) = self.find(name).map_err(|duplicate| duplicate.to_string())? {
            return Ok((read_manifest(&file)?, file.display().to_string()));
        }
        match embedded().find(|(known, _)| *known == name) {
            Some((_, text)) => Ok((text.to_owned(), format!("{name}.toml"))),
            None => Err(format!("there is no manifest {name:?}; `loggia connectors search` lists them")),
        }
    }
}

/// Reads the text of a manifest file, within its bound.
///
/// # Errors
///
/// The reason, as a sentence that names the file.
pub fn read_manifest(file: &Path) -> Result<String, String> {
    std::fs::File::open(file)
        .and_then(crate::import::bounded_text)
        .map_err(|error| format!("the manifest {} cannot be read: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_file() {
        let (first, second, usual) = (folder(&["a", "b"]), folder(&["b", "c"]), folder(&["d"]));
        let path = |folder: &tempfile::TempDir| folder.path().to_owned();
        let configured = vec![path(&first), path(&second), path(&first)];
        let folders = ManifestFolders::new(configured).with_usual(path(&usual));
        assert_eq!(folders.candidates("a").len(), 3);
        for (name, expected) in [("a", Some(&first)), ("c", Some(&second)), ("d", Some(&usual)), ("e", None)]
        {
            let expected = expected.map(|folder| folder.path().join(format!("{name}.toml")));
            assert_eq!(folders.find(name), Ok(expected), "{name}");
        }
        let error = folders.find("b").expect_err("it is in two folders").to_string();
        for folder in [&first, &second] {
            assert!(error.contains(&folder.path().join("b.toml").display().to_string()), "{error}");
        }
        let absent = usual.path().join("absent");
        let folders = ManifestFolders::new(vec![path(&usual)]).with_usual(absent.clone());
        assert_eq!(folders.find("d").map(|file| file.is_some()), Ok(true));
        assert_eq!(ManifestFolders::new(Vec::new()).with_usual(absent).directory().notices(), []);
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            std::fs::write(folder.path().join(format!("{name}.toml")), "").expect("written");
        }
        folder
    }
}
