//! The bounds of `loggia up`, seen from outside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Run, command, run};
use crate::server;
use crate::up::{get, up};

/// Sends one `tools/call` of the modern form; the answer is read from the stream.
fn begin_call(url: &str, tool: &str) -> TcpStream {
    let address = url.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": {}, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    stream
}

#[cfg(unix)]
#[test]
fn calls_that_hang_in_one_connector_leave_the_others_and_the_health_pages_alone() {
    const CALLS: usize = 40;
    let kitchen = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[server.limits]\nrequests = {CALLS}\n\
         [connectors.slow]\nkind = \"remote\"\nurl = \"{0}\"\n\
         [connectors.good]\nkind = \"remote\"\nurl = \"{0}\"\n",
        kitchen.url
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let mut up = up(folder.path(), &[]);
    up.until("✓ slow");
    let calls: Vec<TcpStream> = (0..CALLS).map(|_| begin_call(&up.url, "slow_hang")).collect();
    let (tell, answers) = mpsc::channel();
    for call in &calls {
        let (mut call, tell) = (call.try_clone().expect("a second handle"), tell.clone());
        std::thread::spawn(move || {
            let mut answer = String::new();
            // The end of the test ends those that hang.
            let _ = call.read_to_string(&mut answer);
            let _ = tell.send(answer);
        });
    }
    for _ in 0..CALLS / 2 {
        let answer =
            answers.recv_timeout(Duration::from_secs(60)).expect("what is over the share is answered");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("which is its share"), "{answer}");
    }
    let called = run(&["call", &up.url, "good_echo", "text=hi"]);
    assert_eq!(called.stdout, "hi\n", "{called}");
    for page in ["/healthz", "/readyz"] {
        assert_eq!(get(&up.url, page).0, "HTTP/1.1 200 OK", "{page}");
    }
    for call in &calls {
        // Some are closed already.
        let _ = call.shutdown(std::net::Shutdown::Both);
    }
}

/// A server of the legacy era that answers each request with the result that `answer` gives for its method and
/// cursor. It lasts as long as the test program.
fn scripted(answer: fn(&str, &Value) -> Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || serve(stream, answer));
        }
    });
    url
}

fn serve(stream: TcpStream, answer: fn(&str, &Value) -> Value) {
    let mut writer = stream.try_clone().expect("a second handle");
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
        let last = head.lines().last().unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = last.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, text) = match (request["method"].as_str(), &request["id"]) {
        (Some("initialize"), id) => {
            let result = json!({
                "protocolVersion": "2025-06-18",
                "capabilities": { "tools": {}, "prompts": {}, "resources": {} },
                "serverInfo": { "name": "scripted", "version": "1" },
            });
            ("200 OK", json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
        }
        (Some("server/discover"), _) => ("400 Bad Request", String::new()),
        (Some(_), Value::Null) => ("202 Accepted", String::new()),
        (Some(method), id) => {
            let result = answer(method, &request["params"]);
            ("200 OK", json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
        }
        (None, _) => ("405 Method Not Allowed", String::new()),
    };
    // The client may be gone.
    let _ = write!(
        writer,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": { "type": "object" } })
}

#[test]
fn a_list_of_which_a_part_is_broken_is_shown_with_a_warning() {
    let circle = scripted(|method, _| match method {
        "tools/list" => json!({ "tools": [tool("a"), tool("b")], "nextCursor": "1" }),
        _ => json!({ "prompts": [], "resources": [], "resourceTemplates": [] }),
    });
    let invalid = scripted(|method, _| match method {
        "tools/list" => json!({ "tools": [tool("a"), { "name": "bad\nline" }, tool("b")] }),
        _ => json!({ "prompts": [], "resources": [], "resourceTemplates": [] }),
    });
    for (url, warning) in
        [(circle, "warning: the server repeats the cursor"), (invalid, "\"bad\\nline\" is not valid")]
    {
        let listed = run(&["tools", &url, "-o", "json"]);
        assert_eq!(listed.code, Some(0), "{listed}");
        let tools: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let names: Vec<&str> = tools["tools"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(names, ["a", "b"], "{listed}");
        assert!(listed.stderr.contains(warning), "{listed}");
        let inspected = run(&["inspect", &url]);
        assert!(inspected.stdout.contains("  tools: "), "{inspected}");
    }
}

#[cfg(unix)]
#[test]
fn the_limits_of_the_file_bound_the_connectors() {
    let endless = scripted(|method, params| match method {
        "tools/list" => {
            let page = params["cursor"].as_str().map_or(0, str::len);
            json!({ "tools": [tool(&format!("t{page}"))], "nextCursor": "x".repeat(page + 1) })
        }
        "tools/call" => {
            let bytes = if params["name"] == "t1" { 2 << 20 } else { 10 };
            json!({ "content": [{ "type": "text", "text": "x".repeat(bytes) }] })
        }
        _ => json!({ "prompts": [], "resources": [], "resourceTemplates": [] }),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[server.limits]\nlist_pages = 2\nreply_bytes = \"1MiB\"\n\
         [connectors.endless]\nkind = \"remote\"\nurl = \"{endless}\"\n"
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let mut up = up(folder.path(), &[]);
    up.until("! endless");
    assert!(up.said.contains("the tools are not complete: the list has more than 2 pages"), "{}", up.said);
    let listed = run(&["tools", &up.url, "-o", "json"]);
    let tools: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(2), "{listed}");
    let short = run(&["call", &up.url, "endless_t0"]);
    assert_eq!(short.stdout, "xxxxxxxxxx\n", "{short}");
    let long = run(&["call", &up.url, "endless_t1"]);
    assert_ne!(long.code, Some(0), "the result is longer than reply_bytes: {long}");
    // Without a hub the same file holds too.
    let direct = command(folder.path(), &["tools", "endless", "-o", "json"]).output().expect("it runs");
    let direct = Run::from(direct);
    let tools: Value = serde_json::from_str(&direct.stdout).expect("JSON");
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(2), "{direct}");
}

/// Answers `initialize`, lists three tools, and answers their calls. `$1` is what it has much of.
#[cfg(unix)]
const MUCH: &str = r#"
long=$(printf '%02000d' 0)
noise() { printf 'debug: %s\n' "$long" "$long"; }
say() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
tool() { printf '{"name":"%s","description":"%s","inputSchema":{"type":"object"}}' "$1" "$2"; }
each='' last='' instructions='' text=done
case $1 in
  list) each=$long last=$long ;;
  entry) last=$long ;;
  opening) instructions=$long ;;
  result) text=$(printf '%0300000d' 0) ;;
