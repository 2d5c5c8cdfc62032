//! The tool, prompt or resource of an operation.

/// The target of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OperationTarget {
    /// A tool, by its name.
    Tool(String),
    /// A prompt, by its name.
    Prompt(String),
    /// A resource, by its URI.
    Resource(String),
    /// All resources whose URIs begin with a prefix, which a completion can suggest.
    ResourcesUnder(String),
}
