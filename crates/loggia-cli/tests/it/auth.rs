//! `loggia auth`, and the commands that use what it keeps.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Run, command, run, run_in, settings, shows};
use crate::protected::{Browser, Protected, get, start, start_with};
use crate::server;

/// How the answer comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Redirect,
    Paste,
    /// After what else was in the clipboard.
    WrongPaste,
}

/// Signs in as a person does.
pub(crate) fn login(folder: &Path, target: &str, more: &[&str], browser: &mut Browser<'_>, by: By) -> Run {
    let args: Vec<&str> = ["auth", "login", target, "--no-browser"].iter().chain(more).copied().collect();
    sign_in(command(folder, &args), browser, by)
}

fn sign_in(mut login: Command, browser: &mut Browser<'_>, by: By) -> Run {
    let mut child = login.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut said = String::new();
    let page = loop {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).expect("it prints"), 0, "it ended: {said}");
        said.push_str(&line);
        if line.trim().starts_with("http://") {
            break line.trim().to_owned();
        }
    };
    let address = browser.allow(&page);
    match by {
        By::Redirect => assert!(get(&address).contains("Signed in")),
        By::Paste => writeln!(stdin, "\n  {address}").expect("it reads"),
        By::WrongPaste => writeln!(stdin, "hello\n{page}\n{address}x&state=y\n{address}").expect("it reads"),
    }
    stderr.read_to_string(&mut said).expect("it prints");
    let mut run = Run::from(child.wait_with_output().expect("it ends"));
    run.stderr = said;
    run
}

fn signed_in(folder: &Path, server: &Protected) {
    let login = login(folder, &server.url, &[], &mut server.browser(), By::Redirect);
    assert_eq!(login.code, Some(0), "{login}");
}

#[test]
fn help_says_everything() {
    shows!("auth_help", run(&["auth", "--help"]));
    shows!("auth_help_login", run(&["auth", "login", "--help"]));
    shows!("auth_help_keys", run(&["auth", "keys", "create", "--help"]));
    shows!("auth_help_people", run(&["auth", "people", "--help"]));
    shows!("auth_nothing", run(&["auth"]));
    shows!("auth_not_a_server", run(&["auth", "login", "unix:/run/server"]));
    shows!("auth_builtin", run(&["auth", "login", "files"]));
    shows!("auth_status_nowhere", run(&["auth", "status"]));
    shows!("auth_open_network", run(&["auth", "login", "http://mcp.example.com/mcp"]));
    shows!("auth_no_network", run(&["auth", "status", "--allow-network", "10.0.0.0/33"]));
    let variable =
        command(&std::env::temp_dir(), &["auth", "status"]).env("LOGGIA_ALLOW_NETWORK", "10.0.0/8").output();
    shows!("auth_no_network_variable", Run::from(variable.expect("it ends")));
}

#[test]
fn signing_in_lasts_until_signing_out() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let here = |args: &[&str]| run_in(folder.path(), args);
    let url = server.url.as_str();
    shows!("auth_wanted", here(&["tools", url]));
    shows!("auth_status_out", here(&["auth", "status", url]));
    shows!("auth_refresh_out", here(&["auth", "refresh", url]));
    shows!("auth_login", login(folder.path(), url, &[], &mut server.browser(), By::Redirect));
    shows!("auth_call", here(&["call", url, "whoami"]));
    shows!("auth_login_again", here(&["auth", "login", url]));
    shows!("auth_status", here(&["auth", "status", url]));
    shows!("auth_status_all", here(&["auth", "status"]));
    shows!("auth_refresh", here(&["auth", "refresh", url]));
    shows!("auth_logout", here(&["auth", "logout", url]));
    shows!("auth_logout_again", here(&["auth", "logout", url]));
    assert_eq!(here(&["call", url, "whoami"]).code, Some(3));
}

#[test]
fn what_is_pasted_wrongly_is_pasted_again() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let login = login(folder.path(), &server.url, &[], &mut server.browser(), By::WrongPaste);
    shows!("auth_login_pasted", login);
}

