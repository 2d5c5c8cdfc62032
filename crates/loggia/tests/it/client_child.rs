//! Servers as child processes. The server is a few lines of shell; what it shows is the life of a process.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loggia::client::{Child, Client, EraMemory, Negotiation, Status};
use loggia::error::Error;
use loggia::wire::Version;
use serde_json::json;

/// Speaks just enough of the legacy era. `$1` runs first.
const SERVER: &str = r#"
eval "$1"
say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
text() { say "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case $line in
    *'"initialize"'*) say '"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"die"'*) echo 'one last word' >&2; exit 3 ;;
    *'"hang"'*) ;;
    *'"see"'*) text "$LOGGIA_TEST_GIVEN|$CARGO_MANIFEST_DIR|$PWD|${PATH:+path}" ;;
    *'"pid"'*) text "$$ $helper" ;;
    *'"id"'*) say '"error":{"code":-32601,"message":"no"}' ;;
  esac
done
eval "$2"
"#;

fn server(before: &str, after: &str) -> Child {
    Child::new("sh").args(["-c", SERVER, "sh", before, after])
}

async fn connect(child: Child) -> Client {
    let builder = Client::builder().negotiation(Negotiation::Legacy).jitter(|| 1.0);
    builder.connect(child).await.expect("sh is there")
}

async fn call(client: &Client, tool: &str) -> String {
    let result = client.call_tool(tool, json!({})).await.expect("it answers");
    result.content[0].as_text().expect("text").to_owned()
}

/// Returns whether a process runs.
fn runs(pid: &str) -> bool {
    // A process that has ended but was not waited for still answers to `kill -0`.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    let there = Command::new("kill").args(["-0", pid]).stderr(std::process::Stdio::null()).status();
    there.is_ok_and(|status| status.success()) && !zombie
}

#[tokio::test]
async fn a_child_sees_what_it_is_given_and_little_more() {
    let folder = std::env::temp_dir().canonicalize().expect("there is one");
    // Cargo sets it for this process.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is something to hide");
    let child =
        server("", "").env("LOGGIA_TEST_GIVEN", "given").inherit("LOGGIA_TEST_UNSET").current_dir(&folder);
    let client = connect(child).await;
    assert_eq!(call(&client, "see").await, format!("given||{}|path", folder.display()));
    let debug = format!("{:?}", server("", "").env("TOKEN", "secret").arg("secret"));
    assert!(!debug.contains("secret"), "{debug}");
}

#[tokio::test]
async fn a_launcher_starts_the_child() {
    let client = connect(server("", "").launcher("env", ["LOGGIA_TEST_GIVEN=launched"])).await;
    assert!(call(&client, "see").await.starts_with("launched|"));
    let missing = Child::new("loggia-no-such-program").launcher("env", ["LOGGIA_TEST_GIVEN=launched"]);
    let error = Client::builder().connect(missing).await.expect_err("no such program").to_string();
    assert!(error.contains("`loggia-no-such-program` could not be started"), "{error}");
}

#[tokio::test]
async fn a_dead_child_is_started_again_and_its_last_words_are_told() {
    let client = connect(server("", "")).await;
    let first = call(&client, "pid").await;
    let hanging = client.call_tool("hang", json!({}));
    let dying = client.call_tool("die", json!({}));
    let (hanging, dying) = tokio::join!(hanging, dying);
    for outcome in [hanging, dying] {
        let error = outcome.expect_err("it died");
        assert!(matches!(error, Error::Connection(_)));
        let error = error.to_string();
        assert!(error.contains("`sh` ended (exit status: 3)") && error.contains("one last word"), "{error}");
    }
    assert_ne!(call(&client, "pid").await, first, "another process answers");
    assert!(matches!(client.status(), Status::Ready(_)));
}

