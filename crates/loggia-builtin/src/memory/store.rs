//! The SQLite file of a store.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, TransactionBehavior, params};

use super::{EntryChange, EntryRequest, Memory, MemoryEntry, MemoryPage, MemoryRelation};
use crate::blocking::CallDeadline;

/// The tables. The index has no texts of its own; triggers keep it equal to the entries.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    tags TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS relation (
    source INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    target INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    PRIMARY KEY (source, kind, target)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relation_target ON relation (target);
CREATE INDEX IF NOT EXISTS entry_subject ON entry (subject);
CREATE VIRTUAL TABLE IF NOT EXISTS entry_index USING fts5(
    subject, text, tags, content='entry', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER IF NOT EXISTS entry_inserted AFTER INSERT ON entry BEGIN
    INSERT INTO entry_index (rowid, subject, text, tags) VALUES (new.id, new.subject, new.text, new.tags);
END;
CREATE TRIGGER IF NOT EXISTS entry_deleted AFTER DELETE ON entry BEGIN
    INSERT INTO entry_index (entry_index, rowid, subject, text, tags)
    VALUES ('delete', old.id, old.subject, old.text, old.tags);
END;
CREATE TRIGGER IF NOT EXISTS entry_updated AFTER UPDATE OF subject, text, tags ON entry BEGIN
    INSERT INTO entry_index (entry_index, rowid, subject, text, tags)
    VALUES ('delete', old.id, old.subject, old.text, old.tags);
    INSERT INTO entry_index (rowid, subject, text, tags) VALUES (new.id, new.subject, new.text, new.tags);
END;
PRAGMA user_version = 1;
";

/// The version of the tables.
const VERSION: i64 = 1;

const COLUMNS: &str = "id, subject, text, tags, created, updated";
const MOST_SUBJECT: usize = 200;
const MOST_TAGS: usize = 20;
const MOST_TAG: usize = 50;
const MOST_KIND: usize = 100;
const MOST_WORDS: usize = 32;
const MOST_RELATIONS: usize = 100;

/// The steps of the engine between two looks at the clock.
const STEPS: i32 = 1000;

/// The reason why a call failed. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The request does not fit; the text says how to write it.
    BadRequest(String),
    /// There is no entry with this id.
    NotFound(i64),
    /// Another process writes.
    Busy,
    /// The call took longer than it may.
    Time,
    /// The store is as large as it may be.
    Full,
    /// The file cannot be used.
    File(String),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryError::BadRequest(message) => f.write_str(message),
            MemoryError::NotFound(id) => write!(f, "there is no entry {id}; recall and list return the ids"),
            MemoryError::Busy => f.write_str("another process writes; nothing was changed, try again"),
            MemoryError::Time => f.write_str("it took longer than a call may; nothing was changed"),
            MemoryError::Full => f.write_str("the memory is full; forget entries that are no longer needed"),
            MemoryError::File(message) => write!(f, "the file of the memory cannot be used: {message}"),
        }
    }
}

impl std::error::Error for MemoryError {}

impl From<rusqlite::Error> for MemoryError {
    fn from(error: rusqlite::Error) -> MemoryError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => MemoryError::Busy,
            Some(ErrorCode::OperationInterrupted) => MemoryError::Time,
            Some(ErrorCode::DiskFull) => MemoryError::Full,
            _ => MemoryError::File(error.to_string()),
        }
    }
}

