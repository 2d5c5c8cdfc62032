//! The client and a server of this very program, in every revision: nothing but the protocol between them.

use std::sync::Arc;
use std::time::Duration;

use loggia::changes::{Change, ChangeSubscription, Changes};
use loggia::client::{Client, IntoTarget, Status, Target};
use loggia::error::Error;
use loggia::exchange::Exchange;
use loggia::limits::Limits;
use loggia::model::{
    CallToolResult, ElicitAction, ElicitResult, Implementation, InputRequest, InputRequired, ListToolsResult,
    ProgressParams, ServerCapabilities, ServerNotification, ServerResult, SubscriptionFilter, Tool,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Reply, Request, Service};
#[cfg(feature = "http")]
use loggia::transport::http::http;
use loggia::transport::unix::unix;
use loggia::transport::{Serve, Shutdown};
use loggia::wire::{Method, RawJson, RpcError, Version};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Lists one tool; calls of any name do what the name says.
struct Fixture {
    changes: Changes,
}

impl Service for Fixture {
    fn describe(&self) -> Arc<Description> {
        let capabilities = json!({
            "tools": { "listChanged": true }, "resources": { "subscribe": true }, "logging": {},
        });
        let capabilities: ServerCapabilities = serde_json::from_value(capabilities).expect("capabilities");
        Arc::new(Description {
            identity: Implementation::new("fixture", "1"),
            capabilities,
            instructions: Some("try it".to_owned()),
            versions: Version::ALL.to_vec(),
        })
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match request.method {
                Method::ListTools => {
                    let tool: Tool =
                        serde_json::from_value(json!({ "name": "t", "inputSchema": { "type": "object" } }))
                            .expect("a tool");
                    let list = ListToolsResult { tools: vec![tool], ..ListToolsResult::default() };
                    Ok(Reply::from(ServerResult::from(list)))
                }
                Method::CallTool => call(request, exchange).await,
                other => Err(RpcError::method_not_found(other.as_str())),
            }
        })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        let listening = self.changes.listen(filter);
        Box::pin(async { Ok(listening) })
    }
}

async fn call(request: Request, exchange: Exchange) -> Outcome {
    let params: Value = request.params.decode().expect("the edge checked it");
    match params["name"].as_str() {
        Some("count") => {
            for step in 1..=3 {
                if let Some(token) = request.meta.progress_token.clone() {
                    let progress = json!({ "progressToken": token, "progress": step, "total": 3 });
                    let progress: ProgressParams = serde_json::from_value(progress).expect("progress");
                    exchange.notify(ServerNotification::Progress(progress));
                }
                tokio::task::yield_now().await;
            }
            text("counted")
        }
        Some("ask") => match params["inputResponses"].get("q") {
            Some(answer) => text(&format!("{} {}", answer["action"], params["requestState"])),
            None => {
                let question = json!({ "method": "elicitation/create", "params": {
                    "message": "?", "requestedSchema": { "type": "object", "properties": {} } } });
                let question: InputRequest = serde_json::from_value(question).expect("a question");
                let input = InputRequired {
                    input_requests: Some([("q".to_owned(), question)].into()),
                    request_state: Some("state".to_owned()),
                    ..InputRequired::default()
                };
                Ok(Reply::from(ServerResult::from(input)))
            }
        },
        Some("never") => std::future::pending().await,
        Some("panic") => panic!("on purpose"),
        _ => Err(RpcError::invalid_params("Unknown tool")),
    }
}

fn text(text: &str) -> Outcome {
    Ok(Reply::from(ServerResult::from(CallToolResult::text(text))))
}

