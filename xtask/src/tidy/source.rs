//! Rust source for the rules: code is separated from comments and strings, and tests from both. A small scanner is
//! enough, so the build needs no parser here.

use std::path::PathBuf;

/// A file of the repository.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// Its path on this machine.
    pub(crate) full: PathBuf,
    /// The whole text.
    pub(crate) text: String,
    /// The code with comments and the contents of strings replaced by spaces; empty unless it is Rust.
    pub(crate) code: String,
    /// Each string literal and the line it starts on.
    pub(crate) strings: Vec<(usize, String)>,
    /// The first line of the tests at the end of the file, or beyond the last line.
    pub(crate) tests_from: usize,
}

impl Source {
    pub(crate) fn new(path: String, full: PathBuf, text: String) -> Self {
        let (code, strings) = if path.ends_with(".rs") { scan(&text) } else { Default::default() };
        let tests_from = tests_from(&path, &code);
        Self { path, full, text, code, strings, tests_from }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns whether this is source of one of `crates` that is shipped.
    pub(crate) fn ships_in(&self, crates: &[&str]) -> bool {
        self.is_rust() && crates.iter().any(|name| self.path.starts_with(&format!("crates/{name}/src/")))
    }

    /// Returns the crate that a file of `crates/` belongs to; empty for other files.
    pub(crate) fn krate(&self) -> &str {
        let inner = self.path.strip_prefix("crates/").unwrap_or_default();
        inner.split('/').next().unwrap_or_default()
    }

    /// Returns the lines of code, numbered from one, without the tests.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.tests_from;
        self.code.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(move |(n, _)| *n < tests)
    }

    /// Returns the string literals outside the tests.
    pub(crate) fn shipped_strings(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.tests_from;
        self.strings.iter().filter(move |(n, _)| *n < tests).map(|(n, text)| (*n, text.as_str()))
    }

    /// Returns `path:line`, which editors understand.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

/// Returns whether `word` occurs in `line` with no identifier character on either side.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

/// Returns the first line of the tests. By convention, a file's unit tests are its last item.
fn tests_from(path: &str, code: &str) -> usize {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return 0;
    }
    let lines: Vec<&str> = code.lines().collect();
    let starts = |n: &usize| {
        let next = lines[n + 1..].iter().find(|line| !line.trim_start().starts_with("#["));
        lines[*n].trim() == "#[cfg(test)]"
            && next.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    (0..lines.len()).find(starts).map_or(usize::MAX, |n| n + 1)
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    strings: Vec<(usize, String)>,
}

fn scan(text: &str) -> (String, Vec<(usize, String)>) {
    let mut scanner = Scanner { rest: text, line: 1, code: String::new(), strings: Vec::new() };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    (scanner.code, scanner.strings)
}

impl Scanner<'_> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(hashes) = self.raw_string() {
            let open = self.rest.find('"').expect("a raw string has a quote") + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            let length = self.rest[open..].find(&close).unwrap_or(self.rest.len() - open);
            self.string(open, length, close.len());
        } else if self.rest.starts_with('"') {
            self.string(1, string_length(&self.rest[1..]), 1);
        } else if let Some(length) = char_literal(self.rest) {
            self.blank(length);
        } else {
            let next = self.rest.chars().next().expect("step is called with text left");
            self.keep(next.len_utf8());
        }
    }

    fn raw_string(&self) -> Option<usize> {
        let after_name = self.code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let body = self.rest.strip_prefix("br").or_else(|| self.rest.strip_prefix('r'))?;
        let hashes = body.len() - body.trim_start_matches('#').len();
        (!after_name && body[hashes..].starts_with('"')).then_some(hashes)
    }

    fn string(&mut self, open: usize, length: usize, close: usize) {
        self.strings.push((self.line, self.rest[open..open + length].to_owned()));
        self.keep(open);
        self.blank(length);
        self.keep(close.min(self.rest.len()));
    }

    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.line += kept.matches('\n').count();
        self.code.push_str(kept);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (blanked, rest) = self.rest.split_at(length);
        self.line += blanked.matches('\n').count();
        self.code.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Returns the length of a string's content up to the closing quote.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of the character literal at the start of `text`, if that is one and not a lifetime.
fn char_literal(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if body.starts_with('\\') {
        return body[2..].find('\'').map(|end| end + 4);
    }
    let first = body.chars().next()?;
    body[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::{Source, has_word, scan};

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "let a = \"x // y\"; // note\nlet b = r#\"q\"uote\"#; /* c /* d */ e */ let c = '\"'; fn f<'a>() {}";
        let (code, strings) = scan(text);
        assert!(!code.contains("note") && !code.contains("uote") && !code.contains(" e "), "{code}");
        assert!(code.contains("let c =") && code.contains("fn f<'a>() {}"), "{code}");
        assert_eq!(strings, [(1, "x // y".to_owned()), (2, "q\"uote".to_owned())]);
        assert_eq!(code.len(), text.len());
    }

    #[test]
    fn tests_are_left_out() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n";
        let source = Source::new("crates/x/src/lib.rs".into(), "lib.rs".into(), text.into());
        assert_eq!(source.lines().collect::<Vec<_>>(), [(1, "fn a() {}")]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("a unsafe {", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
    }
}
