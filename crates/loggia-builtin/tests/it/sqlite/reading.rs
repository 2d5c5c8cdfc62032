//! Schemas, values, bounds, and files of other programs.

use std::time::Duration;

use loggia_builtin::sqlite::{Sqlite, SqliteLimits, SqliteOptions, server};
use serde_json::{Value, json};

use super::{caller, options, shop};
use crate::caller::{Caller, VERSIONS};
use crate::program::python;

#[tokio::test]
async fn a_schema_is_described() {
    let folder = shop();
    let caller = caller(&folder.path().join("shop.db"), options(false)).await;
    assert_eq!(caller.tools().await, ["schema", "query"]);
    let schema = caller.call("schema", json!({})).await;
    let tables = schema["tables"].as_array().unwrap();
    let kinds: Vec<(&str, &str)> = tables
        .iter()
        .map(|table| (table["name"].as_str().unwrap(), table["kind"].as_str().unwrap()))
        .filter(|(name, _)| !name.starts_with("note_"))
        .collect();
    assert_eq!(kinds, [("bill", "table"), ("customer", "table"), ("note", "virtual"), ("rich", "view")]);
    let customer = caller.call("schema", json!({ "table": "CUSTOMER" })).await["tables"][0].clone();
    assert_eq!(
        customer["columns"],
        json!([
            { "name": "id", "type": "INTEGER", "primary_key": true },
            { "name": "name", "type": "TEXT", "not_null": true },
            { "name": "photo", "type": "BLOB" },
            { "name": "score", "type": "REAL", "default": "0.5" },
        ])
    );
    let bill = caller.call("schema", json!({ "table": "bill" })).await["tables"][0].clone();
    assert_eq!(
        bill["foreign_keys"],
        json!([{ "column": "customer", "table": "customer", "references": "id" }])
    );
    assert_eq!(
        bill["indexes"][0],
        json!({ "name": "bill_of_customer", "unique": true, "columns": ["customer", "number"] })
    );
    assert!(bill["sql"].as_str().unwrap().starts_with("CREATE TABLE bill"));
    assert!(
        caller.error("schema", json!({ "table": "bills" })).await.contains("there is no table \"bills\"")
    );
}

#[tokio::test]
async fn values_are_exact_in_every_era() {
    let folder = shop();
    let sqlite = Sqlite::open(&folder.path().join("shop.db"), options(false)).unwrap();
    let server = server(sqlite).unwrap();
    let table: &[(&str, Value, Value)] = &[
        (
            "select * from customer order by id",
            json!([]),
            json!([
                [1, "Ada", { "base64": "AAE=" }, 2.5],
                [2, "Bob", null, null],
                [{ "integer": "9223372036854775807" }, "Big", { "base64": "" }, 1e300],
            ]),
        ),
        ("select cents from bill", json!([]), json!([[{ "integer": "9007199254740993" }]])),
        ("select name from rich", json!([]), json!([["Ada"], ["Big"]])),
        ("select body from note where note match ?", json!(["word"]), json!([["a searched word"]])),
        ("select ?, typeof(?)", json!([{ "base64": "AAE=" }, null]), json!([[{ "base64": "AAE=" }, "null"]])),
        (
            "select 9e999, cast(x'ff' as text)",
            json!([]),
            json!([[{ "real": "Infinity" }, { "text_base64": "/w==" }]]),
        ),
        (
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) select sum(i) from n",
            json!([]),
            json!([[6]]),
        ),
        ("values (1), (2)", json!([]), json!([[1], [2]])),
        (
            "pragma table_info(bill)",
            json!([]),
            json!([
                [0, "number", "TEXT", 1, null, 1],
                [1, "customer", "INTEGER", 0, null, 0],
                [2, "cents", "INTEGER", 0, null, 0],
            ]),
        ),
        ("pragma user_version; -- with a comment", json!([]), json!([[0]])),
    ];
    for version in VERSIONS {
        let caller = Caller::of_version(&server, version).await;
        for (sql, parameters, expected) in table {
            let result = caller.call("query", json!({ "sql": sql, "parameters": parameters })).await;
            assert_eq!(result["rows"], *expected, "{version} {sql}");
            assert_eq!(result["truncated"], json!(false), "{sql}");
        }
    }
    let caller = Caller::new(&server).await;
    let columns = caller.call("query", json!({ "sql": "select id, 1 + 1 as two from customer" })).await;
    assert_eq!(columns["columns"], json!([{ "name": "id", "type": "INTEGER" }, { "name": "two" }]));
}

