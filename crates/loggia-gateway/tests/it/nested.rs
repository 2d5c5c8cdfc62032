//! A gateway as a service inside another program's HTTP server.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use loggia::client::Client;
use loggia_gateway::GatewayService;
use tokio::net::TcpListener;

use crate::browser::send;
use crate::world::{NOTES, World, reads_note};

/// Serves the gateway beside a path of the program.
async fn serve(service: &GatewayService) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let app = Router::new().route("/hello", get(|| async { "hello" })).merge(service.router());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_its_paths_beside_those_of_the_program() {
    let world = World::new();
    let builder = world.builder(NOTES).authorization(false).allowed_origins(["https://app.example"]);
    let gateway = builder.build().await.expect("built");
    let service = gateway.into_service().await.expect("a service");
    let address = serve(&service).await;
    reads_note(&format!("http://{address}/mcp"), |client| client).await;
    let answers = tokio::task::spawn_blocking(move || {
        let cases = [
            ("/hello", "", 200),
            ("/healthz", "", 200),
            ("/readyz", "", 200),
            ("/elsewhere", "", 404),
            ("/healthz", "Host: foreign.example\r\n", 403),
            ("/mcp", "Host: foreign.example\r\n", 403),
            ("/mcp", "Origin: https://foreign.example\r\n", 403),
        ];
        cases.map(|(path, headers, expected)| {
            (path, headers, expected, send(&format!("http://{address}{path}"), headers, None).status)
        })
    });
    for (path, headers, expected, status) in answers.await.expect("no panic") {
        assert_eq!(status, expected, "{path} {headers}");
    }
    let page = tokio::task::spawn_blocking(move || {
        send(&format!("http://{address}/healthz"), "Origin: https://app.example\r\n", None)
    });
    let page = page.await.expect("no panic");
    let allowed = page.header("access-control-allow-origin");
    assert_eq!(
        (page.status, allowed),
        (200, Some("https://app.example")),
        "pages of an allowed origin read it"
    );
    service.shut_down().await;
    let ready =
        tokio::task::spawn_blocking(move || send(&format!("http://{address}/readyz"), "", None).status);
    assert_eq!(ready.await.expect("no panic"), 503, "it has stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_asks_for_a_sign_in_under_its_public_url() {
    let world = World::new();
    let url = "https://hub.example".parse().expect("a URL");
    let gateway = world.builder(NOTES).public_url(url).build().await.expect("built");
    let service = gateway.into_service().await.expect("a service");
    assert_eq!(service.url(), Some("https://hub.example/mcp"));
    let address = serve(&service).await;
    let answers = tokio::task::spawn_blocking(move || {
        ["/mcp", "/.well-known/oauth-protected-resource/mcp"].map(|path| {
            let url = format!("http://{address}{path}");
            let page = send(&url, "Host: hub.example\r\n", None);
            (page.status, page.body)
        })
    });
    let [(refused, _), (found, metadata)] = answers.await.expect("no panic");
    assert_eq!((refused, found), (401, 200));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    assert_eq!(metadata["resource"], "https://hub.example/mcp");
    assert!(Client::builder().connect(format!("http://{address}/mcp").as_str()).await.is_err());
    service.shut_down().await;
}
