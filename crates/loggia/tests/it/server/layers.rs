//! Layers around everything a server answers.

use std::sync::Mutex;
use std::task::{Context, Poll};

use loggia::prelude::*;
use loggia::server::{Handlers, ServerCall};
use loggia::service::{BoxFuture, Principal, Reply};
use loggia::wire::RpcError;
use serde_json::json;

use super::harness::{BOTH, Caller};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Noted {
    name: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct NotedService<S> {
    layer: Noted,
    inner: S,
}

impl<S> tower_layer::Layer<S> for Noted {
    type Service = NotedService<S>;

    fn layer(&self, inner: S) -> NotedService<S> {
        NotedService { layer: self.clone(), inner }
    }
}

impl<S> tower_service::Service<ServerCall> for NotedService<S>
where
    S: tower_service::Service<ServerCall, Response = Reply, Error = RpcError, Future: Send + 'static>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Reply, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut call: ServerCall) -> Self::Future {
        let method = call.request.method.to_string();
        self.layer.seen.lock().expect("no test panicked").push(format!("{} {method}", self.layer.name));
        if method == "prompts/list" {
            return Box::pin(async { Err("the secret cause".into()) });
        }
        if method == "resources/list" {
            return Box::pin(async { Err(RpcError::invalid_params("not today").into()) });
        }
        call.request.principal =
            Some(Arc::new(Principal { subject: self.layer.name.to_owned(), ..Principal::default() }));
        let answer = self.inner.call(call);
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}

#[tool]
async fn whoami(#[extract] who: Principal) -> String {
    who.subject
}

#[tokio::test]
async fn layers_see_every_request_from_the_last_added_to_the_first() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = |name| Noted { name, seen: seen.clone() };
    let server = Server::new("s", "1")
        .tool(whoami)
        .prompts([])
        .resources([])
        .layer(noted("inner"))
        .layer(noted("outer"))
        .build()
        .expect("it is well made");
    for version in BOTH {
        let caller = Caller::new(&server, version);
        assert_eq!(caller.text("whoami", json!({})).await, "inner");
        assert_eq!(
            std::mem::take(&mut *seen.lock().expect("no test panicked")),
            ["outer tools/call", "inner tools/call"]
        );
        let ours = caller.once("prompts/list", json!({})).await.expect_err("the layer failed");
        assert_eq!(ours["code"], -32603);
        assert!(!ours.to_string().contains("secret"), "{ours}");
        let refused = caller.once("resources/list", json!({})).await.expect_err("the layer refused");
        assert_eq!(refused, json!({ "code": -32602, "message": "not today" }));
        seen.lock().expect("no test panicked").clear();
    }
}

#[test]
fn a_layer_is_a_type_that_can_be_named() {
    fn takes<L: tower_layer::Layer<Handlers>>(_: &L) {}
    takes(&Noted { name: "n", seen: Arc::default() });
}
