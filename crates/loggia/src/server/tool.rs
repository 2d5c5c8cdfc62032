//! Tools: what a model can call, as data. `#[tool]` writes what [`Tool::build`] says.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::args::{Args, Parameter};
use super::cx::Cx;
use super::error::ToolError;
use super::output::{IntoToolResult, ToolOutput};
use crate::future::BoxFuture;
use crate::model::{self, Icon, JsonObject, Meta, ToolAnnotations};
use crate::schema::{Direction, Generator, Object, Property, Schema};

/// A tool of a server whose state is an `S`: how it is described, and what it does.
pub struct Tool<S> {
    pub(crate) definition: model::Tool,
    pub(crate) handler: ToolHandler<S>,
    /// True if the input schema was made from types, so that `null` for an optional member means absence.
    pub(crate) generated: bool,
    /// True if the output schema was written by hand, so that results are to be held against it.
    pub(crate) checks_output: bool,
}

pub(crate) type ToolHandler<S> =
    Arc<dyn Fn(Arc<S>, Cx, Args) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + Sync>;

impl Tool<()> {
    /// Starts a tool called `name`. The state's type follows from the handler.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use loggia::server::{Args, Cx, Tool, ToolError, parameter};
    ///
    /// struct Greeter { greeting: String }
    ///
    /// let tool: Tool<Greeter> = Tool::build("greet")
    ///     .description("Greets a person.")
    ///     .read_only(true)
    ///     .parameter(parameter::<String>("name").description("Whom to greet"))
    ///     .handler(|state: Arc<Greeter>, _cx: Cx, mut args: Args| async move {
    ///         let name: String = args.take("name")?;
    ///         Ok::<_, ToolError>(format!("{}, {name}!", state.greeting))
    ///     });
    /// assert_eq!(tool.name(), "greet");
    /// ```
    pub fn build(name: impl Into<String>) -> ToolBuilder<Args> {
        ToolBuilder {
            definition: model::Tool { name: name.into(), ..model::Tool::default() },
            parameters: Vec::new(),
            schema: None,
            checks_output: false,
            input: PhantomData,
        }
    }
}

impl<S> Tool<S> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Returns its definition.
    pub fn definition(&self) -> &model::Tool {
        &self.definition
    }

    /// The same tool, described otherwise: renamed, retitled, with a prefix.
    pub fn map(mut self, change: impl FnOnce(&mut model::Tool)) -> Tool<S> {
        change(&mut self.definition);
        self
    }
}

impl<S: Send + Sync + 'static> Tool<S> {
    /// The tool with its state in it: what a running server can take.
    pub fn bind(self, state: Arc<S>) -> Tool<()> {
        let handler = self.handler;
        Tool {
            definition: self.definition,
            handler: Arc::new(move |_, cx, args| handler(state.clone(), cx, args)),
            generated: self.generated,
            checks_output: self.checks_output,
        }
    }
}

impl<S> Clone for Tool<S> {
    fn clone(&self) -> Tool<S> {
        Tool {
            definition: self.definition.clone(),
            handler: self.handler.clone(),
            generated: self.generated,
            checks_output: self.checks_output,
        }
    }
}

impl<S> fmt::Debug for Tool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tool").field(&self.definition).finish()
    }
}

/// Argument of [`ServerBuilder::tool`](super::ServerBuilder::tool): a [`Tool`], or a function marked `#[tool]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool of a server with state `{S}`",
    label = "not a tool",
    note = "give a `Tool<{S}>` or a function marked `#[tool]`; the tool's state and the server's `.state(…)` must be of one type"
)]
pub trait IntoTool<S> {
    /// The tool.
    fn into_tool(self) -> Tool<S>;
}

impl<S> IntoTool<S> for Tool<S> {
    fn into_tool(self) -> Tool<S> {
        self
    }
}

/// Input of a tool's handler: [`Args`], taken one by one, or one type.
pub trait ToolInput {
    /// The value that the handler receives.
    type Value: Send + 'static;

    /// Reads it.
    fn read(args: Args) -> Result<Self::Value, ToolError>;
}

impl ToolInput for Args {
    type Value = Args;

    fn read(args: Args) -> Result<Args, ToolError> {
        Ok(args)
    }
}

/// Marks a tool that takes all its arguments as one `T`.
#[derive(Debug)]
pub struct TypedArgs<T>(PhantomData<T>);