esac
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}; id=${id%\}}
  case $line in
    *'"initialize"'*)
      if [ "$1" = noise ]; then noise; fi
      say '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"},"instructions":"'"$instructions"'"}' ;;
    *'"tools/list"'*) say "{\"tools\":[$(tool a "$each"),$(tool b "$each"),$(tool c "$last")]}" ;;
    *'"tools/call"'*) say "{\"content\":[{\"type\":\"text\",\"text\":\"$text\"}]}" ;;
    *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
  esac
done
"#;

/// Each bound lets the server pass by default, and stops it once it is smaller.
#[cfg(unix)]
#[test]
fn bounds_of_the_file_take_effect_on_connectors() {
    let all = ("✓ one", "one_a one_b one_c", true);
    for (much, key, bytes, bounded) in [
        ("noise", "malformed", 3000, ("✗ one", "", false)),
        ("opening", "opening_bytes", 1500, ("✗ one", "", false)),
        ("list", "list_bytes", 4500, ("! one", "one_a one_b", true)),
        ("entry", "entry_bytes", 1500, ("! one", "one_a one_b", true)),
        ("result", "result_bytes", 200_000, ("✓ one", "one_a one_b one_c", false)),
    ] {
        for (limit, (mark, tools, is_called)) in
            [(String::new(), all), (format!("[server.limits]\n{key} = {bytes}\n"), bounded)]
        {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("much.sh"), MUCH).expect("written");
            let connector = format!(
                "[connectors.one]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"much.sh\", \"{much}\"]\n"
            );
            std::fs::write(folder.path().join("loggia.toml"), limit.clone() + &connector).expect("written");
            let mut up = up(folder.path(), &[]);
            up.until(mark);
            let listed = run(&["tools", &up.url, "-o", "json"]);
            let list: Value = serde_json::from_str(&listed.stdout).expect("JSON");
            let list = list["tools"].as_array().expect("a list").iter();
            let names: Vec<&str> = list.filter_map(|tool| tool["name"].as_str()).collect();
            assert_eq!(names.join(" "), tools, "{much}, {limit:?}: {listed}");
            let called = run(&["call", &up.url, "one_a"]);
            assert_eq!(called.code == Some(0), is_called, "{much}, {limit:?}: {called}");
            let names_bound =
                up.said.contains(key) || up.said.contains(&format!("longer than {bytes} bytes"));
            assert!(mark == all.0 || names_bound, "{much}: {}", up.said);
        }
    }
}
