//! `loggia up --auth`: nobody comes in who has not signed in.

use std::path::Path;

use serde_json::Value;

use crate::auth::{By, login};
use crate::program::{Run, command, run_in, settings, shows};
use crate::protected::{Browser, post_json};
use crate::up::{Up, get, up, up_at};

/// Signs in to it as the person who sees what it prints.
fn sign_in(folder: &Path, up: &mut Up) {
    let (base, url) = (up.base(), up.url.clone());
    let run = login(folder, &url, &[], &mut Browser::new(&base, || up.link()), By::Redirect);
    assert_eq!(run.code, Some(0), "{run}");
}

fn json(up: &Up, path: &str) -> Value {
    let (status, body) = get(&up.base(), path);
    assert!(status.contains("200"), "{path}: {status}");
    serde_json::from_str(&body).expect("JSON")
}

#[cfg(unix)]
#[test]
fn people_sign_in_by_the_link_that_is_shown_and_stay_signed_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = up(folder.path(), &["--auth"]);
    let (url, base) = (first.url.clone(), first.base());
    let here = |args: &[&str]| run_in(folder.path(), args);
    shows!("guarded_stranger", here(&["tools", &url]));
    assert_eq!(get(&base, "/healthz").1, r#"{"status":"ok"}"#);
    assert!(get(&base, "/readyz").0.contains("200"));
    let resource = json(&first, "/.well-known/oauth-protected-resource/mcp");
    assert_eq!(
        (&resource["resource"], &resource["authorization_servers"][0]),
        (&url.clone().into(), &base.clone().into())
    );
    assert_eq!(json(&first, "/.well-known/oauth-authorization-server")["issuer"], base);
    sign_in(folder.path(), &mut first);
    let call = here(&["call", &url, "files_find", "glob=*"]);
    assert_eq!(call.code, Some(0), "{call}");
    shows!("guarded_up", first.stop());

    let address = base.trim_start_matches("http://").to_owned();
    let second = up_at(folder.path(), &address, &["--auth"]);
    let call = here(&["call", &url, "files_find", "glob=*"]);
    assert_eq!(call.code, Some(0), "still signed in: {call}");
    let refresh = here(&["auth", "refresh", &url]);
    assert_eq!(refresh.code, Some(0), "{refresh}");
    assert!(!second.stop().stdout.contains("Sign in at"), "nobody was asked");
}

/// A client of an older revision asks on with the session that it has.
#[cfg(unix)]
#[test]
fn sessions_go_on_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = ["ada", "bob"].map(|owner| {
        let made = run_in(folder.path(), &["auth", "keys", "create", "--owner", owner]);
        format!("Authorization: Bearer {}\r\n", made.stdout.trim())
    });
    let first = up(folder.path(), &["--auth"]);
    let (url, address) = (first.url.clone(), first.base().trim_start_matches("http://").to_owned());
    let params = serde_json::json!({ "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "t", "version": "0" } });
    let request = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let (head, body) = post_json(&url, &keys[0], &request);
    let named = head.lines().filter_map(|line| line.split_once(": "));
    let session = named.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id"));
    let session = session.unwrap_or_else(|| panic!("{head}\n{body}")).1;
    first.stop();
    let second = up_at(folder.path(), &address, &["--auth"]);
    let request = serde_json::json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    for (key, status) in keys.iter().zip(["200", "404"]) {
        let headers = format!("{key}Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: 2025-06-18\r\n");
        let (head, body) = post_json(&url, &headers, &request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}\n{body}");
        assert_eq!(body.contains("files_find"), status == "200", "{body}");
    }
    second.stop();
}

/// Somebody leaves: what they have of the hub ends while it runs.
#[cfg(unix)]
#[test]
fn who_leaves_is_signed_out_of_a_hub_that_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut up = up(folder.path(), &["--auth"]);
    let url = up.url.clone();
    let here = |args: &[&str]| {
        let output = command(folder.path(), args).env("USER", "ada").output();
        Run::from(output.expect("it runs"))
    };
    shows!("people_none", here(&["auth", "people", "list"]));
    sign_in(folder.path(), &mut up);
    let key = here(&["auth", "keys", "create"]);
    shows!("people_signed_in", here(&["auth", "people", "list"]));
    let by_token = || here(&["call", &url, "files_find", "glob=*"]);
    let header = format!("Authorization: Bearer {}", key.stdout.trim());
    let by_key = || here(&["call", &url, "files_find", "glob=*", "--header", &header]);
    assert_eq!((by_token().code, by_key().code), (Some(0), Some(0)));
    shows!("people_sign_out", here(&["auth", "people", "sign-out", "ada"]));
    until_it_says("was revoked", by_key);
    until_it_says("sign in again", by_token);
    shows!("people_sign_out_again", here(&["auth", "people", "sign-out", "ada"]));
    let all = here(&["auth", "people", "list", "-o", "json"]);
    assert_eq!(all.stdout, "{\"hub\":[],\"people\":[]}\n");
    up.stop();
}

