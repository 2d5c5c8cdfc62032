//! Prompts: messages that a person chooses by name, as data.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::args::StringArgs;
use super::completion::{Completers, CompletionRequest, IntoCompletion, bind, completer};
use super::cx::Cx;
use super::error::ToolError;
use crate::future::BoxFuture;
use crate::model::{self, GetPromptResult, Icon, InputRequired, PromptArgument, PromptMessage};

/// A prompt of a server whose state is an `S`.
pub struct Prompt<S> {
    pub(crate) definition: model::Prompt,
    pub(crate) handler: PromptHandler<S>,
    pub(crate) completers: Completers<S>,
}

/// Outcome of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptOutput {
    /// The messages.
    Result(GetPromptResult),
    /// A question to the client first; for gateways that relay one.
    InputRequired(InputRequired),
}

pub(crate) type PromptHandler<S> =
    Arc<dyn Fn(Arc<S>, Cx, StringArgs) -> BoxFuture<'static, Result<PromptOutput, ToolError>> + Send + Sync>;

impl Prompt<()> {
    /// Starts a prompt called `name`. The state's type follows from the handler.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use loggia::server::{CompletionRequest, Cx, Prompt, StringArgs, ToolError};
    ///
    /// let prompt: Prompt<()> = Prompt::build("review")
    ///     .description("Reviews code.")
    ///     .argument("language", "The programming language", true)
    ///     .complete("language", |_state: Arc<()>, _cx: Cx, typed: CompletionRequest| async move {
    ///         typed.matching(["rust", "python"])
    ///     })
    ///     .handler(|_state: Arc<()>, _cx: Cx, mut texts: StringArgs| async move {
    ///         let language: String = texts.take("language")?;
    ///         Ok::<_, ToolError>(format!("Review this {language} code."))
    ///     });
    /// assert_eq!(prompt.name(), "review");
    /// ```
    pub fn build<S>(name: impl Into<String>) -> PromptBuilder<S> {
        PromptBuilder { definition: model::Prompt::new(name), completers: Completers::new() }
    }
}

impl<S> Prompt<S> {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Returns its definition.
    pub fn definition(&self) -> &model::Prompt {
        &self.definition
    }

    /// Changes the definition.
    pub fn map(mut self, change: impl FnOnce(&mut model::Prompt)) -> Prompt<S> {
        change(&mut self.definition);
        self
    }
}

impl<S: Send + Sync + 'static> Prompt<S> {
    /// Binds the state to the prompt, so that it can be added to a running server.
    pub fn bind(self, state: Arc<S>) -> Prompt<()> {
        let completers = bind(self.completers, &state);
        let handler = self.handler;
        Prompt {
            definition: self.definition,
            handler: Arc::new(move |_, cx, texts| handler(state.clone(), cx, texts)),
            completers,
        }
    }
}

impl<S> fmt::Debug for Prompt<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prompt").field(&self.definition).finish()
    }
}

/// Argument of [`ServerBuilder::prompt`](super::ServerBuilder::prompt): a [`Prompt`], or a function marked
/// `#[prompt]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a prompt of a server with state `{S}`",
    label = "not a prompt",
    note = "give a `Prompt<{S}>` or a function marked `#[prompt]`"
)]
pub trait IntoPrompt<S> {
    /// Returns the prompt.
    fn into_prompt(self) -> Prompt<S>;
}

impl<S> IntoPrompt<S> for Prompt<S> {
    fn into_prompt(self) -> Prompt<S> {
        self
    }
}

/// A builder of a prompt; see [`Prompt::build`].
pub struct PromptBuilder<S> {
    definition: model::Prompt,
    completers: Completers<S>,
}

impl<S: Send + Sync + 'static> PromptBuilder<S> {
    /// Sets the description, for people and models.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.definition.description = Some(text.into()).filter(|text| !text.is_empty());
        self
    }

    /// Sets the name for people.
    pub fn title(mut self, text: impl Into<String>) -> Self {
        self.definition.title = Some(text.into());
        self
    }

    /// Adds a picture, by URL.
    pub fn icon(mut self, src: impl Into<String>) -> Self {
        let icon = Icon { src: src.into(), ..Icon::default() };
        self.definition.icons.get_or_insert_default().push(icon);
        self
    }

    /// Adds an argument.
    pub fn argument(
        mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        required: bool,
    ) -> Self {
        self.definition.arguments.get_or_insert_default().push(PromptArgument {
            name: name.into(),
            description: Some(description.into()).filter(|text| !text.is_empty()),
            required: Some(required),
            ..PromptArgument::default()
        });
        self
    }

    /// Completes the argument `name` while a person types it.
    pub fn complete<F, Fut>(mut self, name: impl Into<String>, complete: F) -> Self
    where
        F: Fn(Arc<S>, Cx, CompletionRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoCompletion> + Send + 'static,
    {
        self.completers.insert(name.into(), completer(complete));
        self
    }

    /// The prompt.
    pub fn handler<F, Fut>(self, handler: F) -> Prompt<S>
    where
        F: Fn(Arc<S>, Cx, StringArgs) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoPromptResult> + Send + 'static,
    {
        let handler: PromptHandler<S> = Arc::new(move |state, cx, texts| {
            let running = handler(state, cx, texts);
            Box::pin(async move { running.await.into_prompt_result() })
        });
        Prompt { definition: self.definition, handler, completers: self.completers }
    }
}

/// A type that a prompt may return.
#[diagnostic::on_unimplemented(
    message = "a prompt cannot return `{Self}`",
    label = "not a prompt result",
    note = "return text, `PromptMessage`, `Vec<PromptMessage>`, `GetPromptResult`, or a `Result` of one of these with `ToolError`"
)]
pub trait IntoPromptResult {
    /// The messages.
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError>;
}

impl IntoPromptResult for PromptOutput {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        Ok(self)
    }
}

impl IntoPromptResult for GetPromptResult {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        Ok(PromptOutput::Result(self))
    }
}

impl IntoPromptResult for InputRequired {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        Ok(PromptOutput::InputRequired(self))
    }
}

impl IntoPromptResult for Vec<PromptMessage> {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        GetPromptResult { messages: self, ..GetPromptResult::default() }.into_prompt_result()
    }
}

impl IntoPromptResult for PromptMessage {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        vec![self].into_prompt_result()
    }
}

impl IntoPromptResult for String {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        PromptMessage::user(self).into_prompt_result()
    }
}

impl IntoPromptResult for &'static str {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        PromptMessage::user(self).into_prompt_result()
    }
}

impl<T: IntoPromptResult, E: Into<ToolError>> IntoPromptResult for Result<T, E> {
    fn into_prompt_result(self) -> Result<PromptOutput, ToolError> {
        self.map_err(Into::into)?.into_prompt_result()
    }
}
