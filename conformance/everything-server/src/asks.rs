//! Tools that ask the person or the model in the middle of a call.

use loggia::model::CreateMessageParams;
use loggia::prelude::*;
use loggia::schema::Schema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Everything;

#[derive(Debug, Deserialize, JsonSchema)]
struct User {
    /// User's response
    username: String,
    /// User's email address
    email: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Response {
    /// User's response
    response: String,
}

#[tools(asks)]
impl Everything {
    /// Asks the model
    #[tool]
    async fn test_sampling(
        &self,
        cx: &Cx,
        /** The prompt to send to the model */
        prompt: String,
    ) -> Result<String, ToolError> {
        let answer = cx.sample("model", CreateMessageParams::prompt(prompt, 100)).await?;
        Ok(format!("LLM response: {}", answer.content.to_text()))
    }

    /// Asks the person
    #[tool]
    async fn test_elicitation(
        &self,
        cx: &Cx,
        /** The message to show */
        message: String,
    ) -> Result<String, ToolError> {
        Ok(match cx.ask::<User>("user", &message).await? {
            Answer::Accept(User { username, email }) => {
                format!(
                    "User response: action=accept, content={}",
                    json!({ "username": username, "email": email })
                )
            }
            Answer::Decline => "User response: action=decline".to_owned(),
            Answer::Cancel => "User response: action=cancel".to_owned(),
        })
    }

    /// Asks with a form whose fields have defaults
    #[tool]
    async fn test_elicitation_sep1034_defaults(&self, cx: &Cx) -> Result<String, ToolError> {
        let form = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "description": "User name", "default": "John Doe" },
                "age": { "type": "integer", "description": "User age", "default": 30 },
                "score": { "type": "number", "description": "User score", "default": 95.5 },
                "status": {
                    "type": "string", "description": "User status",
                    "enum": ["active", "inactive", "pending"], "default": "active"
                },
                "verified": { "type": "boolean", "description": "Verification status", "default": true }
            },
            "required": []
        });
        filled_in(cx, "Please review and update the form fields with defaults", form).await
    }

    /// Asks with a form that has every kind of choice
    #[tool]
    async fn test_elicitation_sep1330_enums(&self, cx: &Cx) -> Result<String, ToolError> {
        let titled = |name: &str, title: &str| json!({ "const": name, "title": title });
        let form = json!({
            "type": "object",
            "properties": {
                "untitledSingle": {
                    "type": "string", "description": "Select one option", "enum": ["option1", "option2", "option3"]
                },
                "titledSingle": {
                    "type": "string", "description": "Select one option with titles",
                    "oneOf": [titled("value1", "First Option"), titled("value2", "Second Option"), titled("value3", "Third Option")]
                },
                "legacyEnum": {
                    "type": "string", "description": "Select one option (legacy)",
                    "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]
                },
                "untitledMulti": {
                    "type": "array", "description": "Select multiple options", "minItems": 1, "maxItems": 3,
                    "items": { "type": "string", "enum": ["option1", "option2", "option3"] }
                },
                "titledMulti": {
                    "type": "array", "description": "Select multiple options with titles", "minItems": 1, "maxItems": 3,
                    "items": { "anyOf": [titled("value1", "First Choice"), titled("value2", "Second Choice"), titled("value3", "Third Choice")] }
                }
            },
            "required": []
        });
        filled_in(cx, "Please select options from the enum fields", form).await
    }

    /// Needs a client that can ask its model
    #[tool]
    async fn test_missing_capability(&self, cx: &Cx) -> Result<String, ToolError> {
        let answer = cx.sample("model", CreateMessageParams::prompt("Say yes.", 10)).await?;
        Ok(answer.content.to_text())
    }

    /// Reports progress, then asks
    #[tool]
    async fn test_streaming_elicitation(&self, cx: &Cx) -> Result<String, ToolError> {
        cx.progress(50.0).total(100.0);
        let answer = cx.ask::<Response>("response", "Shall it go on?").await?;
        Ok(answer.accepted().map_or_else(|| "It stopped".to_owned(), |given| given.response))
    }
}

async fn filled_in(cx: &Cx, message: &str, form: Value) -> Result<String, ToolError> {
    Ok(match cx.ask_with("form", message, Schema::from(form)).await? {
        Answer::Accept(content) => {
            format!("Elicitation completed: action=accept, content={}", content.as_str())
        }
        Answer::Decline => "Elicitation completed: action=decline".to_owned(),
        Answer::Cancel => "Elicitation completed: action=cancel".to_owned(),
    })
}
