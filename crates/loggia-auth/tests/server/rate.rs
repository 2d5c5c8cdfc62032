use std::net::{IpAddr, SocketAddr, TcpListener};

use http::Request;
use loggia::server::Server;
use loggia::transport::Shutdown;
use loggia::transport::http::{PeerAddr, http};
use loggia_auth::restricted_http::{FetchPolicy, FetchRequest, RestrictedHttpClient};
use loggia_auth::server::RateLimit;

use super::world::{Answer, World, encoded, request};

fn world(burst: u32) -> World {
    World::with(|builder| {
        builder.rate_limit(Some(RateLimit {
            burst,
            per_second: 1,
            proxies: vec!["10.0.0.0/24".parse().unwrap()],
        }))
    })
}

async fn ask(world: &World, peer: &str, forwarded: &str, method: &str, path: &str) -> Answer {
    let peer = PeerAddr(SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 4000));
    let mut request = Request::builder().method(method).uri(path).extension(peer);
    if !forwarded.is_empty() {
        request = request.header("x-forwarded-for", forwarded);
    }
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    world.send(request, "client_id=unknown&grant_type=refresh_token").await
}

/// Returns the number of accepted requests.
async fn taken(world: &World, count: usize, peer: &str, forwarded: &str, method: &str, path: &str) -> usize {
    let mut taken = 0;
    for n in 0..count {
        // Each request names another client.
        let another = format!("9.9.9.{n}");
        let forwarded = if forwarded == "*" { &another } else { forwarded };
        taken += usize::from(ask(world, peer, forwarded, method, path).await.status != 429);
    }
    taken
}

/// Each line is what one address asks for, and how much of it is answered.
#[tokio::test]
async fn what_one_address_may_ask_for_is_bounded() {
    let table = [
        ("token", "8.8.8.8", "", "POST", "/oauth/token", 20),
        ("revoke", "8.8.8.8", "", "POST", "/oauth/revoke", 20),
        ("sign in", "8.8.8.8", "", "POST", "/oauth/signin", 20),
        ("consent", "8.8.8.8", "", "POST", "/oauth/consent", 20),
        ("authorize", "8.8.8.8", "", "GET", "/oauth/authorize", 20),
        ("continue", "8.8.8.8", "", "GET", "/oauth/continue?request=x", 20),
        ("a registration counts twenty times", "8.8.8.8", "", "POST", "/oauth/register", 1),
        ("preflight", "8.8.8.8", "", "OPTIONS", "/oauth/token", 25),
        ("keys", "8.8.8.8", "", "GET", "/oauth/jwks", 25),
        ("metadata", "8.8.8.8", "", "GET", "/.well-known/oauth-authorization-server", 25),
        ("this machine", "127.0.0.1", "", "POST", "/oauth/token", 20),
        ("this machine as an unknown proxy", "127.0.0.1", "*", "POST", "/oauth/token", 20),
        ("a private network, too", "192.168.0.1", "*", "POST", "/oauth/token", 20),
        ("a public address, too", "8.8.8.8", "*", "POST", "/oauth/token", 20),
        ("a proxy that is trusted", "10.0.0.1", "*", "POST", "/oauth/token", 25),
        ("what is behind", "8.8.8.8", "", "POST", "/mcp", 25),
    ];
    for (what, peer, forwarded, method, path, expected) in table {
        assert_eq!(taken(&world(20), 25, peer, forwarded, method, path).await, expected, "{what}");
    }
}

#[tokio::test]
async fn addresses_are_told_apart_and_may_come_again() {
    let world = world(20);
    let token = async |peer: &str, forwarded: &str, count| {
        taken(&world, count, peer, forwarded, "POST", "/oauth/token").await
    };
    assert_eq!(token("8.8.8.8", "", 25).await, 20);
    assert_eq!(token("9.9.9.9", "", 5).await, 5, "another");
    assert_eq!(token("8.8.8.8", "1.1.1.1", 5).await, 0, "it says that it is another");
    assert_eq!(token("10.0.0.1", "8.8.8.8", 5).await, 0, "by way of our proxy");
    assert_eq!(token("10.0.0.1", "1.1.1.1", 5).await, 5);
    assert_eq!(token("2606:4700::1", "", 20).await, 20);
    assert_eq!(token("2606:4700::2", "", 5).await, 0, "of the same network");

    let refused = ask(&world, "8.8.8.8", "", "POST", "/oauth/token").await;
    assert_eq!((refused.status, refused.error().as_str()), (429, "temporarily_unavailable"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    let refused = ask(&world, "8.8.8.8", "", "POST", "/oauth/register").await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"20".parse().unwrap()));
    let page = ask(&world, "8.8.8.8", "", "GET", "/oauth/authorize").await;
    assert!(page.status == 429 && page.body.contains("Wait a moment"), "{}", page.body);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    world.time.pass(7);
    assert_eq!(token("8.8.8.8", "", 25).await, 7);

    let unlimited = World::with(|builder| builder.rate_limit(None));
    assert_eq!(taken(&unlimited, 400, "8.8.8.8", "", "POST", "/oauth/token").await, 400);
}

/// The number of shown links is bounded for each address, and one address does not use up those of another.
#[tokio::test]
async fn one_address_does_not_fill_the_terminal() {
    let world = world(50);
    let path = format!("/oauth/authorize?{}", encoded(&request()));
    assert_eq!(taken(&world, 50, "8.8.8.8", "*", "GET", &path).await, 4, "a request and a link count eleven");
    assert_eq!(world.links.lock().unwrap().len(), 4);
    assert_eq!(taken(&world, 1, "9.9.9.9", "", "GET", &path).await, 1);
    assert_eq!(world.links.lock().unwrap().len(), 5);
}

/// A listener that is told to says where requests come from; another does not, and nothing is counted.
#[tokio::test]
async fn the_listener_says_where_requests_come_from() {
    for (named, expected) in [(true, vec![401, 401, 429]), (false, vec![401, 401, 401])] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/oauth/token", listener.local_addr().unwrap()).parse().unwrap();
        let limit = RateLimit { burst: 20, per_second: 1, proxies: Vec::new() };
        let world = World::with(|builder| builder.rate_limit(Some(limit)));
        assert_eq!(taken(&world, 18, "127.0.0.1", "", "POST", "/oauth/token").await, 18);
        let shutdown = Shutdown::new();
        let http = http("127.0.0.1:0").listener(listener).with_peer_addr(named).layer(world.server.layer());
        tokio::spawn(Server::new("test", "1").build().unwrap().serve_until(http, shutdown.clone()));
        let http_client = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let form = FetchRequest::form(Clone::clone(&url), vec![("client_id", "unknown")]);
            statuses.push(http_client.send(form).await.unwrap().status.as_u16());
        }
        assert_eq!(statuses, expected);
        shutdown.begin();
    }
}