#[tokio::test]
async fn without_reconnecting_dead_is_dead() {
    let builder = Client::builder().negotiation(Negotiation::Legacy).reconnect(false);
    let client = builder.connect(server("", "")).await.expect("sh is there");
    assert!(client.call_tool("die", json!({})).await.is_err());
    let error = client.call_tool("pid", json!({})).await.expect_err("dead").to_string();
    assert!(error.contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn children_that_never_speak() {
    let error =
        Client::spawn("loggia-no-such-program", ["x"]).await.expect_err("no such program").to_string();
    assert!(error.contains("`loggia-no-such-program` could not be started"), "{error}");
    let error = connect_error("echo 'bad luck' >&2; exit 7").await;
    assert!(error.contains("exit status: 7") && error.contains("bad luck"), "{error}");
    for (before, says) in
        [("", ""), ("echo 'cannot reach https://api.example' >&2;", "cannot reach https://api.example")]
    {
        let error = connect_error(&format!("{before} exec sleep 100")).await;
        assert!(error.contains("no answer within") && error.contains(says), "{error}");
    }
}

async fn connect_error(before: &str) -> String {
    let builder =
        Client::builder().probe_timeout(Duration::from_millis(50)).start_timeout(Duration::from_millis(300));
    builder.connect(server(before, "")).await.expect_err("it does not speak").to_string()
}

#[tokio::test]
async fn a_child_that_leaves_when_probed_is_remembered() {
    let memory = EraMemory::new();
    let picky = "read -r line; case $line in *discover*) exit 1;; esac; id=1; say() { printf '{\"jsonrpc\":\"2.0\",\"id\":%s,%s}\\n' \
                 \"${line#*\\\"id\\\":}\" x; }; printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-06-18\",\
                 \"capabilities\":{}}}\\n' \"$(printf %s \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\"";
    let client =
        Client::builder().era_memory(memory.clone()).connect(server(picky, "")).await.expect("it opens");
    assert_eq!(client.version(), Some(loggia::wire::Version::V2025_06_18));
    assert_eq!(memory.entries().len(), 1);
}

/// A server whose answers to `server/discover` and `initialize` are `$2` and `$3`; none where they are empty. `$1`
/// runs first.
const OPENS: &str = r#"
eval "$1"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case $line in
    *'"server/discover"'*) answer=$2 ;;
    *'"initialize"'*) answer=$3 ;;
    *) answer= ;;
  esac
  [ -n "$answer" ] && printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$answer"
done
"#;

