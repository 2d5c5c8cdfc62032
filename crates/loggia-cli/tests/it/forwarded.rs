//! What a caller shows to the hub goes no further: no upstream ever sees a token, an API key, a cookie or a
//! session of ours. Everything that reaches an upstream is recorded and looked through.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::auth::{By, login};
use crate::program::run_in;
use crate::protected::Browser;
use crate::server;
use crate::up::up;

/// Stands before a server and writes down what is said.
pub(crate) struct Tap {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<u8>>>,
    answered: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    pub(crate) fn before(url: &str) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = url.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
        let address = listener.local_addr().expect("an address").to_string();
        let tap =
            Tap { url: url.replace(&server, &address), asked: Arc::default(), answered: Arc::default() };
        let (asked, answered) = (tap.asked.clone(), tap.answered.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(&server) else { continue };
                let both = |stream: &TcpStream| stream.try_clone().expect("a stream");
                pass(both(&client), both(&upstream), asked.clone());
                pass(upstream, client, answered.clone());
            }
        });
        tap
    }

    pub(crate) fn asked(&self) -> String {
        String::from_utf8_lossy(&self.asked.lock().expect("no panic")).into_owned()
    }

    fn answered(&self) -> String {
        String::from_utf8_lossy(&self.answered.lock().expect("no panic")).into_owned()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, record: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read) = from.read(&mut buffer)
            && read > 0
        {
            record.lock().expect("no panic").extend_from_slice(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // Whoever has closed already is not told again.
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[cfg(unix)]
#[test]
fn nothing_that_a_caller_shows_goes_further() {
    let kitchen = server::start();
    let upstream = Tap::before(&kitchen.url);
    let folder = tempfile::tempdir().expect("a folder");
    let seen = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let (loggia, url) = (env!("CARGO_BIN_EXE_loggia"), &upstream.url);
    let config = format!(
        "[connectors.new]\nkind = \"remote\"\nurl = \"{url}\"\n\
         [connectors.old]\nkind = \"remote\"\nurl = \"{url}\"\nprotocol = \"2025-06-18\"\n\
         [connectors.child]\nkind = \"stdio\"\ncommand = \"sh\"\n\
         args = [\"-c\", \"env > environment; tee asked | '{loggia}' up --stdio --no-config --root .\"]\n"
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let mut hub = up(folder.path(), &["--auth"]);
    let before = Tap::before(&hub.url);

    // By API key, with a cookie and a session, in both eras.
    let key = run_in(folder.path(), &["auth", "keys", "create"]).stdout.trim().to_owned();
    let (bearer, cookie) = (format!("Authorization: Bearer {key}"), "s3cr3t-cookie");
    let call = |url: &str, era: &str, tool: &str, more: &[&str]| {
        let line = ["call", "--era", era, url, tool].iter().chain(more).copied().collect::<Vec<_>>();
        let run = run_in(folder.path(), &line);
        assert_eq!(run.code, Some(0), "{era} {tool}: {run}");
    };
    let cookie_line = format!("Cookie: loggia-session={cookie}");
    let tools = [
        ("new_echo", "text=unmistakable"),
        ("old_echo", "text=unmistakable"),
        ("child_files_find", "glob=*"),
    ];
    for era in ["modern", "2025-11-25"] {
        for (tool, argument) in tools {
            call(&before.url, era, tool, &[argument, "--header", &bearer, "--header", &cookie_line]);
        }
    }
    // By a token.
    let (base, real) = (hub.base(), hub.url.clone());
    let signed_in = login(folder.path(), &real, &[], &mut Browser::new(&base, || hub.link()), By::Redirect);
    assert_eq!(signed_in.code, Some(0), "{signed_in}");
    for (tool, argument) in tools {
        call(&real, "auto", tool, &[argument]);
    }

    let said = before.answered().to_lowercase();
    let session =
        said.split("mcp-session-id: ").nth(1).expect("a session").split('\r').next().expect("an id");
    let token = token(folder.path());
    let reached = [upstream.asked(), seen("environment"), seen("asked")];
    assert!(before.asked().contains(&key) && before.asked().contains(cookie), "the tap hears what is shown");
    assert!(reached[0].contains("unmistakable") && reached[2].contains("tools/call"), "the calls arrived");
    assert!(reached[1].contains("PATH="), "the environment was seen: {}", reached[1]);
    for text in reached {
        for secret in [&*key, cookie, &token, session, "lgk_", "Authorization", "Cookie"] {
            assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{secret} went on: {text}");
        }
    }
    hub.stop();
}

/// The access token that the hub gave.
pub(crate) fn token(folder: &std::path::Path) -> String {
    let files = std::fs::read_dir(folder.join("credentials")).expect("a folder");
    let records = files.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let tokens = records.filter_map(|record| {
        let record: serde_json::Value = serde_json::from_str(&record).ok()?;
        let value: serde_json::Value = serde_json::from_str(record["value"].as_str()?).ok()?;
        value["access_token"].as_str().map(str::to_owned)
    });
    tokens.into_iter().next().expect("a token")
}