/// What was kept is damaged, or of a version that does not understand it: it stands in nobody's way.
#[test]
fn what_cannot_be_read_is_said_and_put_away() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let here = |args: &[&str]| run_in(folder.path(), args);
    let mut browser = server.browser();
    let mut sign_in = || login(folder.path(), &server.url, &[], &mut browser, By::Redirect);
    let spoil = |login: Run, with: fn(&str) -> String| {
        assert_eq!(login.code, Some(0), "{login}");
        let files = std::fs::read_dir(folder.path().join("credentials")).expect("a folder");
        let records = files.map(|file| file.expect("read").path()).filter(|path| path.is_file());
        let is_it = |text: &str| text.contains("\"key\":\"credential/");
        for path in records {
            let text = std::fs::read_to_string(&path).expect("text");
            if is_it(&text) {
                std::fs::write(path, with(&text)).expect("written");
            }
        }
    };
    let damaged: fn(&str) -> String = |text| text[..40].to_owned();
    let strange: fn(&str) -> String = |text| text.replace("access_token", "token_of_access");
    let mut settings = settings();
    settings.add_filter(r"[\w-]{43}\.json", "FILE.json");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME");
    settings.bind(|| {
        for (name, spoilt) in [("damaged", damaged), ("strange", strange)] {
            spoil(sign_in(), spoilt);
            let shows = |what: &str, args: &[&str]| {
                insta::assert_snapshot!(format!("auth_{name}_{what}"), here(args).to_string());
            };
            shows("status", &["auth", "status", &server.url]);
            shows("status_all", &["auth", "status"]);
            shows("call", &["call", &server.url, "whoami"]);
            shows("logout", &["auth", "logout", &server.url]);
            shows("logout_again", &["auth", "logout", &server.url]);
            spoil(sign_in(), spoilt);
            insta::assert_snapshot!(format!("auth_{name}_login"), sign_in().to_string());
            assert_eq!(here(&["auth", "logout", &server.url]).code, Some(0));
        }
    });
}

/// A folder of credentials that nobody may write to keeps nobody from servers that want none, or that take what is there.
#[test]
fn credentials_that_may_only_be_read_are_used() {
    let (folder, server, open) = (tempfile::tempdir().expect("a folder"), start(), server::start());
    signed_in(folder.path(), &server);
    let lock = folder.path().join("credentials/lock");
    std::fs::remove_file(&lock).expect("removed");
    std::fs::create_dir(&lock).expect("created");
    let here = |args: &[&str]| run_in(folder.path(), args);
    let call = here(&["call", &server.url, "whoami"]);
    assert!(call.stdout.contains("me: mcp"), "{call}");
    assert_eq!(here(&["auth", "status", &server.url]).code, Some(0));
    assert_eq!(here(&["tools", &open.url]).code, Some(0));
    shows!("auth_only_read", here(&["auth", "logout", &server.url]));
}

#[test]
fn an_answer_may_be_pasted() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let mut browser = server.browser();
    let login = login(folder.path(), &server.url, &["-o", "json"], &mut browser, By::Paste);
    let report: Value = serde_json::from_str(&login.stdout).unwrap_or_else(|e| panic!("{e}: {login}"));
    assert_eq!(report["state"], "signed-in", "{login}");
    assert_eq!(report["scopes"], serde_json::json!(["mcp", "offline_access"]), "{login}");
    assert!(report["expiresAt"].is_u64() && report["renewable"] == true, "{login}");
    let status = run_in(folder.path(), &["auth", "status", "-o", "json"]);
    let all: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|e| panic!("{e}: {status}"));
    assert_eq!(all["servers"][0]["server"], server.url.as_str(), "{status}");
}

