//! Statements that try to leave: to write with the reading tool, to reach other files, to keep a lock.

use serde_json::json;

use super::{caller, options, shop};
use crate::program::python;

/// Statements that the reading tool refuses, with a part of the message.
const WRITES: &[(&str, &str)] = &[
    ("insert into customer (name) values ('x')", "INSERT"),
    ("insert into customer (name) values ('x') returning id", "INSERT"),
    ("update customer set name = 'x'", "UPDATE"),
    ("delete from customer", "DELETE"),
    ("delete from customer where id in (select 1) returning *", "DELETE"),
    ("replace into customer (id, name) values (1, 'x')", "INSERT"),
    ("with x as (select 1) insert into customer (name) select 'x' from x", "INSERT"),
    ("explain delete from customer", "DELETE"),
    ("create table x (y)", "this tool only reads"),
    ("create temp table x (y)", "this tool only reads"),
    ("create table x as select * from customer", "this tool only reads"),
    ("create index i on customer (name)", "this tool only reads"),
    ("create temp trigger t after insert on bill begin delete from bill; end", "this tool only reads"),
    ("create virtual table v using fts5(x)", "this tool only reads"),
    ("drop table customer", "this tool only reads"),
    ("drop view rich", "this tool only reads"),
    ("alter table customer rename to x", "this tool only reads"),
    ("alter table customer add column x", "this tool only reads"),
    ("reindex", "this tool only reads"),
    ("analyze", "this tool only reads"),
    ("vacuum", "this tool only reads"),
    ("insert into note(note) values ('rebuild')", "INSERT"),
    ("update sqlite_schema set sql = ''", ""),
];

/// Statements that no tool allows.
const ESCAPES: &[(&str, &str)] = &[
    ("attach 'other.db' as other", "ATTACH"),
    ("attach ':memory:' as other", "ATTACH"),
    ("attach 'file:other.db?mode=rwc' as other", "ATTACH"),
    ("detach main", "DETACH"),
    ("vacuum into 'copy.db'", ""),
    ("begin", "a transaction of its own"),
    ("begin exclusive", "a transaction of its own"),
    ("commit", "a transaction of its own"),
    ("rollback", "a transaction of its own"),
    ("savepoint s", "a savepoint"),
    ("release s", "a savepoint"),
    ("pragma query_only = off", "PRAGMA query_only"),
    ("pragma query_only(0)", "PRAGMA query_only"),
    ("pragma journal_mode = delete", "PRAGMA journal_mode"),
    ("pragma journal_mode(off)", "PRAGMA journal_mode"),
    ("pragma user_version = 7", "PRAGMA user_version"),
    ("pragma writable_schema = on", "PRAGMA writable_schema"),
    ("pragma locking_mode = exclusive", "PRAGMA locking_mode"),
    ("pragma temp_store_directory = '/tmp'", "PRAGMA temp_store_directory"),
    ("pragma wal_checkpoint", "PRAGMA wal_checkpoint"),
    ("pragma incremental_vacuum", "PRAGMA incremental_vacuum"),
    ("pragma optimize", "PRAGMA optimize"),
    ("pragma hard_heap_limit = 1", "PRAGMA hard_heap_limit"),
    ("select * from pragma_wal_checkpoint", ""),
    ("select load_extension('evil')", ""),
    ("select writefile('out', 'x')", ""),
    ("select readfile('/etc/passwd')", ""),
    ("select fts3_tokenizer('simple')", ""),
    ("select 1; attach 'other.db' as other", ""),
    ("select 1; delete from customer", ""),
];

#[tokio::test]
async fn no_statement_leaves_the_reading_tool() {
    let folder = shop();
    let path = folder.path().join("shop.db");
    let before = std::fs::read(&path).unwrap();
    for writable in [false, true] {
        let caller = caller(&path, options(writable)).await;
        for (sql, expected) in WRITES.iter().chain(ESCAPES) {
            let error = caller.error("query", json!({ "sql": sql })).await;
            assert!(error.contains(expected), "{sql}: {error}");
        }
    }
    assert_eq!(std::fs::read(&path).unwrap(), before, "the file is the same, byte for byte");
    let files = python(folder.path(), "import os; print(os.listdir('.'))");
    assert_eq!(files, "['shop.db']");
}

#[tokio::test]
async fn no_statement_of_the_writing_tool_leaves_the_database_or_its_transaction() {
    let folder = shop();
    let path = folder.path().join("shop.db");
    let caller = caller(&path, options(true)).await;
    for (sql, expected) in ESCAPES {
        let statements = json!([{ "sql": "delete from bill" }, { "sql": sql }]);
        let error = caller.error("execute", json!({ "statements": statements })).await;
        assert!(error.contains(expected), "{sql}: {error}");
    }
    let script = "import sqlite3, os\nprint(os.listdir('.'), *sqlite3.connect('shop.db').execute('select count(*) from bill'))";
    assert_eq!(python(folder.path(), script), "['shop.db'] (1,)");
}

/// A view, a trigger or a default of another program is not trusted with functions that reach out.
#[tokio::test]
async fn a_schema_of_another_program_gets_no_more_rights() {
    let folder = shop();
    python(
        folder.path(),
        "import sqlite3\ndb = sqlite3.connect('shop.db')\n\
         db.execute(\"create view evil as select load_extension('x') as a\")\n\
         db.execute('create view writer as select * from customer')\n\
         db.execute(\"create trigger w instead of insert on writer begin delete from bill; end\")\ndb.commit()",
    );
    let caller = caller(&folder.path().join("shop.db"), options(false)).await;
    for (sql, expected) in [
        ("select * from evil", ""),
        ("insert into writer values (1, 'x', null, null)", "this tool only reads"),
    ] {
        let error = caller.error("query", json!({ "sql": sql })).await;
        assert!(error.contains(expected), "{sql}: {error}");
    }
}
