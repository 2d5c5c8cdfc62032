//! Tools without questions to the client: every kind of content, logging, progress, errors, changes of the lists.

use std::sync::Arc;
use std::time::Duration;

use loggia::model::{ContentBlock, ResourceContents};
use loggia::prelude::*;
use loggia::server::Args;
use serde_json::json;

use crate::Everything;

/// A picture of one red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// Silence.
const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";
const STEP: Duration = Duration::from_millis(50);

#[tools(contents)]
impl Everything {
    /// Answers with text
    #[tool(read_only)]
    async fn test_simple_text(&self) -> &'static str {
        "This is a simple text response for testing."
    }

    /// Answers with a picture
    #[tool(read_only)]
    async fn test_image_content(&self) -> ContentBlock {
        ContentBlock::image(PNG, "image/png")
    }

    /// Answers with sound
    #[tool(read_only)]
    async fn test_audio_content(&self) -> ContentBlock {
        ContentBlock::audio(WAV, "audio/wav")
    }

    /// Answers with a resource
    #[tool(read_only)]
    async fn test_embedded_resource(&self) -> ContentBlock {
        let text = "This is an embedded resource content.";
        ContentBlock::resource(
            ResourceContents::text("test://embedded-resource", text).mime_type("text/plain"),
        )
    }

    /// Answers with several kinds of content
    #[tool(read_only)]
    async fn test_multiple_content_types(&self) -> Vec<ContentBlock> {
        let text = json!({ "test": "data", "value": 123 }).to_string();
        let resource =
            ResourceContents::text("test://mixed-content-resource", text).mime_type("application/json");
        vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(PNG, "image/png"),
            ContentBlock::resource(resource),
        ]
    }

    /// Logs while it runs
    #[tool(read_only)]
    async fn test_tool_with_logging(&self, cx: &Cx) -> &'static str {
        cx.info("Tool execution started");
        tokio::time::sleep(STEP).await;
        cx.info("Tool processing data");
        tokio::time::sleep(STEP).await;
        cx.info("Tool execution completed");
        "Tool with logging executed successfully"
    }

    /// Logs, for clients that ask for it
    #[tool(read_only)]
    async fn test_logging_tool(&self, cx: &Cx) -> &'static str {
        cx.info("Diagnostic trace logging activated");
        "Logging evaluated"
    }

    /// Reports its progress
    #[tool(read_only)]
    async fn test_tool_with_progress(&self, cx: &Cx) -> &'static str {
        for percent in [0.0, 50.0, 100.0] {
            cx.progress(percent).total(100.0).message(format!("Completed step {percent} of 100"));
            tokio::time::sleep(STEP).await;
        }
        "Tool with progress executed successfully"
    }

    /// Always fails
    #[tool(read_only)]
    async fn test_error_handling(&self) -> Result<(), ToolError> {
        Err(ToolError::say("This tool intentionally returns an error for testing"))
    }

    /// Lets its client come back for the result
    #[tool(read_only)]
    async fn test_reconnection(&self, cx: &Cx) -> &'static str {
        cx.release_client();
        tokio::time::sleep(2 * STEP).await;
        "Reconnection test completed successfully"
    }

    /// Says that the list of tools changed
    #[tool]
    async fn test_trigger_tool_change(&self, cx: &Cx) -> &'static str {
        cx.changes().tools();
        "The change was announced"
    }

    /// Says that the list of prompts changed
    #[tool]
    async fn test_trigger_prompt_change(&self, cx: &Cx) -> &'static str {
        cx.changes().prompts();
        "The change was announced"
    }

    /// Takes a parameter that clients mirror into a header
    #[tool(read_only)]
    async fn test_x_mcp_header(
        &self,
        /** The region to look in */
        #[arg(header = "Region")]
        region: String,
    ) -> String {
        format!("Looked in {region}")
    }
}

/// A tool whose schema is published as it is written here, with the vocabulary of JSON Schema 2020-12.
pub(crate) fn json_schema() -> Tool<Everything> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    });
    Tool::build("json_schema_2020_12_tool")
        .description("Takes what a schema with the full vocabulary allows")
        .read_only(true)
        .input_schema(schema)
        .handler(|_: Arc<Everything>, _: Cx, args: Args| async move {
            format!("JSON Schema 2020-12 tool called with: {}", args.into_object().as_str())
        })
}
