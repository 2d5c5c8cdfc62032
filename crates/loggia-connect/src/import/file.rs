//! The configuration file of an import. If an import fails, it is as it was.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{Import, ImportError};
use crate::file_text::{bounded_text, replace_file};

impl Import {
    /// Adds the servers to the configuration file `file`, and creates it where there is none. If this fails, the file is
    /// as it was.
    ///
    /// # Errors
    ///
    /// As [`Import::add_to`]; [`ImportError::Unreadable`] and [`ImportError::Unwritable`] where the file is at fault.
    pub fn add_to_file(&self, file: &Path) -> Result<(), ImportError> {
        let existing = match fs::File::open(file).and_then(bounded_text) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            existing => existing.map_err(|error| ImportError::unreadable(file, &error))?,
        };
        let text = self.add_to(&existing, file)?;
        replace_file(file, &text).map_err(|error| ImportError::unwritable(file, &error))
    }
}
