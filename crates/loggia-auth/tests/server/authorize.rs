use std::sync::Arc;

use http::Request;
use loggia::transport::http::Body;
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::server::{AuthorizationServer, OAuthClient, SignInLink, SignInMethod};
use loggia_auth::store::MemoryStore;
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use super::world::{Behind, Browser, CALLBACK, ISSUER, MCP, World, encoded, redeem, request, request_with};

#[tokio::test]
async fn a_person_signs_in_allows_it_and_the_client_gets_in() {
    let world = World::new();
    let browser = Browser::new();
    let page = browser.get(&world, &format!("/oauth/authorize?{}", encoded(&request()))).await;
    assert_eq!(page.status, 200);
    assert_eq!(world.links.lock().unwrap().len(), 1, "a link is shown");
    let asked = browser.sign_in(&world, &page).await;
    for text in [
        "The command line",
        "127.0.0.1:50123",
        "https://hub.example/mcp",
        "<code>mcp</code>",
        "on this computer",
        "ada",
    ] {
        assert!(asked.body.contains(text), "{text}: {}", asked.body);
    }
    let policy = asked.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:50123;"), "{policy}");
    let (request_id, ticket) = (asked.field("request").unwrap(), asked.field("ticket").unwrap());
    let form = [("request", request_id.as_str()), ("ticket", &ticket), ("decision", "allow")];
    let back = browser.post(&world, "/oauth/consent", &form).await;
    assert!(back.location().starts_with("http://127.0.0.1:50123/callback?"), "{}", back.location());
    let told = back.told();
    assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("s t&te", ISSUER));
    assert_eq!(told.len(), 3);

    let answer = world.post("/oauth/token", &redeem(&told["code"])).await;
    assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
    let tokens = answer.json();
    assert_eq!((tokens["token_type"].as_str(), tokens["scope"].as_str()), (Some("Bearer"), Some("mcp")));
    assert_eq!(tokens["expires_in"], 900);
    let token = tokens["access_token"].as_str().unwrap();
    assert!(world.is_accepted(token).await);
    world.time.pass(931);
    assert!(!world.is_accepted(token).await, "it ends");
    let next = world.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert!(world.is_accepted(next.json()["access_token"].as_str().unwrap()).await);
    let again = browser.post(&world, "/oauth/consent", &form).await;
    assert_eq!(again.status, 400, "a decision counts once");
}