/// A server that starts slowly speaks the same revision as one that starts at once, and is not given up: neither the
/// limit of the probe nor that of the negotiation begins before it reads.
#[tokio::test]
async fn how_long_a_child_takes_to_start_decides_nothing() {
    const MODERN: &str = r#""result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}"#;
    const LEGACY: &str = r#""result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}"#;
    const UNKNOWN: &str = r#""error":{"code":-32601,"message":"no"}"#;
    let folder = tempfile();
    let gate = folder.join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().expect("mkfifo is there").success());
    let slow = format!("echo downloading >&2; read -r go < {}", gate.display());
    let cases = [
        ("modern", MODERN, UNKNOWN, Version::V2026_07_28),
        ("both", MODERN, LEGACY, Version::V2026_07_28),
        ("legacy", UNKNOWN, LEGACY, Version::V2025_11_25),
        ("legacy and silent", "", LEGACY, Version::V2025_11_25),
    ];
    for (name, discover, initialize, expected) in cases {
        for (pace, before) in [("fast", "echo downloading >&2"), ("slow", &*slow)] {
            let (gate, reports) = (gate.clone(), AtomicUsize::new(0));
            let builder = Client::builder()
                .probe_timeout(Duration::from_millis(50))
                .connect_timeout(Duration::from_secs(30))
                .on_start(move |progress| {
                    // The third report comes long after the limit of the probe.
                    let waited = progress.last_line.is_some() && reports.fetch_add(1, Ordering::SeqCst) == 2;
                    if pace == "slow" && waited {
                        let gate = gate.clone();
                        std::thread::spawn(move || std::fs::write(gate, "go\n"));
                    }
                });
            let child = Child::new("sh").args(["-c", OPENS, "sh", before, discover, initialize]);
            let client = builder.connect(child).await.expect("it starts");
            assert_eq!(client.version(), Some(expected), "{name}, {pace}");
            client.close().await;
        }
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

/// The error output of a child is heard line by line, and the last line is part of what is said of its start.
#[tokio::test]
async fn what_a_starting_child_writes_is_heard() {
    let (lines, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let (reports, mut progress) = tokio::sync::mpsc::unbounded_channel();
    let builder = Client::builder()
        .on_error_output(move |line| drop(lines.send(line.to_owned())))
        .on_start(move |progress| drop(reports.send(progress.last_line.clone())));
    let starting = tokio::spawn(builder.connect(server("echo one >&2; echo two >&2; exec sleep 1000", "")));
    assert_eq!(heard.recv().await.as_deref(), Some("one"));
    assert_eq!(heard.recv().await.as_deref(), Some("two"));
    while progress.recv().await.flatten().as_deref() != Some("two") {}
    starting.abort();
}

fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("loggia-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The time of each step of stopping.
const STEP: Duration = Duration::from_millis(200);

#[tokio::test]
async fn stopping_goes_as_far_as_it_must() {
    // Each step takes its time out only where the one before was not enough.
    let cases = [
        ("leaves when its input closes", "", "", Duration::from_secs(20), Duration::ZERO),
        ("leaves when asked", "", "sleep 100", STEP, STEP),
        ("must be killed", "trap '' TERM", "while :; do sleep 0.01; done", STEP, STEP * 2),
    ];
    for (name, before, after, step, least) in cases {
        let child = server(&format!("sleep 1000 & helper=$!; {before}"), after).stop_timeout(step);
        let client = connect(child).await;
        let pids = call(&client, "pid").await;
        let started = Instant::now();
        client.close().await;
        let elapsed = started.elapsed();
        assert!(elapsed >= least && elapsed < least + Duration::from_secs(15), "{name}: {elapsed:?}");
        for pid in pids.split(' ') {
            let patience = Instant::now();
            while runs(pid) && patience.elapsed() < Duration::from_secs(2) {
                tokio::task::yield_now().await;
            }
            assert!(!runs(pid), "{name}: {pid} of {pids} still runs");
        }
    }
}

#[tokio::test]
async fn a_call_that_hangs_shows_what_the_server_wrote() {
    let builder = Client::builder().negotiation(Negotiation::Legacy).timeout(Duration::from_secs(1));
    let client = builder
        .connect(server("echo 'waiting for \\033[31mthe database' >&2", ""))
        .await
        .expect("sh is there");
    let error = client.call_tool("hang", json!({})).await.expect_err("it hangs");
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("no answer within 1 s") && error.contains(r"waiting for \u{1b}[31mthe database"),
        "{error}"
    );
}

#[tokio::test]
async fn the_last_handle_takes_the_child_with_it() {
    let client = connect(server("", "")).await;
    let pid = call(&client, "pid").await.trim().to_owned();
    drop(client.clone());
    assert!(runs(&pid));
    drop(client);
    let patience = Instant::now();
    while runs(&pid) && patience.elapsed() < Duration::from_secs(5) {
        tokio::task::yield_now().await;
    }
    assert!(!runs(&pid));
}

#[tokio::test]
async fn what_a_child_prints_beside_the_protocol_does_no_harm() {
    let noise = "echo 'Starting server...'; echo; echo '\\377\\376'; i=0; while [ $i -lt 300 ]; do echo \"log $i\" >&2; i=$((i+1)); done";
    let client = connect(server(noise, "")).await;
    assert!(call(&client, "see").await.ends_with("path"));
    let error = client.call_tool("die", json!({})).await.expect_err("it dies").to_string();
    assert!(error.contains("log 299") && !error.contains("log 100\n"), "the last lines are kept: {error}");
}
