//! Replaces passages of a text file: exact old text by new text, several at once, all or none, with a unified diff as
//! the result.

use std::io::Read as _;
use std::time::Duration;

use cap_std::fs::Metadata;
use loggia::JsonSchema;
use serde::Serialize;
use similar::TextDiff;

use super::change::{ChangePermit, ExpectedContent, LockedEntry};
use super::passage::{FoundPassage, PlainText};
use super::path::RelPath;
use super::{EditProblem, Files, FilesError, Result, check_regular, error, stat};

/// The maximum number of edits in one request.
const MAX_EDITS: usize = 200;

/// The maximum number of lines that are named if a passage is not unique.
const MAX_NAMED: usize = 10;

/// The maximum number of characters of a passage in a hint.
const MAX_HINT: usize = 4000;

/// The time limit of the search for the smallest diff; after it a larger diff is returned.
const DIFF_TIME: Duration = Duration::from_millis(500);

/// The file and the passages to replace.
#[derive(Debug, Clone, Default)]
pub struct EditRequest {
    /// The file.
    pub path: String,
    /// The changes. Each applies to the result of the previous one.
    pub edits: Vec<Edit>,
    /// True if the file is not changed, and only the diff is returned.
    pub dry_run: bool,
    /// The hash of the content that the edits are meant for.
    pub if_unchanged: Option<String>,
}

/// One change.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// The text as it is in the file.
    pub old: String,
    /// The text that takes its place.
    pub new: String,
    /// True if every occurrence is changed; otherwise there must be exactly one.
    pub replace_all: bool,
}

/// The result of an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EditResult {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// True if the file was changed; false for a dry run.
    pub applied: bool,
    /// The number of passages that were replaced.
    pub replaced: usize,
    /// The changes, as a unified diff.
    pub diff: String,
    /// The hash of the new content, for `if_unchanged`.
    pub hash: String,
}

impl Files {
    /// Edits a text file.
    pub fn edit(&self, request: &EditRequest) -> Result<EditResult> {
        let change = self.change(&request.path)?;
        let path = self.parse(&request.path)?;
        if !(1..=MAX_EDITS).contains(&request.edits.len()) {
            let reason = format!("give 1 to {MAX_EDITS} edits");
            return Err(FilesError::BadRequest { reason });
        }
        let place = self.place_to_edit(&change, &path)?;
        let (before, metadata) = self.text_to_edit(&place)?;
        let hash = stat::hash(before.as_bytes());
        if let Some(expected) = request.if_unchanged.as_ref().filter(|expected| **expected != hash) {
            change.check_unchanged(&place, expected)?;
        }
        let (after, replaced) = self.apply(&path, &before, &request.edits)?;
        self.check_size(&path, after.len() as u64)?;
        if !request.dry_run {
            let expected = ExpectedContent::Hash(&hash);
            change.replace(&place, after.as_bytes(), Some(&metadata), expected)?;
        }
        Ok(EditResult {
            path: path.to_string(),
            applied: !request.dry_run,
            replaced,
            diff: diff(&path, &before, &after, self.limits().diff_max),
            hash: stat::hash(after.as_bytes()),
        })
    }

    fn place_to_edit(&self, change: &ChangePermit<'_>, path: &RelPath) -> Result<LockedEntry> {
        let (_, metadata) = self.open_file(path)?;
        self.check_size(path, metadata.len())?;
        change.lock(change.open(path, &self.follow_links(path)?, false)?)
    }

    fn text_to_edit(&self, place: &LockedEntry) -> Result<(String, Metadata)> {
        let path = &place.entry.path;
        let (file, metadata) = place.entry.open_file().map_err(|e| self.explain(path, &e))?;
        check_regular(path, &metadata)?;
        let limit = self.limits().write_max;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| self.explain(path, &e))?;
        self.check_size(path, metadata.len().max(bytes.len() as u64))?;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        Ok((text.ok_or_else(|| FilesError::NotText { path: path.to_string() })?, metadata))
    }

    fn apply(&self, path: &RelPath, before: &str, edits: &[Edit]) -> Result<(String, usize)> {
        let mut text = before.to_owned();
        let mut total = 0;
        for (edit, number) in edits.iter().zip(1..) {
            let problem = |problem| FilesError::Edit { path: path.to_string(), edit: number, problem };
            let (after, count) = apply_one(&text, edit, self.limits().write_max).map_err(problem)?;
            text = after;
            total += count;
        }
        Ok((text, total))
    }
}

fn apply_one(text: &str, edit: &Edit, limit: u64) -> std::result::Result<(String, usize), EditProblem> {
    if edit.old.is_empty() {
        return Err(EditProblem::Empty);
    }
    if edit.old == edit.new {
        return Err(EditProblem::NoChange);
    }
    let [plain, old, new] = [text, &edit.old, &edit.new].map(PlainText::new);
    let count = plain.find(&old).count();
    let one = match count {
        0 => plain
            .find_last(&old)
            .ok_or_else(|| near_miss(&plain.plain, &old.plain).unwrap_or(EditProblem::NoMatch))?,
        2.. if !edit.replace_all => choose(&plain, &old, count)?,
        _ => return replace(&plain, plain.find(&old), [&old, &new], limit),
    };
    replace(&plain, std::iter::once(one), [&old, &new], limit)
}

/// Chooses among several passages the one with exactly the line ends of the old text.
fn choose(
    text: &PlainText<'_>,
    old: &PlainText<'_>,
    count: usize,
) -> std::result::Result<FoundPassage, EditProblem> {
    let mut exact = text.find(old).filter(|found| text.raw[found.raw.clone()] == *old.raw);
    match (exact.next(), exact.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            let lines = text.find(old).take(MAX_NAMED).map(|found| text.line(&found)).collect();
            Err(EditProblem::Ambiguous { count, lines })
        }
    }
}

/// Returns the text with the found passages replaced, and their number.
fn replace(
    text: &PlainText<'_>,
    found: impl Iterator<Item = FoundPassage>,
    [old, new]: [&PlainText<'_>; 2],
    limit: u64,
) -> std::result::Result<(String, usize), EditProblem> {
    let mut after = String::new();
    let (mut end, mut count) = (0, 0);
    for passage in found {
        after.push_str(&text.raw[end..passage.raw.start]);
        after.push_str(&text.replacement(&passage, old, new));
        (end, count) = (passage.raw.end, count + 1);
        if (after.len() + text.raw.len() - end) as u64 > limit {
            return Err(EditProblem::TooLarge { limit });
        }
    }
    after.push_str(&text.raw[end..]);
    if after == text.raw { Err(EditProblem::NoChange) } else { Ok((after, count)) }
}

/// Returns a passage whose lines differ from those of `old` only in white space.
fn near_miss(text: &str, old: &str) -> Option<EditProblem> {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted: Vec<String> = old.trim().lines().map(squeeze).collect();
    let lines: Vec<&str> = text.lines().collect();
    let squeezed: Vec<String> = lines.iter().map(|line| squeeze(line)).collect();
    if wanted.is_empty() {
        return None;
    }
    let at = squeezed.windows(wanted.len()).position(|window| window == wanted)?;
    let text = error::bounded(&lines[at..at + wanted.len()].join("\n"), MAX_HINT);
    Some(EditProblem::WhiteSpace { line: at + 1, text })
}

fn diff(path: &RelPath, before: &str, after: &str, max: usize) -> String {
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(before, after);
    let mut text = diff.unified_diff().header(&format!("a/{path}"), &format!("b/{path}")).to_string();
    if text.len() > max {
        let end = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str("\n… the diff is longer than can be shown\n");
    }
    text
}
