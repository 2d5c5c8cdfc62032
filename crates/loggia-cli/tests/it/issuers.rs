//! Others who vouch for people at `loggia up --auth`: issuers of tokens, identity providers.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use loggia_auth::jose::{Algorithm, SigningKey, random};
use serde_json::{Value, json};

use crate::auth::{By, login};
use crate::forwarded::token;
use crate::program::{Run, command, run_in};
use crate::protected::{self, Browser, Ended, post_json, send};
use crate::up::{Up, get, up};

/// A web server that answers what it is told to.
struct Mock {
    url: String,
    answers: Arc<Mutex<BTreeMap<&'static str, Value>>>,
    heard: Arc<Mutex<String>>,
}

impl Mock {
    fn start() -> Mock {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mock = Mock { url, answers: Arc::default(), heard: Arc::default() };
        let (answers, heard) = (mock.answers.clone(), mock.heard.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let request = read(&mut stream);
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                heard.lock().expect("no panic").push_str(&request);
                let body = answers.lock().expect("no panic").get(&*path).map(Value::to_string);
                let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
                let body = body.unwrap_or_default();
                // Who went away meanwhile is not missed.
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        mock
    }

    /// An identity provider with a key.
    fn provider(key: &SigningKey) -> Mock {
        let mock = Mock::start();
        let url = &mock.url;
        let metadata = json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
            "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        });
        mock.answer("/.well-known/openid-configuration", metadata.clone());
        mock.answer("/.well-known/oauth-authorization-server", metadata);
        mock.answer("/jwks", json!({ "keys": [key.public()] }));
        mock
    }

    fn answer(&self, path: &'static str, body: Value) {
        self.answers.lock().expect("no panic").insert(path, body);
    }

    fn heard(&self) -> String {
        self.heard.lock().expect("no panic").clone()
    }
}

fn read(stream: &mut std::net::TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let length = text
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0)) {
            return text;
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
            _ => return text,
        }
    }
}

const FILES: &str = "[connectors.files]\nkind = \"builtin\"\nname = \"files\"\n";

fn hub(folder: &Path, auth: &str) -> Up {
    std::fs::write(folder.join("loggia.toml"), format!("{auth}\n{FILES}")).expect("written");
    up(folder, &[])
}

fn call(folder: &Path, url: &str, token: &str, tool: &str) -> Run {
    let header = format!("Authorization: Bearer {token}");
    run_in(folder, &["call", url, tool, "glob=*", "--header", &header])
}

fn now() -> u64 {
    loggia_auth::clock::seconds(SystemTime::now())
}

#[test]
fn tokens_of_another_issuer_are_taken_for_what_they_allow() {
    let (vendor, folder) = (protected::start(), tempfile::tempdir().expect("a folder"));
    let here = folder.path();
    let mut browser = vendor.browser();
    let mut signed_in = |more: &[&str]| {
        let run = login(here, &vendor.url, more, &mut browser, By::Redirect);
        assert_eq!(run.code, Some(0), "{run}");
        token(here)
    };
    let hub = hub(
        here,
        &format!(
            "[server.auth]\nembedded = false\n[[server.auth.issuers]]\nissuer = \"{}\"\naudience = \"{}\"\n\
             [server.auth.scopes]\ntools = {{ \"files_f*\" = \"mcp:write\" }}",
            vendor.issuer, vendor.url
        ),
    );
    let metadata = get(&hub.base(), "/.well-known/oauth-protected-resource/mcp").1;
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    assert_eq!(metadata["authorization_servers"], json!([vendor.issuer]));
    assert_eq!(metadata["scopes_supported"], json!(["mcp"]));
    assert!(hub.said.contains(&format!("people sign in at {}", vendor.issuer)), "{}", hub.said);
    let narrow = signed_in(&[]);
    let refused = call(here, &hub.url, &narrow, "files_find");
    assert!(refused.code == Some(3) && refused.stderr.contains("insufficient_scope"), "{refused}");
    assert!(refused.stderr.contains("mcp mcp:write"), "{refused}");
    let allowed = call(here, &hub.url, &narrow, "files_list");
    assert!(!allowed.stderr.contains("authorization"), "{allowed}");
    let wide = signed_in(&["--scope", "mcp:write"]);
    let call_wide = call(here, &hub.url, &wide, "files_find");
    assert_eq!(call_wide.code, Some(0), "{call_wide}");
    vendor.replace_keys();
    assert_eq!(call(here, &hub.url, &format!("{wide}x"), "files_find").code, Some(3));
    hub.stop();
}