/// Clients behind proxies are told apart only where all proxies on the way are trusted, on this machine too.
#[cfg(unix)]
#[test]
fn clients_behind_a_trusted_proxy_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (local, remote) = (["--trusted-proxy", "127.0.0.0/8"], ["--trusted-proxy", "198.41.128.0/17"]);
    for (proxies, apart) in
        [(vec![], false), (local.to_vec(), false), (remote.to_vec(), false), ([local, remote].concat(), true)]
    {
        let args = &[&["--auth"][..], &proxies].concat();
        let up = up(folder.path(), args);
        let status = |client: &str| {
            let headers = format!("X-Forwarded-For: {client}, 198.41.200.1\r\n");
            let (head, _) =
                post_json(&format!("{}/oauth/token", up.base()), &headers, &serde_json::json!({}));
            head.split_whitespace().nth(1).expect("a status").to_owned()
        };
        // More than any burst with what comes back meanwhile.
        assert!((0..2000).any(|_| status("8.8.8.8") == "429"), "{args:?}");
        assert_eq!(status("9.9.9.9") != "429", apart, "{args:?}");
        up.stop();
    }
}

#[test]
fn a_lost_key_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = run_in(folder.path(), &["auth", "keys", "create"]);
    assert_eq!(made.code, Some(0), "{made}");
    let (key, aside) = (folder.path().join("credentials/vault.key"), folder.path().join("aside"));
    std::fs::rename(&key, &aside).expect("it goes");
    let lost = run_in(folder.path(), &["auth", "keys", "list"]);
    assert!(lost.code == Some(2) && lost.stderr.contains("put the key back"), "{lost}");
    assert!(!key.exists(), "no other was made");
    std::fs::rename(&aside, &key).expect("it comes back");
    let found = run_in(folder.path(), &["auth", "keys", "list"]);
    assert_eq!(found.code, Some(0), "{found}");
}