impl Memory {
    /// Creates the tables.
    pub(super) fn create(&self) -> Result<(), MemoryError> {
        let mut connection = Connection::open(&*self.path)?;
        connection.busy_timeout(self.limits.time)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            return Err(MemoryError::File("a newer version of this program made it".to_owned()));
        }
        transaction.execute_batch(SCHEMA)?;
        Ok(transaction.commit()?)
    }

    fn connect(&self, deadline: &CallDeadline) -> Result<Connection, MemoryError> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&*self.path, flags)?;
        connection.busy_timeout(self.limits.time)?;
        let deadline = deadline.clone();
        connection.progress_handler(STEPS, Some(move || deadline.is_over()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let size: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = self.limits.file / u64::from(size.max(1));
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(connection)
    }

    /// Runs a change as one transaction, which is on the disk at the end.
    fn change<T>(
        &self,
        deadline: &CallDeadline,
        change: impl FnOnce(&Connection) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        let mut connection = self.connect(deadline)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = change(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Stores an entry; false if there was one with the same subject and text, which is returned.
    pub(super) fn remember(
        &self,
        request: &EntryRequest,
        deadline: &CallDeadline,
    ) -> Result<(MemoryEntry, bool), MemoryError> {
        let subject = self.checked_subject(&request.subject)?;
        let text = self.checked_text(&request.text)?;
        let tags = checked_tags(&request.tags)?;
        self.change(deadline, |connection| {
            let known: Option<i64> = connection
                .query_row("SELECT id FROM entry WHERE subject = ?1 AND text = ?2", [subject, text], |row| {
                    row.get(0)
                })
                .optional()?;
            let id = match known {
                Some(id) => id,
                None => {
                    let now = Timestamp::now().as_second();
                    connection.execute(
                        "INSERT INTO entry (subject, text, tags, created, updated) VALUES (?1, ?2, ?3, ?4, ?4)",
                        params![subject, text, tags, now],
                    )?;
                    connection.last_insert_rowid()
                }
            };
            Ok((entry(connection, id)?, known.is_none()))
        })
    }

    /// Changes an entry.
    pub(super) fn update(
        &self,
        id: i64,
        change: &EntryChange,
        deadline: &CallDeadline,
    ) -> Result<MemoryEntry, MemoryError> {
        let subject = change.subject.as_deref().map(|subject| self.checked_subject(subject)).transpose()?;
        let text = change.text.as_deref().map(|text| self.checked_text(text)).transpose()?;
        let tags = change.tags.as_deref().map(checked_tags).transpose()?;
        self.change(deadline, |connection| {
            let now = Timestamp::now().as_second();
            let count = connection.execute(
                "UPDATE entry SET subject = coalesce(?2, subject), text = coalesce(?3, text), tags = coalesce(?4, tags), \
                 updated = ?5 WHERE id = ?1",
                params![id, subject, text, tags, now],
            )?;
            if count == 0 { Err(MemoryError::NotFound(id)) } else { entry(connection, id) }
        })
    }

    /// Deletes an entry and its relations.
    pub(super) fn forget(&self, id: i64, deadline: &CallDeadline) -> Result<MemoryEntry, MemoryError> {
        self.change(deadline, |connection| {
            let forgotten = entry(connection, id)?;
            connection.execute("DELETE FROM entry WHERE id = ?1", [id])?;
            Ok(forgotten)
        })
    }

    /// Adds or removes a relation; returns whether it was not so before.
    pub(super) fn relate(
        &self,
        relation: &MemoryRelation,
        is_removed: bool,
        deadline: &CallDeadline,
    ) -> Result<bool, MemoryError> {
        let MemoryRelation { source, kind, target } = relation;
        let kind = kind.trim();
        if kind.is_empty() || kind.len() > MOST_KIND {
            return Err(MemoryError::BadRequest(format!("a kind of relation has 1 to {MOST_KIND} bytes")));
        }
        self.change(deadline, |connection| {
            for id in [source, target] {
                let is_there = "SELECT 1 FROM entry WHERE id = ?1";
                let found: Option<i64> = connection.query_row(is_there, [id], |row| row.get(0)).optional()?;
                found.ok_or(MemoryError::NotFound(*id))?;
            }
            let sql = match is_removed {
                false => "INSERT OR IGNORE INTO relation (source, kind, target) VALUES (?1, ?2, ?3)",
                true => "DELETE FROM relation WHERE source = ?1 AND kind = ?2 AND target = ?3",
            };
            Ok(connection.execute(sql, params![source, kind, target])? > 0)
        })
    }

    /// Returns an entry.
    pub(super) fn read(&self, id: i64, deadline: &CallDeadline) -> Result<MemoryEntry, MemoryError> {
        entry(&self.connect(deadline)?, id)
    }

    /// Returns the entries that fit a text best, the best first.
    pub(super) fn recall(
        &self,
        text: &str,
        tag: Option<&str>,
        limit: Option<usize>,
        deadline: &CallDeadline,
    ) -> Result<MemoryPage, MemoryError> {
        let connection = self.connect(deadline)?;
        let Some(query) = full_text_query(text) else {
            return Err(MemoryError::BadRequest("write at least one word to search for".to_owned()));
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM entry JOIN (SELECT rowid AS found, bm25(entry_index, 4.0, 1.0, 2.0) AS rank \
             FROM entry_index WHERE entry_index MATCH ?1) ON id = found \
             WHERE ?2 IS NULL OR instr(' ' || tags || ' ', ' ' || ?2 || ' ') > 0 ORDER BY rank, id DESC LIMIT ?3"
        );
        let tag = tag.map(normal_tag);
        let limit = i64::try_from(self.most(limit)).unwrap_or(i64::MAX);
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params![query, tag, limit])?;
        let mut page = MemoryPage { entries: Vec::new(), next_before: None };
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let found = read_entry(row)?;
            bytes += found.text.len();
            if bytes > self.limits.bytes && !page.entries.is_empty() {
                break;
            }
            page.entries.push(with_relations(&connection, found)?);
        }
        Ok(page)
    }

    /// Returns entries, newest first.
    pub(super) fn list(
        &self,
        tag: Option<&str>,
        before: Option<i64>,
        limit: Option<usize>,
        deadline: &CallDeadline,
    ) -> Result<MemoryPage, MemoryError> {
        let connection = self.connect(deadline)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM entry WHERE id < ?1 AND (?2 IS NULL OR instr(' ' || tags || ' ', ' ' || ?2 || ' ') > 0) \
             ORDER BY id DESC LIMIT ?3"
        );
        let most = self.most(limit);
        let one_more = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params![before.unwrap_or(i64::MAX), tag.map(normal_tag), one_more])?;
        let mut page = MemoryPage { entries: Vec::new(), next_before: None };
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let found = read_entry(row)?;
            bytes += found.text.len();
            let is_full =
                page.entries.len() == most || (bytes > self.limits.bytes && !page.entries.is_empty());
            if is_full {
                page.next_before = page.entries.last().map(|entry| entry.id);
                break;
            }
            page.entries.push(with_relations(&connection, found)?);
        }
        Ok(page)
    }

    fn most(&self, limit: Option<usize>) -> usize {
        limit.unwrap_or(10).clamp(1, self.limits.entries)
    }

    fn checked_subject<'s>(&self, subject: &'s str) -> Result<&'s str, MemoryError> {
        let subject = subject.trim();
        if subject.is_empty() || subject.len() > MOST_SUBJECT || subject.contains('\0') {
            return Err(MemoryError::BadRequest(format!("a subject has 1 to {MOST_SUBJECT} bytes")));
        }
        Ok(subject)
    }

    fn checked_text<'t>(&self, text: &'t str) -> Result<&'t str, MemoryError> {
        let text = text.trim();
        if text.is_empty() || text.len() > self.limits.text || text.contains('\0') {
            return Err(MemoryError::BadRequest(format!("a text has 1 to {} bytes", self.limits.text)));
        }
        Ok(text)
    }
}

