//! Search in the directory of connectors, by words.
//!
//! Invariant: a result matches each word of the query; better matches come first, and equal ones in the order of names.

use super::{ManifestDirectory, ManifestEntry};

/// Least length of a word that may be misspelt.
const LEAST_MISSPELT: usize = 4;
/// Characters of a word for which one may be wrong.
const CHARACTERS_PER_FAULT: usize = 4;

/// Points of a match, by the text that has the word: the whole name, the begin of a name, and so on.
const NAME: u32 = 100;
const NAME_START: u32 = 60;
const TITLE_WORD: u32 = 50;
const CATEGORY: u32 = 40;
const MISSPELT_NAME: u32 = 30;
const TOOL_WORD: u32 = 20;
const DESCRIPTION_WORD: u32 = 10;

impl ManifestDirectory {
    /// Returns the connectors that match each word of a query, the best first. An empty query matches all.
    pub fn search(&self, query: &str) -> Vec<&ManifestEntry> {
        let words = words_of(query);
        let scored = self.entries().iter().filter_map(|entry| Some((score(entry, &words)?, entry)));
        let mut scored: Vec<(u32, &ManifestEntry)> = scored.collect();
        // The sort is stable, and the entries are in the order of names.
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        scored.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Returns the names that a name which does not exist may have meant, the nearest first; three at most.
    pub fn suggestions(&self, name: &str) -> Vec<&str> {
        const MAX: usize = 3;
        let name = name.to_lowercase();
        let mut near: Vec<(usize, &str)> = self
            .entries()
            .iter()
            .map(|entry| (strsim::damerau_levenshtein(&name, &entry.name), entry.name.as_str()))
            .filter(|(faults, known)| *faults <= (known.len() / CHARACTERS_PER_FAULT).max(1))
            .collect();
        near.sort();
        let mut names: Vec<&str> = near.into_iter().map(|(_, name)| name).collect();
        for entry in self.search(&name) {
            if !names.contains(&entry.name.as_str()) {
                names.push(&entry.name);
            }
        }
        names.truncate(MAX);
        names
    }
}

/// Returns the points of an entry; `None` if a word matches nothing.
fn score(entry: &ManifestEntry, words: &[String]) -> Option<u32> {
    words.iter().map(|word| points(entry, word)).sum()
}

fn points(entry: &ManifestEntry, word: &str) -> Option<u32> {
    let names = || words_of(&entry.title).into_iter().chain(words_of(&entry.name));
    let starts = |text: &str| words_of(text).iter().any(|known| known.starts_with(word));
    let is_misspelt = |known: &str| {
        let most = word.chars().count() / CHARACTERS_PER_FAULT;
        word.len() >= LEAST_MISSPELT && strsim::damerau_levenshtein(known, word) <= most
    };
    let matches = [
        (NAME, entry.name == word || entry.title.to_lowercase() == word),
        (NAME_START, entry.name.starts_with(word)),
        (TITLE_WORD, names().any(|known| known.starts_with(word))),
        (
            CATEGORY,
            entry
                .categories
                .iter()
                .any(|category| starts(category) || word.strip_suffix('s') == Some(category)),
        ),
        (MISSPELT_NAME, names().any(|known| is_misspelt(&known))),
        (TOOL_WORD, entry.tools.iter().any(|tool| starts(tool))),
        (DESCRIPTION_WORD, starts(&entry.description)),
    ];
    matches.into_iter().find(|(_, is_match)| *is_match).map(|(points, _)| points)
}

/// Returns the words of a text, in small letters.
fn words_of(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
