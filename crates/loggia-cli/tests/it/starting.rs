//! Starts of connectors by `loggia up`, and reports of it and of `loggia status` on those that are slow or broken.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{Run, command, run, run_in, run_until};
#[cfg(target_os = "linux")]
use crate::up::up_at;
use crate::up::{Up, get, up};

fn configure(folder: &Path, config: &str) {
    std::fs::write(folder.join("loggia.toml"), config).expect("written");
}

/// `/readyz` as JSON.
fn states(up: &Up) -> Value {
    serde_json::from_str(&get(&up.url, "/readyz").1).expect("JSON")
}

/// Returns the report of `loggia status -o json` on the only gateway of a folder.
fn told(folder: &Path, url: &str) -> Value {
    let status = run_in(folder, &["status", url, "-o", "json"]);
    assert_eq!(status.code, Some(0), "{status}");
    serde_json::from_str::<Value>(&status.stdout).expect("JSON")["gateways"][0].clone()
}

#[test]
fn the_help_of_status_names_each_member_of_its_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = up(folder.path(), &[]);
    let document = told(folder.path(), &up.url);
    let help = run(&["status", "--help"]).stdout;
    let words: Vec<&str> = help.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let members = [&document, &document["gateway"], &document["connectors"][0]].map(Value::as_object);
    for name in members.into_iter().flat_map(|object| object.expect("an object").keys()) {
        assert!(words.contains(&&**name), "{name} is missing: {help}");
    }
    for state in ["connecting", "up", "degraded", "down", "failed"] {
        assert!(words.contains(&state), "{state} is missing: {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 110), "{help}");
    assert_eq!(up.stop().code, Some(0));
}

/// Nothing ends the start of a slow connector. In the first run nothing is known of it; in the second its tools of
/// the first are listed until it is there.
#[test]
fn a_slow_connector_comes_up_and_is_listed_from_memory_before_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().expect("mkfifo is there").success());
    let loggia = env!("CARGO_BIN_EXE_loggia");
    configure(
        folder.path(),
        &format!(
            "[server.limits]\nfirst_list_wait = \"1s\"\n[connectors.slow]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"-c\", \
             \"echo downloading the parts >&2; read -r go < gate; exec {loggia} up --no-config --stdio --root .\"]\n"
        ),
    );
    for (run_number, listed) in [("first", false), ("second", true)] {
        let mut up = up(folder.path(), &[]);
        assert_eq!(states(&up)["connectors"]["slow"], "connecting", "{run_number}");
        let tools = run(&["tools", &up.url]);
        assert_eq!(tools.stdout.contains("slow_files_read"), listed, "{run_number}: {tools}");
        // The line of the error output comes when the child gets to it.
        let has_line = |status: &Run| status.stdout.contains("downloading");
        let status = run_until(folder.path(), &["status", &up.url], has_line);
        for part in ["… slow", "stdio; starting", "| downloading the parts"] {
            assert!(status.stdout.contains(part), "{run_number}, {part}: {status}");
        }
        assert_eq!(status.stdout.contains("(of the last run)"), listed, "{run_number}: {status}");
        std::fs::write(&gate, "go\n").expect("it waits");
        up.until("✓ slow");
        let tools = run(&["tools", &up.url]);
        assert!(tools.stdout.contains("slow_files_read"), "{run_number}: {tools}");
        assert_eq!(up.stop().code, Some(0), "{run_number}");
    }
}

/// The file holds lists and digests: nothing of how a server is reached, and no secret.
#[test]
fn the_lists_on_disk_hold_no_part_of_the_configuration() {
    let kitchen = crate::server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let loggia = env!("CARGO_BIN_EXE_loggia");
    configure(
        folder.path(),
        &format!(
            "[connectors.child]\nkind = \"stdio\"\ncommand = \"sh\"\nenv = {{ GIVEN = \"s3cret-1\" }}\n\
             args = [\"-c\", \"exec '{loggia}' up --stdio --no-config --root .\", \"s3cret-2\"]\n\
             [connectors.remote]\nkind = \"remote\"\nurl = \"{}?key=s3cret-3\"\n\
             headers = {{ Authorization = \"Bearer s3cret-4\", X-Given = \"s3cret-5\" }}\n",
            kitchen.url
        ),
    );
    let mut up = up(folder.path(), &[]);
    ["✓ child", "✓ remote"].iter().for_each(|line| up.until(line));
    let ended = up.stop();
    let lists = std::fs::read_dir(folder.path().join("state/lists")).expect("a folder").flatten();
    let files: Vec<_> = lists.map(|file| file.path()).collect();
    let [file] = &*files else { panic!("one file: {files:?}, {ended}") };
    let text = std::fs::read_to_string(file).expect("text");
    for tool in ["\"files_read\"", "\"echo\""] {
        assert!(text.contains(tool), "{tool}: {text}");
    }
    for part in ["s3cret", "GIVEN", "X-Given", "Authorization", "--no-config", &kitchen.url] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    let mode = std::fs::metadata(file).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{}", file.display());
}

