//! Search by content, line by line, with the engine of ripgrep on confined handles.

use std::io::Read;

use cap_std::fs::File;
use grep_matcher::{LineTerminator, Matcher as _};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkFinish, SinkMatch};
use loggia::JsonSchema;
use serde::Serialize;

use super::budget::{Budget, MeteredReader};
use super::find::Glob;
use super::list::check_cursor;
use super::path::RelPath;
use super::walk::{Walk, WalkFlow, WalkOptions};
use super::{Files, FilesError, Kind, Result, error, open_regular};

/// The number of matches that are returned by default.
const DEFAULT_MATCHES: usize = 200;

/// The maximum number of lines of context on each side.
const MAX_CONTEXT: usize = 20;

/// The maximum number of bytes of a line that are shown, and the number of them before the match.
const SHOWN: usize = 400;
const BEFORE: usize = 100;

/// The memory for one line. A file with a longer line is not searched to its end.
const HEAP: usize = 8 << 20;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 4096;

/// The maximum number of characters of a parser's message that are shown. The message repeats the pattern.
const MAX_REASON: usize = 1000;

/// The memory for a compiled pattern.
const PATTERN: usize = 4 << 20;

/// The pattern to search for and the files to search.
#[derive(Debug, Clone, Default)]
pub struct GrepRequest {
    /// The pattern: a regular expression, in the syntax of the `regex` crate.
    pub pattern: String,
    /// True if the pattern is plain text.
    pub literal: bool,
    /// True if upper and lower case are equal.
    pub ignore_case: bool,
    /// A file, or a directory whose files are searched.
    pub path: String,
    /// Only files that this glob matches are searched.
    pub glob: Option<String>,
    /// The number of lines shown before and after each match.
    pub context: usize,
    /// True if names that begin with a dot are searched.
    pub hidden: bool,
    /// True if paths that a `.gitignore` excludes are searched.
    pub ignored: bool,
    /// The maximum number of matching lines to return.
    pub limit: Option<usize>,
    /// The cursor that an earlier search returned.
    pub cursor: Option<String>,
}

/// The result of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GrepResult {
    /// The files with matches, in order of path.
    pub files: Vec<FileMatches>,
    /// The number of matching lines in the files that were searched.
    pub matches: usize,
    /// The number of files that were searched.
    pub searched: usize,
    /// Cursor for the next call, which searches the files after these; absent when all were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Notes on skipped files and lines, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The matches of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileMatches {
    /// The file's path, relative to the root of the folder.
    pub path: String,
    /// The lines that match and those around them.
    pub lines: Vec<MatchLine>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MatchLine {
    /// Its number, counted from 1.
    pub line: u64,
    /// True if it matches; false if it is context.
    pub matched: bool,
    /// The line, or the piece of it around the match.
    pub text: String,
}

impl Files {
    /// Searches the content of files.
    pub fn grep(&self, request: &GrepRequest) -> Result<GrepResult> {
        let start = self.parse(&request.path)?;
        let mut search = LineSearch::new(request, self.limits().matches)?;
        if self.metadata(&start)?.is_file() {
            return self.grep_file(search, &start);
        }
        let glob = request.glob.as_deref().map(|g| Glob::parse(g, request.ignore_case)).transpose()?;
        check_cursor(&start, request.cursor.as_deref())?;
        let after = request.cursor.clone();
        let options = WalkOptions { hidden: request.hidden, ignored: request.ignored, depth: None, after };
        let mut walk = Walk::new(options, self.budget());
        walk.run(self, &start, &mut |found, budget| {
            let wanted = glob.as_ref().is_none_or(|glob| glob.matches(start.as_str(), &found));
            if found.kind != Kind::File || !wanted {
                return WalkFlow::Continue;
            }
            match open_regular(found.dir, found.os_name.as_ref()) {
                Ok((file, metadata)) if metadata.is_file() => search.file(&found.path, file, budget),
                _ => search.unread += 1,
            }
            if search.full() || budget.spent().is_some() {
                search.result.next_cursor = Some(found.path);
                return WalkFlow::Stop;
            }
            WalkFlow::Continue
        })?;
        search.result.next_cursor = search.result.next_cursor.or_else(|| walk.cursor());
        Ok(search.finish(walk.notes()))
    }

    fn grep_file(&self, mut search: LineSearch, path: &RelPath) -> Result<GrepResult> {
        let (file, _) = self.open_file(path)?;
        let mut budget = self.budget();
        search.file(path.as_str(), file, &mut budget);
        Ok(search.finish(budget.spent().map(|spent| spent.note().to_owned()).into_iter().collect()))
    }
}

/// A running search.
struct LineSearch {
    matcher: RegexMatcher,
    searcher: Searcher,
    limit: usize,
    result: GrepResult,
    /// The number of files that contain bytes instead of text.
    binary: usize,
    /// The number of files that could not be opened or read to their end.
    unread: usize,
    /// The file with more matches than there was room for.
    cut: Option<String>,
}

