//! The items that a server or a client usually needs: `use loggia::prelude::*;`.

pub use std::sync::Arc;

#[cfg(feature = "macros")]
pub use crate::{prompt, prompts, resource, resources, tool, tools};

pub use crate::JsonSchema;
#[cfg(feature = "client")]
pub use crate::client::Client;
pub use crate::error::{Error, Result};
pub use crate::model::{ContentBlock, PromptMessage};
pub use crate::server::{Answer, Cx, Json, Prompt, Resource, Server, Tool, ToolError};
#[cfg(feature = "http-server")]
pub use crate::transport::http::http;
pub use crate::transport::stdio::stdio;
