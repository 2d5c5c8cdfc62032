use std::net::TcpListener;

use loggia::server::Server;
use loggia::transport::Shutdown;
use loggia::transport::http::http;
use loggia_auth::resource::{ResourceServer, ScopePolicy};
use loggia_auth::server::RateLimit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::World;

/// A client may send the head of a request before its body. Who is refused by the head alone goes on with the same
/// connection, whatever was still on its way.
#[tokio::test]
async fn who_is_refused_goes_on_with_the_same_connection() {
    let table = [("/mcp", 401), ("/oauth/register", 429), ("/oauth/token", 429), ("/oauth/jwks", 405)];
    for (path, status) in table {
        let limit = RateLimit { burst: 0, per_second: 1, proxies: Vec::new() };
        let world = World::with(|builder| builder.rate_limit(Some(limit)));
        let resource = ResourceServer::new("https://hub.example/mcp".parse().unwrap()).unwrap();
        let resource = resource.issuer(world.server.issuer()).scopes(ScopePolicy::new().always("mcp"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let http = http("127.0.0.1:0").listener(listener).with_peer_addr(true);
        let http = http.layer(resource.layer()).layer(world.server.layer());
        tokio::spawn(Server::new("test", "1").build().unwrap().serve_until(http, shutdown.clone()));

        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
        );
        stream.set_nodelay(true).unwrap();
        let refused = format!("HTTP/1.1 {status} ");
        let mut refusals = 0;
        // The first requests use up the share of the address; the others are refused.
        for turn in 0..22 {
            stream.write_all(head.as_bytes()).await.unwrap();
            // The server has the time to answer before the body comes.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            stream.write_all(b"{}").await.unwrap_or_else(|error| panic!("{path} {turn}: {error}"));
            let said =
                answer(&mut stream).await.unwrap_or_else(|| panic!("{path}: closed after {turn} answers"));
            refusals += usize::from(said.starts_with(&refused));
        }
        // On a slow machine the address earns a share or two in between.
        assert!(refusals >= 2, "{path}: {refusals} refusals");
        shutdown.begin();
    }
}

/// The next answer, if the connection is not closed before it.
async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&said).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse().unwrap() {
                return Some(text);
            }
        }
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => said.extend_from_slice(&bytes[..read]),
        }
    }
}