impl LineSearch {
    fn new(request: &GrepRequest, max: usize) -> Result<LineSearch> {
        let context = request.context.min(MAX_CONTEXT);
        let searcher = SearcherBuilder::new()
            .line_terminator(LineTerminator::crlf())
            .binary_detection(BinaryDetection::quit(0))
            .before_context(context)
            .after_context(context)
            .heap_limit(Some(HEAP))
            .build();
        Ok(LineSearch {
            matcher: matcher(request)?,
            searcher,
            limit: request.limit.unwrap_or(DEFAULT_MATCHES).clamp(1, max),
            result: GrepResult::default(),
            binary: 0,
            unread: 0,
            cut: None,
        })
    }

    fn full(&self) -> bool {
        self.result.matches >= self.limit
    }

    fn file(&mut self, path: &str, file: File, budget: &mut Budget) {
        let mut lines = LineSink {
            matcher: &self.matcher,
            room: self.limit - self.result.matches,
            lines: Vec::new(),
            matches: 0,
            cut: false,
            binary: false,
        };
        let reader: &mut dyn Read = &mut MeteredReader { inner: file, budget };
        let ended = self.searcher.search_reader(&self.matcher, reader, &mut lines);
        let LineSink { lines, matches, cut, binary, .. } = lines;
        self.result.searched += 1;
        self.binary += usize::from(binary);
        self.unread += usize::from(ended.is_err());
        // Binary bytes after the matches make the file binary, and the matches are not used.
        if matches > 0 && !binary {
            self.result.matches += matches;
            self.cut = cut.then(|| path.to_owned());
            self.result.files.push(FileMatches { path: path.to_owned(), lines });
        }
    }

    fn finish(self, walk_notes: Vec<String>) -> GrepResult {
        let mut notes = walk_notes;
        if self.full() {
            let go_on = if self.result.next_cursor.is_some() { "go on with next_cursor, or " } else { "" };
            notes.push(format!(
                "stopped at {} matches; {go_on}narrow the search with path, glob or a longer pattern",
                self.limit
            ));
        }
        if let Some(path) = &self.cut {
            notes.push(format!("'{path}' has more matches; raise limit, or search this file alone"));
        }
        if self.binary > 0 {
            notes.push(format!("{} binary files were skipped", self.binary));
        }
        if self.unread > 0 {
            notes.push(format!("{} files could not be read to their end", self.unread));
        }
        GrepResult { notes, ..self.result }
    }
}

fn matcher(request: &GrepRequest) -> Result<RegexMatcher> {
    let bad = |reason| FilesError::BadPattern { pattern: error::excerpt(&request.pattern), reason };
    if request.pattern.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    if request.pattern.len() > MAX_PATTERN {
        return Err(bad(format!("it has more than {MAX_PATTERN} bytes; search for a part of it")));
    }
    RegexMatcherBuilder::new()
        .fixed_strings(request.literal)
        .case_insensitive(request.ignore_case)
        .crlf(true)
        .size_limit(PATTERN)
        .dfa_size_limit(PATTERN)
        .build(&request.pattern)
        .map_err(|e| {
            let reason = error::bounded(&e.to_string(), MAX_REASON);
            bad(format!("{reason}; the search is line by line, and literal takes the pattern as plain text"))
        })
}

/// Collects the lines of one file.
struct LineSink<'m> {
    matcher: &'m RegexMatcher,
    room: usize,
    lines: Vec<MatchLine>,
    matches: usize,
    /// True if there was a match for which there was no room.
    cut: bool,
    binary: bool,
}

impl LineSink<'_> {
    fn push(&mut self, number: Option<u64>, matched: bool, bytes: &[u8]) {
        let at = if matched { self.matcher.find(bytes).ok().flatten().map_or(0, |m| m.start()) } else { 0 };
        self.lines.push(MatchLine { line: number.unwrap_or_default(), matched, text: excerpt(bytes, at) });
    }
}

impl Sink for LineSink<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> std::io::Result<bool> {
        if self.matches == self.room {
            self.cut = true;
            return Ok(false);
        }
        self.matches += 1;
        self.push(found.line_number(), true, found.bytes());
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> std::io::Result<bool> {
        self.push(context.line_number(), false, context.bytes());
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, finish: &SinkFinish) -> std::io::Result<()> {
        self.binary = finish.binary_byte_offset().is_some();
        Ok(())
    }
}

/// Returns the line without its end, or the piece of it around byte `at`.
fn excerpt(line: &[u8], at: usize) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= SHOWN {
        return String::from_utf8_lossy(line).into_owned();
    }
    let from = at.saturating_sub(BEFORE).min(line.len() - SHOWN);
    let to = from + SHOWN;
    let piece = String::from_utf8_lossy(&line[from..to]);
    // A character that was cut becomes replacement characters at the ends.
    let piece = piece.trim_matches(char::REPLACEMENT_CHARACTER);
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
    format!("{before}{piece}{after}")
}