/// The fixture declares resources and has none, and does not describe its tool.
#[tokio::test]
async fn a_server_is_examined() {
    let client = Client::connect(&Arc::new(Fixture { changes: Changes::new() })).await.expect("connected");
    let report = client.inspect(|error| format!("<{error}>")).await.expect("a report");
    assert_eq!(report.era(), "modern");
    assert_eq!(report.supported_versions.len(), Version::ALL.len());
    let problems = report.problems();
    let expected = ["tool \"t\": has no description", "the resources cannot be listed: <"];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problems:?}");
    }
    let json = report.to_json(Duration::from_micros(1_260)).to_raw().to_value();
    assert_eq!(json["timing"]["connectMs"], 1.3);
    assert_eq!(json["lists"]["tools"]["count"], 1);
    assert_eq!(json["lists"]["prompts"], Value::Null);
    assert_eq!(json["lists"]["resourceTemplates"]["count"], 0);
    assert_eq!(json["instructions"], "try it");
    client.close().await;
}

/// What lies between the two.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    Memory,
    #[cfg(unix)]
    Unix,
    #[cfg(feature = "http")]
    Http,
    /// The transport of 2024-11-05.
    #[cfg(feature = "http")]
    HttpSse,
    /// With TLS, and so with HTTP/2.
    #[cfg(feature = "tls")]
    Https,
}

/// A certificate for localhost, and the authority that vouches for it. Good for a hundred years, of tests.
#[cfg(feature = "tls")]
const LOCALHOST: (&[u8], &[u8]) =
    (include_bytes!("data/localhost.pem"), include_bytes!("data/localhost.key"));
#[cfg(feature = "tls")]
const AUTHORITY: &[u8] = include_bytes!("data/authority.pem");

impl Over {
    const ALL: &[Over] = &[
        Over::Memory,
        #[cfg(unix)]
        Over::Unix,
        #[cfg(feature = "http")]
        Over::Http,
        #[cfg(feature = "http")]
        Over::HttpSse,
        #[cfg(feature = "tls")]
        Over::Https,
    ];

    fn carries(self, version: Version) -> bool {
        #[cfg(feature = "http")]
        let stateful_alone = matches!(self, Over::HttpSse);
        #[cfg(not(feature = "http"))]
        let stateful_alone = false;
        !(stateful_alone && version.is_modern())
    }

    async fn target(self, service: Arc<Fixture>) -> Target {
        match self {
            Over::Memory => (&service).into_target(),
            #[cfg(unix)]
            Over::Unix => {
                let path =
                    std::env::temp_dir().join(format!("loggia-{}-{:p}", std::process::id(), &*service));
                let url = format!("unix:{}", path.display());
                tokio::spawn(unix(&path).serve(service, Limits::default(), Shutdown::new()));
                while tokio::net::UnixStream::connect(&path).await.is_err() {
                    tokio::task::yield_now().await;
                }
                url.into_target()
            }
            #[cfg(feature = "http")]
            Over::Http | Over::HttpSse => {
                let server = http("127.0.0.1:0").legacy_sse(true).bind().await.expect("loopback");
                let path = if self == Over::Http { "mcp" } else { "sse" };
                let url = format!("http://{}/{path}", server.local_addr().expect("it is bound"));
                tokio::spawn(server.serve(service, Limits::default(), Shutdown::new()));
                url.into_target()
            }
            #[cfg(feature = "tls")]
            Over::Https => {
                let server = http("127.0.0.1:0").tls(LOCALHOST.0, LOCALHOST.1).expect("a certificate");
                let server = server.bind().await.expect("loopback");
                let url =
                    format!("https://localhost:{}/mcp", server.local_addr().expect("it is bound").port());
                tokio::spawn(server.serve(service, Limits::default(), Shutdown::new()));
                url.into_target()
            }
        }
        .expect("a target")
    }
}

async fn connect(version: Version, over: Over) -> (Client, Changes) {
    let service = Arc::new(Fixture { changes: Changes::new() });
    let changes = service.changes.clone();
    let builder = Client::builder().version(version).on_elicit(|_| async { Ok(ElicitResult::decline()) });
    #[cfg(feature = "tls")]
    let builder = builder.root_certificates(AUTHORITY);
    let target = over.target(service).await;
    (
        builder.connect(target).await.unwrap_or_else(|error| panic!("{version} over {over:?}: {error}")),
        changes,
    )
}

/// Every revision over every transport that carries it.
fn pairs() -> impl Iterator<Item = (Version, Over)> {
    let all = Version::ALL.into_iter().flat_map(|version| Over::ALL.iter().map(move |over| (version, *over)));
    all.filter(|(version, over)| over.carries(*version))
}