/// What opens pages here tells them to us.
#[cfg(target_os = "linux")]
#[test]
fn the_browser_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let pipe = folder.path().join("pages");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let opener = folder.path().join("xdg-open");
    std::fs::write(&opener, format!("#!/bin/sh\necho \"$1\" > '{}'\n", pipe.display())).expect("written");
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o700)).expect("allowed");
    let login = command(folder.path(), &["auth", "login", &server.url])
        .env("PATH", folder.path())
        .spawn()
        .expect("it starts");
    let end = pipe.clone();
    let ending = std::thread::spawn(move || {
        let output = login.wait_with_output().expect("it ends");
        // Whoever still waits for a page waits no longer.
        drop(std::fs::OpenOptions::new().read(true).write(true).open(end));
        Run::from(output)
    });
    let page = std::fs::read_to_string(&pipe).expect("a pipe");
    assert!(!page.is_empty(), "no page was opened");
    assert!(get(&server.browser().allow(page.trim())).contains("Signed in"));
    let run = ending.join().expect("no panic");
    shows!("auth_login_browser", run);
}

#[test]
fn more_scopes_are_had_by_signing_in_anew() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let mut browser = server.browser();
    let mut scopes = |more: &[&str]| {
        let login = login(folder.path(), &server.url, more, &mut browser, By::Redirect);
        login.stdout.lines().find(|line| line.contains("scopes")).map(|line| line.trim().to_owned())
    };
    assert_eq!(scopes(&[]).as_deref(), Some("scopes   mcp offline_access"));
    shows!("auth_lacks_scope", run_in(folder.path(), &["call", &server.url, "write"]));
    assert_eq!(scopes(&["--scope", "mcp:write"]).as_deref(), Some("scopes   mcp mcp:write offline_access"));
}

#[test]
fn a_client_that_was_registered_by_hand_is_named_once() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start_with(false));
    shows!("auth_unlisted", run_in(folder.path(), &["auth", "login", &server.url]));
    let mut browser = server.browser();
    let mut login = |more: &[&str], secret: Option<&str>| {
        let args = [&["auth", "login", &server.url, "--no-browser"], more].concat();
        let mut login = command(folder.path(), &args);
        login.envs(secret.map(|secret| ("LOGGIA_CLIENT_SECRET", secret)));
        let run = sign_in(login, &mut browser, By::Redirect);
        let port = port_of(&run);
        (run.code, run.stderr.contains("client_id=by-hand"), port)
    };
    let named = ["--client-id", "by-hand", "--client-secret"];
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let text = port.to_string();
    let fixed = [&named[..], &["--callback-port", &text]].concat();
    assert_eq!(login(&fixed, Some("sesame")), (Some(0), true, port));
    let logout = || run_in(folder.path(), &["auth", "logout", &server.url]);
    assert_eq!(logout().code, Some(0));
    let (code, kept, _) = login(&[], None);
    assert_eq!((code, kept), (Some(0), true), "it is kept for its issuer");
    assert!(run_in(folder.path(), &["call", &server.url, "whoami"]).stdout.contains("me: mcp"));
    let mut empty = command(folder.path(), &[&["auth", "login", &server.url], &named[..]].concat());
    shows!("auth_no_secret", Run::from(empty.stdin(Stdio::null()).output().expect("it ends")));
}

/// The port to which the browser was sent.
fn port_of(run: &Run) -> u16 {
    let page = run.stderr.lines().find(|line| line.trim().starts_with("http://")).expect("a page");
    let (_, rest) = page.split_once("redirect_uri=http%3A%2F%2F127.0.0.1%3A").expect("a redirect");
    rest.split('%').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn status_asks_the_server() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    signed_in(folder.path(), &server);
    let status = || run_in(folder.path(), &["auth", "status", &server.url]);
    server.replace_keys();
    shows!("auth_status_renewed", status());
    server.replace_keys();
    let call = run_in(folder.path(), &["call", &server.url, "whoami"]);
    assert_eq!(call.code, Some(0), "a call renews: {call}");
    server.forget();
    shows!("auth_status_revoked", status());
    shows!("auth_revoked", run_in(folder.path(), &["call", &server.url, "whoami"]));
    let open = server::start();
    shows!("auth_status_not_needed", run(&["auth", "status", &open.url]));
    shows!("auth_login_not_needed", run(&["auth", "login", &open.url]));
}