/// No user is redirected as long as the client and the redirect URI are not certain.
#[tokio::test]
async fn no_open_redirect() {
    let world = World::new();
    let table = [
        ("client_id", ""),
        ("client_id", "nobody"),
        ("client_id", "lgc_unknown"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/cb"),
        ("redirect_uri", "http://127.0.0.1:50123/other"),
        ("redirect_uri", "http://127.0.0.1:50123/callback?x=y"),
        ("redirect_uri", "http://127.0.0.1:50123/callback#x"),
        ("redirect_uri", "http://127.0.0.1:50123@evil.example/callback"),
        ("redirect_uri", "https://app.example/cb/../evil"),
        ("redirect_uri", "https://app.example.evil.example/cb"),
        ("redirect_uri", "//evil.example/cb"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "HTTP://127.0.0.1:50123/callback"),
        ("redirect_uri", "http://127.0.0.1.:50123/callback"),
        ("redirect_uri", "http://127.0.0.2:50123/callback"),
        ("redirect_uri", "http://127.1:50123/callback"),
        ("redirect_uri", "http://[::1]:50123/callback"),
        ("redirect_uri", "http://user@127.0.0.1:50123/callback"),
        ("redirect_uri", "http://127.0.0.1:50123\\@evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:50123/callback/"),
        ("redirect_uri", "http://127.0.0.1:50123/%63allback"),
        ("redirect_uri", "http://127.0.0.1:99999/callback"),
        ("redirect_uri", "https://app.example/cb%0d%0aset-cookie:x"),
        ("redirect_uri", "https://app.example/cb\r\nset-cookie:x"),
        ("client_id", "https://\u{24db}ocalhost/client.json"),
        ("client_id", "lgc_../../session/x"),
    ];
    for (name, value) in table {
        let path = format!("/oauth/authorize?{}", encoded(&request_with(&[(name, value)])));
        let answer = Browser::new().get(&world, &path).await;
        assert_eq!((answer.status, answer.location()), (400, ""), "{name}={value}");
        assert!(!answer.body.contains("href"), "{name}={value}: {}", answer.body);
    }
    let twice = format!("/oauth/authorize?{}&redirect_uri=https://evil.example", encoded(&request()));
    assert_eq!(Browser::new().get(&world, &twice).await.status, 400);
    // No redirect leads to a registered address before the user saw a page.
    let body = json!({"redirect_uris": ["https://evil.example/cb"], "token_endpoint_auth_method": "none"});
    let made = world.send(Request::post("/oauth/register"), &body.to_string()).await.json();
    let id = made["client_id"].as_str().unwrap();
    let bad = [
        ("client_id", id),
        ("redirect_uri", "https://evil.example/cb"),
        ("response_type", "token"),
        ("state", "<b>"),
    ];
    let answer = Browser::new().get(&world, &format!("/oauth/authorize?{}", encoded(&bad))).await;
    assert_eq!((answer.status, answer.location()), (400, ""));
    assert!(
        answer.body.contains("Go back to evil.example") && !answer.body.contains("<b>"),
        "{}",
        answer.body
    );
    // Nor quietly: neither who has not signed in nor who has not allowed it is sent there unseen.
    let quiet =
        request_with(&[("client_id", ""), ("redirect_uri", "https://evil.example/cb"), ("prompt", "none")]);
    let quiet = encoded(&[&quiet[..], &[("client_id", id)]].concat());
    let (stranger, known) = (Browser::new(), Browser::new());
    world.allowed(&known, &request()).await;
    for (browser, error) in [(stranger, "login_required"), (known, "consent_required")] {
        let answer = browser.get(&world, &format!("/oauth/authorize?{quiet}")).await;
        assert_eq!((answer.status, answer.location()), (400, ""), "{error}");
        assert!(
            answer.body.contains("Go back to evil.example") && answer.body.contains(error),
            "{}",
            answer.body
        );
    }
}

/// Any program on a machine can take a port or a scheme for its own.
#[tokio::test]
async fn a_program_on_this_computer_is_not_taken_for_a_web_server() {
    let table = [
        ("http://127.0.0.1:50123/callback", "127.0.0.1:50123", true),
        ("http://[::1]:50123/callback", "[::1]:50123", true),
        ("http://localhost:50123/callback", "localhost:50123", true),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "the program for cursor: links", true),
        ("com.example.app:/callback", "the program for com.example.app: links", true),
        ("https://app.example/callback", "app.example", false),
        ("https://localhost/callback", "localhost", false),
    ];
    for (uri, shown, warned) in table {
        let world = World::with(|builder| builder.client(OAuthClient::new("any", "Any", [uri])));
        let browser = Browser::new();
        let ask = request_with(&[("client_id", "any"), ("redirect_uri", uri)]);
        let page = browser.get(&world, &format!("/oauth/authorize?{}", encoded(&ask))).await;
        let asked = browser.sign_in(&world, &page).await;
        assert!(asked.body.contains(&format!("sent to <b>{shown}</b>")), "{uri}: {}", asked.body);
        assert_eq!(asked.body.contains("on this computer"), warned, "{uri}");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_answered() {
    let world = World::new();
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", "!!Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")], "invalid_request"),
        (&[("resource", "https://evil.example/mcp")], "invalid_target"),
        (&[("resource", "https://hub.example")], "invalid_target"),
        (&[("resource", "https://hub.example/mcp#x")], "invalid_target"),
        (&[("resource", "not a URL")], "invalid_target"),
        (&[("scope", "root")], "invalid_scope"),
        (&[("request", "eyJ")], "request_not_supported"),
        (&[("request_uri", "https://evil.example")], "request_not_supported"),
        (&[("dpop_jkt", "x")], "invalid_request"),
        (&[("prompt", "none")], "login_required"),
    ];
    for (changes, error) in table {
        let path = format!("/oauth/authorize?{}", encoded(&request_with(changes)));
        let answer = Browser::new().get(&world, &path).await;
        let told = answer.told();
        assert_eq!((answer.status, told["error"].as_str()), (303, *error), "{changes:?}");
        assert_eq!((told["iss"].as_str(), told["state"].as_str()), (ISSUER, "s t&te"), "{changes:?}");
        assert!(answer.location().starts_with("http://127.0.0.1:50123/callback?"), "{changes:?}");
    }
    for (name, value) in request() {
        let twice = format!("/oauth/authorize?{}&{}", encoded(&request()), encoded(&[(name, value)]));
        let answer = Browser::new().get(&world, &twice).await;
        let refused = answer.status == 400 || answer.location().contains("error=invalid_target");
        assert!(refused, "{name} twice: {}", answer.status);
    }
}

#[tokio::test]
async fn what_is_granted_follows_from_what_is_asked() {
    let world = World::new();
    let table: &[(&[(&str, &str)], &str, &str)] = &[
        (&[], "mcp", MCP),
        (&[("scope", "")], "mcp mcp:write", MCP),
        (&[("scope", "mcp unknown mcp")], "mcp", MCP),
        (&[("scope", "openid mcp offline_access")], "mcp offline_access", MCP),
        (&[("resource", "")], "mcp", MCP),
        (&[("resource", "HTTPS://HUB.example/mcp/")], "mcp", MCP),
        (
            &[("resource", "https://hub.example/other"), ("scope", "other")],
            "other",
            "https://hub.example/other",
        ),
    ];
    for (changes, scope, resource) in table {
        let told = world.allowed(&Browser::new(), &request_with(changes)).await;
        let mut redeem = redeem(&told["code"]);
        redeem.retain(|(name, _)| *name != "resource");
        let tokens = world.post("/oauth/token", &redeem).await.json();
        assert_eq!(tokens["scope"].as_str(), Some(*scope), "{changes:?}");
        let token = tokens["access_token"].as_str().unwrap();
        let claims = loggia_auth::jose::decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (claims["aud"].as_str(), claims["sub"].as_str()),
            (Some(*resource), Some("ada")),
            "{changes:?}"
        );
        assert!(!claims["scope"].as_str().unwrap().contains("offline_access"), "{changes:?}");
        assert_eq!(world.is_accepted(token).await, *resource == MCP, "{changes:?}");
    }
}

