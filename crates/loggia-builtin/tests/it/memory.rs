//! The connector `memory`: what is remembered is found, by other processes too, and survives a kill.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use loggia_builtin::memory::{Memory, MemoryLimits, server};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::program::python;

/// Names the file of a child process.
const FILE: &str = "LOGGIA_TEST_MEMORY";

async fn caller(folder: &Path) -> Caller {
    let memory = Memory::open(&folder.join("memory.db"), MemoryLimits::default()).unwrap();
    Caller::new(&server(memory).unwrap()).await
}

fn texts(page: &Value) -> Vec<&str> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn entries_are_remembered_found_changed_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let caller = caller(folder.path()).await;
    assert_eq!(caller.tools().await, ["remember", "recall", "list", "read", "update", "forget", "relate"]);
    let mut ids = Vec::new();
    for (subject, text, tags) in [
        ("Ada", "Ada prefers tea to coffee.", json!(["Person", "food"])),
        ("Acme", "Acme makes anvils in Zürich.", json!(["company"])),
        ("Ada", "Ada works on the coffee machine of Acme.", json!(["person"])),
    ] {
        let made = caller.call("remember", json!({ "subject": subject, "text": text, "tags": tags })).await;
        assert_eq!(made["created"], json!(true));
        ids.push(made["entry"]["id"].as_i64().unwrap());
    }
    let again =
        caller.call("remember", json!({ "subject": "Ada", "text": "Ada prefers tea to coffee." })).await;
    assert_eq!((&again["created"], &again["entry"]["id"]), (&json!(false), &json!(ids[0])));
    for (query, expected) in [
        (json!({ "query": "tea" }), &["Ada prefers tea to coffee."][..]),
        (json!({ "query": "zurich" }), &["Acme makes anvils in Zürich."]),
        (json!({ "query": "where does Acme make anvils?", "limit": 1 }), &["Acme makes anvils in Zürich."]),
        (
            json!({ "query": "coff" }),
            &["Ada prefers tea to coffee.", "Ada works on the coffee machine of Acme."],
        ),
        (json!({ "query": "ada", "tag": "FOOD" }), &["Ada prefers tea to coffee."]),
        (json!({ "query": "nothing" }), &[]),
        (json!({ "query": "\") OR rowid:*" }), &[]),
    ] {
        let mut found = caller.call("recall", query.clone()).await;
        let mut found: Vec<String> = texts(&found.take()).into_iter().map(str::to_owned).collect();
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
    let related = json!({ "source": ids[2], "kind": "works for", "target": ids[1] });
    assert_eq!(caller.call("relate", related.clone()).await["changed"], json!(true));
    assert_eq!(caller.call("relate", related.clone()).await["changed"], json!(false));
    assert_eq!(caller.call("read", json!({ "id": ids[1] })).await["relations"], json!([related]));
    caller.call("update", json!({ "id": ids[0], "text": "Ada prefers water." })).await;
    assert_eq!(texts(&caller.call("recall", json!({ "query": "tea" })).await), [""; 0]);
    assert_eq!(texts(&caller.call("recall", json!({ "query": "water" })).await), ["Ada prefers water."]);
    let first = caller.call("list", json!({ "limit": 2 })).await;
    assert_eq!(first["next_before"], json!(ids[1]));
    assert_eq!(texts(&caller.call("list", json!({ "before": ids[1] })).await), ["Ada prefers water."]);
    caller.call("forget", json!({ "id": ids[2] })).await;
    assert_eq!(caller.call("read", json!({ "id": ids[1] })).await.get("relations"), None);
    assert_eq!(texts(&caller.call("recall", json!({ "query": "machine" })).await), [""; 0]);
    let script = "import sqlite3\ndb = sqlite3.connect('memory.db')\n\
                  print(*db.execute('select subject, text, tags from entry order by id'), *db.execute('pragma integrity_check'))";
    assert_eq!(
        python(folder.path(), script),
        "('Ada', 'Ada prefers water.', 'food person') ('Acme', 'Acme makes anvils in Zürich.', 'company') ('ok',)"
    );
}