#[test]
fn an_issuer_of_opaque_tokens_is_asked() {
    let (mock, folder) = (Mock::start(), tempfile::tempdir().expect("a folder"));
    let auth = format!(
        "[[server.auth.issuers]]\nissuer = \"{0}\"\naudience = \"api://hub\"\nintrospection = \"{0}/introspect\"\n\
         client_id = \"hub\"\nclient_secret = \"s3cret\"",
        mock.url
    );
    let hub = hub(folder.path(), &auth);
    let good =
        json!({ "active": true, "sub": "zoe", "aud": "api://hub", "scope": "mcp", "exp": now() + 600 });
    for (token, answer, expected) in [
        ("t1", json!({ "active": false }), Some(3)),
        ("t2", good.clone(), Some(0)),
        ("t3", json!({ "active": true, "sub": "zoe", "aud": "api://other", "scope": "mcp" }), Some(3)),
    ] {
        mock.answer("/introspect", answer);
        let run = call(folder.path(), &hub.url, token, "files_find");
        assert_eq!(run.code, expected, "{token}: {run}");
    }
    let heard = mock.heard();
    assert!(heard.contains("token=t2") && heard.to_lowercase().contains("authorization: basic"), "{heard}");
    hub.stop();
}

#[test]
fn an_enterprise_decides_by_assertion() {
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let (idp, folder) = (Mock::provider(&key), tempfile::tempdir().expect("a folder"));
    let auth = format!(
        "[[server.auth.assertions]]\nissuer = \"{}\"\ndomains = [\"example.com\"]\nsubject = \"email\"\n\
         [[server.auth.clients]]\nclient_id = \"agent\"\nclient_secret = \"s3cret\"",
        idp.url
    );
    let hub = hub(folder.path(), &auth);
    let (base, url) = (hub.base(), hub.url.clone());
    let ask = |email: &str| {
        let claims = json!({
            "iss": idp.url, "sub": "u1", "aud": base, "resource": url, "client_id": "agent", "jti": random(12),
            "iat": now(), "exp": now() + 300, "scope": "mcp", "email": email, "email_verified": true,
        });
        let assertion = key.sign("oauth-id-jag+jwt", &claims).expect("signed");
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("assertion", assertion),
            ("client_id", "agent".to_owned()),
            ("client_secret", "s3cret".to_owned()),
        ];
        let (_, body) = send(&format!("{base}/oauth/token"), "", Some(&form));
        serde_json::from_str::<Value>(&body).expect("JSON")
    };
    let tokens = ask("ada@example.com");
    let run = call(folder.path(), &url, tokens["access_token"].as_str().unwrap_or("none"), "files_find");
    assert_eq!(run.code, Some(0), "{tokens} {run}");
    assert_eq!(ask("eve@elsewhere.example")["error"], "invalid_grant");
    hub.stop();
}