fn said(result: Result<CallToolResult, Error>) -> String {
    result.expect("it answers").content[0].as_text().expect("text").to_owned()
}

#[tokio::test(start_paused = true)]
async fn by_default_the_newest_revision_is_spoken() {
    let service = Arc::new(Fixture { changes: Changes::new() });
    let client = Client::connect(&service).await.expect("it opens");
    assert_eq!(client.version(), Some(Version::LATEST));
}

#[tokio::test]
async fn every_revision_over_every_transport() {
    for (version, over) in pairs() {
        let at = format!("{version} over {over:?}");
        let (client, changes) = connect(version, over).await;
        assert_eq!(client.version(), Some(version), "{at}");
        assert_eq!(client.server_info().map(|info| info.name), Some("fixture".to_owned()), "{at}");
        assert_eq!(client.list_all_tools().await.expect("it lists").len(), 1, "{at}");
        client.ping().await.unwrap_or_else(|error| panic!("{at}: {error}"));

        let (told, mut heard) = mpsc::unbounded_channel();
        let count = client.call("count").on_progress(move |progress| _ = told.send(progress.progress)).send();
        assert_eq!(said(count.await), "counted", "{at}");
        // Notifications that were not read are replaced by later ones.
        while heard.recv().await.unwrap_or_else(|| panic!("{at}: no last step")) < 3.0 {}

        assert!(client.call_tool("panic", json!({})).await.is_err(), "{at}");
        match client.call_tool("nothing", json!({})).await {
            Err(Error::Rpc(error)) => assert_eq!(error.code.0, -32602, "{at}"),
            other => panic!("{at}: {other:?}"),
        }
        let never = client.call("never").timeout(Duration::from_millis(50)).send().await;
        assert!(matches!(never, Err(Error::Timeout(_))), "{at}: {never:?}");
        hears_changes(&client, &changes, &at).await;

        client.close().await;
        assert!(matches!(client.status(), Status::Closed(_)), "{at}");
    }
}

async fn hears_changes(client: &Client, changes: &Changes, at: &str) {
    let filter = SubscriptionFilter {
        tools_list_changed: Some(true),
        resource_subscriptions: Some(vec!["a".to_owned()]),
        ..SubscriptionFilter::default()
    };
    let mut subscription = client.listen(filter).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    changes.resource("b");
    changes.resource("a");
    assert_eq!(subscription.next().await, Some(Change::Resource("a".to_owned())), "{at}");
    changes.tools();
    assert_eq!(subscription.next().await, Some(Change::Tools), "{at}");
}

/// The same service asks, whether the answer comes live or with the next request.
#[tokio::test]
async fn questions_are_answered_in_every_revision_that_has_them() {
    for (version, over) in pairs().filter(|(version, _)| Method::Elicit.exists_in(*version)) {
        let (client, _) = connect(version, over).await;
        let expected = format!("{} \"state\"", json!(ElicitAction::Decline));
        assert_eq!(said(client.call_tool("ask", json!({})).await), expected, "{version} over {over:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_raw_request_returns_what_the_server_wrote() {
    let (client, _) = connect(Version::LATEST, Over::Memory).await;
    let reply = client.request(Method::ListTools, RawJson::empty_object(), Default::default()).await;
    let reply = reply.expect("it answers");
    let result: Value = reply.result.decode().expect("JSON");
    assert_eq!((reply.version, &result["resultType"]), (Version::LATEST, &json!("complete")));
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let service = || Arc::new(Fixture { changes: Changes::new() });
    let refused =
        Client::connect(Over::Https.target(service()).await).await.expect_err("nobody vouches for it");
    assert!(matches!(&refused, Error::Connection(why) if why.contains("UnknownIssuer")), "{refused}");
    let wrong = Client::builder()
        .root_certificates(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
    let refused = wrong.connect(Over::Https.target(service()).await).await.expect_err("no certificate");
    assert!(matches!(refused, Error::Configuration(_)), "{refused}");
}
