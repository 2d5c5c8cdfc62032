//! Handlers of a program for the server's questions and notifications. The same handler serves the questions of a
//! legacy server during a call and the rounds of `input_required` of a modern one.

use std::future::Future;
use std::sync::Arc;

use loggia_wire::VecMap;
use loggia_wire::model::{
    ClientCapabilities, CreateMessageParams, CreateMessageResult, ElicitAction, ElicitFormParams,
    ElicitParams, ElicitResult, ElicitUrlParams, ElicitationCapability, InputRequest, JsonObject,
    ListRootsResult, PrimitiveSchema, RootsCapability, SamplingCapability, ServerNotification,
};
use loggia_wire::{RawJson, RpcError};

use crate::client::form::default_of;
use crate::future::BoxFuture;

/// Answers the server's questions and receives its notifications. Every method has a default that refuses with "not
/// supported". [`ClientHandler::capabilities`] must contain the supported ones.
pub trait ClientHandler: Send + Sync + 'static {
    /// Returns the capabilities that the client declares to every server.
    fn capabilities(&self) -> ClientCapabilities {
        ClientCapabilities::default()
    }

    /// Asks the user, for the server: shows a form, or asks the user to open a URL.
    ///
    /// Fields that are missing in the answer get the defaults of the form.
    fn elicit(&self, params: ElicitParams) -> BoxFuture<'_, Result<ElicitResult, RpcError>> {
        let _ = params;
        unsupported("elicitation/create")
    }

    /// Asks the client's model, for the server.
    fn create_message(
        &self,
        params: CreateMessageParams,
    ) -> BoxFuture<'_, Result<CreateMessageResult, RpcError>> {
        let _ = params;
        unsupported("sampling/createMessage")
    }

    /// Returns the client's folders.
    fn list_roots(&self) -> BoxFuture<'_, Result<ListRootsResult, RpcError>> {
        unsupported("roots/list")
    }

    /// Receives a notification. It runs in the connection's task, so it must not block.
    fn handle_notification(&self, notification: &ServerNotification) {
        let _ = notification;
    }
}

/// Answers the questions of one request in raw form, for gateways that pass them on.
pub trait InputHandler: Send + Sync + 'static {
    /// Returns the `result` for `request`. The future is dropped if the answer is no longer needed.
    fn answer(&self, request: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>>;
}