/// The whole way of an ID-JAG: a person signs in at their organisation, once, and every command, and whatever renews,
/// comes in by what the organisation says.
#[test]
fn the_organisation_lets_its_people_in_from_the_command_line() {
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let (idp, folder) = (Mock::provider(&key), tempfile::tempdir().expect("a folder"));
    let auth = format!(
        "[[server.auth.assertions]]\nissuer = \"{}\"\nanyone = true\n\
         [[server.auth.clients]]\nclient_id = \"agent\"\nclient_secret = \"s3cret\"",
        idp.url
    );
    let hub = hub(folder.path(), &auth);
    let (base, url) = (hub.base(), hub.url.clone());
    // What the provider says of the person to us, and to the hub.
    let says = |nonce: &str| {
        let person = json!({ "iss": idp.url, "sub": "u1", "iat": now(), "exp": now() + 300, "aud": "desk", "nonce": nonce });
        let grant = json!({
            "iss": idp.url, "sub": "u1", "iat": now(), "exp": now() + 300, "aud": base, "resource": url,
            "client_id": "agent", "jti": random(12), "scope": "mcp",
        });
        idp.answer("/token", json!({
            "id_token": key.sign("JWT", &person).expect("signed"),
            "access_token": key.sign("oauth-id-jag+jwt", &grant).expect("signed"),
            "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag", "token_type": "N_A", "expires_in": 300,
        }));
    };
    let sso = ["--client-id", "agent", "--client-secret", "--sso", &idp.url, "--sso-client-id", "desk"];
    let args = [&["auth", "login", &url, "--no-browser"], &sso[..]].concat();
    let mut login = command(folder.path(), &args);
    let mut child = login.env("LOGGIA_CLIENT_SECRET", "s3cret").spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let page = lines.find(|line| line.trim().starts_with("http://")).expect("a page");
    let page: url::Url = page.trim().parse().expect("a URL");
    assert!(page.as_str().starts_with(&format!("{}/authorize?", idp.url)), "{page}");
    let asked: BTreeMap<String, String> = page.query_pairs().into_owned().collect();
    assert_eq!((&*asked["client_id"], &*asked["scope"]), ("desk", "openid"));
    says(&asked["nonce"]);
    protected::get(&format!("{}?code=c&state={}", asked["redirect_uri"], asked["state"]));
    let signed_in = Run::from(child.wait_with_output().expect("it ends"));
    assert!(signed_in.code == Some(0) && signed_in.stdout.contains("renewed before that"), "{signed_in}");

    let here = |args: &[&str]| run_in(folder.path(), args);
    let find = || here(&["call", &url, "files_find", "glob=*"]);
    assert_eq!(find().code, Some(0), "{}", find());
    says("of no use without a person");
    let renewed = here(&["auth", "refresh", &url]);
    assert_eq!(renewed.code, Some(0), "nobody is asked: {renewed}");
    assert_eq!(find().code, Some(0), "{}", find());
    let again = here(&["auth", "login", &url]);
    assert!(again.stdout.contains("you were signed in already"), "{again}");
    let heard = idp.heard();
    assert_eq!(
        heard.matches("requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid-jag").count(),
        2
    );
    assert_eq!(heard.matches("grant_type=authorization_code").count(), 1, "the person signed in once");
    let kept = || {
        let files = std::fs::read_dir(folder.path().join("credentials")).expect("a folder").flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.filter(|text| text.contains("\"key\":\"identity/") || text.contains("\"key\":\"way/")).count()
    };
    assert_eq!(kept(), 2);
    assert_eq!(here(&["auth", "logout", &url]).code, Some(0));
    assert_eq!((kept(), find().code), (0, Some(3)), "with the credential goes what led to it");
    hub.stop();
}

