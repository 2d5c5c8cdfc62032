//! Questions to the client in the middle of a call: to its user, to its model, or for its folders. Both eras share one code
//! path: it uses the answer of an earlier round if there is one. Otherwise it asks the client, if the client can be asked now,
//! or else records the question and suspends the handler, which ends the run (see [`super::replay`]).

use loggia_wire::json::FromJson;
use loggia_wire::{ErrorCode, JsonText, RawJson};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::argument_defaults::ObjectDefaults;
use super::cx::Cx;
use super::error::ToolError;
use crate::edge::capability;
use crate::model::{
    CreateMessageParams, CreateMessageResult, ElicitAction, ElicitFormParams, ElicitParams, ElicitResult,
    ElicitSchema, ElicitUrlParams, Extra, FormMode, InputRequest, InputResponses, JsonObject,
    ListRootsParams, ListRootsResult, Root, UrlMode,
};
use crate::schema::{JsonSchema, Schema};
use loggia_json_schema::Validator;

/// The user's answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// Agreed, with this.
    Accept(T),
    /// Refused.
    Decline,
    /// Closed the question without a choice.
    Cancel,
}

impl<T> Answer<T> {
    /// Returns the content of [`Answer::Accept`].
    pub fn accepted(self) -> Option<T> {
        match self {
            Answer::Accept(given) => Some(given),
            Answer::Decline | Answer::Cancel => None,
        }
    }
}

impl Cx {
    /// Asks the person to fill in a form. **The handler's code before an `ask` may run again**: put what must
    /// not happen twice into [`once`](Cx::once).
    ///
    /// `T` is a struct whose members are texts, numbers, booleans, or enums of plain names; its documentation
    /// comments are what the person reads. `key` names the question within the call: asking again under the
    /// same key gives the same answer. Questions that are asked together (`join!`) are put together.
    ///
    /// ```
    /// use loggia::JsonSchema;
    /// use loggia::server::{Answer, Cx, ToolError};
    ///
    /// #[derive(serde::Deserialize, JsonSchema)]
    /// struct Choice {
    ///     /// The repository to delete
    ///     repository: String,
    /// }
    ///
    /// async fn delete(cx: &Cx) -> Result<String, ToolError> {
    ///     match cx.ask::<Choice>("which", "Which repository?").await? {
    ///         Answer::Accept(choice) => Ok(format!("deleted {}", choice.repository)),
    ///         Answer::Decline | Answer::Cancel => Ok("nothing deleted".to_owned()),
    ///     }
    /// }
    /// ```
    pub async fn ask<T: JsonSchema + DeserializeOwned>(
        &self,
        key: &str,
        message: &str,
    ) -> Result<Answer<T>, ToolError> {
        let answer = self.form(key, message, form_of::<T>(), true).await?;
        Ok(match answer {
            Answer::Accept(content) => {
                Answer::Accept(content.decode().map_err(|error| invalid_answer(key, &error.to_string()))?)
            }
            Answer::Decline => Answer::Decline,
            Answer::Cancel => Answer::Cancel,
        })
    }

    /// Asks the person to fill in a form of this schema; see [`ask`](Cx::ask).
    pub async fn ask_with(
        &self,
        key: &str,
        message: &str,
        form: impl Into<Schema>,
    ) -> Result<Answer<JsonObject>, ToolError> {
        self.form(key, message, form.into(), false).await
    }

    /// Asks with a form. `generated` says that its schema was made from a type.
    async fn form(
        &self,
        key: &str,
        message: &str,
        schema: Schema,
        generated: bool,
    ) -> Result<Answer<JsonObject>, ToolError> {
        let schema = schema.into_object();
        let validator = Validator::compile(&schema)?;
        let request = InputRequest::Elicit(Box::new(ElicitParams::Form(ElicitFormParams {
            mode: Some(FormMode::Form),
            message: message.to_owned(),
            requested_schema: form_schema(schema.clone())?,
            meta: None,
            extra: Extra::new(),
        })));
        let read = |raw: &RawJson| {
            let result: ElicitResult = raw.read().map_err(|error| error.to_string())?;
            answer(result, |content| {
                let mut content = content.unwrap_or_default();
                if generated {
                    content = ObjectDefaults::of(&schema).apply(content);
                }
                let tree: Value = content.decode().map_err(|error| error.to_string())?;
                validator.validate(&tree).map_err(|violations| violations.to_string())?;
                Ok(content)
            })
        };
        self.question(key, request, read).await
    }

    /// Asks the person to open a URL: for what must not pass through the client, such as a password.
    /// `Accept` says that the person agreed to open it, not that they are done there. See [`ask`](Cx::ask)
    /// for what reruns.
    pub async fn ask_url(&self, key: &str, message: &str, url: &str) -> Result<Answer<()>, ToolError> {
        let request = InputRequest::Elicit(Box::new(ElicitParams::Url(ElicitUrlParams {
            mode: UrlMode::Url,
            message: message.to_owned(),
            url: url.to_owned(),
            elicitation_id: Some(self.question_id(key)),
            meta: None,
            extra: Extra::new(),
        })));
        let read = |raw: &RawJson| {
            let result: ElicitResult = raw.read().map_err(|error| error.to_string())?;
            answer(result, |_| Ok(()))
        };
        self.question(key, request, read).await
    }

