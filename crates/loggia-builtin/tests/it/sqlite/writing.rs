//! Changes, read by another program.

use std::time::Duration;

use loggia_builtin::sqlite::{SqliteLimits, SqliteOptions};
use serde_json::json;

use super::{caller, options, shop};
use crate::program::python;

/// Prints a query of Python's module.
fn printed(folder: &std::path::Path, sql: &str) -> String {
    python(folder, &format!("import sqlite3\nprint(*sqlite3.connect('shop.db').execute(\"{sql}\"))"))
}

#[tokio::test]
async fn another_program_reads_the_changes() {
    let folder = shop();
    let caller = caller(&folder.path().join("shop.db"), options(true)).await;
    assert_eq!(caller.tools().await, ["schema", "query", "execute"]);
    let statements = json!([
        { "sql": "insert into customer (name, photo, score) values (?, ?, ?) returning name, id > 0",
          "parameters": ["Eve", { "base64": "/wA=" }, { "real": "Infinity" }] },
        { "sql": "update customer set name = upper(name) where id <= 2" },
        { "sql": "create table log (at integer)" },
        { "sql": "insert into log values (?), (?)", "parameters": [{ "integer": "-9223372036854775808" }, null] },
        { "sql": "delete from bill" },
    ]);
    // The greatest rowid is used, so SQLite chooses the next one by chance.
    let result = caller.call("execute", json!({ "statements": statements })).await;
    let counts: Vec<u64> = result["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["changed_rows"].as_u64().unwrap())
        .collect();
    // The trigger adds a row to the full-text table, which keeps its own rows in tables.
    assert_eq!((counts[0], counts[3], counts[4]), (1, 2, 1));
    assert_eq!(result["results"][0]["returned"]["rows"], json!([["Eve", 1]]));
    let read = printed(
        folder.path(),
        "select name, hex(photo), score from customer where id not in (9223372036854775807) order by name",
    );
    assert_eq!(read, "('ADA', '0001', 2.5) ('BOB', '', None) ('Eve', 'FF00', inf)");
    assert_eq!(printed(folder.path(), "select at from log"), "(-9223372036854775808,) (None,)");
    assert_eq!(printed(folder.path(), "select count(*) from note where note match 'changed'"), "(2,)");
}

#[tokio::test]
async fn all_statements_take_effect_or_none() {
    let folder = shop();
    let caller = caller(&folder.path().join("shop.db"), options(true)).await;
    for (last, expected) in [
        (
            "insert into customer (id, name) values (2, 'x')",
            "statement 2: UNIQUE constraint failed: customer.id",
        ),
        ("insert into customer (name) values (null)", "statement 2: NOT NULL constraint failed"),
        ("insert into bill values ('b', 99, 1)", "FOREIGN KEY constraint failed"),
        ("insert into absent values (1)", "no such table: absent"),
        ("insert into customer (id) values (?)", "the statement has 1 parameters, and 0 values are given"),
        ("", "write one statement"),
        ("drop table bill; drop table customer", "write one statement"),
    ] {
        let statements = json!([{ "sql": "delete from bill" }, { "sql": last }]);
        let error = caller.error("execute", json!({ "statements": statements })).await;
        assert!(error.contains(expected), "{last}: {error}");
        assert_eq!(printed(folder.path(), "select count(*) from bill"), "(1,)", "{last}");
    }
}

#[tokio::test]
async fn a_long_change_is_undone() {
    let folder = shop();
    let limits = SqliteLimits { time: Duration::from_millis(200), ..SqliteLimits::default() };
    let caller = caller(&folder.path().join("shop.db"), SqliteOptions { limits, writable: true }).await;
    let endless = "insert into bill select i, 1, i from (with recursive n(i) as (select 1 union all select i + 1 from n) \
                   select i from n)";
    let error = caller.error("execute", json!({ "statements": [{ "sql": endless }] })).await;
    assert!(error.contains("longer than a call may"), "{error}");
    assert_eq!(printed(folder.path(), "select count(*) from bill"), "(1,)");
}

/// Two writers at once: each change takes effect once.
#[tokio::test(flavor = "multi_thread")]
async fn several_writers_lose_nothing() {
    let folder = shop();
    let path = folder.path().join("shop.db");
    let options = || SqliteOptions { writable: true, limits: SqliteLimits::default() };
    let callers = [caller(&path, options()).await, caller(&path, options()).await];
    let change =
        json!({ "statements": [{ "sql": "update bill set cents = coalesce(cents, 0) % 1000 + 1" }] });
    caller(&path, options())
        .await
        .call("execute", json!({ "statements": [{ "sql": "update bill set cents = 0" }] }))
        .await;
    let writes = (0..40).map(|n| callers[n % 2].call("execute", change.clone()));
    for result in futures_util::future::join_all(writes).await {
        assert_eq!(result["results"][0]["changed_rows"], json!(1));
    }
    assert_eq!(printed(folder.path(), "select cents from bill"), "(40,)");
}