/// Each line is a form that did not come from the page that the user saw.
#[tokio::test]
async fn only_the_user_decides() {
    let world = World::new();
    let browser = Browser::new();
    let page = browser.get(&world, &format!("/oauth/authorize?{}", encoded(&request()))).await;
    let asked = browser.sign_in(&world, &page).await;
    let (id, ticket) = (asked.field("request").unwrap(), asked.field("ticket").unwrap());
    let form = [("request", id.as_str()), ("ticket", ticket.as_str()), ("decision", "allow")];
    let post = || Request::post("/oauth/consent");
    let other = Browser::new();
    let page = other.get(&world, &format!("/oauth/authorize?{}", encoded(&request()))).await;
    other.sign_in(&world, &page).await;
    let mine = browser.cookie();
    let table = [
        (
            "from another site",
            post().header("origin", "https://evil.example").header("cookie", &mine),
            &form[..],
        ),
        ("from nowhere", post().header("origin", "null").header("cookie", &mine), &form[..]),
        ("cross-site", post().header("sec-fetch-site", "cross-site").header("cookie", &mine), &form[..]),
        (
            "same site, another host",
            post().header("sec-fetch-site", "same-site").header("cookie", &mine),
            &form[..],
        ),
        ("without a session", post(), &form[..]),
        ("with another session", post().header("cookie", other.cookie()), &form[..]),
        ("with two sessions", post().header("cookie", format!("{mine}; {}", other.cookie())), &form[..]),
        ("without the ticket", post().header("cookie", &mine), &form[..1]),
        ("with a wrong ticket", post().header("cookie", &mine), &[form[0], ("ticket", "x"), form[2]][..]),
    ];
    for (what, request, form) in table {
        let answer = world.send(request, &encoded(form)).await;
        assert_eq!((answer.status, answer.location()), (403, ""), "{what}");
    }
    let get = browser.get(&world, &format!("/oauth/consent?{}", encoded(&form))).await;
    assert_eq!(get.status, 405);
    assert_eq!(browser.post(&world, "/oauth/consent", &form).await.status, 303, "the user does");
}

