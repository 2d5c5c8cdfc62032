//! The folder as a server, in both eras: the same calls, the same answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia::client::{Client, ClientBuilder};
use loggia::model::{
    CallToolResult, CompleteParams, ContentBlock, ElicitAction, ElicitResult, ResourceBody,
    SubscriptionFilter,
};
use loggia::wire::Version;
use loggia_builtin::files::{Files, FilesOptions, Limits, server};
use serde_json::{Value, json};

use super::{folder, read_only, with_limits, writable};

/// One of each era, and an old one without structured output.
const VERSIONS: [Version; 3] = [Version::V2025_03_26, Version::V2025_11_25, Version::V2026_07_28];

async fn connect(files: Files, builder: ClientBuilder, version: Version) -> Client {
    let server = server(files).expect("the server is sound");
    builder.version(version).connect(&server).await.expect("the server is in this process")
}

async fn plain(files: Files, version: Version) -> Client {
    connect(files, Client::builder(), version).await
}

async fn call(client: &Client, tool: &str, args: Value) -> CallToolResult {
    client.call(tool).args(args).send().await.expect("the call is answered")
}

fn text(result: &CallToolResult) -> &str {
    result.content.first().and_then(ContentBlock::as_text).unwrap_or_default()
}

/// The structured result; from the text where the revision has none.
fn value(result: &CallToolResult) -> Value {
    assert!(!result.failed(), "{}", text(result));
    match &result.structured_content {
        Some(value) => value.to_value(),
        None => serde_json::from_str(text(result)).expect("it is JSON"),
    }
}

#[tokio::test]
async fn what_is_offered() {
    let folder = folder(&[]);
    let client = plain(writable(folder.path()), Version::V2026_07_28).await;
    insta::assert_json_snapshot!("tools", client.list_all_tools().await.unwrap());
    insta::assert_json_snapshot!("templates", client.list_all_resource_templates().await.unwrap());
    let changing = ["write", "edit", "move", "create_directory", "delete"];
    for version in VERSIONS {
        let client = plain(read_only(folder.path()), version).await;
        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["list", "find", "search", "read", "stat"], "{version}");
        for tool in changing {
            assert!(client.call(tool).args(json!({ "path": "a" })).send().await.is_err(), "{tool} {version}");
        }
        assert!(client.instructions().unwrap_or_default().contains("It is read-only."), "{version}");
    }
}

/// A session with every tool. Results that do not match their output schema are errors of the client.
#[tokio::test]
async fn every_tool_in_every_era() {
    for version in VERSIONS {
        let folder = folder(&[("src/main.rs", "fn main() {}\n"), ("src/lib.rs", "// TODO\n")]);
        let client = plain(writable(folder.path()), version).await;
        client.list_all_tools().await.unwrap();
        let steps = [
            ("list", json!({ "depth": 2 }), "/entries/1/path", json!("src/lib.rs")),
            ("list", json!({ "depth": 2, "limit": 1 }), "/next_cursor", json!("src")),
            (
                "list",
                json!({ "depth": 2, "limit": 1, "cursor": "src" }),
                "/entries/0/path",
                json!("src/lib.rs"),
            ),
            ("find", json!({ "glob": "main.*" }), "/entries/0/path", json!("src/main.rs")),
            (
                "search",
                json!({ "pattern": "todo", "ignore_case": true }),
                "/files/0/lines/0/text",
                json!("// TODO"),
            ),
            ("stat", json!({ "path": "src" }), "/kind", json!("directory")),
            ("write", json!({ "path": "new/a", "content": "one\ntwo\n" }), "/created", json!(true)),
            (
                "edit",
                json!({ "path": "new/a", "edits": [{ "old_text": "two", "new_text": "2" }] }),
                "/diff",
                json!("--- a/new/a\n+++ b/new/a\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"),
            ),
            ("move", json!({ "from": "new/a", "to": "new/b" }), "/path", json!("new/b")),
            ("create_directory", json!({ "path": "dir" }), "/created", json!(true)),
            ("delete", json!({ "path": "dir" }), "/kind", json!("directory")),
            ("delete", json!({ "path": "new", "recursive": true }), "/path", json!("new")),
        ];
        for (tool, args, pointer, expected) in steps {
            let result = call(&client, tool, args.clone()).await;
            assert_eq!(
                value(&result).pointer(pointer),
                Some(&expected),
                "{version} {tool} {args}: {result:?}"
            );
        }
        assert!(!folder.path().join("new").exists());
    }
}