/// A server of 2025-11-25 that answers one list with an error.
const BROKEN: &str = r#"while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case $line in
    *'"initialize"'*) answer='"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"resources":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *"\"$1\""*) answer='"error":{"code":-32603,"message":"the disk is full"}' ;;
    *'"tools/list"'*) answer='"result":{"tools":[]}' ;;
    *'"prompts/list"'*) answer='"result":{"prompts":[]}' ;;
    *'"resources/list"'*) answer='"result":{"resources":[]}' ;;
    *'"resources/templates/list"'*) answer='"result":{"resourceTemplates":[]}' ;;
    *'"ping"'*) answer='"result":{}' ;;
    *'"id"'*) answer='"error":{"code":-32601,"message":"no"}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$answer"
done"#;

#[test]
fn a_list_that_fails_is_shown_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("broken.sh"), BROKEN).expect("written");
    let cases = [
        ("tools/list", "the tools cannot be listed"),
        ("prompts/list", "the prompts cannot be listed"),
        ("resources/list", "the resources cannot be listed"),
        ("resources/templates/list", "the resource templates cannot be listed"),
    ];
    let connectors: String = cases
        .iter()
        .enumerate()
        .map(|(n, (method, _))| {
            format!("[connectors.c{n}]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"broken.sh\", \"{method}\"]\n")
        })
        .collect();
    configure(folder.path(), &connectors);
    let mut up = up(folder.path(), &[]);
    for (_, problem) in cases {
        up.until(problem);
    }
    let (states, told) = (states(&up), told(folder.path(), &up.url));
    for (n, (method, problem)) in cases.iter().enumerate() {
        assert!(up.said.contains(&format!("! c{n}")), "{method}: {}", up.said);
        assert_eq!(states["connectors"][format!("c{n}")], "degraded", "{method}");
        assert_eq!(told["connectors"][n]["state"], "degraded", "{method}");
        let said = told["connectors"][n]["problems"][0].as_str().unwrap_or_default();
        assert!(said.starts_with(problem) && said.contains("the disk is full"), "{method}: {told}");
        let inspect = run_in(folder.path(), &["inspect", "--", "sh", "broken.sh", method]);
        assert!(
            inspect.stdout.contains("1 problem") && inspect.stdout.contains(problem),
            "{method}: {inspect}"
        );
    }
    assert!(get(&up.url, "/readyz").0.contains("200"), "the others are served");
}

#[test]
fn what_only_the_configuration_can_mend_is_not_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("directory")).expect("made");
    std::fs::write(folder.path().join("text"), "no program").expect("written");
    let cases = [
        (
            "header",
            "kind = \"remote\"\nurl = \"https://x.invalid/mcp\"\nheaders = { A = \"${LOGGIA_TEST_BREAK:-a\\nb}\" }",
            "failed",
        ),
        ("url", "kind = \"remote\"\nurl = \"${LOGGIA_TEST_URL:-ftp://x}\"", "failed"),
        ("variable", "kind = \"remote\"\nurl = \"${NO_SUCH_VARIABLE_ANYWHERE}\"", "failed"),
        ("directory", "kind = \"stdio\"\ncommand = \"./directory\"", "failed"),
        ("text", "kind = \"stdio\"\ncommand = \"./text\"", "failed"),
        // It may be installed meanwhile.
        ("missing", "kind = \"stdio\"\ncommand = \"./missing\"", "down"),
    ];
    let connectors: String =
        cases.iter().map(|(name, keys, _)| format!("[connectors.{name}]\n{keys}\n")).collect();
    configure(folder.path(), &connectors);
    let mut up = up(folder.path(), &[]);
    for (name, ..) in &cases {
        up.until(&format!("✗ {name}"));
    }
    let (states, told) = (states(&up), told(folder.path(), &up.url));
    let status = run_in(folder.path(), &["status"]);
    let said = up.stop();
    for (n, (name, _, state)) in cases.iter().enumerate() {
        assert_eq!(states["connectors"][name], *state, "{said}");
        assert_eq!(told["connectors"][n]["name"], *name, "in the order of the file");
        assert_eq!(told["connectors"][n]["state"], *state, "{told}");
        assert!(told["connectors"][n]["reason"].is_string(), "{told}");
        let line = said.stdout.lines().find(|line| line.contains(&format!("✗ {name}"))).unwrap_or_default();
        assert_eq!(line.contains("(not retried: fix loggia.toml)"), *state == "failed", "{name}: {said}");
    }
    assert!(status.stdout.contains("not retried: fix the configuration"), "{status}");
}

