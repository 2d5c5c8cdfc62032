//! Rules for resource URIs, compared with what a request names in all its spellings.

use loggia::wire::uri::{AmbiguousUri, NormalUri};

/// The ways in which one resource is spelled, beside those that the normal form of URIs makes one.
#[derive(Debug, Clone, Default)]
pub(super) struct UriSpellings {
    /// Each with its `+`.
    pub(super) qualifiers: Vec<String>,
    /// A beginning, and the beginning that means the same.
    pub(super) aliases: Vec<(String, String)>,
}

impl UriSpellings {
    /// Returns the form in which URIs, and the beginnings of URIs, are compared.
    pub(super) fn normal(&self, uri: &str) -> Result<String, AmbiguousUri> {
        let plain = self.qualifiers.iter().find_map(|qualifier| uri.strip_prefix(qualifier.as_str()));
        let normal = NormalUri::parse(plain.unwrap_or(uri))?.to_string();
        let aliased = self.aliases.iter().find_map(|(alias, prefix)| {
            let rest = normal.strip_prefix(NormalUri::parse(alias).ok()?.to_string().as_str())?;
            Some(format!("{prefix}{rest}"))
        });
        Ok(aliased.unwrap_or(normal))
    }

    /// Reads the pattern of a rule.
    pub(super) fn pattern(&self, pattern: &str) -> UriPattern {
        let (text, is_prefix) = pattern.strip_suffix('*').map_or((pattern, false), |text| (text, true));
        if let Ok(text) = self.normal(text) {
            return UriPattern { text, is_prefix };
        }
        // No clear URI is spelled like this, so the rule holds for all that begins like its clear part.
        let clear = text.find(|c: char| c.is_control() || "%\\ .".contains(c)).unwrap_or(text.len());
        UriPattern { text: self.normal(&text[..clear]).unwrap_or_default(), is_prefix: true }
    }
}

/// The URIs for which a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UriPattern {
    text: String,
    /// Whether it stands for every URI that begins with it.
    is_prefix: bool,
}

impl UriPattern {
    /// Whether the rule holds for a URI in normal form. Every rule holds for one that has none.
    pub(super) fn covers(&self, normal: Option<&str>) -> bool {
        normal.is_none_or(|uri| match self.is_prefix {
            true => uri.starts_with(&self.text),
            // Servers seldom tell a resource from the one with a slash at its end.
            false => uri.trim_end_matches('/') == self.text.trim_end_matches('/'),
        })
    }

    /// Whether the rule may hold for some URI that begins like this one. Completions ignore the case of letters.
    pub(super) fn may_cover_below(&self, normal: Option<&str>) -> bool {
        let Some(start) = normal else { return true };
        let (start, text) = (start.to_lowercase(), self.text.to_lowercase());
        text.starts_with(&start) || (self.is_prefix && start.starts_with(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings() -> UriSpellings {
        UriSpellings {
            qualifiers: vec!["files+".to_owned(), "a-b+".to_owned()],
            aliases: vec![("file:///srv/root/".to_owned(), "file:///".to_owned())],
        }
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
            // Patterns that are not clear hold for more than they say, never for less.
            ("file:///100%/*", "file:///100x", true),
            ("file:///100%/*", "file:///99", false),
            ("file:///a%2Fb", "file:///a/b", true),
        ];
        for (pattern, uri, holds) in table {
            let normal = spellings().normal(uri).expect(uri);
            assert_eq!(spellings().pattern(pattern).covers(Some(&normal)), holds, "{pattern} {uri}");
        }
        assert!(spellings().pattern("file:///x").covers(None));
    }

    #[test]
    fn completions_need_what_their_suggestions_could() {
        let table = [
            ("file:///secret/*", "file:///", true),
            ("file:///secret/*", "file:///sec", true),
            ("file:///secret/*", "file:///SECRET/a", true),
            ("file:///secret/*", "file:///public/../secret/", true),
            ("file:///secret/*", "file:///srv/root/secret/a", true),
            ("file:///secret/*", "file:///public/", false),
            ("file:///secret", "file:///secret/a", false),
            ("file:///secret", "files+file:///s", true),
        ];
        for (pattern, start, may) in table {
            let normal = spellings().normal(start).expect(start);
            assert_eq!(spellings().pattern(pattern).may_cover_below(Some(&normal)), may, "{pattern} {start}");
        }
        assert!(spellings().pattern("file:///x").may_cover_below(None));
    }
}
