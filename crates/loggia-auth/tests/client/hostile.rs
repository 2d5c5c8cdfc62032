//! Servers that mean harm, one line each: what they do, what the client says, and what it never does.

use std::time::Duration;

use loggia_auth::client::DpopUse;
use loggia_auth::restricted_http::FetchPolicy;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{Odd, Params, Twists, World, person, policy};

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The event that must not have happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Never {
    /// A sign-in page was shown.
    SignIn,
    /// A code was sent to a token endpoint.
    Token,
    /// The client did not stop.
    End,
}

struct Line {
    what: &'static str,
    twists: Twists,
    said: &'static str,
    never: Never,
}

fn line(what: &'static str, twists: Twists, said: &'static str, never: Never) -> Line {
    Line { what, twists, said, never }
}

fn answer(change: fn(&mut Params)) -> Twists {
    Twists { answer: Some(change), ..Twists::default() }
}

fn metadata(metadata: serde_json::Value) -> Twists {
    Twists { metadata, ..Twists::default() }
}

fn resource(resource: serde_json::Value) -> Twists {
    Twists { resource, ..Twists::default() }
}

fn at(path: &'static str, odd: Odd) -> Twists {
    Twists { at: Some((path, odd)), ..Twists::default() }
}

fn to(target: &str) -> Odd {
    Odd::Redirect(302, target.to_owned())
}

fn set(answer: &mut [(String, String)], name: &str, value: &str) {
    answer.iter_mut().filter(|(own, _)| own == name).for_each(|(_, own)| *own = value.to_owned());
}

fn edit(answer: &mut [(String, String)], name: &str, change: fn(&str) -> String) {
    answer.iter_mut().filter(|(own, _)| own == name).for_each(|(_, own)| *own = change(own));
}

fn sign_ins() -> Vec<Line> {
    vec![
        line(
            "mix-up: another server answers",
            answer(|answer| set(answer, "iss", "https://evil.example")),
            "comes from another authorization server",
            Never::Token,
        ),
        line(
            "the answer hides who it comes from",
            answer(|answer| answer.retain(|(name, _)| name != "iss")),
            "does not say that it comes from",
            Never::Token,
        ),
        line(
            "the issuer is right but for a slash",
            answer(|answer| {
                answer.iter_mut().filter(|(name, _)| name == "iss").for_each(|(_, iss)| iss.push('/'))
            }),
            "comes from another authorization server",
            Never::Token,
        ),
        line(
            "another server answers, and ours did not promise to name itself",
            Twists {
                metadata: json!({ "authorization_response_iss_parameter_supported": null }),
                ..answer(|answer| set(answer, "iss", "https://evil.example"))
            },
            "comes from another authorization server",
            Never::Token,
        ),
        line(
            "the issuer is right but for its case",
            answer(|answer| edit(answer, "iss", |iss| iss.replace("http", "HTTP"))),
            "comes from another authorization server",
            Never::Token,
        ),
        line(
            "the issuer is right but for how it is encoded",
            answer(|answer| edit(answer, "iss", |iss| iss.replace("127.0.0.1", "%31%32%37.0.0.1"))),
            "comes from another authorization server",
            Never::Token,
        ),
        line(
            "a code, and an error too",
            answer(|answer| answer.push(("error".to_owned(), "access_denied".to_owned()))),
            "the sign-in was declined",
            Never::Token,
        ),
        line(
            "no state",
            answer(|answer| answer.retain(|(name, _)| name != "state")),
            "did not sign in",
            Never::Token,
        ),
        line(
            "two codes",
            answer(|answer| answer.push(("code".to_owned(), "another".to_owned()))),
            "did not sign in",
            Never::Token,
        ),
        line(
            "a state of somebody else's",
            answer(|answer| set(answer, "state", "x")),
            "did not sign in",
            Never::Token,
        ),
        line(
            "an error of another server's is not shown",
            answer(|answer| {
                set(answer, "iss", "https://evil.example");
                answer.retain(|(name, _)| name != "code");
                answer.push(("error".to_owned(), "call +1 555 to unlock".to_owned()));
            }),
            "comes from another authorization server",
            Never::Token,
        ),
        line(
            "the person declines",
            answer(|answer| {
                answer.retain(|(name, _)| name != "code");
                answer.push(("error".to_owned(), "access_denied".to_owned()));
            }),
            "the sign-in was declined",
            Never::Token,
        ),
        line(
            "neither code nor error",
            answer(|answer| answer.retain(|(name, _)| name != "code")),
            "neither",
            Never::Token,
        ),
    ]
}

