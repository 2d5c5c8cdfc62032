//! The tool, prompt or resource that a request is about.

/// The tool, prompt or resource that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A tool, by its name.
    Tool(String),
    /// A prompt, by its name.
    Prompt(String),
    /// A resource, by its URI.
    Resource(String),
    /// All resources whose URIs begin with this: those that a completion can suggest.
    ResourcesUnder(String),
}
