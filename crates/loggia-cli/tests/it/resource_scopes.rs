//! Scope rules for resources, through the running gateway.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::program::{run, run_in};
use crate::protected::post_json;
use crate::up::{Up, up};

const TEXT: &str = "between us";
const REVISION: &str = "2026-07-28";

/// Sends a request of the 2026-07-28 revision; returns the status and the body.
fn ask(up: &Up, key: &str, method: &str, mut params: Value) -> (String, String) {
    let name = params.get("uri").and_then(Value::as_str);
    let name = name.map(|uri| format!("Mcp-Name: {uri}\r\n")).unwrap_or_default();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let headers = format!(
        "Authorization: Bearer {key}\r\nMCP-Protocol-Version: {REVISION}\r\nMcp-Method: {method}\r\n{name}"
    );
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let (head, body) = post_json(&up.url, &headers, &body);
    (head.split_whitespace().nth(1).expect("a status").to_owned(), body)
}

#[test]
fn a_rule_for_resources_holds_for_every_spelling() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root").canonicalize().unwrap_or_else(|_| folder.path().join("root"));
    for (path, text) in [("secret dir/x", TEXT), ("public/x", "for all"), ("a%2Fb", "for all")] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    std::os::unix::fs::symlink(&root, folder.path().join("link")).expect("linked");
    let at = root.display();
    let config = format!(
        "[server.auth.scopes]\nresources = {{ \"file://{at}/secret%20dir/*\" = \"secret\" }}\n\
         [connectors.files]\nkind = \"builtin\"\nname = \"files\"\noptions = {{ path = \"link\" }}\n"
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let key = |scopes: &[&str]| {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let args: Vec<&str> = ["auth", "keys", "create"].into_iter().chain(scopes).collect();
        run_in(folder.path(), &args).stdout.trim().to_owned()
    };
    let (narrow, wide) = (key(&["mcp"]), key(&["mcp", "secret"]));
    let up = up(folder.path(), &[]);
    let link = folder.path().join("link");
    let link = link.display();

    let read = |key: &str, uri: &str| ask(&up, key, "resources/read", json!({ "uri": uri }));
    let clear = [
        format!("file://{at}/secret%20dir/x"),
        format!("file://{at}/secret dir/x"),
        format!("file://{link}/secret%20dir/x"),
        format!("file://{at}/./secret%20dir/x"),
        format!("file://{at}//secret%20dir/x"),
        format!("file://{at}/public/../secret%20dir/x"),
        format!("file://{at}/public/%2e%2e/secret%20dir/x"),
        format!("file://{at}/%73ecret%20dir/x"),
        "file:///secret%20dir/x".to_owned(),
        "file:///./secret%20dir/x".to_owned(),
        "files+file:///secret%20dir/x".to_owned(),
        format!("files+file://{at}/secret%20dir//x"),
    ];
    for uri in &clear {
        let (status, body) = read(&narrow, uri);
        assert!(status == "403" && body.contains("insufficient_scope"), "{uri}: {status} {body}");
        let (status, body) = read(&wide, uri);
        assert!(status == "200" && body.contains(TEXT), "{uri}: {status} {body}");
    }
    for uri in ["FILE:///secret%20dir/x", "file://localhost/secret%20dir/x", "file:///secret%20dir/x/"] {
        assert_eq!(read(&narrow, uri).0, "403", "{uri}");
        assert!(!read(&wide, uri).1.contains(TEXT), "{uri}");
    }
    for uri in [
        "file:///secret%20dir%2Fx",
        "file:///public%2F..%2Fsecret%20dir/x",
        "file:///public\\..\\secret%20dir/x",
        "file:///../secret%20dir/x",
        "file:///public//../secret%20dir/x",
        "file:///a%252Fb%",
    ] {
        for key in [&narrow, &wide] {
            let (status, body) = read(key, uri);
            assert!(status == "400" && body.contains("ambiguous"), "{uri}: {status} {body}");
        }
    }
    for uri in ["file:///public/x", "file:///secret%20dir/../public/x", "file:///a%252Fb"] {
        let (status, body) = read(&narrow, uri);
        assert!(status == "200" && body.contains("for all"), "{uri}: {status} {body}");
    }

    for (method, params, status) in [
        ("resources/subscribe", json!({ "uri": "file:///./secret dir/x" }), "403"),
        ("resources/unsubscribe", json!({ "uri": "file:///./secret dir/x" }), "403"),
        (
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["file:///public/x", "file:////secret dir/x"] } }),
            "403",
        ),
        ("completion/complete", completion("file:///{+path}", "secret dir/"), "403"),
        ("completion/complete", completion("file:///{+path}", "public/../sec"), "403"),
        ("completion/complete", completion("file:///{+path}", &format!("{at}/sec")), "403"),
        ("completion/complete", completion("files+file:///{+path}", "./secret dir/"), "403"),
        ("completion/complete", completion("file:///{+path}", ""), "403"),
        ("completion/complete", completion("file:///{+path}", "public/"), "200"),
        ("resources/templates/list", json!({}), "200"),
    ] {
        let (found, body) = ask(&up, &narrow, method, params.clone());
        assert_eq!(found, status, "{method} {params}: {body}");
    }
    let (status, body) = ask(&up, &wide, "completion/complete", completion("file:///{+path}", "secret dir/"));
    assert!(status == "200" && body.contains("secret dir/x"), "{status} {body}");
    assert_eq!(up.stop().code, Some(0));
}

