//! Errors of a configuration file, for its author: the place, the problem, and the correct form. A message never quotes a value,
//! because the value may be a secret in the wrong place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::raw::Texts;
pub use crate::problem::Problem;
pub(super) use crate::problem::nearest;
use crate::problem::{locate, toml_message, write_problems};
use crate::secret::{Location, MissingVariable, Template};

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFileError {
    /// The problems, in order of place; at least one.
    pub problems: Vec<Problem>,
}

/// Why a connector cannot be started from what the configuration file and the environment say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// A variable is not set.
    Missing(MissingVariable),
    /// With the variables filled in, the value is not what it must be.
    Bad {
        /// The place of the value.
        location: Location,
        /// The requirement that the value violates.
        reason: &'static str,
    },
}

impl ConfigFileError {
    pub(super) fn unreadable(file: &Path, reason: &dyn fmt::Display) -> ConfigFileError {
        let message = format!("the configuration file {} cannot be read: {reason}", file.display());
        ConfigFileError { problems: vec![Problem { location: None, message }] }
    }
}

impl std::error::Error for ConfigFileError {}

impl fmt::Display for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_problems(f, &self.problems)
    }
}

impl std::error::Error for ResolveError {}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Missing(missing) => missing.fmt(f),
            ResolveError::Bad { location, reason } => write!(f, "{location}: {reason}"),
        }
    }
}

impl From<MissingVariable> for ResolveError {
    fn from(missing: MissingVariable) -> ResolveError {
        ResolveError::Missing(missing)
    }
}

/// The findings of reading one text: problems, and the templates in it.
pub(super) struct Problems<'t> {
    text: &'t str,
    file: Arc<str>,
    pub(super) templates: Vec<Template>,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str, file: &str) -> Problems<'t> {
        Problems { text, file: file.into(), templates: Vec::new(), found: Vec::new() }
    }

    /// Notes a problem, and gives nothing, which is what there is to go on with.
    pub(super) fn add<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Option<T> {
        let location = Some(self.location(span));
        self.found.push(Problem { location, message: message.into() });
        None
    }

    /// Adds an error of serde or of the TOML parser.
    pub(super) fn add_toml(&mut self, error: &toml::de::Error, span: Option<Range<usize>>) {
        let span = error.span().or(span).unwrap_or(0..0);
        self.add::<()>(span, toml_message(error.message()));
    }

    /// Parses a template and keeps it; a text that is none is a problem.
    pub(super) fn template(&mut self, text: Spanned<String>) -> Option<Template> {
        let span = text.span();
        match Template::parse(text.into_inner(), self.location(span.clone())) {
            Ok(template) => {
                self.templates.push(template.clone());
                Some(template)
            }
            Err(message) => self.add(span, message),
        }
    }

    /// Reads the texts of a table as templates. A text that is no template is a problem, and is left out.
    pub(super) fn templates(&mut self, texts: Texts) -> BTreeMap<String, Template> {
        let named = texts.into_iter();
        named.filter_map(|(name, text)| Some((name.into_inner(), self.template(text)?))).collect()
    }

    pub(super) fn location(&self, span: Range<usize>) -> Location {
        locate(self.text, &self.file, &span)
    }

    /// `value`, if nothing is wrong.
    pub(super) fn unless_any<T>(mut self, value: T) -> Result<T, ConfigFileError> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by(|a, b| a.location.cmp(&b.location));
        Err(ConfigFileError { problems: self.found })
    }
}