#[test]
fn what_is_given_on_the_line_is_what_is_sent() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    signed_in(folder.path(), &server);
    let run = run_in(folder.path(), &["call", &server.url, "whoami", "-H", "Authorization: Bearer wrong"]);
    assert_eq!(run.code, Some(3), "{run}");
}

#[cfg(unix)]
#[test]
fn credentials_are_for_nobody_elses_eyes() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    signed_in(folder.path(), &server);
    let kept = folder.path().join("credentials");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&kept), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&kept).expect("a folder").map(|entry| entry.expect("read")).collect();
    assert!(files.len() > 1);
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{:?}", file.path());
    }
}

/// Writes a connector whose manifest has a server at this URL, and a second backend.
fn write_manifest(folder: &Path, url: &str) {
    let manifest = format!(
        "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"Acme.\"\n\
         [[backends]]\nkind = \"remote\"\nurl = \"{url}\"\nunusable_when = \"Acme admits its partners only.\"\n\
         [backends.auth]\nclass = \"dynamic_registration\"\nread_scopes = [\"mcp\"]\nwrite_scopes = [\"mcp:write\"]\n\
         [[backends]]\nname = \"files\"\nkind = \"builtin\"\nbuiltin = \"files\"\n"
    );
    std::fs::write(folder.join("acme.toml"), manifest).expect("written");
    let file = "[connectors.safe]\nkind = \"manifest\"\nmanifest = \"acme.toml\"\n\
                [connectors.local]\nkind = \"manifest\"\nmanifest = \"acme.toml\"\nbackend = \"files\"\n";
    std::fs::write(folder.join("loggia.toml"), file).expect("written");
}

#[test]
fn a_connector_with_a_manifest_signs_in_with_its_scopes() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    write_manifest(folder.path(), &server.url);
    let login = login(folder.path(), "safe", &[], &mut server.browser(), By::Redirect);
    assert_eq!(login.code, Some(0), "{login}");
    let call = run_in(folder.path(), &["call", "safe", "whoami"]);
    assert!(call.stdout.contains("me: mcp mcp:write"), "{call}");
    // Each case: a command, and its exit code.
    for (args, code) in [
        (["auth", "login", "safe"], Some(0)),
        (["auth", "status", "safe"], Some(0)),
        (["auth", "refresh", "safe"], Some(0)),
        (["auth", "logout", "safe"], Some(0)),
        (["auth", "status", "safe"], Some(3)),
        (["auth", "status", "local"], Some(2)),
    ] {
        let run = run_in(folder.path(), &args);
        assert_eq!(run.code, code, "{args:?}: {run}");
    }
}

#[test]
fn a_client_that_is_not_admitted_is_told_the_next_backend() {
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start_with(false));
    write_manifest(folder.path(), &server.url);
    let login = run_in(folder.path(), &["auth", "login", "safe", "--no-browser"]);
    assert_ne!(login.code, Some(0), "{login}");
    for part in ["Acme admits its partners only.", "backend = \"files\" in [connectors.safe]"] {
        assert!(login.stderr.contains(part), "{part}: {login}");
    }
}

#[cfg(unix)]
#[test]
fn connectors_use_the_credential_of_their_url() {
    use crate::up::up;
    let (folder, server) = (tempfile::tempdir().expect("a folder"), start());
    let file = format!("[connectors.safe]\nkind = \"remote\"\nurl = \"{}\"\n", server.url);
    std::fs::write(folder.path().join("loggia.toml"), file).expect("written");
    let mut without = up(folder.path(), &[]);
    assert!(without.said.contains("`loggia auth login safe` signs in"), "{}", without.said);
    let login = login(folder.path(), "safe", &[], &mut server.browser(), By::Redirect);
    assert_eq!(login.code, Some(0), "{login}");
    without.until("✓ safe");
    without.stop();
    let direct = run_in(folder.path(), &["call", "safe", "whoami"]);
    assert!(direct.stdout.contains("me: mcp"), "{direct}");
    let with = up(folder.path(), &[]);
    server.replace_keys();
    let call = run(&["call", &with.url, "safe_whoami"]);
    assert!(call.stdout.contains("me: mcp"), "{call}\n{}", with.said);
    with.stop();
}