/// Each line: the prefix that the file gives the connector, and the name before the qualified URIs of the hub.
#[test]
fn a_rule_for_resources_holds_for_the_qualified_uri_with_every_prefix() {
    for (prefix, name) in [("", "files"), ("prefix = \"\"\n", "files"), ("prefix = \"docs\"\n", "docs")] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("root/secret")).expect("created");
        std::fs::write(folder.path().join("root/secret/x"), TEXT).expect("written");
        let config = format!(
            "[server.auth.scopes]\nresources = {{ \"file:///secret/*\" = \"secret\" }}\n\
             [connectors.files]\nkind = \"builtin\"\nname = \"files\"\n{prefix}options = {{ path = \"root\" }}\n"
        );
        std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
        let key = run_in(folder.path(), &["auth", "keys", "create", "--scope", "mcp"]).stdout;
        let up = up(folder.path(), &[]);
        for uri in ["file:///secret/x".to_owned(), format!("{name}+file:///secret/x")] {
            let (status, body) = ask(&up, key.trim(), "resources/read", json!({ "uri": uri }));
            assert!(
                status == "403" && body.contains("insufficient_scope"),
                "{prefix:?} {uri}: {status} {body}"
            );
        }
        assert_eq!(up.stop().code, Some(0));
    }
}

fn completion(template: &str, value: &str) -> Value {
    json!({
        "ref": { "type": "ref/resource", "uri": template },
        "argument": { "name": "path", "value": value },
    })
}

/// The connector refuses the same spellings where there is no rule, and no gateway.
#[test]
fn the_files_connector_reads_the_normal_form() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("a b")).expect("created");
    std::fs::write(folder.path().join("a b/x"), TEXT).expect("written");
    let loggia = env!("CARGO_BIN_EXE_loggia");
    let root = folder.path().display().to_string();
    for (uri, is_read) in [
        ("file:///a%20b/x", true),
        ("file:///./a b//y/../x", true),
        ("file:///a%20b%2Fx", false),
        ("file:///a%20b/x/", false),
        ("file:///a%20b/x?q", false),
    ] {
        let run = run(&["read", uri, "--", loggia, "up", "--stdio", "--root", &root]);
        assert_eq!(run.stdout.contains(TEXT), is_read, "{uri}: {run}");
    }
}
