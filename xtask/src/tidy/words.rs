//! The words of comments, documents and messages, counted: first words that hide the subject, and idioms.
//! CONTRIBUTING.md has the rules.

use super::source::{Source, has_word};

/// Words that no doc comment should begin with.
const BEGINNINGS: [&str; 6] = ["what", "who", "whoever", "where", "how", "whether"];
/// Words and phrases for which there is a plain word.
const IDIOMS: [&str; 12] = [
    "somebody",
    "nobody",
    "whoever",
    "come by",
    "comes by",
    "came by",
    "way",
    "there is for them",
    "is there for",
    "by itself",
    "for good",
    "has it that",
];
/// Names on disk that contain an idiom. They do not change, because existing records have them.
const NAMES_ON_DISK: [&str; 1] = ["way/"];
/// The folder of measurements, which are not changed later.
const MEASUREMENTS: &str = "bench/results/";
/// Documents that contain these rules, or describe earlier versions.
const EXEMPT: [&str; 2] = ["CONTRIBUTING.md", "CHANGELOG.md"];

/// The beginnings of doc comments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DocBeginnings {
    /// All doc comments.
    pub(super) all: usize,
    /// Those that begin with one of [`BEGINNINGS`].
    pub(super) indirect: usize,
}

impl DocBeginnings {
    /// Counts those of a source; tests are left out.
    pub(super) fn of(source: &Source) -> Self {
        let indirect = doc_beginnings(source).filter(|(_, word)| BEGINNINGS.contains(&&**word)).count();
        Self { all: doc_beginnings(source).count(), indirect }
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self { all: self.all + other.all, indirect: self.indirect + other.indirect }
    }

    pub(super) fn percent(self) -> f64 {
        percent(self.indirect, self.all)
    }
}

/// Returns the lines of a source whose doc comment begins with one of [`BEGINNINGS`].
pub(super) fn indirect_docs(source: &Source) -> Vec<String> {
    let indirect = doc_beginnings(source).filter(|(_, word)| BEGINNINGS.contains(&&**word));
    indirect.map(|(line, word)| format!("{}: {word}", source.at(line))).collect()
}

/// Returns the first word of each doc comment, in small letters, and its line.
fn doc_beginnings(source: &Source) -> impl Iterator<Item = (usize, String)> + '_ {
    let mut inside = false;
    let lines = source.text.lines().enumerate().map(|(n, text)| (n + 1, text.trim_start()));
    lines.take_while(|(line, _)| *line < source.tests_from).filter_map(move |(line, text)| {
        let doc = text.strip_prefix("///").or_else(|| text.strip_prefix("//!"));
        let doc = doc.filter(|_| !is_in_string(source, line));
        let begins = doc.is_some() && !inside;
        inside = doc.is_some();
        let mut words = doc.filter(|_| begins)?.split(|c: char| !c.is_alphanumeric() && c != '\'');
        Some((line, words.find(|word| !word.is_empty())?.to_lowercase()))
    })
}

/// Returns whether a line begins inside a string literal.
fn is_in_string(source: &Source, line: usize) -> bool {
    source.strings.iter().any(|(first, text)| *first < line && line <= first + text.matches('\n').count())
}

/// Returns whether idioms are searched in a file: in the comments and messages of shipped code, and in documents.
pub(super) fn is_prose(source: &Source) -> bool {
    let is_exempt = EXEMPT.contains(&&*source.path) || source.path.starts_with(MEASUREMENTS);
    let is_document = source.path.ends_with(".md") && !is_exempt;
    is_document || (source.is_rust() && source.path.starts_with("crates/") && source.path.contains("/src/"))
}

/// Returns each idiom in the prose of a source, with its line: in comments and strings, without tests and code.
pub(super) fn idioms(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut code = source.code.lines();
    for (n, line) in source.text.lines().enumerate().take_while(|(n, _)| n + 1 < source.tests_from) {
        let line = prose(line, code.next().unwrap_or_default()).to_lowercase();
        let line = NAMES_ON_DISK.iter().fold(line, |line, name| line.replace(name, ""));
        let idioms = IDIOMS.iter().filter(|idiom| has_word(&line, idiom));
        found.extend(idioms.map(|idiom| format!("{}: {idiom}", source.at(n + 1))));
    }
    found
}

/// Returns a line without the code that `code` repeats.
fn prose(line: &str, code: &str) -> String {
    let mut code = code.chars();
    line.chars().map(|c| if code.next().is_none_or(|code| code == ' ') { c } else { ' ' }).collect()
}

/// Returns a part of a whole in percent.
pub(super) fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.into(), path.into(), text.into())
    }

    #[test]
    fn the_first_word_of_each_doc_comment_counts() {
        let text = "//! What this is for.\n//! Where it goes on.\n\n/// How long.\nstruct A;\n/// Returns it.\n/// Who calls.\nfn f() {}\n\
                    let a = \"\n/// what a string says\n\";\n// What a comment says.\n/// **Whoever** it is.\nstruct B;\n\
                    #[cfg(test)]\nmod tests {\n    /// Where tests are.\n    fn t() {}\n}\n";
        let source = source("crates/a/src/lib.rs", text);
        assert_eq!(DocBeginnings::of(&source), DocBeginnings { all: 4, indirect: 3 });
        let expected = ["1: what", "4: how", "13: whoever"].map(|at| format!("crates/a/src/lib.rs:{at}"));
        assert_eq!(indirect_docs(&source), expected);
    }

    #[test]
    fn idioms_are_found_in_prose_and_not_in_code() {
        let text = "// Nobody knows, é.\nlet way = \"it comes by itself\"; // for good\nlet nobody = by_way();\n\
                    #[cfg(test)]\nmod tests {\n    // whoever\n}\n";
        let found = idioms(&source("crates/a/src/lib.rs", text));
        let expected = ["1: nobody", "2: comes by", "2: by itself", "2: for good"];
        assert_eq!(found, expected.map(|at| format!("crates/a/src/lib.rs:{at}")));
        assert_eq!(idioms(&source("docs/a.md", "A way, always.\n")), ["docs/a.md:1: way"]);
        let text = "const NAMES: &str = \"way/\";\nconst WAY: &str = \"a way\";\n";
        assert_eq!(idioms(&source("crates/a/src/lib.rs", text)), ["crates/a/src/lib.rs:2: way"]);
    }

    #[test]
    fn documents_that_quote_the_idioms_are_exempt() {
        for (path, expected) in [
            ("README.md", true),
            ("docs/src/up.md", true),
            ("CONTRIBUTING.md", false),
            ("CHANGELOG.md", false),
            ("bench/README.md", true),
            ("bench/results/a.md", false),
            ("crates/a/src/lib.rs", true),
            ("crates/a/tests/it/main.rs", false),
            ("xtask/src/tidy/words.rs", false),
        ] {
            assert_eq!(is_prose(&source(path, "")), expected, "{path}");
        }
    }
}
