//! Values that must not be shown, and the templates in a file that stand for them.
//!
//! A configuration file is kept and shared; a token is not. So a configuration file writes `${TOKEN}`, the value is looked up at
//! the moment of use, and what was looked up lives in a [`Secret`] that no log can print.

use std::fmt;
use std::sync::Arc;

pub use loggia_auth::secret::Secret;

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A text in which `${NAME}` stands for an environment variable and `${NAME:-text}` for one that has a
/// default. `$${` is a plain `${`. It may hold a secret that the author wrote into the file, so it is not
/// shown either.
#[derive(Clone)]
pub struct Template {
    text: Secret,
    location: Location,
}

/// Why a template cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariable {
    /// The variable.
    pub name: String,
    /// The place that needs it.
    pub location: Location,
}

/// The environment: returns the value of a variable, if it is set.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

impl Template {
    /// Reads a template; the error says what is wrong with it.
    pub fn parse(text: impl Into<String>, location: Location) -> Result<Template, &'static str> {
        let text = Secret::new(text);
        parts(text.expose()).try_for_each(|part| part.map(drop))?;
        Ok(Template { text, location })
    }

    /// The text as it is written. In the fields for secrets it may be one.
    pub fn written(&self) -> &str {
        self.text.expose()
    }

    /// Returns the place in the file.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns whether it stands for itself, without any variable.
    pub fn is_plain(&self) -> bool {
        parts(self.written()).all(|part| matches!(part, Ok(SecretTemplatePart::Text(_))))
    }

    /// Returns the variables that the environment has a value for, each with it.
    pub(crate) fn values(&self, environment: &Environment<'_>) -> Vec<(&str, Secret)> {
        let names = parts(self.written()).filter_map(|part| match part {
            Ok(SecretTemplatePart::Variable { name, .. }) => Some(name),
            _ => None,
        });
        let values = names.filter_map(|name| Some((name, Secret::new(environment(name)?))));
        values.filter(|(_, value)| !value.expose().is_empty()).collect()
    }

    /// The text with each variable's value in its place.
    pub fn expand(&self, environment: &Environment<'_>) -> Result<Secret, MissingVariable> {
        let mut values = Vec::new();
        for part in parts(self.written()).map_while(Result::ok) {
            values.push(match part {
                SecretTemplatePart::Text(text) => Secret::new(text),
                SecretTemplatePart::Variable { name, default } => {
                    let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
                    let missing =
                        || MissingVariable { name: name.to_owned(), location: self.location.clone() };
                    Secret::new(value.or_else(|| default.map(str::to_owned)).ok_or_else(missing)?)
                }
            });
        }
        Ok(join(&values))
    }
}

/// One allocation of the right size: growing would leave copies behind that are not wiped.
fn join(values: &[Secret]) -> Secret {
    let mut joined = String::with_capacity(values.iter().map(|value| value.expose().len()).sum());
    values.iter().for_each(|value| joined.push_str(value.expose()));
    Secret::new(joined)
}

impl PartialEq for Template {
    /// Compares the texts, wherever they are written.
    fn eq(&self, other: &Template) -> bool {
        self.written() == other.written()
    }
}

impl Eq for Template {}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[template at {}]", self.location)
    }
}

impl fmt::Display for MissingVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingVariable { name, location } = self;
        write!(
            f,
            "{location}: the environment variable {name} is not set; set it before you start, or give a \
             default: ${{{name}:-text}}"
        )
    }
}

impl std::error::Error for MissingVariable {}

enum SecretTemplatePart<'t> {
    Text(&'t str),
    Variable { name: &'t str, default: Option<&'t str> },
}

/// The parts of a template in order, up to the first that is wrong.
fn parts(mut rest: &str) -> impl Iterator<Item = Result<SecretTemplatePart<'_>, &'static str>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = next_part(rest);
        rest = after;
        Some(part)
    })
}

fn next_part(text: &str) -> (Result<SecretTemplatePart<'_>, &'static str>, &str) {
    if let Some(after) = text.strip_prefix("$${") {
        return (Ok(SecretTemplatePart::Text("${")), after);
    }
    let Some(inside) = text.strip_prefix("${") else {
        let end = text.match_indices('$').map(|(at, _)| at).find(|at| begins_part(&text[*at..]));
        let (plain, after) = text.split_at(end.unwrap_or(text.len()));
        return (Ok(SecretTemplatePart::Text(plain)), after);
    };
    let Some((variable, after)) = inside.split_once('}') else {
        return (Err("'${' has no '}' after it; write $${ for a plain '${'"), "");
    };
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    match is_name(name) {
        true => (Ok(SecretTemplatePart::Variable { name, default }), after),
        false => (Err("a variable's name has letters, digits and '_' only: ${NAME} or ${NAME:-default}"), ""),
    }
}

fn begins_part(text: &str) -> bool {
    text.starts_with("${") || text.starts_with("$${")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
