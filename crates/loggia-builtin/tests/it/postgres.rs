//! The connector `postgres`, with the server that `LOGGIA_TEST_POSTGRES` names; each test has a database of its own, and psql
//! makes and reads its rows.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loggia_builtin::postgres::{Postgres, PostgresLimits, PostgresOptions, server};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::program::run;

/// Names a server, as a URL, whose user may create databases.
const SERVER: &str = "LOGGIA_TEST_POSTGRES";

/// A shop with the types of PostgreSQL, and functions with side effects.
const SHOP: &str = "
create type state as enum ('open', 'paid');
create table customer (id bigint primary key, name text not null, joined timestamptz default now());
comment on table customer is 'people who buy';
create table bill (
    id serial primary key, customer bigint references customer (id), amount numeric(20, 5), state state,
    tags text[], details jsonb, day date, key uuid, photo bytea, score float8, paid boolean, check (amount >= 0)
);
create view rich as select name from customer where id > 5;
create sequence counter;
create function sneak() returns int language sql as $$ insert into customer values (99, 'sneak') returning 1 $$;
create function sneak_mode() returns int language plpgsql as $$ begin
    perform set_config('transaction_read_only', 'off', true); insert into customer values (98, 'sneak'); return 1; end $$;
create procedure sneak_call() language sql as $$ insert into customer values (97, 'sneak') $$;
insert into customer values (1, 'Ada', '2026-01-31 12:00:00+01'), (9223372036854775807, 'Big', null);
insert into bill values (1, 1, 12345678901234.56789, 'open', '{a,\"b c\"}', '{\"n\": 12345678901234567890.5}', '2026-01-31',
    '00000000-0000-0000-0000-000000000001', '\\x0001ff', 'NaN', true);
";

/// A database of one test.
struct Database(String);

impl Database {
    /// Creates a database; `None` where no server was named.
    ///
    /// # Panics
    ///
    /// Panics if no server was named and `CI` is set: the test would pass without a database.
    fn new() -> Option<Database> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let Ok(server) = std::env::var(SERVER) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "{SERVER} names no PostgreSQL; `cargo xtask test unit` starts one"
            );
            return None;
        };
        let name = format!("builtin_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        psql(&server, &format!("create database {name}"));
        let (before, _) = server.rsplit_once('/').unwrap();
        let database = Database(format!("{before}/{name}"));
        psql(&database.0, SHOP);
        Some(database)
    }

    async fn caller(&self, writable: bool) -> Caller {
        self.limited(PostgresOptions { writable, limits: PostgresLimits::default() }).await
    }

    async fn limited(&self, options: PostgresOptions) -> Caller {
        Caller::new(&server(Postgres::open(&self.0, options).unwrap()).unwrap()).await
    }

    fn rows(&self, sql: &str) -> String {
        psql(&self.0, sql)
    }
}