#[test]
fn a_program_acts_for_itself_from_the_command_line() {
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let (issuer, folder) = (Mock::provider(&key), tempfile::tempdir().expect("a folder"));
    let auth =
        format!("[server.auth]\nembedded = false\n[[server.auth.issuers]]\nissuer = \"{}\"", issuer.url);
    let hub = hub(folder.path(), &auth);
    let gives = |sub: &str| {
        let claims = json!({
            "iss": issuer.url, "sub": sub, "client_id": sub, "aud": hub.url, "scope": "mcp", "iat": now(), "exp": now() + 300,
        });
        let token = key.sign("at+jwt", &claims).expect("signed");
        issuer.answer("/token", json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300 }));
    };
    gives("robot");
    let args = ["auth", "login", &hub.url, "--program", "--client-id", "robot", "--client-secret"];
    let login = command(folder.path(), &args).env("LOGGIA_CLIENT_SECRET", "s3cret").output();
    let login = Run::from(login.expect("it runs"));
    assert!(login.code == Some(0) && login.stdout.contains("renewed before that"), "{login}");
    assert_eq!(run_in(folder.path(), &["call", &hub.url, "files_find", "glob=*"]).code, Some(0));
    assert_eq!(run_in(folder.path(), &["auth", "refresh", &hub.url]).code, Some(0));
    let heard = issuer.heard();
    assert_eq!(heard.matches("grant_type=client_credentials").count(), 2, "{heard}");
    assert!(!heard.contains("s3cret"), "the secret goes by HTTP's own authentication");
    hub.stop();
}

#[test]
fn people_sign_in_at_their_identity_provider() {
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let (idp, folder) = (Mock::provider(&key), tempfile::tempdir().expect("a folder"));
    let auth = format!(
        "[server.auth.openid]\nissuer = \"{}\"\nclient_id = \"hub\"\nclient_secret = \"${{OIDC_SECRET}}\"\n\
         emails = [\"ada@example.com\"]\n",
        idp.url
    );
    std::fs::write(folder.path().join("loggia.toml"), format!("{auth}{FILES}")).expect("written");
    let without = command(folder.path(), &["up", "--listen", ":0"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&without.stderr).contains("OIDC_SECRET is not set"), "{without:?}");
    std::fs::write(
        folder.path().join("loggia.toml"),
        format!("{auth}{FILES}").replace("${OIDC_SECRET}", "s3cret"),
    )
    .expect("written");
    let hub = up(folder.path(), &[]);
    let base = hub.base();
    assert!(hub.said.contains(&format!("people sign in at {}", idp.url)), "{}", hub.said);
    let authorize = format!(
        "{base}/oauth/authorize?response_type=code&client_id=agent&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    for (email, verified, comes_in) in
        [("ada@example.com", true, true), ("ada@example.com", false, false), ("eve@example.com", true, false)]
    {
        let mut browser = Browser::new(&base, || panic!("nobody is shown a link"));
        // A client that registered itself, as any does.
        let registered = register(&base);
        let page =
            browser.open(&authorize.replace("client_id=agent", &format!("client_id={registered}")), None);
        let Ended::Away(sent) = page else { panic!("nobody is sent to the provider: {page:?}") };
        let sent: url::Url = sent.parse().expect("a URL");
        let asked: BTreeMap<String, String> = sent.query_pairs().into_owned().collect();
        assert_eq!((sent.path(), &*asked["client_id"]), ("/authorize", "hub"));
        assert_eq!(asked["redirect_uri"], format!("{base}/oauth/callback"));
        let claims = json!({
            "iss": idp.url, "sub": "u1", "aud": "hub", "iat": now(), "exp": now() + 300, "nonce": asked["nonce"],
            "email": email, "email_verified": verified, "name": "Ada L.",
        });
        idp.answer("/token", json!({ "id_token": key.sign("JWT", &claims).expect("signed") }));
        let page = browser.see(&format!("{base}/oauth/callback?code=c&state={}", asked["state"]));
        assert_eq!(page.contains("You are signed in as Ada L."), comes_in, "{email} {verified}: {page}");
        assert_eq!(page.contains("but have no access here"), !comes_in, "{email} {verified}: {page}");
    }
    assert!(idp.heard().to_lowercase().contains("authorization: basic"), "the secret was shown");
    hub.stop();
}

fn register(base: &str) -> String {
    let body = json!({ "client_name": "Agent", "redirect_uris": ["http://127.0.0.1/cb"],
        "token_endpoint_auth_method": "none" });
    let (_, answer) = post_json(&format!("{base}/oauth/register"), "", &body);
    let document: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    document["client_id"].as_str().expect("an id").to_owned()
}