#[tokio::test]
async fn a_person_can_say_no() {
    let world = World::new();
    let answer = world.decided(&Browser::new(), &request(), "deny").await;
    let told = answer.told();
    assert_eq!((told["error"].as_str(), told["iss"].as_str()), ("access_denied", ISSUER));
    assert!(!told.contains_key("code"));
}

#[tokio::test]
async fn a_link_counts_once_and_not_for_long() {
    let world = World::new();
    let link = world.server.sign_in_link().await.unwrap();
    let code = link.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let path = &link[url::Position::BeforePath..];
    for _ in 0..3 {
        let looked = Browser::new().get(&world, path).await;
        assert_eq!(
            (looked.status, looked.headers.contains_key("set-cookie")),
            (200, false),
            "looking does nothing"
        );
    }
    let elsewhere = Request::post("/oauth/signin").header("origin", "https://evil.example");
    assert_eq!(world.send(elsewhere, &encoded(&[("code", &code)])).await.status, 403, "login CSRF");
    let first = Browser::new();
    let entered = first.post(&world, "/oauth/signin", &[("code", &code)]).await;
    assert!(entered.body.contains("You are signed in") && first.cookie().contains("__Host-loggia-session="));
    let second = Browser::new();
    let entered = second.post(&world, "/oauth/signin", &[("code", &code)]).await;
    assert_eq!((entered.status, second.cookie().as_str()), (403, ""));
    for wrong in ["", "x", "ada"] {
        assert_eq!(
            Browser::new().post(&world, "/oauth/signin", &[("code", wrong)]).await.status,
            403,
            "{wrong}"
        );
    }
}

/// Two clients that start at the same time both have their link shown, with their name and destination.
#[tokio::test]
async fn each_sign_in_has_a_link_that_names_its_program() {
    let world = World::new();
    let begin = async |pairs: &[(&str, &str)]| {
        Browser::new().get(&world, &format!("/oauth/authorize?{}", encoded(pairs))).await
    };
    let local = begin(&request()).await;
    begin(&request_with(&[("redirect_uri", "https://app.example/cb")])).await;
    let again = format!("/oauth/continue?request={}", local.field("request").unwrap());
    for (wait, shown) in [(0, 2), (59, 2), (2, 3), (0, 3)] {
        world.time.pass(wait);
        Browser::new().get(&world, &again).await;
        assert_eq!(world.links.lock().unwrap().len(), shown, "after {wait} s");
    }
    let links = world.links.lock().unwrap().clone();
    let about: Vec<_> = links.iter().map(|link| (link.program(), link.destination())).collect();
    let program = Some("The command line");
    assert_eq!(
        about,
        [
            (program, Some("127.0.0.1:50123")),
            (program, Some("app.example")),
            (program, Some("127.0.0.1:50123"))
        ]
    );
    assert_ne!(links[0].url(), links[2].url());
}