fn documents() -> Vec<Line> {
    vec![
        line(
            "metadata of another issuer",
            metadata(json!({ "issuer": "https://honest.example" })),
            "not used",
            Never::SignIn,
        ),
        line("no PKCE", metadata(json!({ "code_challenge_methods_supported": null })), "PKCE", Never::SignIn),
        line(
            "only plain PKCE",
            metadata(json!({ "code_challenge_methods_supported": ["plain"] })),
            "PKCE",
            Never::SignIn,
        ),
        line(
            "a sign-in page that is a script",
            metadata(json!({ "authorization_endpoint": "javascript:alert(1)" })),
            "authorization_endpoint",
            Never::SignIn,
        ),
        line(
            "a token endpoint without TLS",
            metadata(json!({ "token_endpoint": "http://tokens.example/" })),
            "it is not an https URL",
            Never::SignIn,
        ),
        line(
            "a registration endpoint at a metadata service",
            metadata(json!({ "registration_endpoint": "https://169.254.169.254/latest" })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "a resource that is somebody else's",
            resource(json!({ "resource": "https://bank.example/mcp" })),
            "would belong to another server",
            Never::SignIn,
        ),
        line(
            "an authorization server in our own network",
            resource(json!({ "authorization_servers": ["https://10.0.0.1"] })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "an authorization server by a mapped address",
            resource(json!({ "authorization_servers": ["https://[::ffff:169.254.169.254]"] })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "an authorization server in our network by way of a translator",
            resource(json!({ "authorization_servers": ["https://[64:ff9b::a9fe:a9fe]"] })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "an authorization server by 6to4",
            resource(json!({ "authorization_servers": ["https://[2002:a00:1::1]"] })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "an authorization server anywhere here",
            resource(json!({ "authorization_servers": ["https://0.0.0.0"] })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "an authorization server with a user in its name",
            resource(json!({ "authorization_servers": ["https://as.example@evil.example"] })),
            "user name or password",
            Never::SignIn,
        ),
        line(
            "an authorization server with a query",
            resource(json!({ "authorization_servers": ["https://as.example/?next=/"] })),
            "has a query or fragment",
            Never::SignIn,
        ),
        line(
            "an authorization server that is no URL",
            resource(json!({ "authorization_servers": ["../as"] })),
            "not named by a URL",
            Never::SignIn,
        ),
        line(
            "authorization servers that are none",
            resource(json!({ "authorization_servers": "https://as.example" })),
            "not metadata",
            Never::SignIn,
        ),
        line(
            "a resource above a port of its own",
            resource(json!({ "resource": "http://127.0.0.1:1/mcp" })),
            "would belong to another server",
            Never::SignIn,
        ),
        line(
            "an issuer in another case",
            metadata(json!({ "issuer": "HTTP://127.0.0.1" })),
            "not used",
            Never::SignIn,
        ),
        line("an issuer that is a list", metadata(json!({ "issuer": ["a"] })), "not metadata", Never::SignIn),
        line(
            "a sign-in page without TLS",
            metadata(json!({ "authorization_endpoint": "http://login.example/" })),
            "not an https URL",
            Never::SignIn,
        ),
        line(
            "a sign-in page in its own URL",
            metadata(json!({ "authorization_endpoint": "data:text/html,hello" })),
            "names no host",
            Never::SignIn,
        ),
        line(
            "a place to revoke in our network",
            metadata(json!({ "revocation_endpoint": "https://192.168.0.1/" })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "requests that have to be pushed to nowhere",
            metadata(json!({ "require_pushed_authorization_requests": true })),
            "has no endpoint for them",
            Never::SignIn,
        ),
        line(
            "requests that have to be pushed into our network",
            metadata(json!({
                "require_pushed_authorization_requests": true,
                "pushed_authorization_request_endpoint": "https://[fd00::1]/par",
            })),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "metadata at a metadata service",
            Twists {
                challenge: Some("Bearer resource_metadata=\"https://169.254.169.254/latest\"".to_owned()),
                ..Twists::default()
            },
            "not a public one",
            Never::SignIn,
        ),
        line(
            "a redirect to somebody's name",
            at(RESOURCE, to("https://user@as.example/")),
            "user name or password",
            Never::SignIn,
        ),
        line(
            "no authorization server",
            resource(json!({ "authorization_servers": [] })),
            "names no",
            Never::SignIn,
        ),
        line(
            "metadata in a file",
            Twists {
                challenge: Some("Bearer resource_metadata=\"file:///etc/passwd\"".to_owned()),
                ..Twists::default()
            },
            "names no host",
            Never::SignIn,
        ),
        line(
            "a redirect to a private address",
            at(RESOURCE, to("https://192.168.0.1/")),
            "not a public one",
            Never::SignIn,
        ),
        line(
            "a redirect without TLS",
            at(METADATA, to("http://as.example/")),
            "not an https URL",
            Never::SignIn,
        ),
        line("a redirect to itself", at(RESOURCE, to(RESOURCE)), "more than 3 redirects", Never::SignIn),
        line(
            "metadata that is rationed",
            at(RESOURCE, Odd::Text(429, "text/plain", "later")),
            "answers 429",
            Never::SignIn,
        ),
        line("endless metadata", at(METADATA, Odd::Endless), "more than", Never::SignIn),
        line("metadata that never comes", at(METADATA, Odd::Never), "did not answer within", Never::SignIn),
        line(
            "metadata that is none",
            at(METADATA, Odd::Text(200, "application/json", "[1]")),
            "not metadata",
            Never::SignIn,
        ),
    ]
}

fn endpoints() -> Vec<Line> {
    vec![
        line(
            "registration answered in plain text",
            Twists { registration: Some((403, "Contact sales for <partner> access")), ..Twists::default() },
            "admits only clients that it has listed, and this program is not one of them: it answers 403 Forbidden \
             (Contact sales for <partner> access). Register a client in the vendor's own settings",
            Never::SignIn,
        ),
        line(
            "a token endpoint that sends us on",
            at("/token", Odd::Redirect(307, "https://evil.example/token".to_owned())),
            "points to https://evil.example/token",
            Never::End,
        ),
        line("endless tokens", at("/token", Odd::Endless), "more than", Never::End),
        line(
            "an empty token",
            Twists { tokens: json!({ "access_token": "" }), ..Twists::default() },
            "a token that is empty",
            Never::End,
        ),
        line(
            "a token that is a list",
            Twists { tokens: json!({ "access_token": ["a"] }), ..Twists::default() },
            "no token response",
            Never::End,
        ),
        line(
            "a refusal that would paint the terminal",
            at(
                "/token",
                Odd::Text(
                    400,
                    "application/json",
                    r#"{"error":"\u001b[2Jx","error_description":"\u0007y\u202e"}"#,
                ),
            ),
            "refuses with [2Jx: y",
            Never::End,
        ),
        line(
            "a registration without a name",
            Twists { registration: Some((201, "{\"client_name\":\"x\"}")), ..Twists::default() },
            "what is no registration",
            Never::SignIn,
        ),
        line(
            "a registration refused in colours",
            Twists { registration: Some((400, "\u{1b}[31mno\u{7}")), ..Twists::default() },
            "400 Bad Request ([31mno)",
            Never::SignIn,
        ),
        line(
            "an error page for tokens",
            at("/token", Odd::Text(502, "text/html", "<h1>Bad\ngateway</h1>")),
            "502",
            Never::End,
        ),
        line(
            "a token of an unknown kind",
            Twists { tokens: json!({ "token_type": "mac" }), ..Twists::default() },
            "'mac'",
            Never::End,
        ),
        line(
            "a token that would break a header",
            Twists { tokens: json!({ "access_token": "a\r\nx: y" }), ..Twists::default() },
            "no header can hold",
            Never::End,
        ),
        line(
            "a server that refuses its own tokens",
            Twists { refuses_all: Some(401), ..Twists::default() },
            "does not accept the token",
            Never::End,
        ),
        line(
            "a server that is never content",
            Twists { needs: "a", refuses_all: Some(403), ..Twists::default() },
            "has already",
            Never::End,
        ),
        line(
            "an authorization server that gives less than is asked for",
            Twists { needs: "a b", tokens: json!({ "scope": "a" }), ..Twists::default() },
            "does not give",
            Never::End,
        ),
    ]
}

#[tokio::test]
async fn hostile_servers() {
    let lines = sign_ins().into_iter().chain(documents()).chain(endpoints());
    let mut running: JoinSet<()> = lines.map(meet).collect();
    let mut failed = 0;
    while let Some(met) = running.join_next().await {
        failed += usize::from(met.is_err());
    }
    assert_eq!(failed, 0, "see above");
}

async fn meet(line: Line) {
    let Line { what, twists, said, never } = line;
    let patience = Duration::from_secs(3);
    let world = World::twisted(twists).await;
    let oauth = world.client().policy(FetchPolicy { timeout: patience, ..policy() });
    let oauth = oauth.user_agent(person().timeout(patience)).build().unwrap();
    let error = world.call(&oauth).await.expect_err(what);
    assert!(error.contains(said), "{what}: {error}");
    assert!(!error.contains("555"), "{what}: {error}");
    assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{what}: {error:?}");
    if never == Never::SignIn {
        assert_eq!(world.heard("/authorize").len(), 0, "{what}");
    }
    if never != Never::End {
        assert_eq!(world.heard("/token").len(), 0, "{what}");
    }
    assert!(world.heard("/authorize").len() <= 3, "{what}: it went on");
    assert!(world.heard("/mcp").len() <= 4, "{what}: it went on");
}

#[tokio::test]
async fn a_token_without_its_key_is_refused_where_keys_are_wanted() {
    let world = World::new().await;
    let oauth = world.client().dpop(DpopUse::Always).build().unwrap();
    let error = world.call(&oauth).await.unwrap_err();
    assert!(error.contains("bound to a key was asked for"), "{error}");
}

#[tokio::test]
async fn a_token_goes_to_its_server_only() {
    use loggia::client::Authorize;
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    let sent = |url: &str| {
        let (oauth, url) = (oauth.clone(), url::Url::parse(url).unwrap());
        async move { oauth.headers(&http::Method::GET, &url).await.unwrap().len() }
    };
    assert_eq!(sent(world.server.as_str()).await, 1);
    assert_eq!(sent("https://evil.example/mcp").await, 0);
    assert_eq!(sent(&format!("{}/mcp", world.issuer)).await, 0);
}

/// A client by whose answer is asked: everything a log could catch holds no secret.
#[tokio::test]
async fn secrets_are_not_shown() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    let credential = oauth.credential().await.unwrap().unwrap();
    let renewed = oauth.refresh().await;
    let shown = format!("{oauth:?} {credential:?} {renewed:?} {:?}", oauth.status().borrow());
    for secret in [&credential.access_token, credential.refresh_token.as_ref().unwrap()] {
        assert!(!shown.contains(secret.expose()), "{shown}");
    }
}

/// Each line is a challenge that cannot be used: the metadata is then fetched from its well-known URL, and from no
/// other.
#[tokio::test]
async fn challenges_that_say_nothing() {
    let long = format!("Bearer resource_metadata=\"https://evil.example/{}\"", "x".repeat(17 << 10));
    for challenge in [
        "Bearer resource_metadata=\"https://a.example\", resource_metadata=\"https://evil.example\"",
        "Basic resource_metadata=\"https://evil.example\"",
        "Bearer resource_metadata=\"\"",
        "Bearer resource_metadata",
        "x",
        "",
        &long,
    ] {
        let twists = Twists { challenge: Some(challenge.to_owned()), ..Twists::default() };
        let world = World::twisted(twists).await;
        let oauth = world.client().build().unwrap();
        assert_eq!(world.call(&oauth).await, Ok(200), "{}", &challenge[..challenge.len().min(100)]);
        assert_eq!(world.heard(RESOURCE).len(), 1);
    }
}

/// The URLs of the metadata, in the order of the specification: the one in the challenge, otherwise those below the
/// server's own path and at the root.
#[tokio::test]
async fn metadata_is_found_where_it_may_be() {
    let below = "/.well-known/oauth-protected-resource/mcp";
    let table: [(&str, bool, &[&str]); 4] = [
        ("Bearer", false, &[below]),
        ("Bearer", true, &[below, RESOURCE]),
        ("Bearer resource_metadata=\"/.well-known/oauth-protected-resource\"", true, &[RESOURCE]),
        ("Bearer resource_metadata=\"/.well-known/oauth-protected-resource/mcp\"", false, &[below]),
    ];
    for (challenge, at_root, expected) in table {
        let twists = Twists { challenge: Some(challenge.to_owned()), at_root, ..Twists::default() };
        let world = World::twisted(twists).await;
        assert_eq!(world.call(&world.client().build().unwrap()).await, Ok(200), "{challenge}");
        let looked: Vec<String> = world.heard(RESOURCE).into_iter().map(|heard| heard.path).collect();
        assert_eq!(looked, expected, "{challenge}");
    }
}

/// The requested scopes: those of the challenge, otherwise those of the metadata, otherwise none.
#[tokio::test]
async fn no_more_is_asked_for_than_is_needed() {
    let table = [
        (None, json!(["a", "b"]), Some("a b")),
        (Some("c"), json!(["a", "b"]), Some("c")),
        (None, serde_json::Value::Null, None),
        (None, json!([]), None),
    ];
    for (challenged, supported, asked) in table {
        let challenge = challenged.map_or("Bearer".to_owned(), |scope| format!("Bearer scope=\"{scope}\""));
        let twists =
            Twists { challenge: Some(challenge), ..resource(json!({ "scopes_supported": supported })) };
        let world = World::twisted(twists).await;
        assert_eq!(world.call(&world.client().build().unwrap()).await, Ok(200));
        assert_eq!(world.heard("/authorize")[0].param("scope"), asked, "{challenged:?} {supported}");
    }
}

/// The resource is in every request for a token.
#[tokio::test]
async fn what_a_token_is_for_is_always_said() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    world.sleep(3590);
    assert_eq!(world.call(&oauth).await, Ok(200));
    let asked = world.heard("/authorize").pop().unwrap();
    assert_eq!(asked.param("resource"), Some(world.server.as_str()));
    assert_eq!(asked.param("code_challenge_method"), Some("S256"));
    let forms: Vec<_> = world.heard("/token").into_iter().map(|heard| heard.form).collect();
    assert_eq!(
        forms.iter().map(|form| &*form["grant_type"]).collect::<Vec<_>>(),
        ["authorization_code", "refresh_token"]
    );
    assert!(forms.iter().all(|form| form["resource"] == world.server.as_str()), "{forms:?}");
}

/// A token in the clear is everybody's.
#[tokio::test]
async fn tokens_stay_off_open_networks() {
    use loggia_auth::client::OAuth;
    use loggia_auth::registration::ClientIdentity;
    let table = [
        ("https://mcp.example/mcp", true),
        ("http://127.0.0.1:4000/mcp", true),
        ("http://[::1]/mcp", true),
        ("http://localhost/mcp", true),
        ("http://app.localhost:1/mcp", true),
        ("http://mcp.example/mcp", false),
        ("http://10.0.0.1/mcp", false),
        ("http://localhost.example/mcp", false),
        ("http://127.0.0.1.example/mcp", false),
        ("ftp://127.0.0.1/mcp", false),
    ];
    for (server, safe) in table {
        let built = OAuth::builder(server.parse().unwrap(), ClientIdentity::new("test")).build();
        assert_eq!(built.is_ok(), safe, "{server}");
    }
}
