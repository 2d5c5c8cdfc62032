//! The results of all requests as one type.

use super::{
    CallToolResult, CompleteResult, DiscoverResult, Extra, GetPromptResult, InitializeResult, InputRequired,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, Meta,
    ReadResourceResult,
};
use crate::json::RawJson;
use crate::json::{FromJson, ToJson};

/// A result of a server.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is its method's")]
pub enum ServerResult {
    Initialize(Box<InitializeResult>),
    Discover(Box<DiscoverResult>),
    ListTools(ListToolsResult),
    CallTool(CallToolResult),
    ListResources(ListResourcesResult),
    ListResourceTemplates(ListResourceTemplatesResult),
    ReadResource(ReadResourceResult),
    ListPrompts(ListPromptsResult),
    GetPrompt(GetPromptResult),
    Complete(CompleteResult),
    /// The request needs input of the client first.
    InputRequired(InputRequired),
    /// A result without data: of `ping`, `logging/setLevel`, `resources/subscribe`, and the end of
    /// `subscriptions/listen`.
    Empty(EmptyResult),
    /// A result that no revision defines; it is sent unchanged.
    Custom(RawJson),
}

/// Success without data.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct EmptyResult {
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

macro_rules! from_large_result {
    ($($type:ident => $variant:ident),*) => {
        $(impl From<$type> for ServerResult {
            fn from(result: $type) -> ServerResult {
                ServerResult::$variant(Box::new(result))
            }
        })*
    };
}

from_large_result!(InitializeResult => Initialize, DiscoverResult => Discover);

macro_rules! from_result {
    ($($type:ident => $variant:ident),* $(,)?) => {
        $(impl From<$type> for ServerResult {
            fn from(result: $type) -> ServerResult {
                ServerResult::$variant(result)
            }
        })*
    };
}

from_result! {
    ListToolsResult => ListTools,
    CallToolResult => CallTool,
    ListResourcesResult => ListResources,
    ListResourceTemplatesResult => ListResourceTemplates,
    ReadResourceResult => ReadResource,
    ListPromptsResult => ListPrompts,
    GetPromptResult => GetPrompt,
    CompleteResult => Complete,
    InputRequired => InputRequired,
    EmptyResult => Empty,
    RawJson => Custom,
}
