//! Walks the folder: depth first, names in order, without following links, each directory opened below its parent's
//! handle. A cursor is a path, and the walk continues after it, so that pages are stable while files are created and
//! deleted. A walk that stops early returns the last path, so that another one can continue there.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::io;

use cap_fs_ext::DirExt as _;
use cap_std::fs::Dir;

use super::budget::Budget;
use super::path::{self, RelPath};
use super::{Files, Kind, Result};

mod ignored;
mod names;

use ignored::IgnoreRules;
use names::{ChunkStart, EntryName, NameChunk};

pub(super) use names::first_names;

/// The maximum depth below the start that is entered. Each level keeps a handle open.
const MAX_DEPTH: usize = 100;

/// The directory, depth and filters of a walk.
#[derive(Debug, Clone, Default)]
pub(super) struct WalkOptions {
    /// True if names that begin with a dot are shown.
    pub(super) hidden: bool,
    /// True if paths that a `.gitignore` excludes are shown.
    pub(super) ignored: bool,
    /// The number of levels to show; `None` for all.
    pub(super) depth: Option<usize>,
    /// The path after which the walk continues.
    pub(super) after: Option<String>,
}

/// An entry that a walk found.
pub(super) struct FoundEntry<'d> {
    /// Its path from the root. If the name is not UTF-8, it contains replacement characters.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// The handle of its directory.
    pub(super) dir: &'d Dir,
    /// Its name in that directory.
    pub(super) os_name: &'d OsStr,
}

impl FoundEntry<'_> {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The decision of a visitor: continue or stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WalkFlow {
    Continue,
    Stop,
}

/// The function that a walk calls for each entry. It may use the walk's budget.
pub(super) type WalkVisitor<'v> = dyn FnMut(FoundEntry<'_>, &mut Budget) -> WalkFlow + 'v;

/// A walk with its counters.
pub(super) struct Walk {
    options: WalkOptions,
    pub(super) budget: Budget,
    ignored: IgnoreRules,
    /// The number of hidden and ignored entries that were left out.
    pub(super) left_out: usize,
    /// The number of directories that could not be opened or read.
    pub(super) not_entered: usize,
    /// The number of directories below [`MAX_DEPTH`].
    too_deep: usize,
    /// The last path that was visited or left out.
    passed: Option<String>,
    /// The number of names that may be in memory, and the number of those that are.
    most_held: usize,
    held: usize,
    /// The error, if the first folder could not be read.
    failed: Option<io::Error>,
}

impl Walk {
    pub(super) fn new(options: WalkOptions, budget: Budget) -> Walk {
        Walk {
            options,
            budget,
            ignored: IgnoreRules::default(),
            left_out: 0,
            not_entered: 0,
            too_deep: 0,
            passed: None,
            most_held: 0,
            held: 0,
            failed: None,
        }
    }

    /// Visits everything below the directory `start`, until the visitor stops or the budget is used up.
    pub(super) fn run(&mut self, files: &Files, start: &RelPath, visit: &mut WalkVisitor<'_>) -> Result<()> {
        let dir = files.open_dir(start)?;
        if !self.options.ignored {
            self.ignored = IgnoreRules::above(files, start);
        }
        self.most_held = files.limits().held;
        let levels = self.options.depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        self.enter(&dir, start.as_str(), levels, visit);
        match self.failed.take() {
            Some(error) => Err(files.explain(start, &error)),
            None => Ok(()),
        }
    }

    /// Returns the cursor with which another walk continues, if this one ended because the budget was used up.
    pub(super) fn cursor(&self) -> Option<String> {
        self.passed.clone().filter(|_| self.budget.spent().is_some())
    }

    /// Returns whether the walk left something out because the budget was used up or a directory was too deep.
    pub(super) fn is_incomplete(&self) -> bool {
        self.budget.spent().is_some() || self.too_deep > 0
    }