#[tokio::test]
async fn a_decision_is_remembered_for_web_addresses_only() {
    let world = World::new();
    let web = request_with(&[("redirect_uri", "https://app.example/cb")]);
    let more = request_with(&[("redirect_uri", "https://app.example/cb"), ("scope", "mcp mcp:write")]);
    let browser = Browser::new();
    world.allowed(&browser, &web).await;
    let ask = async |pairs: &[(&str, &str)]| {
        browser.get(&world, &format!("/oauth/authorize?{}", encoded(pairs))).await
    };
    assert!(ask(&web).await.location().starts_with("https://app.example/cb?code="));
    assert!(ask(&more).await.body.contains("mcp:write"), "more is asked for");
    let anew = [&web[..], &[("prompt", "consent")]].concat();
    assert!(ask(&anew).await.field("ticket").is_some(), "the client wants the user to be asked");
    world.allowed(&browser, &request()).await;
    assert!(ask(&request()).await.body.contains("on this computer"), "any program can be there");
    let quiet = request_with(&[("prompt", "none")]);
    assert_eq!(ask(&quiet).await.told()["error"], "consent_required");
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_text() {
    let name = "<img src=x onerror=alert(1)>\u{202e}\"'&";
    let world = World::with(|builder| builder.client(OAuthClient::new("odd", name, [CALLBACK])));
    let browser = Browser::new();
    let odd = request_with(&[("client_id", "odd")]);
    let page = browser.get(&world, &format!("/oauth/authorize?{}", encoded(&odd))).await;
    let asked = browser.sign_in(&world, &page).await;
    assert!(
        asked.body.contains("<b>&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;</b>"),
        "{}",
        asked.body
    );
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let world = World::new();
    let answer = world.send(Request::get("/.well-known/oauth-authorization-server"), "").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    insta::assert_json_snapshot!("metadata", answer.json());
    for (path, status) in [
        ("/.well-known/oauth-authorization-server/mcp", 401),
        ("/oauth/jwks", 200),
        ("/oauth/unknown", 401),
        ("/oauth/token", 405),
        ("/oauth/consent", 405),
    ] {
        assert_eq!(world.send(Request::get(path), "").await.status, status, "{path}");
    }
    let preflight = world.send(Request::options("/oauth/token"), "").await;
    assert_eq!(
        (preflight.status, preflight.headers["access-control-allow-origin"].to_str().unwrap()),
        (204, "*")
    );
    let page = world.send(Request::options("/oauth/authorize"), "").await;
    assert!(!page.headers.contains_key("access-control-allow-origin"));
}

/// All records that wait for a user expire, whether or not the store deletes them.
#[tokio::test]
async fn nothing_waits_for_ever() {
    let world = World::new();
    let browser = Browser::new();
    let path = format!("/oauth/authorize?{}", encoded(&request()));
    let link = world.server.sign_in_link().await.unwrap();
    let code = link.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    world.time.pass(600);
    assert_eq!(browser.post(&world, "/oauth/signin", &[("code", &code)]).await.status, 403, "the link");

    let page = browser.get(&world, &path).await;
    let asked = browser.sign_in(&world, &page).await;
    let (id, ticket) = (asked.field("request").unwrap(), asked.field("ticket").unwrap());
    world.time.pass(15 * 60);
    let form = [("request", id.as_str()), ("ticket", &ticket), ("decision", "allow")];
    assert_eq!(browser.post(&world, "/oauth/consent", &form).await.status, 400, "the request");

    assert!(browser.get(&world, &path).await.field("ticket").is_some(), "still signed in");
    world.time.pass(12 * 60 * 60);
    assert!(browser.get(&world, &path).await.body.contains("name=\"code\""), "the session");

    let tokens = world.tokens().await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    world.time.pass(30 * 24 * 60 * 60);
    assert_eq!(world.refresh(refresh).await.error(), "invalid_grant", "the refresh token");
}

/// Browsers send what one server on a machine sets to the others there, too.
#[tokio::test]
async fn servers_on_one_machine_do_not_take_each_others_cookies() {
    let table = [
        ("https://hub.example", "__Host-loggia-session="),
        ("https://hub.example:8443", "__Host-loggia-8443-session="),
        ("http://127.0.0.1:4000", "loggia-4000-session="),
        ("http://127.0.0.1", "loggia-session="),
    ];
    for (issuer, name) in table {
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let sign_in = SignInMethod::Link { subject: "ada".to_owned(), show: Arc::new(|_: &SignInLink| {}) };
        let server = AuthorizationServer::builder(issuer, Arc::new(MemoryStore::new()), http)
            .resource(format!("{issuer}/mcp"), ["mcp"])
            .sign_in(sign_in)
            .build()
            .unwrap();
        let link = server.sign_in_link().await.unwrap();
        let body = link.query().unwrap().to_owned();
        let request = Request::post("/oauth/signin").body(Body::full(body)).unwrap();
        let response = server.layer().layer(Behind).call(request).await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with(name), "{issuer}: {cookie}");
    }
}
