//! The entries that the interoperability tests need from every server; `interop/servers/` has the same with other
//! SDKs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loggia::model::CreateMessageParams;
use loggia::prelude::*;
use serde::Deserialize;

use crate::Everything;

pub(crate) const NOTE: &str = "fixture://note";

#[derive(Debug, Deserialize, JsonSchema)]
struct Name {
    name: String,
}

#[tools(fixture)]
impl Everything {
    /// Answers what it was given
    #[tool(read_only)]
    async fn echo(&self, text: String) -> String {
        format!("echo: {text}")
    }

    /// Always fails
    #[tool(read_only)]
    async fn fail(&self) -> Result<(), ToolError> {
        Err(ToolError::say("this tool always fails"))
    }

    /// Takes its time
    #[tool(read_only)]
    async fn slow(&self, cx: &Cx, steps: u32, delay_ms: u64) -> String {
        let unfinished = Unfinished(Some(&self.cancelled));
        for step in 1..=steps {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            cx.progress(step.into()).total(steps.into()).message(format!("step {step}"));
        }
        unfinished.finish();
        format!("done after {steps} steps")
    }

    /// How many slow calls were cancelled
    #[tool(read_only)]
    async fn cancellations(&self) -> String {
        format!("cancelled: {}", self.cancelled.load(Ordering::Relaxed))
    }

    /// Asks the user for a name
    #[tool]
    async fn ask_name(&self, cx: &Cx) -> Result<String, ToolError> {
        Ok(match cx.ask::<Name>("name", "What is your name?").await? {
            Answer::Accept(given) => format!("accepted: {}", given.name),
            Answer::Decline => "declined".to_owned(),
            Answer::Cancel => "cancelled".to_owned(),
        })
    }

    /// Asks the model
    #[tool]
    async fn ask_model(&self, cx: &Cx, prompt: String) -> Result<String, ToolError> {
        let answer = cx.sample("model", CreateMessageParams::prompt(prompt, 100)).await?;
        Ok(format!("model said: {}", answer.content.to_text()))
    }

    /// Changes the note
    #[tool]
    async fn touch_note(&self, cx: &Cx) -> String {
        let touched = self.touched.fetch_add(1, Ordering::Relaxed) + 1;
        cx.changes().resource(NOTE);
        format!("touched: {touched}")
    }
}

/// Counts a call whose future was dropped before its end.
struct Unfinished<'a>(Option<&'a AtomicU64>);

impl Unfinished<'_> {
    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