#[tokio::test]
async fn mistakes_are_explained_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let caller = caller(folder.path()).await;
    let id = caller.call("remember", json!({ "subject": "a", "text": "b" })).await["entry"]["id"].clone();
    for (tool, args, expected) in [
        ("remember", json!({ "subject": " ", "text": "x" }), "a subject has 1 to 200 bytes"),
        ("remember", json!({ "subject": "x", "text": "y".repeat(70_000) }), "a text has 1 to 65536 bytes"),
        ("remember", json!({ "subject": "x", "text": "a\u{0}b" }), "a text has"),
        ("remember", json!({ "subject": "x", "text": "y", "tags": ["z".repeat(60)] }), "at most 20 tags"),
        ("recall", json!({ "query": "*" }), "at least one word"),
        ("read", json!({ "id": 99 }), "there is no entry 99"),
        ("update", json!({ "id": 99, "text": "x" }), "there is no entry 99"),
        ("forget", json!({ "id": 99 }), "there is no entry 99"),
        ("relate", json!({ "source": id, "kind": "is", "target": 99 }), "there is no entry 99"),
        ("relate", json!({ "source": id, "kind": " ", "target": id }), "a kind of relation"),
    ] {
        let error = caller.error(tool, args.clone()).await;
        assert!(error.contains(expected), "{tool}: {error}");
    }
    assert_eq!(texts(&caller.call("list", json!({})).await), ["b"]);
}

#[tokio::test]
async fn a_store_has_a_greatest_size() {
    let folder = tempfile::tempdir().unwrap();
    let limits = MemoryLimits { file: 256 << 10, ..MemoryLimits::default() };
    let memory = Memory::open(&folder.path().join("memory.db"), limits).unwrap();
    let caller = Caller::new(&server(memory).unwrap()).await;
    let mut error = None;
    for number in 0..20 {
        let args =
            json!({ "subject": number.to_string(), "text": format!("{number} {}", "word ".repeat(5000)) });
        let result = caller.0.call("remember").args(args).send().await.unwrap();
        if result.failed() {
            error = Some(format!("{result:?}"));
            break;
        }
    }
    assert!(error.is_some_and(|error| error.contains("the memory is full")));
    assert!(!texts(&caller.call("recall", json!({ "query": "word", "limit": 1 })).await).is_empty());
}

/// Starts this binary again, as a process that remembers without an end and prints each number that was confirmed.
fn writer(file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::writes_without_an_end", "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A process of the tests below; without the variable it does nothing.
#[tokio::test]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
async fn writes_without_an_end() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let memory = Memory::open(Path::new(&file), MemoryLimits::default()).unwrap();
    let caller = Caller::new(&server(memory).unwrap()).await;
    for number in 0.. {
        let text = format!("{} {number}", std::process::id());
        caller.call("remember", json!({ "subject": "number", "text": text })).await;
        println!("confirmed {text}");
    }
}

/// Three processes write at once and are killed. Each confirmed entry is there, and the index is whole.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_confirmed_is_lost_by_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.db");
    let own = caller(folder.path()).await;
    let mut children: Vec<Child> = (0..3).map(|_| writer(&file)).collect();
    let mut confirmed = Vec::new();
    for child in &mut children {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut own_lines = 0;
        for line in lines.by_ref() {
            if let Some((_, text)) = line.split_once("confirmed ") {
                confirmed.push(text.to_owned());
                own_lines += 1;
            }
            if own_lines == 20 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Lines that were in the pipe.
        confirmed.extend(lines.filter_map(|line| Some(line.split_once("confirmed ")?.1.to_owned())));
    }
    own.call("remember", json!({ "subject": "after", "text": "the lock is free" })).await;
    let script = "import sqlite3\ndb = sqlite3.connect('memory.db')\n\
                  print(*[row[0] for row in db.execute('select text from entry')], sep='\\n')\n\
                  db.execute(\"insert into entry_index(entry_index) values ('integrity-check')\")\n\
                  print(*db.execute('pragma integrity_check'))";
    let found = python(folder.path(), script);
    let found: Vec<&str> = found.lines().collect();
    assert!(confirmed.len() >= 60, "{}", confirmed.len());
    for text in &confirmed {
        assert!(found.contains(&text.as_str()), "{text} was confirmed and is lost");
    }
    assert_eq!(found.last(), Some(&"('ok',)"));
}