#[cfg(unix)]
#[test]
fn a_vault_that_cannot_be_used_is_named_with_the_next_step() {
    use std::os::unix::fs::PermissionsExt;
    let damage = |file: &str, how: fn(&std::path::Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        let made = run_in(folder.path(), &["auth", "keys", "create"]);
        assert_eq!(made.code, Some(0), "{made}");
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("credentials/{file}{end}")));
        }
        how(&folder.path().join("credentials").join(file));
        folder
    };
    let garbage: fn(&std::path::Path) = |path| std::fs::write(path, vec![b'x'; 9000]).expect("written");
    let a_folder: fn(&std::path::Path) = |path| {
        std::fs::remove_file(path).expect("it goes");
        std::fs::create_dir(path).expect("created");
    };
    let open_to_all: fn(&std::path::Path) =
        |path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("set");
    for (file, how, advice) in [
        ("vault.db", garbage, "restore it from a backup"),
        ("vault.db", a_folder, "move that away"),
        ("vault.key", garbage, "does not have 32 bytes"),
        ("vault.key", open_to_all, "chmod 600"),
    ] {
        let folder = damage(file, how);
        for line in [
            &["up", "--auth", "--listen", ":0"] as &[&str],
            &["auth", "keys", "list"],
            &["auth", "keys", "create"],
            &["auth", "people", "list"],
        ] {
            let run = run_in(folder.path(), line);
            assert!(run.code == Some(2) && run.stdout.is_empty(), "{file}, {line:?}: {run}");
            assert!(run.stderr.contains(file) && run.stderr.contains(advice), "{file}, {line:?}: {run}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let away = command(folder.path(), &["auth", "keys", "list"])
        .env("DATABASE_URL", "postgres://ada:s3cret@127.0.0.1:1/team")
        .output()
        .expect("it runs");
    let away = Run::from(away);
    assert!(away.stderr.contains("PostgreSQL at 127.0.0.1:1/team"), "{away}");
    assert!(away.stderr.contains("DATABASE_URL") && !away.stderr.contains("s3cret"), "{away}");
}

#[cfg(unix)]
#[test]
fn what_is_remembered_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = up(folder.path(), &["--auth"]);
    sign_in(folder.path(), &mut first);
    first.stop();
    for (name, mode) in [("", 0o700), ("vault.db", 0o600), ("vault.key", 0o600)] {
        let path = folder.path().join("credentials").join(name);
        let permissions =
            std::fs::metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
    }
    let wrong = command(folder.path(), &["up", "--listen", ":0", "--auth"])
        .env("LOGGIA_MASTER_KEY", "nonsense")
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the vault cannot be opened"), "{wrong:?}");
}

#[cfg(unix)]
#[test]
fn the_file_and_the_address_decide_where_the_line_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |auth: &str| {
        let text = format!("[server]\n{auth}\n[connectors.files]\nkind = \"builtin\"\nname = \"files\"\n");
        std::fs::write(folder.path().join("loggia.toml"), text).expect("written");
    };
    let public = "https://mcp.example.com";
    for (section, address, args, on) in [
        ("", ":0", &[][..], false),
        ("[server.auth]", ":0", &[], true),
        ("[server.auth]\nenabled = false", ":0", &[], false),
        ("[server.auth]\nenabled = false", ":0", &["--auth"], true),
        ("[server.auth]", ":0", &["--no-auth"], false),
        ("public_url = \"https://mcp.example.com\"", ":0", &[], true),
        ("public_url = \"http://localhost:4000\"", ":0", &[], false),
        ("", "0.0.0.0:0", &["--public-url", public], true),
        ("", "0.0.0.0:0", &["--no-auth"], false),
    ] {
        file(section);
        let up = up_at(folder.path(), address, args);
        let what = format!("{section:?} {address} {args:?}");
        assert_eq!(up.said.contains("Authorization is on"), on, "{what}: {}", up.said);
        let run = up.stop();
        let exposed = address.starts_with("0.0.0.0") || section.contains(public);
        assert_eq!(run.stderr.contains("authorization is off"), exposed && !on, "{what}: {run}");
        assert_eq!(run.stdout.contains(&format!("{public}/mcp")), exposed && on, "{what}: {run}");
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    file("openid.toml", "[server.auth.openid]\nclient_secret = \"${NO_SUCH_VARIABLE_ANYWHERE}\"\n");
    file(
        "secret.toml",
        "[server.auth.openid]\nissuer = \"https://login.example.com\"\nclient_id = \"loggia\"\nanyone = true\n\
         client_secret = \"${NO_SUCH_VARIABLE_ANYWHERE}\"\n[connectors.files]\nkind = \"builtin\"\nname = \"files\"\n",
    );
    let elsewhere = command(folder.path(), &["up", "--listen", ":0", "--auth"])
        .env("DATABASE_URL", "mysql://root:s3cret@localhost/app")
        .output();
    let elsewhere = Run::from(elsewhere.expect("it runs"));
    assert!(!elsewhere.stderr.contains("s3cret"), "{elsewhere}");
    shows!("guarded_no_such_database", elsewhere);
    settings().bind(|| {
        for (name, args) in [
            ("guarded_no_public_url", &["--listen", "0.0.0.0:0"][..]),
            ("guarded_bad_public_url", &["--public-url", "http://mcp.example.com"]),
            ("guarded_public_url_with_path", &["--public-url", "https://mcp.example.com/mcp"]),
            ("guarded_both", &["--auth", "--no-auth"]),
            ("guarded_stdio", &["--auth", "--stdio"]),
            ("guarded_bad_openid", &["--config", "openid.toml"]),
            ("guarded_no_secret", &["--listen", ":0", "--config", "secret.toml"]),
        ] {
            let args: Vec<&str> = ["up"].iter().chain(args).copied().collect();
            insta::assert_snapshot!(name, run_in(folder.path(), &args).to_string());
        }
    });
}

#[cfg(unix)]
#[test]
fn scripts_come_in_with_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = |args: &[&str]| {
        let output = command(folder.path(), args).env("USER", "ada").output();
        Run::from(output.expect("it runs"))
    };
    let up = up(folder.path(), &["--auth"]);
    let call = |key: &str| {
        let header = format!("Authorization: Bearer {}", key.trim());
        here(&["call", &up.url, "files_find", "glob=*", "--header", &header])
    };
    shows_keys("keys_none", &here(&["auth", "keys", "list"]));
    let made = here(&["auth", "keys", "create", "--label", "nightly", "--expires", "90d"]);
    shows_keys("keys_create", &made);
    let key = made.stdout.as_str();
    assert_eq!(call(key).code, Some(0), "{}", call(key));
    let narrow = here(&["auth", "keys", "create", "--scope", "other", "--owner", "bob"]);
    until_it_says("insufficient_scope", || call(&narrow.stdout));
    assert_eq!(call("lgk_x_y").code, Some(3));
    let short = here(&["auth", "keys", "create", "--expires", "1s", "-o", "json"]);
    let short: Value = serde_json::from_str(&short.stdout).expect("JSON");
    until_it_says("has expired", || call(short["key"].as_str().expect("a key")));
    let list = here(&["auth", "keys", "list"]);
    let mut lines: Vec<&str> = list.stdout.lines().collect();
    // Those of one second are in no order of ours.
    lines.sort_by_key(|line| line.split_whitespace().skip(2).collect::<Vec<_>>());
    shows_keys("keys_list", &Run { stdout: lines.join("\n") + "\n", stderr: list.stderr, code: list.code });
    assert!(!list.stdout.contains(key.trim()), "{}", list.stdout);
    let all: Value =
        serde_json::from_str(&here(&["auth", "keys", "list", "-o", "json"]).stdout).expect("JSON");
    let all = all["keys"].as_array().expect("keys");
    let nightly = all.iter().find(|key| key["label"] == "nightly").expect("it is listed");
    assert!(
        nightly["owner"] == "ada" && nightly["key"].is_null() && nightly["revokedAt"].is_null(),
        "{nightly}"
    );
    let id = nightly["id"].as_str().expect("an id");
    shows_keys("keys_revoke", &here(&["auth", "keys", "revoke", id]));
    until_it_says("was revoked", || call(key));
    shows_keys("keys_revoke_unknown", &here(&["auth", "keys", "revoke", "nobody"]));
    shows_keys("keys_bad_time", &here(&["auth", "keys", "create", "--expires", "soon"]));
    up.stop();
}

/// Another process hears of a new key within a second, and of a revoked one within ten.
fn until_it_says(what: &str, call: impl Fn() -> Run) {
    let begun = std::time::Instant::now();
    loop {
        let run = call();
        if run.stderr.contains(what) {
            return assert_eq!(run.code, Some(3), "{run}");
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "it never says {what:?}: {run}");
    }
}

fn shows_keys(name: &str, run: &Run) {
    let mut settings = settings();
    settings.add_filter(r"lgk_[\w-]+", "lgk_KEY");
    settings.add_filter(r"(?m)([✓-]) [A-Za-z0-9]{12} ", "$1 ID           ");
    settings.bind(|| insta::assert_snapshot!(name, run.to_string()));
}
