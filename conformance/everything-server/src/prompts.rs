//! Prompts with and without arguments, with every kind of content, and one that asks.

use loggia::model::{Completion, ContentBlock, PromptMessage, ResourceContents};
use loggia::prelude::*;
use loggia::server::CompletionRequest;
use serde::Deserialize;

use crate::Everything;
use crate::contents::PNG;

#[derive(Debug, Deserialize, JsonSchema)]
struct Context {
    context: String,
}

#[prompts]
impl Everything {
    /// A simple prompt without arguments
    #[prompt]
    async fn test_simple_prompt(&self) -> &'static str {
        "This is a simple prompt for testing."
    }

    /// A prompt with required arguments
    #[prompt]
    async fn test_prompt_with_arguments(
        &self,
        /** First test argument */
        #[complete(letters)]
        arg1: String,
        /** Second test argument */
        arg2: String,
    ) -> String {
        format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
    }

    /// A prompt that includes an embedded resource
    #[prompt(name = "test_prompt_with_embedded_resource")]
    async fn with_resource(
        &self,
        /** URI of the resource to embed */
        #[arg(name = "resourceUri")]
        uri: String,
    ) -> Vec<PromptMessage> {
        let text = "Embedded resource content for testing.";
        let resource = ResourceContents::text(uri, text).mime_type("text/plain");
        vec![
            PromptMessage::user(ContentBlock::resource(resource)),
            PromptMessage::user("Please process the embedded resource above."),
        ]
    }

    /// A prompt that includes image content
    #[prompt]
    async fn test_prompt_with_image(&self) -> Vec<PromptMessage> {
        vec![
            PromptMessage::user(ContentBlock::image(PNG, "image/png")),
            PromptMessage::user("Please analyze the image above."),
        ]
    }

    /// A prompt that asks before it answers
    #[prompt]
    async fn test_input_required_result_prompt(&self, cx: &Cx) -> Result<String, ToolError> {
        let given = cx.ask::<Context>("user_context", "What context should the prompt use?").await?;
        Ok(given.accepted().map_or_else(
            || "Prompt without context".to_owned(),
            |it| format!("Prompt with context: {}", it.context),
        ))
    }

    /// A greeting
    #[prompt]
    async fn greet(
        &self,
        /** Whom to greet */
        #[complete(names)]
        name: String,
    ) -> String {
        format!("Say hello to {name}.")
    }
}

async fn letters(typed: &CompletionRequest) -> Completion {
    typed.matching(["alpha", "beta", "gamma"])
}

async fn names(typed: &CompletionRequest) -> Completion {
    typed.matching(["Albert", "Alice", "Bob"])
}