/// Returns a tag in the form in which it is stored: small letters, without spaces.
fn normal_tag(tag: &str) -> String {
    tag.trim().to_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
}

fn checked_tags(tags: &[String]) -> Result<String, MemoryError> {
    let mut normal: Vec<String> = tags.iter().map(|tag| normal_tag(tag)).collect();
    normal.sort();
    normal.dedup();
    let is_bad = |tag: &String| tag.is_empty() || tag.len() > MOST_TAG || tag.contains('\0');
    if normal.len() > MOST_TAGS || normal.iter().any(is_bad) {
        let message = format!("an entry has at most {MOST_TAGS} tags, each with 1 to {MOST_TAG} bytes");
        return Err(MemoryError::BadRequest(message));
    }
    Ok(normal.join(" "))
}

/// Returns a query of the index: entries with any of the words; the last word may be the beginning of one. The words
/// are quoted, so that none of them is syntax.
fn full_text_query(text: &str) -> Option<String> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MOST_WORDS).collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let query = quoted.join(" OR ");
    (!query.is_empty()).then(|| query + "*")
}

fn entry(connection: &Connection, id: i64) -> Result<MemoryEntry, MemoryError> {
    let sql = format!("SELECT {COLUMNS} FROM entry WHERE id = ?1");
    let found = connection.query_row(&sql, [id], read_entry).optional()?;
    with_relations(connection, found.ok_or(MemoryError::NotFound(id))?)
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<MemoryEntry> {
    let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default().to_string();
    let tags: String = row.get(3)?;
    Ok(MemoryEntry {
        id: row.get(0)?,
        subject: row.get(1)?,
        text: row.get(2)?,
        tags: tags.split_whitespace().map(str::to_owned).collect(),
        created: time(row.get(4)?),
        updated: time(row.get(5)?),
        relations: Vec::new(),
    })
}

fn with_relations(connection: &Connection, mut entry: MemoryEntry) -> Result<MemoryEntry, MemoryError> {
    let sql = "SELECT source, kind, target FROM relation WHERE source = ?1 OR target = ?1 ORDER BY kind, source, target LIMIT ?2";
    let mut statement = connection.prepare(sql)?;
    let relation =
        |row: &Row<'_>| Ok(MemoryRelation { source: row.get(0)?, kind: row.get(1)?, target: row.get(2)? });
    let most = i64::try_from(MOST_RELATIONS).unwrap_or(i64::MAX);
    entry.relations =
        statement.query_map(params![entry.id, most], relation)?.collect::<rusqlite::Result<_>>()?;
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_syntax() {
        for (text, expected) in [
            ("Ada", Some("\"Ada\"*")),
            ("where does Ada work?", Some("\"where\" OR \"does\" OR \"Ada\" OR \"work\"*")),
            ("a\" OR b NEAR(c) *", Some("\"a\" OR \"OR\" OR \"b\" OR \"NEAR\" OR \"c\"*")),
            ("日本", Some("\"日本\"*")),
            ("subject:x", Some("\"subject\" OR \"x\"*")),
            (" -- ", None),
            ("", None),
        ] {
            assert_eq!(full_text_query(text).as_deref(), expected, "{text}");
        }
    }
}
