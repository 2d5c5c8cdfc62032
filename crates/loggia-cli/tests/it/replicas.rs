//! Two `loggia up` over one database, behind one address, at the same time: whichever a connection reaches, answers.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::runtime::Runtime;
use url::Url;

use crate::auth::{By, login};
use crate::forwarded::token;
use crate::program::{command, run_in};
use crate::protected::{self, Browser};

/// A replica, as long as this is kept.
struct Replica {
    address: String,
    child: Child,
}

impl Replica {
    /// Starts one; the links that it shows go to `links`.
    fn start(folder: &Path, public: &str, database: &str, key: &str, links: Sender<String>) -> Replica {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let args = ["up", "--auth", "--listen", &address, "--public-url", public];
        let mut up = command(folder, &args);
        up.env("DATABASE_URL", database).env("LOGGIA_MASTER_KEY", key).env("USER", "ada");
        let mut child = up.stderr(Stdio::inherit()).spawn().expect("it starts");
        let mut lines =
            BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Ctrl-C stops it")), "it ended");
        std::thread::spawn(move || {
            for link in lines.filter_map(|line| line.strip_prefix("Sign in at ").map(str::to_owned)) {
                // Who is gone signs in no more.
                let _ = links.send(link);
            }
        });
        Replica { address, child }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends each connection to the next of the replicas that are there.
fn balance(listener: TcpListener, addresses: Receiver<Vec<String>>) {
    std::thread::spawn(move || {
        let mut all = addresses.recv().expect("replicas");
        for (n, client) in listener.incoming().map_while(Result::ok).enumerate() {
            all = addresses.try_iter().last().unwrap_or(all);
            let Ok(upstream) = TcpStream::connect(&all[n % all.len()]) else { continue };
            let both = |stream: &TcpStream| stream.try_clone().expect("a stream");
            for (mut from, mut to) in [(both(&client), both(&upstream)), (upstream, client)] {
                std::thread::spawn(move || {
                    // Whoever breaks off has broken off.
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
}

/// The databases there are, each empty: a file that both share, and a PostgreSQL where one is named.
fn databases(folder: &Path) -> Vec<String> {
    let mut all = vec![format!("sqlite:{}", folder.join("shared.db").display())];
    if let Ok(server) = std::env::var("LOGGIA_TEST_POSTGRES") {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date").as_nanos();
        let name = format!("up_{}_{unique}", std::process::id());
        Runtime::new().expect("a runtime").block_on(async {
            let connected = tokio_postgres::connect(&server, tokio_postgres::NoTls).await;
            let (client, connection) = connected.expect("a server");
            tokio::spawn(connection);
            client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("created");
        });
        let mut url = Url::parse(&server).expect("a URL");
        url.set_path(&name);
        all.push(url.into());
    }
    all
}

#[test]
fn replicas_share_who_is_signed_in() {
    let folder = tempfile::tempdir().expect("a folder");
    for (n, database) in databases(folder.path()).into_iter().enumerate() {
        let here = folder.path().join(n.to_string());
        std::fs::create_dir(&here).expect("a folder");
        go_back_and_forth(&here, &database);
    }
}

fn go_back_and_forth(folder: &Path, database: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let public = format!("http://{}", listener.local_addr().expect("an address"));
    let url = format!("{public}/mcp");
    let (change, addresses) = channel();
    let (shown, links) = channel();
    let key = STANDARD.encode([7; 32]);
    let start = || Replica::start(folder, &public, database, &key, shown.clone());
    let (one, other) = (start(), start());
    change.send(vec![one.address.clone(), other.address.clone()]).expect("it balances");
    balance(listener, addresses);
    let here = |args: &[&str]| {
        let run = command(folder, args).env("DATABASE_URL", database).env("LOGGIA_MASTER_KEY", &key).output();
        crate::program::Run::from(run.expect("it runs"))
    };
    // Registered at one, shown the page by the other, and so on: each request is another connection.
    let mut browser = Browser::new(&public, || links.recv().expect("a link is shown"));
    let signed_in = login(folder, &url, &[], &mut browser, By::Redirect);
    assert_eq!(signed_in.code, Some(0), "{database}: {signed_in}");
    for _ in 0..4 {
        let call = run_in(folder, &["call", &url, "files_find", "glob=*"]);
        assert_eq!(call.code, Some(0), "{database}: {call}");
    }
    for _ in 0..3 {
        let renewed = run_in(folder, &["auth", "refresh", &url]);
        assert_eq!(renewed.code, Some(0), "{database}: {renewed}");
    }
    // Twenty at once, whose requests reach both.
    let running: Vec<_> = (0..20)
        .map(|_| command(folder, &["auth", "refresh", &url]).spawn().expect("it starts"))
        .map(|child| std::thread::spawn(move || child.wait_with_output().expect("it ends").status.code()))
        .collect();
    let codes: Vec<_> = running.into_iter().map(|one| one.join().expect("no panic")).collect();
    assert!(codes.iter().all(|code| *code == Some(0)), "{database}: {codes:?}");

    // What ends at one ends at both; a key that is made or taken back anywhere, too.
    let key_of = |args: &[&str]| here(&[&["auth", "keys"], args].concat()).stdout.trim().to_owned();
    let script = key_of(&["create"]);
    let access = token(folder);
    // Without its proof the token of the sign-in is of no use; why it is refused says whether it lives.
    let lives = |address: &str, token: &str| {
        let request = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let headers = format!("Authorization: Bearer {token}\r\n");
        let (head, _) = protected::post_json(&format!("http://{address}/mcp"), &headers, &request);
        let refused = head.starts_with("HTTP/1.1 401");
        assert!(token != access || refused, "{database}: a bound token is taken without its proof: {head}");
        !refused || head.contains("The token is bound to a key")
    };
    let both = |token: &str| [&one, &other].map(|replica| lives(&replica.address, token));
    let until = |token: &str, expected: bool| {
        let begun = Instant::now();
        while both(token) != [expected; 2] {
            assert!(begun.elapsed() < Duration::from_secs(60), "{database}: the replicas do not agree");
        }
    };
    until(&access, true);
    until(&script, true);
    assert_eq!(run_in(folder, &["auth", "logout", &url]).code, Some(0));
    until(&access, false);
    let id = script.trim_start_matches("lgk_").split('_').next().expect("an id").to_owned();
    assert_eq!(here(&["auth", "keys", "revoke", &id]).code, Some(0));
    until(&script, false);

    // One dies in the middle of a sign-in, which the other ends.
    let registered = protected::post_json(
        &format!("{public}/oauth/register"),
        "",
        &serde_json::json!({ "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none" }),
    );
    let registered: serde_json::Value = serde_json::from_str(&registered.1).expect("JSON");
    let page = format!(
        "{public}/oauth/authorize?response_type=code&client_id={}&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        registered["client_id"].as_str().expect("an id")
    );
    assert!(browser.see(&page).contains("Allow this?"), "{database}: still signed in in the browser");
    let last = other.address.clone();
    change.send(vec![last]).expect("it balances");
    drop(one);
    let address = browser.allow(&page);
    assert!(address.starts_with("http://127.0.0.1:1/cb?code="), "{database}: {address}");
}