fn psql(url: &str, sql: &str) -> String {
    run(Path::new("/"), "psql", &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
}

#[tokio::test]
async fn a_schema_is_described() {
    let Some(database) = Database::new() else { return };
    let caller = database.caller(false).await;
    assert_eq!(caller.tools().await, ["schema", "query"]);
    let schema = caller.call("schema", json!({})).await;
    let names: Vec<Value> = schema["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| json!([table["name"], table["kind"]]))
        .collect();
    assert_eq!(json!(names), json!([["bill", "table"], ["customer", "table"], ["rich", "view"]]));
    let customer = caller.call("schema", json!({ "table": "public.customer" })).await["tables"][0].clone();
    assert_eq!(customer["comment"], json!("people who buy"));
    assert_eq!(
        customer["columns"][0],
        json!({ "name": "id", "type": "bigint", "not_null": true, "primary_key": true })
    );
    let bill = caller.call("schema", json!({ "table": "bill" })).await["tables"][0].clone();
    assert_eq!(bill["columns"][2]["type"], json!("numeric(20,5)"));
    assert_eq!(bill["constraints"].as_array().unwrap().len(), 2);
    assert!(
        caller.call("schema", json!({ "table": "rich" })).await["tables"][0]["query"]
            .as_str()
            .unwrap()
            .contains("WHERE")
    );
    assert!(
        caller.error("schema", json!({ "table": "bills" })).await.contains("there is no table \"bills\"")
    );
}

#[tokio::test]
async fn values_are_exact() {
    let Some(database) = Database::new() else { return };
    let caller = database.caller(false).await;
    let bill = caller.call("query", json!({ "sql": "select * from bill -- all\n;" })).await;
    assert_eq!(
        bill["rows"],
        json!([[
            1, 1, "12345678901234.56789", "open", "{a,\"b c\"}", "{\"n\": 12345678901234567890.5}", "2026-01-31",
            "00000000-0000-0000-0000-000000000001", { "base64": "AAH/" }, { "real": "NaN" }, true
        ]])
    );
    let types: Vec<&str> =
        bill["columns"].as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        ["int4", "int8", "numeric", "state", "text[]", "jsonb", "date", "uuid", "bytea", "float8", "bool"]
    );
    for (sql, parameters, expected) in [
        (
            "select id from customer order by id",
            json!([]),
            json!([[1], [{ "integer": "9223372036854775807" }]]),
        ),
        ("select name as a, name as a from customer where id = $1", json!([1]), json!([["Ada", "Ada"]])),
        (
            "select joined at time zone 'UTC' from customer where joined = $1",
            json!(["2026-01-31T11:00:00Z"]),
            json!([["2026-01-31 11:00:00"]]),
        ),
        (
            "select key from bill where key = $1 and state = $2 and amount > $3",
            json!(["00000000-0000-0000-0000-000000000001", "open", 1.5]),
            json!([["00000000-0000-0000-0000-000000000001"]]),
        ),
        (
            "select $1::bytea, $2::int[], $3::jsonb ->> 'a', $4::text",
            json!([{ "base64": "AAE=" }, "{1,2}", { "a": "x" }, null]),
            json!([[{ "base64": "AAE=" }, "{1,2}", "x", null]]),
        ),
        (
            "select 'Infinity'::float8, 0.1::float8, 0.1::float4, interval '1 day'",
            json!([]),
            json!([[{ "real": "Infinity" }, 0.1, 0.1, "P1D"]]),
        ),
        ("values (1, null), (2, 'x')", json!([]), json!([[1, null], [2, "x"]])),
        ("with n as (select 1 as i) select * from n", json!([]), json!([[1]])),
        ("table rich", json!([]), json!([["Big"]])),
        ("(select 1)", json!([]), json!([[1]])),
    ] {
        let found = caller.call("query", json!({ "sql": sql, "parameters": parameters })).await;
        assert_eq!(found["rows"], expected, "{sql}");
    }
    let plan = caller.call("query", json!({ "sql": "select * from bill", "explain": true })).await;
    assert!(plan["rows"][0][0].as_str().unwrap().contains("Seq Scan"), "{plan}");
}

/// Statements that try to write with the reading tool, or to leave its transaction.
#[tokio::test]
async fn no_statement_leaves_the_reading_tool() {
    let Some(database) = Database::new() else { return };
    let everything = "select count(*), sum(id), (select count(*) from bill), (select last_value from counter), current_setting('work_mem') from customer";
    let before = database.rows(everything);
    for writable in [false, true] {
        let caller = database.caller(writable).await;
        for sql in [
            "insert into customer values (2, 'x')",
            "update customer set name = 'x'",
            "delete from bill",
            "delete from bill returning id",
            "truncate bill",
            "drop table bill",
            "create table x (y int)",
            "alter table bill add column x int",
            "with x as (insert into customer values (2, 'x') returning id) select * from x",
            "select * from (delete from bill returning id) x",
            "select 1; delete from bill",
            "select 1) as rows(c1); delete from bill; --",
            "select 1) as rows(c1) limit 1; commit; delete from bill; --",
            "commit",
            "commit; delete from bill",
            "rollback; delete from bill",
            "end",
            "/* x */ abort",
            "begin",
            "set transaction read write",
            "set work_mem = '1MB'",
            "reset all",
            "start transaction read write",
            "savepoint a",
            "select sneak()",
            "select sneak_mode()",
            "select nextval('counter')",
            "select setval('counter', 100)",
            "call sneak_call()",
            "do $$ begin insert into customer values (2, 'x'); end $$",
            "do $$ begin set transaction read write; insert into customer values (2, 'x'); end $$",
            "select set_config('transaction_read_only', 'off', false)",
            "select set_config('transaction_read_only', 'off', true)",
            "copy customer to stdout",
            "copy customer from stdin",
            "copy customer to program 'touch /x'",
            "select * from customer for update",
            "lock table customer",
            "prepare p as delete from bill",
            "execute p",
            "declare c cursor for select 1",
            "listen x",
            "notify x",
            "vacuum",
            "explain analyze delete from bill",
            "refresh materialized view rich",
            "grant all on bill to public",
            "load 'x'",
            "checkpoint",
        ] {
            let error = caller.error("query", json!({ "sql": sql })).await;
            assert!(!error.is_empty() && !error.contains("cannot be reached"), "{sql}: {error}");
        }
        let error =
            caller.error("query", json!({ "sql": "analyze delete from bill", "explain": true })).await;
        assert!(error.contains("only reads"), "{error}");
    }
    assert_eq!(database.rows(everything), before);
}

#[tokio::test]
async fn results_and_times_are_bounded() {
    let Some(database) = Database::new() else { return };
    let limits = PostgresLimits {
        rows: 5,
        bytes: 1000,
        time: Duration::from_millis(300),
        ..PostgresLimits::default()
    };
    let caller = database.limited(PostgresOptions { writable: true, limits }).await;
    for (sql, max_rows, rows, note) in [
        ("select generate_series(1, 5)", None, 5, None),
        ("select generate_series(1, 1000000)", None, 5, Some("stopped at 5 rows")),
        ("select generate_series(1, 10)", Some(2), 2, Some("stopped at 2 rows")),
        ("select repeat('x', 600) from generate_series(1, 3)", None, 1, Some("at most 1000 bytes")),
    ] {
        let result = caller.call("query", json!({ "sql": sql, "max_rows": max_rows })).await;
        assert_eq!(result["rows"].as_array().unwrap().len(), rows, "{sql}");
        assert!(
            result["note"].as_str().unwrap_or_default().contains(note.unwrap_or_default()),
            "{sql}: {result}"
        );
        assert_eq!(result["truncated"], json!(note.is_some()), "{sql}");
    }
    let long = caller.error("query", json!({ "sql": "select repeat('x', 100000)" })).await;
    assert!(long.contains("the first row is longer"), "{long}");
    for (tool, args) in [
        ("query", json!({ "sql": "select pg_sleep(60)" })),
        (
            "query",
            json!({ "sql": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n" }),
        ),
        (
            "execute",
            json!({ "statements": [{ "sql": "delete from bill" }, { "sql": "select pg_sleep(60)" }] }),
        ),
    ] {
        let error = caller.error(tool, args).await;
        assert!(error.contains("longer than a call may"), "{error}");
    }
    assert_eq!(database.rows("select count(*) from bill"), "1");
}

#[tokio::test]
async fn another_program_reads_the_changes() {
    let Some(database) = Database::new() else { return };
    let caller = database.caller(true).await;
    assert_eq!(caller.tools().await, ["schema", "query", "execute"]);
    let statements = json!([
        { "sql": "insert into customer values ($1, $2, $3) returning id, name", "parameters": [2, "Eve", "2026-02-01T00:00:00Z"] },
        { "sql": "update bill set amount = $1, photo = $2, state = $3", "parameters": ["0.00001", { "base64": "AAE=" }, "paid"] },
        { "sql": "create table log (at text)" },
        { "sql": "insert into log select name from customer" },
    ]);
    let result = caller.call("execute", json!({ "statements": statements })).await["results"].clone();
    assert_eq!(result[0]["returned"]["rows"], json!([[2, "Eve"]]));
    let counts = json!([result[1]["changed_rows"], result[2]["changed_rows"], result[3]["changed_rows"]]);
    assert_eq!(counts, json!([1, 0, 3]));
    assert_eq!(database.rows("select amount, photo, state from bill"), "0.00001|\\x0001|paid");
    assert_eq!(database.rows("select string_agg(at, ',' order by at) from log"), "Ada,Big,Eve");
}

#[tokio::test]
async fn all_statements_take_effect_or_none() {
    let Some(database) = Database::new() else { return };
    let caller = database.caller(true).await;
    for (last, expected) in [
        ("insert into customer values (1, 'x')", "statement 2: duplicate key"),
        ("insert into bill (amount) values (-1)", "violates check constraint"),
        ("insert into nothing values (1)", "does not exist"),
        ("select $1::int", "the statement has 1 parameters, and 0 values are given"),
        ("commit", "COMMIT is not allowed"),
        ("/* a */ -- b\n rollback", "ROLLBACK is not allowed"),
        ("delete from customer; commit", "cannot insert multiple commands"),
        ("set session characteristics as transaction read write", "SET is not allowed"),
        ("copy customer to program 'true'", "COPY is not allowed"),
        ("do $$ begin commit; end $$", "invalid transaction termination"),
        ("", "write one statement"),
    ] {
        let statements = json!([{ "sql": "delete from bill" }, { "sql": last }]);
        let error = caller.error("execute", json!({ "statements": statements })).await;
        assert!(error.contains(expected), "{last}: {error}");
        assert_eq!(database.rows("select count(*) from bill"), "1", "{last}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_of_the_call() {
    let limits = PostgresLimits { wait: Duration::from_millis(500), ..PostgresLimits::default() };
    let options = PostgresOptions { writable: false, limits };
    // The port is free: nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let postgres = Postgres::open(&format!("postgres://u:s3cret@{free}/d"), options).unwrap();
    let caller = Caller::new(&server(postgres).unwrap()).await;
    let error = caller.error("query", json!({ "sql": "select 1" })).await;
    assert!(error.contains("the database cannot be reached") && !error.contains("s3cret"), "{error}");
}