/// Returns the files in the folder of the sockets.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("state/run")).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn sockets_of_gateways_that_were_killed_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let begin = || {
        let mut gateway = command(folder.path(), &["up", "--stdio"]);
        gateway.stdin(Stdio::piped()).spawn().expect("it starts")
    };
    let (mut killed, mut living) = (begin(), begin());
    for gateway in [&killed, &living] {
        let pid = format!("process {}", gateway.id());
        run_until(folder.path(), &["status"], |status| status.stdout.contains(&pid));
    }
    assert_eq!(sockets(folder.path()).len(), 2);
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    let status = run_in(folder.path(), &["status"]);
    let is_told = |gateway: &Child| status.stdout.contains(&format!("process {}", gateway.id()));
    assert!(!is_told(&killed) && is_told(&living), "{status}");
    assert_eq!(sockets(folder.path()).len(), 1, "the socket that nothing listens on is gone");
    drop(living.stdin.take());
    assert!(living.wait().expect("it ends").success());
    assert!(sockets(folder.path()).is_empty());
}

/// A gateway that does not answer may be the one that is meant.
#[test]
fn a_gateway_that_sends_no_document_is_warned_of_and_not_denied() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = up(folder.path(), &[]);
    let socket = folder.path().join("state/run/cut.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for stream in listener.incoming().take(2) {
                stream.expect("a connection").write_all(b"{\"gateway\":").expect("written");
            }
        });
        for (which, code) in [(&*up.url, 0), ("1", 3)] {
            let status = run_in(folder.path(), &["status", which]);
            assert_eq!(status.code, Some(code), "{which}: {status}");
            assert!(status.stderr.contains("warning") && status.stderr.contains("cut.sock"), "{status}");
            assert!(!status.stderr.contains("no gateway of this user runs"), "{which}: {status}");
            assert_eq!(status.stdout.contains(&*up.url), code == 0, "{which}: {status}");
        }
    });
    assert_eq!(up.stop().code, Some(0));
}

/// Other systems have one loopback address.
#[cfg(target_os = "linux")]
#[test]
fn gateways_at_two_addresses_with_one_port_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = up(folder.path(), &[]);
    let port = first.base().rsplit(':').next().expect("a port").to_owned();
    let second = up_at(folder.path(), &format!("127.0.0.2:{port}"), &[]);
    for (which, expected) in [
        (&*first.url, vec![&*first.url]),
        (&*second.url, vec![&*second.url]),
        (&*port, vec![&*first.url, &*second.url]),
    ] {
        let status = run_in(folder.path(), &["status", which, "-o", "json"]);
        let told: Value = serde_json::from_str(&status.stdout).expect("JSON");
        let gateways = told["gateways"].as_array().expect("a list").iter();
        let urls: Vec<&str> = gateways.filter_map(|told| told["gateway"]["url"].as_str()).collect();
        assert_eq!(urls, expected, "{which}: {status}");
    }
    for up in [first, second] {
        assert_eq!(up.stop().code, Some(0));
    }
}

#[test]
fn status_is_told_to_its_user_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = run_in(folder.path(), &["status"]);
    assert!(none.code == Some(3) && none.stderr.contains("loggia up"), "{none}");
    for wrong in ["nonsense", "http://", "127.0.0.1:99999"] {
        let refused = run_in(folder.path(), &["status", wrong]);
        assert!(refused.code == Some(2) && refused.stderr.contains("for example"), "{wrong}: {refused}");
    }
    let up = up(folder.path(), &[]);
    let port = up.base().rsplit(':').next().expect("a port").to_owned();
    let sockets = sockets(folder.path());
    let [socket] = &sockets[..] else { panic!("there is one socket: {sockets:?}") };
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(socket), mode(socket.parent().expect("a folder"))), (0o600, 0o700));
    assert_eq!(run(&["call", &up.url, "files_list"]).code, Some(0));
    assert_eq!(run(&["call", &up.url, "files_read", "path=missing"]).code, Some(1));
    for which in [None, Some(&*up.url), Some(&*port)] {
        let args: Vec<&str> = ["status", "-o", "json"].into_iter().chain(which).collect();
        let status = run_in(folder.path(), &args);
        let told: Value = serde_json::from_str(&status.stdout).expect("JSON");
        let gateway = &told["gateways"][0];
        assert_eq!(gateway["gateway"]["url"], *up.url, "{which:?}: {status}");
        assert_eq!(gateway["connectors"][0]["state"], "up", "{which:?}: {status}");
        assert_eq!(gateway["connectors"][0]["calls"], 2, "{which:?}: {status}");
    }
    let elsewhere = run_in(folder.path(), &["status", "1"]);
    assert_eq!(elsewhere.code, Some(3), "{elsewhere}");
    assert_eq!(up.stop().code, Some(0));
    assert!(!socket.exists(), "the socket goes with the gateway");
}
