//! Walking the folder: depth first, names in order, links not followed, each directory opened beneath its
//! parent's handle. A cursor is a path; the walk goes on after it, so that pages are stable while files come and go.

use std::cmp::Ordering;
use std::ffi::OsString;

use cap_fs_ext::DirExt as _;
use cap_std::fs::Dir;

use super::budget::Budget;
use super::path::{self, RelPath};
use super::{Files, Kind, Result};

mod ignored;

use ignored::Ignored;

/// The deepest directory below the start that is entered. Each level keeps a handle open.
const MAX_DEPTH: usize = 100;

/// What a walk shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Whether names that begin with a dot are shown.
    pub(super) hidden: bool,
    /// Whether what a `.gitignore` excludes is shown.
    pub(super) ignored: bool,
    /// How many levels are shown; none for all.
    pub(super) depth: Option<usize>,
    /// The walk goes on after this path.
    pub(super) after: Option<String>,
}

/// One thing found.
pub(super) struct Found<'d> {
    /// Its path from the root. Where the name is not UTF-8, a replacement character stands in.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// The directory it is in, by handle.
    pub(super) dir: &'d Dir,
    /// Its name in that directory.
    pub(super) os_name: &'d OsString,
}

impl Found<'_> {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    Stop,
}

/// What is called for each thing found. It may spend from the walk's budget.
pub(super) type Visit<'v> = dyn FnMut(Found<'_>, &mut Budget) -> Flow + 'v;

/// A walk, and what it counts.
pub(super) struct Walk {
    scope: Scope,
    pub(super) budget: Budget,
    ignored: Ignored,
    /// Hidden and ignored entries that were left out.
    pub(super) left_out: usize,
    /// Directories that could not be opened or were too deep.
    pub(super) not_entered: usize,
}

impl Walk {
    pub(super) fn new(scope: Scope, budget: Budget) -> Walk {
        Walk { scope, budget, ignored: Ignored::default(), left_out: 0, not_entered: 0 }
    }

    /// Visits everything below the directory `start`, until told to stop or the budget is spent.
    pub(super) fn run(&mut self, files: &Files, start: &RelPath, visit: &mut Visit<'_>) -> Result<()> {
        let dir = files.open_dir(start)?;
        if !self.scope.ignored {
            self.ignored = Ignored::above(files, start);
        }
        let levels = self.scope.depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        self.enter(&dir, start.as_str(), levels, visit);
        Ok(())
    }

    /// What a caller should know about how the walk went.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(spent) = self.budget.spent() {
            notes.push(format!("{}; choose a smaller directory or depth", spent.note()));
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
        notes
    }

    fn enter(&mut self, dir: &Dir, at: &str, levels: usize, visit: &mut Visit<'_>) -> Flow {
        if !self.scope.ignored {
            self.ignored.push(dir, at);
        }
        let flow = self.entries(dir, at, levels, visit);
        if !self.scope.ignored {
            self.ignored.pop();
        }
        flow
    }

    fn entries(&mut self, dir: &Dir, at: &str, levels: usize, visit: &mut Visit<'_>) -> Flow {
        for (name, os_name, kind) in self.sorted(dir) {
            let path = path::join(at, &name);
            let place = Place::of(&path, self.scope.after.as_deref());
            if place == Place::Before || self.leaves_out(&path, &name, kind) {
                continue;
            }
            let found = Found { path: path.clone(), kind, dir, os_name: &os_name };
            if place == Place::After && visit(found, &mut self.budget) == Flow::Stop {
                return Flow::Stop;
            }
            if kind == Kind::Directory
                && levels > 1
                && self.descend(dir, &os_name, &path, levels, visit) == Flow::Stop
            {
                return Flow::Stop;
            }
        }
        if self.budget.spent().is_some() { Flow::Stop } else { Flow::Continue }
    }

    fn descend(
        &mut self,
        dir: &Dir,
        name: &OsString,
        path: &str,
        levels: usize,
        visit: &mut Visit<'_>,
    ) -> Flow {
        match dir.open_dir_nofollow(name) {
            Ok(child) => self.enter(&child, path, levels - 1, visit),
            Err(_) => {
                self.not_entered += 1;
                Flow::Continue
            }
        }
    }

    /// The entries of `dir` in order of name, as far as the budget goes.
    fn sorted(&mut self, dir: &Dir) -> Vec<(String, OsString, Kind)> {
        let Ok(entries) = dir.entries() else {
            self.not_entered += 1;
            return Vec::new();
        };
        let mut sorted = Vec::new();
        for entry in entries.flatten() {
            if self.budget.entry().is_err() {
                break;
            }
            let kind = entry.file_type().map_or(Kind::Other, Kind::of);
            let name = entry.file_name();
            sorted.push((name.to_string_lossy().into_owned(), name, kind));
        }
        sorted.sort_by(|(a, a_os, _), (b, b_os, _)| (a, a_os).cmp(&(b, b_os)));
        sorted
    }

    fn leaves_out(&mut self, path: &str, name: &str, kind: Kind) -> bool {
        let hidden = !self.scope.hidden && name.starts_with('.');
        let out =
            hidden || (!self.scope.ignored && self.ignored.contains(path, name, kind == Kind::Directory));
        self.left_out += usize::from(out);
        out
    }
}

/// Where a path stands to the cursor, in the order of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It was shown on an earlier page, with all below it.
    Before,
    /// It was shown on an earlier page, but not all below it.
    On,
    After,
}

impl Place {
    fn of(path: &str, cursor: Option<&str>) -> Place {
        let Some(cursor) = cursor else { return Place::After };
        match path.split('/').cmp(cursor.split('/')) {
            Ordering::Greater => Place::After,
            _ if cursor.split('/').zip(path.split('/')).all(|(c, p)| c == p) => Place::On,
            _ => Place::Before,
        }
    }
}
