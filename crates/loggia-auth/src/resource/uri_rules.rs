//! Rules for resource URIs, which apply to every spelling of a URI.
//!
//! A pattern is compiled into all of its spellings: the original one, with the absolute path of each folder before
//! it, and relative to each folder that contains it. URIs are then compared only in their normal form. A rule may
//! apply to more URIs than its pattern matches (a relative path can be in several folders), but never to fewer.

use std::collections::BTreeSet;

use loggia::wire::uri::{AmbiguousUri, NormalUri};

/// The number of alias substitutions in one path: a folder with an alias can be in another folder with an alias.
const ALIAS_ROUNDS: usize = 2;

/// The spellings of one resource that are different in the normal form of URIs.
#[derive(Debug, Clone, Default)]
pub(super) struct UriSpellings {
    /// The qualifiers, each with its `+`.
    qualifiers: Vec<String>,
    aliases: Vec<UriAlias>,
}

/// A prefix of URIs and an equivalent prefix, both in normal form.
#[derive(Debug, Clone)]
struct UriAlias {
    alias: String,
    prefix: String,
}

/// A resource URI, or a prefix of one, in the forms in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ComparableUri {
    /// The normal form, in one case if file systems may ignore case.
    text: String,
    /// The normal form in one case.
    folded: String,
}

impl UriSpellings {
    /// Adds a name that may stand before a URI, as `NAME+URI`.
    pub(super) fn add_qualifier(&mut self, name: &str) {
        self.qualifiers.push(format!("{name}+"));
    }

    /// Adds a prefix of URIs that is equivalent to `prefix`.
    pub(super) fn add_alias(&mut self, alias: &str, prefix: &str) {
        let (alias, prefix) = (self.normal_prefix(alias).0, self.normal_prefix(prefix).0);
        self.aliases.push(UriAlias { alias: alias.text, prefix: prefix.text });
    }

    /// Returns the form in which a URI, or a prefix of one, is compared.
    pub(super) fn comparable(&self, uri: &str) -> Result<ComparableUri, AmbiguousUri> {
        let plain = self.qualifiers.iter().find_map(|qualifier| uri.strip_prefix(qualifier.as_str()));
        NormalUri::parse(plain.unwrap_or(uri)).map(ComparableUri::from)
    }

    /// Compiles the pattern of a rule.
    pub(super) fn pattern(&self, pattern: &str) -> UriPattern {
        let (text, is_prefix) = pattern.strip_suffix('*').map_or((pattern, false), |text| (text, true));
        let (prefix, is_whole) = self.normal_prefix(text);
        // No URI in normal form contains the rest of the pattern, so the rule applies to all URIs with this prefix.
        let is_prefix = is_prefix || !is_whole;
        let texts = self.equal_texts(prefix.text, is_prefix);
        // The texts are in normal form, so each of them is comparable.
        let forms = texts.iter().filter_map(|text| NormalUri::parse(text).ok()).map(ComparableUri::from);
        UriPattern { forms: forms.collect(), is_prefix }
    }

    /// Returns the longest prefix that has a normal form, and whether it is the whole text.
    fn normal_prefix(&self, text: &str) -> (ComparableUri, bool) {
        if let Ok(whole) = self.comparable(text) {
            return (whole, true);
        }
        let end = text.find(|c: char| c.is_control() || "%\\ .".contains(c)).unwrap_or(text.len());
        let prefix = self.comparable(&text[..end]);
        (prefix.unwrap_or_else(|_| ComparableUri { text: String::new(), folded: String::new() }), false)
    }

    /// Returns the spellings that are equivalent to `text`.
    fn equal_texts(&self, text: String, is_prefix: bool) -> BTreeSet<String> {
        let mut relative = BTreeSet::from([text.clone()]);
        let mut absolute = self.absolute(&relative);
        absolute.insert(text);
        for _ in 0..ALIAS_ROUNDS {
            relative.extend(self.relative(&absolute, is_prefix));
            absolute.extend(self.absolute(&self.relative(&absolute, is_prefix)));
        }
        relative.extend(self.relative(&absolute, is_prefix));
        absolute.union(&relative).cloned().collect()
    }

    fn absolute(&self, texts: &BTreeSet<String>) -> BTreeSet<String> {
        let each = |text: &'_ String| self.aliases.iter().filter_map(|alias| alias.absolute(text)).collect();
        texts.iter().flat_map::<Vec<String>, _>(each).collect()
    }

    fn relative(&self, texts: &BTreeSet<String>, is_prefix: bool) -> BTreeSet<String> {
        let each = |text: &'_ String| {
            self.aliases.iter().filter_map(|alias| alias.relative(text, is_prefix)).collect()
        };
        texts.iter().flat_map::<Vec<String>, _>(each).collect()
    }
}

