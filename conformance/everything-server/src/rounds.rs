//! Tools whose calls take several rounds on the modern revision (SEP-2322).

use loggia::model::CreateMessageParams;
use loggia::prelude::*;
use serde::Deserialize;

use crate::Everything;

#[derive(Debug, Deserialize, JsonSchema)]
struct Name {
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Color {
    color: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Confirmation {
    ok: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Given {
    value: String,
}

#[tools(rounds)]
impl Everything {
    /// Asks for a name
    #[tool]
    async fn test_input_required_result_elicitation(&self, cx: &Cx) -> Result<String, ToolError> {
        let name = cx.ask::<Name>("user_name", "What is your name?").await?;
        Ok(greeting(name))
    }

    /// Asks the model
    #[tool]
    async fn test_input_required_result_sampling(&self, cx: &Cx) -> Result<String, ToolError> {
        let question = CreateMessageParams::prompt("What is the capital of France?", 100);
        Ok(cx.sample("capital_question", question).await?.content.to_text())
    }

    /// Asks for the client's folders
    #[tool]
    async fn test_input_required_result_list_roots(&self, cx: &Cx) -> Result<String, ToolError> {
        let roots = cx.roots("client_roots").await?;
        let uris: Vec<&str> = roots.iter().map(|root| root.uri.as_str()).collect();
        Ok(format!("Found {} root(s): {}", roots.len(), uris.join(", ")))
    }

    /// Asks for a confirmation, with state
    #[tool]
    async fn test_input_required_result_request_state(&self, cx: &Cx) -> Result<String, ToolError> {
        confirmed(cx, "state-ok: the state came back").await
    }

    /// Asks the person, the model and for folders at once
    #[tool]
    async fn test_input_required_result_multiple_inputs(&self, cx: &Cx) -> Result<String, ToolError> {
        let (name, greeting, roots) = tokio::try_join!(
            cx.ask::<Name>("user_name", "What is your name?"),
            cx.sample("greeting", CreateMessageParams::prompt("Generate a greeting", 50)),
            cx.roots("client_roots"),
        )?;
        let name = name.accepted().map_or_else(|| "nobody".to_owned(), |given| given.name);
        Ok(format!("Name: {name}; greeting: {}; roots: {}", greeting.content.to_text(), roots.len()))
    }

    /// Asks twice, one after the other
    #[tool]
    async fn test_input_required_result_multi_round(&self, cx: &Cx) -> Result<String, ToolError> {
        let name = cx.ask::<Name>("step1", "Step 1: What is your name?").await?;
        let color = cx.ask::<Color>("step2", "Step 2: What is your favorite color?").await?;
        let color = color.accepted().map_or_else(|| "no color".to_owned(), |given| given.color);
        Ok(format!("{} You like {color}.", greeting(name)))
    }

    /// Asks for a confirmation, and notices state that was changed
    #[tool]
    async fn test_input_required_result_tampered_state(&self, cx: &Cx) -> Result<String, ToolError> {
        confirmed(cx, "integrity-ok: the state is as it was sent").await
    }

    /// Asks only what the client can answer
    #[tool]
    async fn test_input_required_result_capabilities(&self, cx: &Cx) -> Result<String, ToolError> {
        let client = cx.client_capabilities();
        if client.elicitation.is_some() {
            let given = cx.ask::<Given>("elicit_input", "Elicitation input").await?;
            return Ok(given.accepted().map_or_else(|| "nothing given".to_owned(), |given| given.value));
        }
        if client.sampling.is_some() {
            let answer = cx.sample("sample_input", CreateMessageParams::prompt("Sample request", 50)).await?;
            return Ok(answer.content.to_text());
        }
        Ok("The client can answer nothing".to_owned())
    }
}

async fn confirmed(cx: &Cx, then: &str) -> Result<String, ToolError> {
    match cx.ask::<Confirmation>("confirm", "Please confirm").await? {
        Answer::Accept(given) if given.ok => Ok(then.to_owned()),
        _ => Ok("not confirmed".to_owned()),
    }
}

fn greeting(name: Answer<Name>) -> String {
    name.accepted()
        .map_or_else(|| "Hello, whoever you are!".to_owned(), |given| format!("Hello, {}!", given.name))
}