#[tokio::test]
async fn reading() {
    let folder = folder(&[("a.txt", "one\ntwo\nthree\n"), ("bin", "a\0b")]);
    std::fs::write(folder.path().join("a.png"), b"\x89PNG\0").unwrap();
    for version in VERSIONS {
        let client = plain(read_only(folder.path()), version).await;
        let tools = client.list_all_tools().await.unwrap();
        let structured = tools.iter().any(|tool| tool.output_schema.is_some());
        assert_eq!(structured, version >= Version::V2025_06_18);

        let result =
            call(&client, "read", json!({ "path": "a.txt", "first_line": 2, "line_count": 1 })).await;
        assert_eq!(text(&result), "two\n");
        let facts = result.content[1].as_text().unwrap_or_default();
        let hash = value(&call(&client, "stat", json!({ "path": "a.txt" })).await)["hash"].clone();
        let hash = hash.as_str().expect("small files have one");
        let expected =
            format!("(a.txt, 14 bytes, lines 2 to 2, hash {hash}; there is more; read on with first_line 3)");
        assert_eq!(facts, expected);
        if let Some(value) = result.structured_content {
            let expected = json!({
                "path": "a.txt", "mime_type": "text/plain", "size": 14, "hash": hash, "first_line": 2, "last_line": 2,
                "text": "two\n", "note": "there is more; read on with first_line 3",
            });
            assert_eq!(value, expected);
        }

        let picture = call(&client, "read", json!({ "path": "a.png" })).await;
        let ContentBlock::Image(image) = &picture.content[0] else { panic!("{picture:?}") };
        assert_eq!((image.data.as_str(), image.mime_type.as_str()), ("iVBORwA=", "image/png"));
        let bytes = call(&client, "read", json!({ "path": "bin", "offset": 0 })).await;
        let ContentBlock::Resource(embedded) = &bytes.content[0] else { panic!("{bytes:?}") };
        assert_eq!(embedded.resource.body, ResourceBody::Blob("YQBi".into()));
        assert_eq!(embedded.resource.uri, "file:///bin");
    }
}

#[tokio::test]
async fn mistakes_are_told_to_the_model() {
    let folder = folder(&[("src/main.rs", "")]);
    for version in VERSIONS {
        let client = plain(writable(folder.path()), version).await;
        let table = [
            ("read", json!({ "path": "src/mian.rs" }), "did you mean 'src/main.rs'?"),
            ("read", json!({ "path": "../x" }), "leaves the folder"),
            ("read", json!({ "path": "src/main.rs", "first_line": 1, "offset": 0 }), "one kind of range"),
            ("read", json!({}), "path"),
            ("list", json!({ "path": "src", "dept": 2 }), "dept"),
            ("list", json!({ "depth": 0 }), "depth"),
            ("search", json!({ "pattern": "(" }), "unclosed group"),
            ("write", json!({ "path": "src/main.rs", "content": "x" }), "set overwrite"),
            ("edit", json!({ "path": "src/main.rs", "edits": [] }), "edits"),
            (
                "edit",
                json!({ "path": "src/main.rs", "edits": [{ "old_text": "a", "new_text": "b", "all": true }] }),
                "all",
            ),
            ("delete", json!({ "path": "", "recursive": true }), "cannot be deleted"),
        ];
        for (tool, args, expected) in table {
            let result = call(&client, tool, args.clone()).await;
            assert!(
                result.failed() && text(&result).contains(expected),
                "{version} {tool} {args}: {result:?}"
            );
        }
    }
}

/// The answer of the user, and the effect on the directory.
#[tokio::test]
async fn a_person_is_asked_before_a_directory_goes() {
    for version in [Version::V2025_06_18, Version::V2025_11_25, Version::V2026_07_28] {
        let answers = [
            (Some(ElicitAction::Accept), false),
            (Some(ElicitAction::Decline), true),
            (Some(ElicitAction::Cancel), true),
            (None, false),
        ];
        for (answer, stays) in answers {
            let folder = folder(&[("dir/a", ""), ("dir/b/c", ""), ("empty/", "/")]);
            let asked = Arc::new(Mutex::new(Vec::new()));
            let mut builder = Client::builder();
            if let Some(action) = answer {
                let asked = asked.clone();
                builder = builder.on_elicit(move |form| {
                    asked.lock().unwrap().push(form.message);
                    let result = match action {
                        ElicitAction::Accept => ElicitResult::accept(Default::default()),
                        other => ElicitResult::without_content(other),
                    };
                    std::future::ready(Ok(result))
                });
            }
            let client = connect(writable(folder.path()), builder, version).await;
            let result = call(&client, "delete", json!({ "path": "dir", "recursive": true })).await;
            assert_eq!(folder.path().join("dir").exists(), stays, "{version} {answer:?}: {result:?}");
            assert_eq!(result.failed(), stays, "{version} {answer:?}");
            let expected: &[&str] = match answer {
                Some(_) => &["Delete 'dir' with the 3 files and directories in it?"],
                None => &[],
            };
            assert_eq!(*asked.lock().unwrap(), expected, "{version} {answer:?}");
            // Nothing is lost here, so the user is not asked.
            for path in ["empty", "nothing"] {
                call(&client, "delete", json!({ "path": path, "recursive": true })).await;
            }
            assert_eq!(asked.lock().unwrap().len(), expected.len());
            assert!(!folder.path().join("empty").exists());
        }
    }
}

/// A client that agrees to everything, and the questions that it was asked.
fn agreeing() -> (ClientBuilder, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = asked.clone();
    let builder = Client::builder().on_elicit(move |form| {
        questions.lock().unwrap().push(form.message);
        std::future::ready(Ok(ElicitResult::accept(Default::default())))
    });
    (builder, asked)
}

