//! Reads the names of one directory in order, one chunk at a time.
//!
//! A directory returns its names without order, and may have more than fit in memory. So each chunk reads the
//! directory again and keeps the first names after the previous chunk.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;

use cap_std::fs::Dir;

use super::super::Kind;
use super::super::budget::Budget;

/// A name in a directory. Names are ordered by the shown text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryName {
    /// The name, with replacement characters if it is not UTF-8.
    pub(super) text: String,
    /// The name itself, if it is not UTF-8.
    raw: Option<OsString>,
}

/// The position in a directory at which a chunk begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChunkStart {
    First,
    /// At this text, or after it.
    At(String),
    /// After this name.
    After(EntryName),
}

/// Consecutive names.
#[derive(Debug, Default)]
pub(super) struct NameChunk {
    pub(super) names: BTreeMap<EntryName, Kind>,
    /// True if there are further names.
    pub(super) more: bool,
}

impl EntryName {
    pub(super) fn new(name: OsString) -> EntryName {
        match name.into_string() {
            Ok(text) => EntryName { text, raw: None },
            Err(raw) => EntryName { text: raw.to_string_lossy().into_owned(), raw: Some(raw) },
        }
    }

    pub(super) fn as_os_str(&self) -> &OsStr {
        self.raw.as_deref().unwrap_or(self.text.as_ref())
    }
}

impl ChunkStart {
    /// Returns the start in the directory `at` of a walk that continues after the path `cursor`.
    pub(super) fn below(at: &str, cursor: Option<&str>) -> ChunkStart {
        let Some(cursor) = cursor else { return ChunkStart::First };
        let rest = if at.is_empty() {
            Some(cursor)
        } else {
            cursor.strip_prefix(at).and_then(|r| r.strip_prefix('/'))
        };
        match rest.and_then(|rest| rest.split('/').next()) {
            Some(name) => ChunkStart::At(name.to_owned()),
            None => ChunkStart::First,
        }
    }

    fn admits(&self, name: &EntryName) -> bool {
        match self {
            ChunkStart::First => true,
            ChunkStart::At(text) => name.text >= *text,
            ChunkStart::After(last) => name > last,
        }
    }
}

impl NameChunk {
    /// Reads the first `most` names of `dir` from `start`. Returns none if the budget is used up, because the names
    /// that were read may not be the first ones.
    pub(super) fn read(
        dir: &Dir,
        start: &ChunkStart,
        most: usize,
        budget: &mut Budget,
    ) -> io::Result<NameChunk> {
        let mut chunk = NameChunk::default();
        for entry in dir.entries()? {
            if budget.time().is_err() {
                return Ok(NameChunk::default());
            }
            let entry = entry?;
            let name = EntryName::new(entry.file_name());
            if start.admits(&name) {
                chunk.insert(name, most, || entry.file_type().map_or(Kind::Other, Kind::of));
            }
        }
        Ok(chunk)
    }

    fn insert(&mut self, name: EntryName, most: usize, kind: impl FnOnce() -> Kind) {
        if self.names.len() >= most {
            self.more = true;
            if self.names.last_key_value().is_some_and(|(last, _)| name > *last) {
                return;
            }
            self.names.pop_last();
        }
        self.names.insert(name, kind());
    }

    /// Returns the start of the next chunk, if there is one.
    pub(super) fn next(mut self) -> Option<ChunkStart> {
        let (last, _) = self.names.pop_last().filter(|_| self.more)?;
        Some(ChunkStart::After(last))
    }
}

/// Returns the first `most` names of `dir` that are `wanted`, in order.
pub(in super::super) fn first_names(
    dir: &Dir,
    most: usize,
    budget: &mut Budget,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<Vec<(String, Kind)>> {
    let mut chunk = NameChunk::default();
    for entry in dir.entries()? {
        if budget.time().is_err() {
            break;
        }
        let entry = entry?;
        let name = EntryName::new(entry.file_name());
        if wanted(&name.text) {
            chunk.insert(name, most, || entry.file_type().map_or(Kind::Other, Kind::of));
        }
    }
    Ok(chunk.names.into_iter().map(|(name, kind)| (name.text, kind)).collect())
}