impl UriAlias {
    /// Returns the text with the alias in place of the prefix.
    fn absolute(&self, text: &str) -> Option<String> {
        text.strip_prefix(&self.prefix).map(|rest| format!("{}{rest}", self.alias))
    }

    /// Returns the text with the prefix instead of the alias. A rule for a folder above the alias applies to
    /// everything below the prefix.
    fn relative(&self, text: &str, is_prefix: bool) -> Option<String> {
        if is_prefix && self.alias.starts_with(text) {
            return Some(self.prefix.clone());
        }
        text.strip_prefix(&self.alias).map(|rest| format!("{}{rest}", self.prefix))
    }
}

impl From<NormalUri> for ComparableUri {
    fn from(uri: NormalUri) -> ComparableUri {
        // A file system may ignore case, and the server cannot know whether it does.
        let ignores_case = uri.scheme() == "file";
        let text = uri.to_string();
        let folded = uri.fold_case().to_string();
        ComparableUri { text: if ignores_case { folded.clone() } else { text }, folded }
    }
}

/// The URIs to which a rule applies.
#[derive(Debug, Clone, Default)]
pub(super) struct UriPattern {
    forms: Vec<ComparableUri>,
    /// Each form matches every URI that begins with it.
    is_prefix: bool,
}

impl UriPattern {
    /// Returns whether the rule applies to a URI. Every rule applies to a URI without a normal form.
    pub(super) fn covers(&self, uri: Option<&ComparableUri>) -> bool {
        let Some(ComparableUri { text: uri, .. }) = uri else { return true };
        self.forms.iter().any(|ComparableUri { text, .. }| match self.is_prefix {
            true => uri.starts_with(text),
            // Servers rarely distinguish a resource from the one with a slash at its end.
            false => uri.trim_end_matches('/') == text.trim_end_matches('/'),
        })
    }