/// With `write_sensitive` the directory is not searched before it is deleted: only the count stands before it.
#[tokio::test]
async fn a_directory_that_cannot_be_counted_stays() {
    let limits = Limits { time: Duration::ZERO, ..Limits::default() };
    let options = FilesOptions { writable: true, write_sensitive: true, limits };
    let folder = folder(&[("dir/a", "")]);
    let (builder, asked) = agreeing();
    let files = Files::open(folder.path(), options).unwrap();
    let client = connect(files, builder, Version::V2025_11_25).await;
    let result = call(&client, "delete", json!({ "path": "dir", "recursive": true })).await;
    assert!(result.failed() && text(&result).contains("took too long"), "{result:?}");
    assert!(folder.path().join("dir/a").exists() && asked.lock().unwrap().is_empty());
}

/// A link goes, and not the directory that it leads to: the person is not asked about that.
#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_directory_goes_without_a_question() {
    let folder = folder(&[("dir/a", "")]);
    std::os::unix::fs::symlink("dir", folder.path().join("link")).unwrap();
    let (builder, asked) = agreeing();
    let client = connect(writable(folder.path()), builder, Version::V2025_11_25).await;
    let result = call(&client, "delete", json!({ "path": "link", "recursive": true })).await;
    assert!(!result.failed(), "{result:?}");
    assert!(asked.lock().unwrap().is_empty());
    assert!(folder.path().join("dir/a").exists() && !folder.path().join("link").exists());
}

#[tokio::test]
async fn files_are_resources() {
    let folder = folder(&[("src/a b%c.rs", "text"), ("src/main.rs", ""), ("bin", "a\0b")]);
    let absolute = format!("file://{}/src/main.rs", folder.path().display());
    for version in VERSIONS {
        let client = plain(read_only(folder.path()), version).await;
        let table = [
            ("file:///src/a%20b%25c.rs", ResourceBody::Text("text".into()), "text/plain"),
            ("file:///bin", ResourceBody::Blob("YQBi".into()), "application/octet-stream"),
            (absolute.as_str(), ResourceBody::Text(String::new()), "text/plain"),
        ];
        for (uri, body, mime_type) in table {
            let contents = client.read_resource(uri).await.expect(uri).contents.remove(0);
            assert_eq!((contents.uri.as_str(), contents.body), (uri, body), "{version}");
            assert_eq!(contents.mime_type.as_deref(), Some(mime_type), "{version} {uri}");
        }
        for uri in
            ["file:///none", "file:///../x", "file:///src", "file:///etc/passwd", "file:///src/..%2f..%2fx"]
        {
            assert!(client.read_resource(uri).await.is_err(), "{version} {uri}");
        }
        let typed = CompleteParams::resource("file:///{+path}", "path", "src/m");
        assert_eq!(client.complete(typed).await.unwrap().completion.values, ["src/main.rs"], "{version}");
    }
}

#[tokio::test]
async fn whoever_listens_hears_of_changes() {
    for version in [Version::V2025_11_25, Version::V2026_07_28] {
        let folder = folder(&[("a b", "one")]);
        let client = plain(writable(folder.path()), version).await;
        let uri = "file:///a%20b".to_owned();
        let filter =
            SubscriptionFilter { resource_subscriptions: Some(vec![uri.clone()]), ..Default::default() };
        let mut listening = client.listen(filter).await.unwrap();
        let edits = json!([{ "old_text": "one", "new_text": "two" }]);
        call(&client, "edit", json!({ "path": "a b", "edits": edits })).await;
        assert_eq!(listening.next().await, Some(loggia::changes::Change::Resource(uri)), "{version}");
    }
}

/// While a directory is locked by another process, calls that change it wait; as many run and wait as may.
#[cfg(unix)]
#[tokio::test]
async fn calls_above_the_bound_are_refused_and_the_others_are_answered() {
    const CALLS: usize = 20;
    const ADMITTED: usize = 3;
    let folder = folder(&[]);
    let lock = std::fs::File::open(folder.path()).unwrap();
    fs4::FileExt::lock(&lock).expect("it is locked");
    let limits = Limits { running: 1, waiting: ADMITTED - 1, ..Limits::default() };
    let client = Arc::new(plain(with_limits(folder.path(), limits), Version::V2026_07_28).await);
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..CALLS {
        let (client, sender) = (client.clone(), sender.clone());
        tokio::spawn(async move {
            let args = json!({ "path": format!("{n}"), "content": "x" });
            sender.send(call(&client, "write", args).await).expect("the test waits");
        });
    }
    for _ in ADMITTED..CALLS {
        let refused = answers.recv().await.expect("all are answered");
        assert!(refused.failed() && text(&refused).contains("try again later"), "{refused:?}");
    }
    drop(lock);
    for _ in 0..ADMITTED {
        let written = answers.recv().await.expect("all are answered");
        assert!(!written.failed(), "{written:?}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), ADMITTED);
}
