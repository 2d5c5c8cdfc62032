//! Errors: a description that cannot be used, and arguments that do not fit an operation.

use std::fmt;

/// The reason why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DescriptionError {
    /// The text is neither JSON nor YAML.
    Syntax(String),
    /// The document is not an API description of a known version.
    Version(String),
    /// The description names no absolute server URL, or one that cannot be used.
    Server(String),
    /// An operation is not in the description, or cannot be written.
    Operation(String),
    /// The text is neither GraphQL SDL nor the result of an introspection query.
    Graphql(String),
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DescriptionError::Syntax(reason) => {
                write!(f, "the description is neither JSON nor YAML: {reason}")
            }
            DescriptionError::Version(found) => write!(
                f,
                "the document is not an OpenAPI 3.0, OpenAPI 3.1 or Swagger 2.0 description ({found}): it must begin with \
                 openapi: 3.1.0 or swagger: \"2.0\""
            ),
            DescriptionError::Operation(reason) => f.write_str(reason),
            DescriptionError::Graphql(reason) => write!(f, "the GraphQL schema cannot be used: {reason}"),
            DescriptionError::Server(reason) => {
                write!(f, "the description names no usable server: {reason}. Set base_url")
            }
        }
    }
}

impl std::error::Error for DescriptionError {}

/// The reason why arguments do not make a request. The model reads this text, so it names the argument and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentError(pub(crate) String);

impl ArgumentError {
    pub(crate) fn new(reason: impl Into<String>) -> ArgumentError {
        ArgumentError(reason.into())
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ArgumentError {}
