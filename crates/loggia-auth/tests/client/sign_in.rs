//! Signing in: how the person is reached, who we are to the server, and answers that come to another process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia_auth::client::{OAuth, TokenCheck};
use loggia_auth::discovery::BearerChallenge;
use loggia_auth::extensions::{ClientCredentialsGrant, GrantType};
use loggia_auth::jose::{Algorithm, Claims, JwkSet, Jwt, SigningKey};
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::ClientAuth;
use loggia_auth::registration::{ClientIdentity, RegisteredClient};
use loggia_auth::restricted_http::RestrictedHttpClient;
use loggia_auth::secret::Secret;
use loggia_auth::store::{FileStore, MemoryStore, TokenStore};
use loggia_auth::user_agent::AuthorizationResponse;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::Url;

use crate::world::{Odd, Params, Twists, World, person, policy};

/// The pages that a browser saw, in the order in which it saw them.
type Pages = Arc<Mutex<Vec<String>>>;

/// A person whose browser looks at all that `pages` makes of the sign-in page.
fn browsing(seen: &Pages, done: mpsc::Sender<()>, pages: fn(&Url) -> Vec<String>) -> LoopbackUserAgent {
    let seen = seen.clone();
    LoopbackUserAgent::new(move |page| {
        let (seen, done, pages) = (seen.clone(), done.clone(), pages(page));
        tokio::spawn(async move {
            let browser = RestrictedHttpClient::new(policy()).unwrap();
            for page in pages {
                let reply = browser.get(&Url::parse(&page).unwrap()).await.unwrap();
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                seen.lock().unwrap().push(format!("{} {text}", reply.status.as_u16()));
            }
            let _ = done.send(()).await;
        });
        Ok(())
    })
}

fn redirect(page: &Url) -> String {
    page.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned()
}

#[tokio::test]
async fn the_browser_is_told_what_happened() {
    let world = World::new().await;
    let (seen, (done, mut ended)) = (Pages::default(), mpsc::channel(4));
    let person = browsing(&seen, done, |page| {
        let here = redirect(page);
        let base = here.trim_end_matches("/callback");
        vec![
            format!("{base}/favicon.ico"),
            format!("{here}?code=x&state=guessed"),
            format!("{here}?error=<script>alert(1)</script>&state=a&state=b"),
            format!("{here}/deeper?code=x"),
            page.to_string(),
        ]
    });
    let oauth = world.client().user_agent(person).build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    ended.recv().await.unwrap();
    let seen = seen.lock().unwrap().clone();
    let expected = ["404 ", "400 ", "400 ", "404 ", "200 "];
    assert!(seen.iter().zip(expected).all(|(page, status)| page.starts_with(status)), "{seen:#?}");
    assert!(seen[4].contains("Signed in") && seen[4].contains("close this window"), "{}", seen[4]);
    assert!(seen.iter().all(|page| !page.contains("<script")), "{seen:#?}");
}

