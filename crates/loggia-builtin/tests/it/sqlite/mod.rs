//! The connector `sqlite`, with files that Python's module makes and reads.

mod confinement;
mod reading;
mod writing;

use std::path::Path;
use std::time::Duration;

use loggia_builtin::sqlite::{Sqlite, SqliteLimits, SqliteOptions, server};

use crate::caller::Caller;
use crate::program::python;

/// A shop with a table of each kind.
const SHOP: &str = r#"
import sqlite3
db = sqlite3.connect("shop.db")
db.executescript("""
create table customer (id integer primary key, name text not null, photo blob, score real default 0.5);
create table bill (number text primary key, customer integer references customer(id), cents integer) without rowid;
create unique index bill_of_customer on bill (customer, number);
create view rich as select name from customer where score > 1;
create virtual table note using fts5(body);
create trigger touch after update on customer begin insert into note values ('changed ' || new.name); end;
""")
db.executemany("insert into customer values (?, ?, ?, ?)", [
    (1, "Ada", b"\x00\x01", 2.5), (2, "Bob", None, None), (9223372036854775807, "Big", b"", 1e300)])
db.execute("insert into bill values ('a', 1, 9007199254740993)")
db.execute("insert into note values ('a searched word')")
db.commit()
"#;

fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    python(folder.path(), SHOP);
    folder
}

fn options(writable: bool) -> SqliteOptions {
    let limits = SqliteLimits { lock_time: Duration::from_millis(50), ..SqliteLimits::default() };
    SqliteOptions { writable, limits }
}

async fn caller(path: &Path, options: SqliteOptions) -> Caller {
    Caller::new(&server(Sqlite::open(path, options).unwrap()).unwrap()).await
}
