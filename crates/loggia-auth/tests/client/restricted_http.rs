//! The requests that the restricted HTTP client allows: checked before the name is resolved, after that, and after
//! each redirect.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia_auth::restricted_http::{FetchError, FetchPolicy, FetchRequest, Resolver, RestrictedHttpClient};
use url::Url;

use crate::world::{Odd, Twists, World};

/// Names and where they lead; remembers which were asked for.
#[derive(Clone, Default)]
struct Names {
    known: HashMap<&'static str, Vec<IpAddr>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Resolver for Names {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let found = self.known.get(host).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)) })
    }
}

fn names(known: &[(&'static str, &str)]) -> Names {
    let addresses = |text: &str| text.split(' ').map(|address| address.parse().unwrap()).collect();
    Names {
        known: known.iter().map(|(name, text)| (*name, addresses(text))).collect(),
        asked: Arc::default(),
    }
}

#[tokio::test]
async fn addresses_are_checked_before_and_after_resolving() {
    let names = names(&[
        ("metadata.example", "169.254.169.254"),
        ("inside.example", "10.0.0.7 fd00::7"),
        ("self.example", "127.0.0.1 ::1"),
        ("mapped.example", "::ffff:10.0.0.1"),
        ("translated.example", "64:ff9b::a00:1"),
        ("localhost", "93.184.216.34"),
        ("app.localhost", "93.184.216.34"),
    ]);
    let strict = FetchPolicy { timeout: Duration::from_secs(2), ..FetchPolicy::default() };
    let open =
        FetchPolicy { loopback: true, networks: vec!["10.9.0.0/16".parse().unwrap()], ..strict.clone() };
    let table = [
        (&strict, "http://a.example/", "not an https URL"),
        (&strict, "ftp://a.example/", "not an https URL"),
        (&strict, "https://user@a.example/", "user name or password"),
        (&strict, "https://127.0.0.1/", "the machine itself"),
        (&strict, "https://2130706433/", "the machine itself"),
        (&strict, "https://0x7f.1/", "the machine itself"),
        (&strict, "https://[::1]/", "the machine itself"),
        (&strict, "https://[::ffff:127.0.0.1]/", "the machine itself"),
        (&strict, "https://localhost./", "the machine itself"),
        (&strict, "https://127.1/", "the machine itself"),
        (&strict, "https://0177.0.0.1/", "the machine itself"),
        (&strict, "https://127\u{3002}0\u{3002}0\u{3002}1/", "the machine itself"),
        (&strict, "https://\u{2460}\u{2461}\u{2466}.0.0.1/", "the machine itself"),
        (&strict, "https://\u{24db}ocalhost/", "the machine itself"),
        (&strict, "https://a.LOCALHOST/", "the machine itself"),
        (&strict, "https://[::ffff:0:0]/", "not a public one"),
        (&strict, "https://[64:ff9b::7f00:1]/", "not a public one"),
        (&strict, "https://[64:ff9b:1::808:808]/", "not a public one"),
        (&strict, "https://[2002:c0a8:1::]/", "not a public one"),
        (&strict, "https://[fd00:ec2::254]/", "not a public one"),
        (&strict, "https://100.100.100.200/", "not a public one"),
        (&strict, "https://10.0.0.1/", "not a public one"),
        (&strict, "https://[fe80::1]/", "not a public one"),
        (&strict, "https://0.0.0.0/", "not a public one"),
        (&strict, "https://metadata.example/latest", "leads to an address that is not a public one"),
        (&strict, "https://inside.example/", "leads to an address that is not a public one"),
        (&strict, "https://self.example/", "leads to an address that is not a public one"),
        (&strict, "https://mapped.example/", "leads to an address that is not a public one"),
        (&strict, "https://translated.example/", "leads to an address that is not a public one"),
        (&strict, "https://MAPPED.example/", "leads to an address that is not a public one"),
        (&strict, "https://unknown.example/", "cannot be fetched"),
        (&open, "https://metadata.example/", "leads to an address that is not a public one"),
        (&open, "https://10.8.0.1/", "not a public one"),
        (&open, "http://self.example/", "not an https URL"),
        // `http` is only for this machine: its names must not resolve to other addresses.
        (&open, "http://localhost/", "leads to an address that is not a public one"),
        (&open, "http://app.localhost/", "leads to an address that is not a public one"),
    ];
    for (policy, url, said) in table {
        let http = RestrictedHttpClient::with_resolver((*policy).clone(), names.clone()).unwrap();
        let error = http.get(&Url::parse(url).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains(said), "{url}: {error}");
    }
    let asked = names.asked.lock().unwrap().clone();
    assert!(
        !asked.iter().any(|name| name == "a.example"),
        "what is refused by its URL is not even looked up"
    );
}

#[tokio::test]
async fn a_server_that_we_were_told_to_use_may_be_anywhere() {
    let world = World::new().await;
    let policy = FetchPolicy { timeout: Duration::from_secs(5), ..FetchPolicy::default() };
    let closed = RestrictedHttpClient::new(policy.clone()).unwrap();
    assert!(matches!(closed.get(&world.server).await, Err(FetchError::Refused { .. })));
    let open = RestrictedHttpClient::new(policy.trusting(&world.server)).unwrap();
    assert_eq!(open.get(&world.server).await.unwrap().status, 401);
    let other = Url::parse(&world.issuer).unwrap();
    assert!(matches!(open.get(&other).await, Err(FetchError::Refused { .. })), "only that one, though");
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_they_may() {
    let world = World::new().await;
    let http = RestrictedHttpClient::new(FetchPolicy {
        timeout: Duration::from_secs(5),
        ..FetchPolicy::development()
    })
    .unwrap();
    let twist = |at: &'static str, odd| {
        world.twist(|twists| *twists = Twists { at: Some((at, odd)), ..Twists::default() })
    };

    let target = format!("{}/.well-known/oauth-authorization-server?x=secret", world.issuer);
    twist("/mcp", Odd::Redirect(302, target.clone()));
    let reply = http.get(&world.server).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.url.as_str()), (200, target.as_str()));

    let secret = loggia_auth::secret::Secret::new("sesame");
    let fetch = FetchRequest::get(world.server.clone()).authorization("Bearer", &secret).unwrap();
    http.send(fetch).await.unwrap();
    let there = world.heard("/.well-known/oauth-authorization-server").pop().unwrap();
    assert!(!there.headers.contains_key("authorization"), "credentials stay at home");

    let none = http.send(FetchRequest::get(world.server.clone()).redirects(0)).await.unwrap_err().to_string();
    assert!(none.contains("points to") && !none.contains("secret"), "{none}");
    let posted = http.send(FetchRequest::form(world.server.clone(), [("a", "b")])).await.unwrap_err();
    assert!(matches!(posted, FetchError::Refused { .. }));
}

#[tokio::test]
async fn answers_have_an_end() {
    let world = World::new().await;
    let policy =
        FetchPolicy { timeout: Duration::from_millis(300), most_bytes: 1000, ..FetchPolicy::development() };
    let http = RestrictedHttpClient::new(policy).unwrap();
    world.twist(|twists| twists.at = Some(("/mcp", Odd::Endless)));
    assert!(matches!(http.get(&world.server).await, Err(FetchError::TooLong { limit: 1000, .. })));
    world.twist(|twists| twists.at = Some(("/mcp", Odd::Never)));
    assert!(matches!(http.get(&world.server).await, Err(FetchError::TimedOut { .. })));
}