    /// Returns whether the rule may apply to a URI with this prefix. Completions ignore case.
    pub(super) fn may_cover_below(&self, start: Option<&ComparableUri>) -> bool {
        let Some(ComparableUri { folded: start, .. }) = start else { return true };
        let may = |form: &ComparableUri| {
            form.folded.starts_with(start) || (self.is_prefix && start.starts_with(&form.folded))
        };
        self.forms.iter().any(may)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The aliases of `file:///`.
    fn spellings(roots: &[&str]) -> UriSpellings {
        let mut spellings = UriSpellings::default();
        ["files", "a", "b", "a-b"].iter().for_each(|name| spellings.add_qualifier(name));
        roots.iter().for_each(|root| spellings.add_alias(root, "file:///"));
        spellings
    }

    fn covers(spellings: &UriSpellings, pattern: &str, uri: &str) -> bool {
        spellings.pattern(pattern).covers(Some(&spellings.comparable(uri).expect(uri)))
    }

    #[test]
    fn rules_hold_for_every_spelling() {
        let table = [
            ("file:///srv/root/secret%20dir/*", "file:///secret dir/x", true),
            ("file:///secret dir/*", "file:///srv/root/%73ecret%20dir/x", true),
            ("file:///secret/*", "files+file:///srv//root/secret/x", true),
            ("files+file:///secret/*", "file:///secret/x", true),
            ("files+file:///secret/*", "a-b+file:///./secret/x", true),
            ("file:///secret/*", "file:///secrets/x", false),
            ("file:///secret*", "file:///secrets/x", true),
            ("file:///secret/x", "file:///secret/x/", true),
            ("file:///secret/x", "file:///secret/x.txt", false),
            ("file:///secret/*", "other+file:///secret/x", false),
            ("file:///srv/secret/*", "file:///srv/root/srv/secret/x", true),
            ("db://users/*", "DB://Users/1", true),
            ("db://users/*", "db:///users/1", true),
            ("http://h/a/*", "http://h:80/b/../a/1", true),
            ("http*", "https://h/", true),
            ("*", "notes:1", true),
            // Patterns without a normal form hold for more URIs than they match, never for fewer.
            ("file:///100%/*", "file:///100x", true),
            ("file:///100%/*", "file:///99", false),
            ("file:///a%2Fb", "file:///a/b", true),
        ];
        let spellings = spellings(&["file:///srv/root/"]);
        for (pattern, uri, holds) in table {
            assert_eq!(covers(&spellings, pattern, uri), holds, "{pattern} {uri}");
        }
        assert!(spellings.pattern("file:///x").covers(None));
    }

    #[test]
    fn rules_hold_for_absolute_and_relative_paths_of_every_folder() {
        let one: &[&str] = &["file:///home/me/notes/"];
        let nested: &[&str] = &["file:///srv/", "file:///srv/b/"];
        let nested_first: &[&str] = &["file:///srv/b/", "file:///srv/"];
        let linked: &[&str] = &["file:///link/a/", "file:///srv/", "file:///link/b/", "file:///srv/b/"];
        let unclear: &[&str] = &["file:///home/a%0Ab/"];
        let table = [
            // A rule that is broader than the folder.
            (one, "file:///home/*", "file:///a.md", true),
            (one, "file:///home/me/no*", "file:///a.md", true),
            (one, "file:///*", "file:///a.md", true),
            (one, "file:///home/me/notes", "file:///a.md", false),
            (one, "file:///home/you/*", "file:///a.md", false),
            (unclear, "file:///home/*", "file:///a.md", true),
            (unclear, "file:///srv/*", "file:///a.md", false),
            // A folder inside another one.
            (nested, "file:///srv/b/secret/*", "b+file:///secret/x", true),
            (nested, "file:///srv/b/secret/*", "a+file:///b/secret/x", true),
            (nested, "file:///srv/b/secret/*", "file:///srv/b/secret/x", true),
            (nested, "file:///secret/*", "a+file:///b/secret/x", true),
            (nested, "file:///secret/*", "file:///srv/b/secret/x", true),
            (nested, "file:///b/secret/*", "b+file:///secret/x", true),
            (nested, "file:///b/secret/x", "b+file:///secret/x", true),
            (nested, "file:///b/secret/x", "b+file:///secret/y", false),
            (nested, "file:///srv/b/secret/*", "file:///b/public/x", false),
            (nested, "file:///srv/b/secret/*", "file:///public/x", false),
            (nested_first, "file:///srv/b/secret/*", "b+file:///secret/x", true),
            (nested_first, "file:///secret/*", "a+file:///b/secret/x", true),
            (nested_first, "file:///b/secret/*", "b+file:///secret/x", true),
            // Folders that are given by symbolic links.
            (linked, "file:///link/a/b/secret/*", "b+file:///secret/x", true),
            (linked, "file:///link/a/b/secret/*", "file:///link/b/secret/x", true),
            (linked, "file:///link/b/secret/*", "a+file:///b/secret/x", true),
            (linked, "file:///link/b/secret/*", "file:///link/a/b/secret/x", true),
            (linked, "file:///link/b/secret/*", "file:///public/x", false),
        ];
        for (roots, pattern, uri, holds) in table {
            assert_eq!(covers(&spellings(roots), pattern, uri), holds, "{roots:?} {pattern} {uri}");
        }
    }

    #[test]
    fn rules_for_files_ignore_case() {
        let table = [
            ("file:///secret/*", "file:///SECRET/x", true),
            ("file:///Secret/X", "file:///sEcret/x", true),
            ("file:///Geheim/\u{c9}t\u{e9}/*", "file:///geheim/%C3%A9T%C3%89/x", true),
            ("file:///\u{3c3}\u{3c2}/*", "file:///\u{3a3}\u{3a3}/x", true),
            ("file:///secret/*", "file:///\u{17f}ecret/x", true),
            ("file:///secret/*", "file:///SRV/Root/Secret/x", true),
            ("file:///SRV/ROOT/secret/*", "file:///secret/x", true),
            ("FILE:///secret/*", "files+file:///Secret/x", true),
            ("db://users/Secret", "db://users/secret", false),
            ("http://h/Secret/*", "http://h/secret/x", false),
        ];
        for (pattern, uri, holds) in table {
            assert_eq!(covers(&spellings(&["file:///srv/root/"]), pattern, uri), holds, "{pattern} {uri}");
        }
    }

    #[test]
    fn completions_need_what_their_suggestions_could() {
        let table = [
            ("file:///secret/*", "file:///", true),
            ("file:///secret/*", "file:///sec", true),
            ("file:///secret/*", "file:///SECRET/a", true),
            ("file:///secret/*", "file:///public/../secret/", true),
            ("file:///secret/*", "file:///srv/root/secret/a", true),
            ("file:///secret/*", "file:///srv/ro", true),
            ("file:///srv/*", "file:///pub", true),
            ("file:///secret/*", "file:///public/", false),
            ("file:///secret", "file:///secret/a", false),
            ("file:///secret", "files+file:///s", true),
            ("db://Users/\u{c9}*", "db://users/%C3%A9t", true),
        ];
        let spellings = spellings(&["file:///srv/root/"]);
        for (pattern, start, may) in table {
            let start_form = spellings.comparable(start).expect(start);
            assert_eq!(
                spellings.pattern(pattern).may_cover_below(Some(&start_form)),
                may,
                "{pattern} {start}"
            );
        }
        assert!(spellings.pattern("file:///x").may_cover_below(None));
    }
}