#[tokio::test]
async fn the_browser_is_told_what_went_wrong() {
    let world = World::twisted(Twists {
        at: Some((
            "/token",
            Odd::Text(400, "application/json", r#"{"error":"invalid_grant","error_description":"<b>no"}"#),
        )),
        ..Twists::default()
    })
    .await;
    let (seen, (done, mut ended)) = (Pages::default(), mpsc::channel(4));
    let oauth =
        world.client().user_agent(browsing(&seen, done, |page| vec![page.to_string()])).build().unwrap();
    assert!(world.call(&oauth).await.unwrap_err().contains("invalid_grant: <b>no"));
    ended.recv().await.unwrap();
    let page = seen.lock().unwrap()[0].clone();
    assert!(page.contains("Not signed in") && page.contains("&lt;b&gt;no"), "{page}");
}

#[tokio::test]
async fn the_answer_can_be_pasted() {
    let world = World::new().await;
    let (sender, pages) = mpsc::unbounded_channel();
    let pages = Arc::new(tokio::sync::Mutex::new(pages));
    let person =
        LoopbackUserAgent::new(move |page| sender.send(page.clone()).map_err(|error| error.to_string()));
    let elsewhere = world.clone();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let heard = complaints.clone();
    let person = person.paste(move |wrong| {
        let (pages, world, heard) = (pages.clone(), elsewhere.clone(), heard.clone());
        async move {
            if let Some(wrong) = wrong {
                let mut heard = heard.lock().unwrap();
                heard.push(wrong);
                let answer = world.answer_to(&world.heard("/authorize").pop().unwrap());
                return Some(if heard.len() < 3 { answer.replace("state=", "state=x") } else { answer });
            }
            // Another machine's browser ends at an address that leads nowhere there.
            let page = pages.lock().await.recv().await.unwrap();
            let browser = RestrictedHttpClient::new(policy()).unwrap();
            let stuck = browser
                .send(loggia_auth::restricted_http::FetchRequest::get(page).redirects(0))
                .await
                .unwrap_err();
            assert!(stuck.to_string().contains("/callback"), "{stuck}");
            Some("  what was in the clipboard\n".to_owned())
        }
    });
    let oauth = world.client().user_agent(person).build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    let complaints = complaints.lock().unwrap().clone();
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(
        complaints[0].contains("no address") && complaints[1].contains("another sign-in"),
        "{complaints:?}"
    );
    assert_eq!(world.heard("/authorize").len(), 1);
}

/// Whatever fills the input, it is not read for ever.
#[tokio::test]
async fn nobody_pastes_for_ever() {
    let world = World::new().await;
    let pasted = Arc::new(Mutex::new(0));
    let count = pasted.clone();
    let person = LoopbackUserAgent::new(|_| Ok(())).timeout(Duration::from_millis(300)).paste(move |_| {
        *count.lock().unwrap() += 1;
        async { Some("y".to_owned()) }
    });
    let oauth = world.client().user_agent(person).build().unwrap();
    assert!(world.call(&oauth).await.unwrap_err().contains("did not sign in"));
    assert_eq!(*pasted.lock().unwrap(), 10);
}

#[tokio::test]
async fn an_answer_may_come_to_another_process_and_is_good_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new().await;
    let process = || {
        let store = Arc::new(FileStore::open(folder.path()).unwrap());
        world.client().grant(GrantType::RefreshOnly).store(store, "me").build().unwrap()
    };
    let here = "https://hub.example/callback";
    let answered = |page: Url| {
        let world = world.clone();
        async move {
            let browser = RestrictedHttpClient::new(policy()).unwrap();
            let _ = browser.send(loggia_auth::restricted_http::FetchRequest::get(page).redirects(0)).await;
            AuthorizationResponse::parse(&world.answer_to(&world.heard("/authorize").pop().unwrap())).unwrap()
        }
    };
    let begun = process().begin(here).await.unwrap();
    assert_eq!(redirect(&begun.page), here);
    assert!(!format!("{begun:?}").contains(begun.state.expose()), "{begun:?}");
    let answer = answered(begun.page).await;
    assert_eq!(answer.state(), Some(&begun.state));
    let credential = process().finish(answer.clone()).await.unwrap();
    assert_eq!(credential.resource, world.server.as_str());
    assert_eq!(world.call(&process()).await, Ok(200));

    let again = process().finish(answer).await.unwrap_err().to_string();
    assert!(again.contains("belongs to no pending sign-in"), "{again}");
    let late = process().begin(here).await.unwrap();
    let late = answered(late.page).await;
    world.sleep(601);
    assert!(process().finish(late).await.is_err(), "it came too late");
    let other = world
        .client()
        .grant(GrantType::RefreshOnly)
        .store(Arc::new(FileStore::open(folder.path()).unwrap()), "you");
    let begun = process().begin(here).await.unwrap();
    let stolen = answered(begun.page).await;
    assert!(other.build().unwrap().finish(stolen).await.is_err(), "it was another person's");
    assert_eq!(world.grants("authorization_code"), 1);
}

