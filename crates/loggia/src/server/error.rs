//! Errors of handlers. Each speaks to one audience: the model, the host program, or the log.

use std::fmt;

use loggia_wire::{ErrorCode, Method, RpcError, Version};

use crate::edge::correlation_id;
use crate::model::CallToolResult;

/// The failure of a tool, a prompt or a resource, for one reader.
///
/// * [`ToolError::say`]: the model. It can read the text and do better.
/// * [`ToolError::reject`]: the host program, as a JSON-RPC error.
/// * `?` on any other error: the log. The client sees generic text with a reference that the log line has
///   too, so nothing internal leaks.
///
/// ```
/// use loggia::server::ToolError;
///
/// fn temperature(city: &str) -> Result<f64, ToolError> {
///     match city {
///         "Oslo" => Ok("-3.5".parse::<f64>()?),
///         other => Err(ToolError::say(format!("no city {other:?}; did you mean Oslo?"))),
///     }
/// }
/// assert_eq!(temperature("Oslo").ok(), Some(-3.5));
/// ```
pub struct ToolError(Box<ToolErrorKind>);

enum ToolErrorKind {
    Say(CallToolResult),
    Reject(RpcError),
    MissingCapability(Method, RpcError),
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl ToolError {
    /// Creates a failure for the model: the text says the fault, and what to do instead.
    pub fn say(text: impl Into<String>) -> ToolError {
        ToolError::result(CallToolResult::error(text))
    }

    /// Creates a failure for the model with any content. The result is marked as an error.
    pub fn result(mut result: CallToolResult) -> ToolError {
        result.is_error = Some(true);
        ToolError(Box::new(ToolErrorKind::Say(result)))
    }

    /// Creates a failure for the host program, as a JSON-RPC error: the request itself is at fault.
    pub fn reject(code: ErrorCode, message: impl Into<String>) -> ToolError {
        ToolError::rpc(RpcError::new(code, message.into()))
    }

    /// Creates a failure for the host program from a whole JSON-RPC error.
    pub fn rpc(error: RpcError) -> ToolError {
        ToolError(Box::new(ToolErrorKind::Reject(error)))
    }

    /// Creates the failure of a request for a resource that does not exist.
    pub fn resource_not_found(uri: &str) -> ToolError {
        ToolError::rpc(RpcError::resource_not_found(uri))
    }

    /// Creates a failure of the server itself: the log gets `error` with its causes, and the client gets a reference to the log
    /// line. `?` does the same.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ToolError {
        ToolError(Box::new(ToolErrorKind::Internal(error.into())))
    }

    /// Creates the failure of a question that the client cannot be asked; `error` is for the modern era.
    pub(crate) fn missing_capability(question: Method, error: RpcError) -> ToolError {
        ToolError(Box::new(ToolErrorKind::MissingCapability(question, error)))
    }

    /// Returns the outcome for the caller of the tool `subject`: a result that the model reads, or a JSON-RPC error.
    pub(crate) fn into_tool_outcome(
        self,
        subject: &str,
        version: Version,
    ) -> Result<CallToolResult, RpcError> {
        match *self.0 {
            ToolErrorKind::Say(result) => Ok(result),
            ToolErrorKind::Reject(error) => Err(error),
            ToolErrorKind::MissingCapability(_, error) if version.is_modern() => Err(error),
            ToolErrorKind::MissingCapability(question, _) => Ok(CallToolResult::error(lacks(&question))),
            ToolErrorKind::Internal(error) => {
                let reference = log(subject, &*error);
                Ok(CallToolResult::error(format!(
                    "The tool failed for an internal reason (reference {reference})"
                )))
            }
        }
    }

    /// Returns the error for the caller of `subject`, which is not a tool.
    pub(crate) fn into_rpc(self, subject: &str, version: Version) -> RpcError {
        match *self.0 {
            ToolErrorKind::Say(result) => RpcError::invalid_params(texts(&result)),
            ToolErrorKind::Reject(error) => error,
            ToolErrorKind::MissingCapability(_, error) if version.is_modern() => error,
            ToolErrorKind::MissingCapability(question, _) => RpcError::invalid_params(lacks(&question)),
            ToolErrorKind::Internal(error) => RpcError::internal(&log(subject, &*error)),
        }
    }
}

fn lacks(question: &Method) -> String {
    let needs = match question {
        Method::Elicit => "ask the person (elicitation)",
        Method::CreateMessage => "ask the client's model (sampling)",
        _ => "know the client's folders (roots)",
    };
    format!("This needs to {needs}, which the client does not support")
}

fn texts(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("\n")
}

/// Writes `error` and its causes to the log; returns the reference that finds them.
fn log(subject: &str, error: &(dyn std::error::Error + 'static)) -> String {
    let reference = correlation_id();
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        chain = format!("{chain}: {next}");
        cause = next.source();
    }
    tracing::error!(reference, subject, error = chain, "a handler failed");
    reference
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for ToolError {
    fn from(error: E) -> ToolError {
        ToolError::internal(error)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ToolErrorKind::Say(result) => f.debug_tuple("Say").field(&texts(result)).finish(),
            ToolErrorKind::Reject(error) => f.debug_tuple("Reject").field(error).finish(),
            ToolErrorKind::MissingCapability(question, _) => {
                f.debug_tuple("MissingCapability").field(question).finish()
            }
            ToolErrorKind::Internal(error) => f.debug_tuple("Internal").field(error).finish(),
        }
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ToolErrorKind::Say(result) => f.write_str(&texts(result)),
            ToolErrorKind::Reject(error) => error.fmt(f),
            ToolErrorKind::MissingCapability(question, _) => f.write_str(&lacks(question)),
            ToolErrorKind::Internal(error) => error.fmt(f),
        }
    }
}