fn unsupported<'a, T: Send + 'a>(method: &'static str) -> BoxFuture<'a, Result<T, RpcError>> {
    Box::pin(async move { Err(RpcError::method_not_found(method)) })
}

/// A handler that supports nothing.
pub(crate) struct NoHandler;

impl ClientHandler for NoHandler {}

/// Answers `request` with `handler`.
pub(crate) async fn answer(handler: &dyn ClientHandler, request: InputRequest) -> Result<RawJson, RpcError> {
    Ok(match request {
        InputRequest::Elicit(params) => {
            let form = match &*params {
                ElicitParams::Form(form) => Some(form.requested_schema.properties.clone()),
                ElicitParams::Url(_) => None,
            };
            let mut result = handler.elicit(*params).await?;
            if let Some(fields) = form {
                apply_defaults(&mut result, &fields);
            }
            RawJson::of(&result)
        }
        InputRequest::CreateMessage(params) => RawJson::of(&handler.create_message(*params).await?),
        InputRequest::ListRoots(_) => RawJson::of(&handler.list_roots().await?),
    })
}

/// Adds the defaults of fields that are missing in an accepted form (SEP-1034).
fn apply_defaults(result: &mut ElicitResult, fields: &VecMap<String, PrimitiveSchema>) {
    if result.action != ElicitAction::Accept {
        return;
    }
    let content = result.content.get_or_insert_default();
    for (name, schema) in fields {
        if !content.contains_key(name)
            && let Some(default) = default_of(schema)
        {
            content.insert(name, default);
        }
    }
}

type InputClosure<P, R> = Arc<dyn Fn(P) -> BoxFuture<'static, Result<R, RpcError>> + Send + Sync>;
type NotificationClosure = Arc<dyn Fn(&ServerNotification) + Send + Sync>;

/// The closures given to the builder, which are called before a handler.
#[derive(Clone, Default)]
pub(crate) struct HandlerClosures {
    base: Option<Arc<dyn ClientHandler>>,
    form: Option<InputClosure<ElicitFormParams, ElicitResult>>,
    url: Option<InputClosure<ElicitUrlParams, ElicitResult>>,
    sample: Option<InputClosure<CreateMessageParams, CreateMessageResult>>,
    roots: Option<InputClosure<(), ListRootsResult>>,
    heard: Vec<NotificationClosure>,
}

fn boxed<P, R, F, Fut>(f: F) -> InputClosure<P, R>
where
    F: Fn(P) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, RpcError>> + Send + 'static,
{
    Arc::new(move |params| Box::pin(f(params)))
}

impl HandlerClosures {
    pub(crate) fn set_base(&mut self, base: Arc<dyn ClientHandler>) {
        self.base = Some(base);
    }

    pub(crate) fn set_form<F, Fut>(&mut self, f: F)
    where
        F: Fn(ElicitFormParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ElicitResult, RpcError>> + Send + 'static,
    {
        self.form = Some(boxed(f));
    }

    pub(crate) fn set_url<F, Fut>(&mut self, f: F)
    where
        F: Fn(ElicitUrlParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ElicitResult, RpcError>> + Send + 'static,
    {
        self.url = Some(boxed(f));
    }

    pub(crate) fn set_sample<F, Fut>(&mut self, f: F)
    where
        F: Fn(CreateMessageParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<CreateMessageResult, RpcError>> + Send + 'static,
    {
        self.sample = Some(boxed(f));
    }

    pub(crate) fn set_roots<F, Fut>(&mut self, f: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ListRootsResult, RpcError>> + Send + 'static,
    {
        self.roots = Some(boxed(move |()| f()));
    }

    pub(crate) fn hear(&mut self, f: impl Fn(&ServerNotification) + Send + Sync + 'static) {
        self.heard.push(Arc::new(f));
    }

    fn base(&self) -> &dyn ClientHandler {
        self.base.as_deref().unwrap_or(&NoHandler)
    }
}

impl ClientHandler for HandlerClosures {
    fn capabilities(&self) -> ClientCapabilities {
        let mut declared = self.base().capabilities();
        if self.form.is_some() || self.url.is_some() {
            let elicitation = declared.elicitation.get_or_insert_with(ElicitationCapability::default);
            if self.form.is_some() {
                elicitation.form.get_or_insert_with(JsonObject::new);
            }
            if self.url.is_some() {
                elicitation.url.get_or_insert_with(JsonObject::new);
            }
        }
        if self.sample.is_some() {
            declared.sampling.get_or_insert_with(SamplingCapability::default);
        }
        if self.roots.is_some() {
            declared.roots.get_or_insert_with(RootsCapability::default).list_changed = Some(true);
        }
        declared
    }

    fn elicit(&self, params: ElicitParams) -> BoxFuture<'_, Result<ElicitResult, RpcError>> {
        match (params, &self.form, &self.url) {
            (ElicitParams::Form(params), Some(form), _) => form(params),
            (ElicitParams::Url(params), _, Some(url)) => url(params),
            (params, _, _) => self.base().elicit(params),
        }
    }

    fn create_message(
        &self,
        params: CreateMessageParams,
    ) -> BoxFuture<'_, Result<CreateMessageResult, RpcError>> {
        match &self.sample {
            Some(sample) => sample(params),
            None => self.base().create_message(params),
        }
    }

    fn list_roots(&self) -> BoxFuture<'_, Result<ListRootsResult, RpcError>> {
        match &self.roots {
            Some(roots) => roots(()),
            None => self.base().list_roots(),
        }
    }

    fn handle_notification(&self, notification: &ServerNotification) {
        self.heard.iter().for_each(|hear| hear(notification));
        self.base().handle_notification(notification);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_what_an_accepted_form_leaves_out() {
        let fields: VecMap<String, PrimitiveSchema> = serde_json::from_value(json!({
            "name": { "type": "string", "default": "Ann" },
            "age": { "type": "integer", "default": 3 },
            "score": { "type": "number", "default": 1.5 },
            "ok": { "type": "boolean", "default": true },
            "status": { "type": "string", "enum": ["a", "b"], "default": "b" },
            "tags": { "type": "array", "items": { "type": "string", "enum": ["x"] }, "default": ["x"] },
            "free": { "type": "string" },
        }))
        .expect("fields");
        let mut accepted = ElicitResult::accept([("name", "Bob")].into());
        apply_defaults(&mut accepted, &fields);
        assert_eq!(
            json!(accepted.content),
            json!({ "name": "Bob", "age": 3, "score": 1.5, "ok": true, "status": "b", "tags": ["x"] })
        );
        let mut declined = ElicitResult::decline();
        apply_defaults(&mut declined, &fields);
        assert_eq!(declined.content, None);
    }

    #[test]
    fn capabilities_follow_from_the_closures() {
        let mut closures = HandlerClosures::default();
        assert_eq!(closures.capabilities(), ClientCapabilities::default());
        closures.set_url(|_| async { Ok(ElicitResult::decline()) });
        closures.set_sample(|_| async { Ok(CreateMessageResult::text("m", "hi")) });
        closures.set_roots(|| async { Ok(ListRootsResult::default()) });
        assert_eq!(
            json!(closures.capabilities()),
            json!({ "elicitation": { "url": {} }, "sampling": {}, "roots": { "listChanged": true } })
        );
    }
}