#[tokio::test]
async fn mistakes_are_explained() {
    let folder = shop();
    let caller = caller(&folder.path().join("shop.db"), options(false)).await;
    for (sql, parameters, expected) in [
        ("selct 1", json!([]), "near \"selct\": syntax error"),
        ("select x from customer", json!([]), "no such column: x, at: x from customer"),
        ("select * from custmer", json!([]), "no such table: custmer"),
        ("select ?", json!([]), "the statement has 1 parameters, and 0 values are given"),
        ("select ?", json!([[1]]), "parameter 1: write null"),
        ("select 1; select 2", json!([]), "write one statement"),
        ("-- nothing", json!([]), "write one statement"),
        ("select abs(-9223372036854775808)", json!([]), "integer overflow"),
        ("select zeroblob(40000000)", json!([]), "a value is longer than 32 MiB"),
    ] {
        let error = caller.error("query", json!({ "sql": sql, "parameters": parameters })).await;
        assert!(error.contains(expected), "{sql}: {error}");
        assert!(!error.contains(folder.path().to_str().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn results_end_at_their_bounds() {
    let folder = shop();
    let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
    let path = folder.path().join("shop.db");
    let limits =
        |rows, bytes| SqliteLimits { rows, bytes, time: Duration::from_secs(60), ..SqliteLimits::default() };
    for (limits, sql, max_rows, rows, note) in [
        (limits(5, 1000), format!("{numbers} limit 5"), None, 5, None),
        (limits(5, 1000), numbers.to_owned(), None, 5, Some("stopped at 5 rows")),
        (limits(5, 1000), numbers.to_owned(), Some(2), 2, Some("stopped at 2 rows")),
        (limits(5, 1000), numbers.to_owned(), Some(100), 5, Some("stopped at 5 rows")),
        (limits(1000, 1000), numbers.to_owned(), None, 71, Some("OFFSET 71")),
        (
            limits(5, 1000),
            format!("select hex(zeroblob(300)) from ({numbers} limit 2)"),
            None,
            1,
            Some("at most 1000 bytes"),
        ),
    ] {
        let caller = caller(&path, SqliteOptions { limits, writable: false }).await;
        let result = caller.call("query", json!({ "sql": sql, "max_rows": max_rows })).await;
        assert_eq!(result["rows"].as_array().unwrap().len(), rows, "{sql}");
        let found = result["note"].as_str().unwrap_or_default();
        assert_eq!(result["truncated"], json!(note.is_some()), "{sql}");
        assert!(found.contains(note.unwrap_or_default()), "{sql}: {found}");
    }
    let options = SqliteOptions { limits: limits(5, 100), writable: false };
    let caller = caller(&path, options).await;
    let error = caller.error("query", json!({ "sql": "select zeroblob(1000)" })).await;
    assert!(error.contains("the first row is longer than 100 bytes"), "{error}");
}

#[tokio::test]
async fn a_statement_without_an_end_is_stopped() {
    let folder = shop();
    for sql in [
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n where i < 0",
        "select count(*) from (with recursive n(i) as (select 1 union all select i + 1 from n) select i from n order by i desc)",
    ] {
        let limits = SqliteLimits { time: Duration::from_millis(100), ..SqliteLimits::default() };
        let caller = caller(&folder.path().join("shop.db"), SqliteOptions { limits, writable: false }).await;
        let error = caller.error("query", json!({ "sql": sql })).await;
        assert!(error.contains("longer than a call may"), "{sql}: {error}");
    }
}

/// A database that another program has open: in WAL mode it is read at once, under an exclusive lock it is not.
#[tokio::test]
async fn another_program_has_it_open() {
    for (mode, held, expected) in [
        ("wal", "begin immediate", Ok(3)),
        ("delete", "begin immediate", Ok(3)),
        ("delete", "begin exclusive", Err("another program holds a lock")),
    ] {
        let folder = shop();
        let path = folder.path().join("shop.db");
        let script = format!(
            "import sqlite3, sys\ndb = sqlite3.connect('shop.db', isolation_level=None)\ndb.execute('pragma journal_mode={mode}')\n\
             db.execute('{held}')\ndb.execute(\"insert into customer values (5, 'Eve', null, null)\")\nprint(flush=True)\nsys.stdin.read()"
        );
        let mut other = std::process::Command::new("python3")
            .args(["-c", &script])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python3 is needed");
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.take().unwrap()), &mut line)
            .unwrap();
        let caller = caller(&path, options(false)).await;
        let sql = json!({ "sql": "select count(*) from customer" });
        match expected {
            Ok(count) => {
                assert_eq!(caller.call("query", sql).await["rows"], json!([[count]]), "{mode} {held}")
            }
            Err(message) => {
                let error = caller.error("query", sql).await;
                assert!(error.contains(message), "{mode} {held}: {error}");
            }
        }
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success());
    }
}

#[test]
fn files_that_cannot_be_served_say_why() {
    let folder = shop();
    std::fs::write(folder.path().join("text"), "this is no database at all").unwrap();
    std::fs::write(folder.path().join("short"), "SQLite").unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    for (name, expected) in [
        ("shop.db", None),
        ("empty", None),
        ("none.db", Some("it does not exist")),
        (".", Some("it is not a SQLite database")),
        ("text", Some("it is not a SQLite database")),
        ("short", Some("it is not a SQLite database")),
    ] {
        let opened = Sqlite::open(&folder.path().join(name), options(true)).map(drop);
        let error = opened.err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{name}");
        let error = error.unwrap_or_default();
        assert!(error.contains(expected.unwrap_or_default()), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_was_destroyed_is_an_error_of_the_call() {
    let folder = shop();
    let path = folder.path().join("shop.db");
    let caller = caller(&path, options(false)).await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(5000);
    bytes[100..].fill(0xaa);
    std::fs::write(&path, &bytes).unwrap();
    let error = caller.error("query", json!({ "sql": "select * from customer" })).await;
    assert!(error.contains("the database file cannot be used"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = caller.error("query", json!({ "sql": "select 1" })).await;
    assert!(error.contains("the database file cannot be used"), "{error}");
    assert_eq!(python(folder.path(), "import os; print(os.path.exists('shop.db'))"), "False");
}