impl<T: DeserializeOwned + Send + 'static> ToolInput for TypedArgs<T> {
    type Value = T;

    fn read(args: Args) -> Result<T, ToolError> {
        args.decode()
    }
}

/// A tool in the making; see [`Tool::build`].
#[derive(Debug)]
pub struct ToolBuilder<I> {
    definition: model::Tool,
    parameters: Vec<Property>,
    schema: Option<(JsonObject, bool)>,
    checks_output: bool,
    input: PhantomData<I>,
}

impl<I> ToolBuilder<I> {
    /// Sets the description, for the model.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.definition.description = Some(text.into()).filter(|text| !text.is_empty());
        self
    }

    /// Its name for people.
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

    /// Sets whether it changes nothing.
    pub fn read_only(self, on: bool) -> Self {
        self.hint(|hints| hints.read_only_hint = Some(on))
    }

    /// Sets whether it may destroy something.
    pub fn destructive(self, on: bool) -> Self {
        self.hint(|hints| hints.destructive_hint = Some(on))
    }

    /// Sets whether calling it again with the same arguments changes nothing more.
    pub fn idempotent(self, on: bool) -> Self {
        self.hint(|hints| hints.idempotent_hint = Some(on))
    }

    /// Sets whether it reaches beyond what it knows: the web, say.
    pub fn open_world(self, on: bool) -> Self {
        self.hint(|hints| hints.open_world_hint = Some(on))
    }

    /// Sets `_meta`.
    pub fn meta(mut self, meta: Meta) -> Self {
        self.definition.meta = Some(meta);
        self
    }

    /// Says what the structured result looks like, where the handler's return type does not. Each result is
    /// held against it; one that does not fit is our failure, not the model's.
    pub fn output_schema(mut self, schema: impl Into<Schema>) -> Self {
        self.checks_output = true;
        self.definition.output_schema = Some(Arc::new(schema.into().into_object()));
        self
    }

    /// Says what type the result comes from, where the handler returns it converted.
    pub fn returns<R: IntoToolResult>(mut self) -> Self {
        self.checks_output = false;
        self.definition.output_schema = R::output_schema().map(|schema| Arc::new(schema.into_object()));
        self
    }

    /// The tool. What `handler` returns decides the output schema.
    pub fn handler<S, F, Fut>(self, handler: F) -> Tool<S>
    where
        I: ToolInput,
        S: Send + Sync + 'static,
        F: Fn(Arc<S>, Cx, I::Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoToolResult> + Send + 'static,
    {
        let ToolBuilder { mut definition, parameters, schema, checks_output, .. } = self;
        let (input_schema, generated) =
            schema.unwrap_or_else(|| (parameters_schema(parameters).into_object(), true));
        definition.input_schema = Arc::new(input_schema);
        if definition.output_schema.is_none() {
            definition.output_schema =
                <Fut::Output>::output_schema().map(|schema| Arc::new(schema.into_object()));
        }
        let handler: ToolHandler<S> = Arc::new(move |state, cx, args| match I::read(args) {
            Ok(input) => {
                let running = handler(state, cx, input);
                Box::pin(async move { running.await.into_tool_result() })
            }
            Err(error) => Box::pin(std::future::ready(Err(error))),
        });
        Tool { definition, handler, generated, checks_output }
    }

    fn hint(mut self, set: impl FnOnce(&mut ToolAnnotations)) -> Self {
        set(self.definition.annotations.get_or_insert_default());
        self
    }
}

impl ToolBuilder<Args> {
    /// Adds a parameter; see [`parameter`](super::parameter).
    pub fn parameter(mut self, parameter: Property) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes all arguments as one type.
    pub fn input<T: Parameter>(self) -> ToolBuilder<TypedArgs<T>> {
        ToolBuilder {
            definition: self.definition,
            parameters: Vec::new(),
            schema: Some((Schema::of::<T>().into_object(), true)),
            checks_output: self.checks_output,
            input: PhantomData,
        }
    }

    /// Takes arguments that `schema` describes. The schema is published as it is.
    pub fn input_schema(mut self, schema: impl Into<Schema>) -> Self {
        self.schema = Some((schema.into().into_object(), false));
        self
    }
}

/// The schema of a list of parameters. No others are allowed: a misspelt one would be lost in silence.
fn parameters_schema(parameters: Vec<Property>) -> Schema {
    let mut generator = Generator::new(Direction::Input);
    let mut object = Object::new().closed();
    for parameter in parameters {
        object = object.property(&mut generator, parameter);
    }
    generator.finish(object.finish())
}