    /// Asks the client's model. See [`ask`](Cx::ask) for `key` and for what reruns.
    pub async fn sample(
        &self,
        key: &str,
        params: CreateMessageParams,
    ) -> Result<CreateMessageResult, ToolError> {
        self.question(key, InputRequest::CreateMessage(Box::new(params)), decoded).await
    }

    /// Asks the client which folders matter. See [`ask`](Cx::ask) for `key` and for what reruns.
    pub async fn roots(&self, key: &str) -> Result<Vec<Root>, ToolError> {
        let request = InputRequest::ListRoots(ListRootsParams::default());
        self.question(key, request, decoded::<ListRootsResult>).await.map(|result| result.roots)
    }

    /// Does `work` once in a call, however often an [`ask`](Cx::ask) reruns the handler: its result is kept
    /// with the call. A failure is not kept. The result travels through the client, sealed, so keep it small.
    ///
    /// ```
    /// use loggia::server::{Cx, ToolError};
    ///
    /// async fn order(cx: &Cx) -> Result<u64, ToolError> {
    ///     let number: u64 = cx.once("number", async || Ok(4711)).await?;
    ///     Ok(number)
    /// }
    /// ```
    pub async fn once<T, F>(&self, key: &str, work: F) -> Result<T, ToolError>
    where
        T: Serialize + DeserializeOwned,
        F: AsyncFnOnce() -> Result<T, ToolError>,
    {
        if let Some(kept) = super::replay::kept_once(self.call(), key)? {
            return Ok(kept.decode()?);
        }
        let result = work().await?;
        self.call().input.keep_once(key, RawJson::encode(&result)?);
        Ok(result)
    }

    /// The answers that came with this call, unread. For gateways that return `InputRequired` themselves;
    /// handlers that `ask` have no need of it.
    pub fn input_responses(&self) -> InputResponses {
        self.call().input.responses()
    }

    /// The state that came with this call, unread. It is what the client sent: trust nothing in it. For
    /// gateways that return `InputRequired` themselves.
    pub fn request_state(&self) -> Option<String> {
        super::replay::foreign_state(self.call())
    }

    async fn question<T>(
        &self,
        key: &str,
        request: InputRequest,
        read: impl Fn(&RawJson) -> Result<T, String>,
    ) -> Result<T, ToolError> {
        let call = self.call();
        capability::check(&request, call.meta.version, &call.meta.client_capabilities)
            .map_err(|error| ToolError::missing_capability(request.method(), error))?;
        let digest = super::replay::question_digest(&request);
        let answer = match super::replay::lookup(call, key, &digest)? {
            Some(answer) => answer,
            None => match call.exchange.client() {
                Some(client) => client.ask(request).await.map_err(|error| unanswered(&error.message))?,
                None => call.input.want(key, digest.clone(), request).await,
            },
        };
        let value = read(&answer).map_err(|reason| invalid_answer(key, &reason))?;
        call.input.keep(key, digest, answer);
        Ok(value)
    }

    /// A name for a question that is the same in every round of a call. It need not be a secret.
    fn question_id(&self, key: &str) -> String {
        let call = self.call();
        let digest = super::seal::digest([&super::replay::context(call)[..], key.as_bytes()]);
        digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn decoded<T: FromJson>(raw: &RawJson) -> Result<T, String> {
    raw.read().map_err(|error| error.to_string())
}

fn answer<T>(
    result: ElicitResult,
    accept: impl FnOnce(Option<JsonObject>) -> Result<T, String>,
) -> Result<Answer<T>, String> {
    Ok(match result.action {
        ElicitAction::Accept => Answer::Accept(accept(result.content)?),
        ElicitAction::Decline => Answer::Decline,
        ElicitAction::Cancel => Answer::Cancel,
    })
}

/// The schema of `T` in the dialect of forms: no keywords beside the fields, and choices of several values as
/// the specification writes them ("Requested Schema").
fn form_of<T: JsonSchema>() -> Schema {
    let mut schema = Schema::of::<T>().into_object();
    for keyword in ["description", "title", "additionalProperties"] {
        schema.remove(keyword);
    }
    if let Some(fields) = schema.get("properties").and_then(JsonText::to_object) {
        let fields = fields.iter().map(|(name, field)| (name, form_field(field)));
        schema.insert("properties", fields.collect::<JsonObject>());
    }
    schema.into()
}

fn form_field(field: JsonText<'_>) -> RawJson {
    let Some(mut field) = field.to_object() else { return field.to_raw() };
    field.remove("uniqueItems");
    if let Some(mut items) = field.get("items").and_then(JsonText::to_object)
        && let Some(titled) = items.remove("oneOf")
    {
        items.remove("type");
        items.insert("anyOf", titled);
        field.insert("items", items);
    }
    field.to_raw()
}

/// The schema as a form's. Forms are flat: members are primitives ("Requested Schema").
fn form_schema(schema: JsonObject) -> Result<ElicitSchema, ToolError> {
    schema.to_raw().read().map_err(|error| {
        ToolError::internal(format!("this type cannot be asked as a form, whose fields are texts, numbers, booleans and choices: {error}"))
    })
}

fn invalid_answer(key: &str, reason: &str) -> ToolError {
    ToolError::reject(
        ErrorCode::INVALID_PARAMS,
        format!("The answer to {key:?} does not fit its question: {reason}"),
    )
}

fn unanswered(reason: &str) -> ToolError {
    ToolError::say(format!("The client did not answer a question that this needs: {reason}"))
}
