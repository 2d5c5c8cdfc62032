//! Sets of scopes (RFC 6749, section 3.3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of scopes, which is written with spaces between them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// The maximum number of scopes that are read; further ones are ignored.
    pub const MAX: usize = 256;

    /// Creates an empty set.
    pub fn new() -> Scopes {
        Scopes::default()
    }

    /// Parses a list. Words that are not valid scopes are ignored.
    pub fn parse(text: &str) -> Scopes {
        text.split_ascii_whitespace().collect()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the set has a scope.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Returns whether all scopes are in `others`.
    pub fn is_within(&self, others: &Scopes) -> bool {
        self.0.is_subset(&others.0)
    }

    /// Returns the scopes of both sets.
    #[must_use]
    pub fn union(&self, others: &Scopes) -> Scopes {
        Scopes(self.0.union(&others.0).cloned().collect())
    }

    /// Returns the scopes that are not in `others`.
    #[must_use]
    pub fn without(&self, others: &Scopes) -> Scopes {
        Scopes(self.0.difference(&others.0).cloned().collect())
    }

    /// Iterates over the scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Returns whether a text is a scope: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 512
        && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Scopes {
        let wanted = scopes.into_iter().take(Scopes::MAX);
        Scopes(
            wanted.filter(|scope| is_scope(scope.as_ref())).map(|scope| scope.as_ref().to_owned()).collect(),
        )
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scopes, D::Error> {
        String::deserialize(deserializer).map(|text| Scopes::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_sets() {
        let table = [
            ("", ""),
            ("b a  b", "a b"),
            ("files:read\tmail", "files:read mail"),
            ("good b\"ad back\\slash ümlaut", "good"),
        ];
        for (text, written) in table {
            assert_eq!(Scopes::parse(text).to_string(), written);
        }
        let (one, other) = (Scopes::parse("a b"), Scopes::parse("b c"));
        assert_eq!(one.union(&other).to_string(), "a b c");
        assert_eq!(one.without(&other).to_string(), "a");
        assert!(
            Scopes::parse("a").is_within(&one) && !one.is_within(&other) && Scopes::new().is_within(&one)
        );
    }
}