#[tokio::test]
async fn a_registration_is_used_again_where_it_was_made() {
    let world = World::new().await;
    let store = Arc::new(MemoryStore::new());
    let client = |key: &str| world.client().store(store.clone(), key).build().unwrap();
    assert_eq!(world.call(&client("one")).await, Ok(200));
    assert_eq!(world.call(&client("two")).await, Ok(200));
    let registered = world.heard("/register");
    let redirects: Vec<String> = world
        .heard("/authorize")
        .iter()
        .map(|heard| heard.param("redirect_uri").unwrap().to_owned())
        .collect();
    assert_eq!((registered.len(), redirects[0] == redirects[1]), (1, true), "{redirects:?}");
    let request: Value = serde_json::from_slice(&registered[0].body).unwrap();
    assert_eq!(request["redirect_uris"], json!([redirects[0]]));
    assert_eq!(request["application_type"], "native");
    assert_eq!(request["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(request["token_endpoint_auth_method"], "none");
}

#[tokio::test]
async fn what_one_issuer_knows_is_shown_to_no_other() {
    let store = Arc::new(MemoryStore::new());
    let (first, second) = (World::new().await, World::new().await);
    let by_hand = |world: &World, client: RegisteredClient| {
        let identity = ClientIdentity::new("test").registered(client);
        let grant = GrantType::AuthorizationCode(Arc::new(person()));
        let oauth = OAuth::builder(world.server.clone(), identity).policy(policy()).grant(grant);
        oauth.store(store.clone(), "me").build().unwrap()
    };
    let client = RegisteredClient::public("mine");
    assert_eq!(first.call(&by_hand(&first, client.clone())).await, Ok(200));
    // The server moves to another authorization server.
    first.twist(|twists| twists.resource = json!({ "authorization_servers": [second.issuer] }));
    first.revoke();
    let error = first.call(&by_hand(&first, client.clone())).await.unwrap_err();
    assert!(error.contains("the credentials of one are not sent to the other"), "{error}");
    let error = first.call(&by_hand(&first, client.at(&first.issuer))).await.unwrap_err();
    assert!(error.contains("the credentials of one are not sent to the other"), "{error}");
    assert_eq!(second.heard("/authorize").len() + second.heard("/token").len(), 0);

    // The secret of a program is not sent to a server that another party names.
    let secret = RegisteredClient::with_secret("mine", Secret::new("sesame")).at("https://as.example");
    let program = GrantType::ClientCredentials(ClientCredentialsGrant { client: secret });
    let error = second.call(&second.client().grant(program).build().unwrap()).await.unwrap_err();
    assert!(error.contains("registered with https://as.example"), "{error}");
    assert_eq!(second.heard("/token").len(), 0);
}

/// A slash at the end of the issuer makes two issuers, unless the user names the one that is meant.
#[tokio::test]
async fn an_issuer_that_differs_by_a_slash_has_to_be_named() {
    let add_slash: fn(&mut Params) = |answer| {
        answer.iter_mut().filter(|(name, _)| name == "iss").for_each(|(_, iss)| iss.push('/'));
    };
    for names_slash in [true, false] {
        let world = World::new().await;
        let with_slash = format!("{}/", world.issuer);
        let (named, listed) = match names_slash {
            true => (with_slash.clone(), world.issuer.clone()),
            false => (world.issuer.clone(), with_slash.clone()),
        };
        world.twist(|twists| {
            twists.resource = json!({ "authorization_servers": [listed] });
            twists.metadata = json!({ "issuer": named });
            twists.answer = names_slash.then_some(add_slash);
        });
        let store = Arc::new(MemoryStore::new());
        let client = |issuer: Option<&str>| {
            let oauth = OAuth::builder(world.server.clone(), ClientIdentity::new("test")).policy(policy());
            let oauth = oauth.user_agent(person()).store(store.clone(), "me");
            issuer.into_iter().fold(oauth, |oauth, issuer| oauth.issuer(issuer)).build().unwrap()
        };
        for other in [None, Some(listed.as_str()), Some("https://as.example/")] {
            let error = world.call(&client(other)).await.unwrap_err();
            for part in
                [named.as_str(), &listed, "only the slash at the end differs", "has to correct", "--issuer"]
            {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
        assert_eq!(world.heard("/authorize").len(), 0);
        assert_eq!(world.call(&client(Some(&named))).await, Ok(200), "{named}");
        world.revoke();
        assert_eq!(world.call(&client(None)).await, Ok(200), "the credential remembers its issuer");
    }
}

#[tokio::test]
async fn a_client_that_the_person_names_is_kept_for_its_issuer() {
    let store = Arc::new(MemoryStore::new());
    let (first, second) = (World::new().await, World::new().await);
    let sign_in = async |world: &World, key: &str, named: Option<RegisteredClient>| {
        let identity = ClientIdentity { named, ..ClientIdentity::new("test") };
        let oauth = OAuth::builder(world.server.clone(), identity).policy(policy());
        let oauth = oauth.user_agent(person()).store(store.clone(), key).build().unwrap();
        let outcome = oauth.sign_in().await.map(|credential| credential.client.client_id);
        let shown = world.heard("/token").pop().and_then(|heard| heard.headers.get("authorization").cloned());
        outcome.map(|client| (client, shown.is_some())).map_err(|error| error.to_string())
    };
    let with_secret = |secret: &str| Some(RegisteredClient::with_secret("mine", Secret::new(secret)));
    let mine = Ok(("mine".to_owned(), true));
    let failing = Some(("/token", Odd::Text(400, "application/json", r#"{"error":"invalid_client"}"#)));
    first.twist(|twists| twists.at = failing);
    assert!(sign_in(&first, "one", with_secret("wrong")).await.unwrap_err().contains("invalid_client"));
    first.twist(|twists| twists.at = None);
    assert_ne!(sign_in(&first, "one", None).await, mine, "it led to nothing, and is not kept");
    assert_eq!(sign_in(&first, "one", with_secret("sesame")).await, mine);
    assert_eq!(sign_in(&first, "one", None).await, mine);
    assert_eq!(sign_in(&first, "two", None).await, mine, "another server of the same issuer");
    assert_ne!(sign_in(&second, "three", None).await, mine, "another issuer");
    let other = Some(RegisteredClient::public("other"));
    assert_eq!(sign_in(&first, "one", other).await, Ok(("other".to_owned(), false)));
    assert_eq!(sign_in(&first, "two", None).await, Ok(("other".to_owned(), false)));
}

#[tokio::test]
async fn a_program_with_a_key_is_known_by_its_document() {
    let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
    let document = Url::parse("https://app.example/client.json").unwrap();
    let identity = ClientIdentity::new("test").described_by(document.clone()).signing(key.clone());
    let written = identity.document(&["http://127.0.0.1/callback"]).unwrap();
    assert_eq!(written["client_id"], document.as_str());
    assert_eq!(written["token_endpoint_auth_method"], "private_key_jwt");
    assert_eq!(written["token_endpoint_auth_signing_alg"], "ES256");
    assert_eq!(written["jwks"]["keys"][0], json!(key.public()));
    assert!(!written.to_string().contains(r#""d""#), "{written}");

    // The columns: the metadata of the server; the client of the document can be used.
    let table = [
        (json!({"client_id_metadata_document_supported": false}), false),
        (json!({}), true),
        (json!({"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"]}), true),
        (json!({"token_endpoint_auth_methods_supported": ["none"]}), false),
        (json!({"token_endpoint_auth_signing_alg_values_supported": ["RS256"]}), false),
        (json!({"token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"]}), true),
    ];
    for (says, known) in table {
        let mut metadata = json!({
            "client_id_metadata_document_supported": true, "token_endpoint_auth_methods_supported": null,
        });
        metadata.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        let world = World::twisted(Twists { metadata: metadata.clone(), ..Twists::default() }).await;
        let oauth =
            OAuth::builder(world.server.clone(), identity.clone()).policy(policy()).clock(world.clock());
        let oauth = oauth.user_agent(person()).build().unwrap();
        assert_eq!(world.call(&oauth).await, Ok(200), "{metadata}");
        world.sleep(3590);
        assert_eq!(world.call(&oauth).await, Ok(200), "{metadata}");
        for token in world.heard("/token") {
            assert_eq!(
                token.form.get("client_id").is_some_and(|id| id == "registered"),
                !known,
                "{metadata}"
            );
            let assertion =
                token.form.get("client_assertion").map(|assertion| Jwt::parse(assertion).unwrap());
            assert_eq!(assertion.is_some(), known, "{metadata}");
            if let Some(assertion) = assertion {
                let keys = JwkSet { keys: vec![key.public().clone()] };
                let claims: Claims = assertion.verify_with(&keys, Algorithm::ALL).unwrap().claims().unwrap();
                assert_eq!(
                    (claims.iss.as_deref(), claims.sub.as_deref()),
                    (Some(document.as_str()), Some(document.as_str()))
                );
            }
        }
        assert_eq!(world.heard("/token").len(), 2, "{metadata}");
    }
}

#[tokio::test]
async fn the_person_is_asked_last() {
    let world =
        World::twisted(Twists { metadata: json!({ "registration_endpoint": null }), ..Twists::default() })
            .await;
    let error = world.call(&world.client().build().unwrap()).await.unwrap_err();
    assert!(error.contains("Register a client in the vendor's own settings"), "{error}");
    let asked = person().ask_client(|issuer: &str| {
        let client = RegisteredClient {
            issuer: Some(issuer.to_owned()),
            client_id: "typed".into(),
            auth: ClientAuth::None,
        };
        async move { Some(client) }
    });
    assert_eq!(world.call(&world.client().user_agent(asked).build().unwrap()).await, Ok(200));
    assert_eq!(world.heard("/authorize")[0].param("client_id"), Some("typed"));
}

#[tokio::test]
async fn a_program_gets_its_own_tokens_again() {
    let world = World::new().await;
    let client = RegisteredClient::with_secret("robot", Secret::new("a b")).at(&world.issuer);
    let oauth = world
        .client()
        .grant(GrantType::ClientCredentials(ClientCredentialsGrant { client }))
        .build()
        .unwrap();
    world.twist(|twists| twists.tokens = json!({ "refresh_token": null }));
    assert_eq!(world.call(&oauth).await, Ok(200));
    world.sleep(3590);
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(world.grants("client_credentials"), 2, "ahead of its end");
    assert_eq!(world.heard("/mcp").len(), 3);
    world.revoke();
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(world.heard("/authorize").len(), 0);
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let world = World::new().await;
    let store = Arc::new(MemoryStore::new());
    let absent = LoopbackUserAgent::new(|_| Ok(())).timeout(Duration::from_millis(50));
    let oauth = world.client().user_agent(absent).store(store.clone(), "me").build().unwrap();
    assert!(world.call(&oauth).await.unwrap_err().contains("did not sign in"));
    let blind = LoopbackUserAgent::new(|_| Err("no browser".to_owned()));
    let oauth = world.client().user_agent(blind).store(store.clone(), "me").build().unwrap();
    assert!(world.call(&oauth).await.unwrap_err().contains("cannot be shown here: no browser"));
    assert_eq!(store.keys("credential/").await.unwrap(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_token_is_proved_by_a_call() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert!(matches!(
        oauth.check_token().await,
        Ok(TokenCheck::Missing(BearerChallenge { resource_metadata: Some(_), .. }))
    ));
    assert_eq!(world.heard("/authorize").len(), 0, "asking signs nobody in");
    assert!(oauth.ensure().await.unwrap().is_some());
    assert_eq!(oauth.check_token().await, Ok(TokenCheck::Accepted));
    let (signed_in, calls) = (world.heard("/authorize").len(), world.heard("/mcp").len());
    assert!(oauth.ensure().await.unwrap().is_some());
    assert_eq!((world.heard("/authorize").len(), world.heard("/mcp").len()), (signed_in, calls + 1));
    world.revoke();
    assert!(
        matches!(oauth.check_token().await, Ok(TokenCheck::Refused(_))),
        "it is there, and is worth nothing"
    );
    assert_eq!(world.grants("refresh_token"), 0);
    assert!(oauth.ensure().await.unwrap().is_some());
    assert_eq!(oauth.check_token().await, Ok(TokenCheck::Accepted));

    let open = World::twisted(Twists {
        at: Some(("/mcp", Odd::Text(200, "application/json", "{}"))),
        ..Twists::default()
    });
    let oauth = open.await.client().build().unwrap();
    assert_eq!(
        (oauth.check_token().await, oauth.ensure().await.unwrap().is_none()),
        (Ok(TokenCheck::NotNeeded), true)
    );

    const UNKNOWN: &str = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no ping here"}}"#;
    let table = [(404, UNKNOWN, true), (404, "no such page", false), (502, "<h1>Bad Gateway</h1>", false)];
    for (status, body, proves) in table {
        let at = Some(("/mcp", Odd::Text(status, "text/plain", body)));
        let world = World::twisted(Twists { at, ..Twists::default() }).await;
        let proof = world.client().build().unwrap().check_token().await;
        assert_eq!(proof.is_ok(), proves, "{status} {body}: {proof:?}");
    }
}