    /// Returns notes for the caller: skipped entries and limits that were reached.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(spent) = self.budget.spent() {
            let advice = match &self.passed {
                Some(_) => "go on with next_cursor, or choose a smaller directory or depth",
                None => "choose a smaller directory or depth, or give the paths in it",
            };
            notes.push(format!("{}; {advice}", spent.note()));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} hidden or git-ignored entries left out; set hidden or ignored to see them",
                self.left_out
            ));
        }
        notes.extend(self.ignored.note());
        if self.not_entered > 0 {
            notes.push(format!("{} directories could not be opened", self.not_entered));
        }
        if self.too_deep > 0 {
            notes.push(format!(
                "{} directories more than {MAX_DEPTH} levels down were not entered; give the path of one",
                self.too_deep
            ));
        }
        notes
    }

    fn enter(&mut self, dir: &Dir, at: &str, levels: usize, visit: &mut WalkVisitor<'_>) -> WalkFlow {
        if !self.options.ignored {
            self.ignored.push(dir, at);
        }
        let flow = self.entries(dir, at, levels, visit);
        if !self.options.ignored {
            self.ignored.pop();
        }
        flow
    }

    fn entries(&mut self, dir: &Dir, at: &str, levels: usize, visit: &mut WalkVisitor<'_>) -> WalkFlow {
        let mut next = Some(ChunkStart::below(at, self.options.after.as_deref()));
        while let Some(start) = next {
            let most = self.chunk_size();
            let chunk = match NameChunk::read(dir, &start, most, &mut self.budget) {
                Ok(chunk) => chunk,
                Err(error) => return self.unread(error),
            };
            self.held += chunk.names.len();
            let flow = self.chunk(&chunk, dir, at, levels, visit);
            self.held -= chunk.names.len();
            if flow == WalkFlow::Stop || self.budget.spent().is_some() {
                return WalkFlow::Stop;
            }
            next = chunk.next();
        }
        WalkFlow::Continue
    }

    /// Returns half of the number of names for which there is room, so that the directories below have room, too.
    fn chunk_size(&self) -> usize {
        (self.most_held.saturating_sub(self.held) / 2).max(self.most_held / MAX_DEPTH).max(1)
    }

    /// Leaves out a directory that cannot be read, unless it is the requested one.
    fn unread(&mut self, error: io::Error) -> WalkFlow {
        if self.passed.is_none() && self.held == 0 {
            self.failed = Some(error);
            return WalkFlow::Stop;
        }
        self.not_entered += 1;
        WalkFlow::Continue
    }

    fn chunk(
        &mut self,
        chunk: &NameChunk,
        dir: &Dir,
        at: &str,
        levels: usize,
        visit: &mut WalkVisitor<'_>,
    ) -> WalkFlow {
        for (name, kind) in &chunk.names {
            if self.entry(dir, at, name, *kind, levels, visit) == WalkFlow::Stop {
                return WalkFlow::Stop;
            }
        }
        WalkFlow::Continue
    }

    fn entry(
        &mut self,
        dir: &Dir,
        at: &str,
        name: &EntryName,
        kind: Kind,
        levels: usize,
        visit: &mut WalkVisitor<'_>,
    ) -> WalkFlow {
        let path = path::join(at, &name.text);
        let place = CursorPosition::of(&path, self.options.after.as_deref());
        // Entries before the cursor do not count, so that each page gets further than the previous one.
        if place == CursorPosition::After && self.budget.entry().is_err() {
            return WalkFlow::Stop;
        }
        if place == CursorPosition::Before {
            return WalkFlow::Continue;
        }
        let left_out = self.leaves_out(&path, &name.text, kind);
        if place == CursorPosition::After {
            let found = FoundEntry { path: path.clone(), kind, dir, os_name: name.as_os_str() };
            if !left_out && visit(found, &mut self.budget) == WalkFlow::Stop {
                return WalkFlow::Stop;
            }
            self.passed = Some(path.clone());
        }
        if left_out {
            return WalkFlow::Continue;
        }
        match kind {
            Kind::Directory if levels > 1 => self.descend(dir, name.as_os_str(), &path, levels, visit),
            Kind::Directory => {
                self.too_deep += usize::from(self.options.depth.is_none_or(|depth| depth > MAX_DEPTH));
                WalkFlow::Continue
            }
            _ => WalkFlow::Continue,
        }
    }

    fn descend(
        &mut self,
        dir: &Dir,
        name: &OsStr,
        path: &str,
        levels: usize,
        visit: &mut WalkVisitor<'_>,
    ) -> WalkFlow {
        match dir.open_dir_nofollow(name) {
            Ok(child) => self.enter(&child, path, levels - 1, visit),
            Err(_) => {
                self.not_entered += 1;
                WalkFlow::Continue
            }
        }
    }

    fn leaves_out(&mut self, path: &str, name: &str, kind: Kind) -> bool {
        let hidden = !self.options.hidden && name.starts_with('.');
        let out =
            hidden || (!self.options.ignored && self.ignored.contains(path, name, kind == Kind::Directory));
        self.left_out += usize::from(out);
        out
    }
}

/// The position of a path relative to the cursor, in the order of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CursorPosition {
    /// It was shown on an earlier page, with everything below it.
    Before,
    /// It was shown on an earlier page, but not everything below it.
    On,
    After,
}

impl CursorPosition {
    fn of(path: &str, cursor: Option<&str>) -> CursorPosition {
        let Some(cursor) = cursor else { return CursorPosition::After };
        match path.split('/').cmp(cursor.split('/')) {
            Ordering::Greater => CursorPosition::After,
            _ if cursor.split('/').zip(path.split('/')).all(|(c, p)| c == p) => CursorPosition::On,
            _ => CursorPosition::Before,
        }
    }
}
