//! The names of types, counted over the shipped sources, because a reader who searches for a name wants one result.
//! Types in functions and tests are not counted, nor those that macros generate.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Ident, Item};

use super::source::Source;

/// A type that a crate defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TypeName {
    pub(super) krate: String,
    pub(super) name: String,
    /// The file.
    pub(super) path: String,
    /// True if it exists only on some systems or with some features.
    pub(super) is_conditional: bool,
}

/// The types of several crates.
#[derive(Debug, Default)]
pub(super) struct TypeNames(Vec<TypeName>);

impl TypeNames {
    /// Collects the types of `sources`, each of a crate's `src`. The error names the files that do not parse.
    pub(super) fn of<'s>(sources: impl Iterator<Item = &'s Source>) -> Result<Self, String> {
        let mut names = Self::default();
        let mut conditional_files = BTreeSet::new();
        for source in sources {
            let file = syn::parse_file(&source.text).map_err(|e| format!("{}: {e}", source.path))?;
            names.add_items(source, &file.items, false);
            conditional_files.extend(conditional_modules(source, &file.items));
        }
        let is_conditional = |path: &str| conditional_files.contains(path.trim_end_matches(".rs"));
        names.0.iter_mut().for_each(|name| name.is_conditional |= is_conditional(&name.path));
        names.0.sort();
        Ok(names)
    }

    fn add_items(&mut self, source: &Source, items: &[Item], is_conditional: bool) {
        for item in items {
            match item {
                Item::Struct(item) => self.add(source, &item.ident, &item.attrs, is_conditional),
                Item::Enum(item) => self.add(source, &item.ident, &item.attrs, is_conditional),
                Item::Union(item) => self.add(source, &item.ident, &item.attrs, is_conditional),
                Item::Trait(item) => self.add(source, &item.ident, &item.attrs, is_conditional),
                Item::Type(item) => self.add(source, &item.ident, &item.attrs, is_conditional),
                Item::Mod(item) if !is_test(&item.attrs) => {
                    let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                    self.add_items(source, items, is_conditional || has_condition(&item.attrs));
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, source: &Source, name: &Ident, attributes: &[Attribute], is_conditional: bool) {
        if is_test(attributes) {
            return;
        }
        self.0.push(TypeName {
            krate: source.krate().to_owned(),
            name: name.to_string(),
            path: source.path.clone(),
            is_conditional: is_conditional || has_condition(attributes),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the types of the crates that `wanted` selects.
    pub(super) fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|name| wanted(&name.krate)).cloned().collect())
    }

    /// Returns each name that one crate gives to several types, with the files. Of types with different conditions,
    /// only one is counted.
    pub(super) fn twice_in_a_crate(&self) -> Vec<(&TypeName, BTreeSet<&str>)> {
        let mut by_name: BTreeMap<(&str, &str), Vec<&TypeName>> = BTreeMap::new();
        for name in &self.0 {
            by_name.entry((&name.krate, &name.name)).or_default().push(name);
        }
        let is_twice = |names: &Vec<&TypeName>| {
            let conditional = names.iter().filter(|name| name.is_conditional).count();
            names.len() > 1 && conditional + 1 < names.len()
        };
        let twice = by_name.into_values().filter(is_twice);
        twice.map(|names| (names[0], names.iter().map(|name| &*name.path).collect())).collect()
    }

    /// Returns the types whose name another type has, too, in the same crate or in another one. `allowed` names do
    /// not count.
    pub(super) fn shared(&self, allowed: &[&str]) -> Vec<&TypeName> {
        let mut amounts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in &self.0 {
            *amounts.entry(&name.name).or_default() += 1;
        }
        let is_shared = |name: &&TypeName| amounts[&*name.name] > 1 && !allowed.contains(&&*name.name);
        self.0.iter().filter(is_shared).collect()
    }

    /// Returns the number of types whose name is one word.
    pub(super) fn one_word(&self) -> usize {
        self.0.iter().filter(|name| words(&name.name) == 1).count()
    }
}

/// Returns the number of words of a name in camel case: `HttpsClient` and `IOError` have two.
fn words(name: &str) -> usize {
    let letters: Vec<char> = name.chars().collect();
    let begins = |at: &usize| {
        let is_upper = |at: usize| letters.get(at).is_some_and(|c| c.is_uppercase());
        let ends_capitals =
            *at > 0 && is_upper(at - 1) && letters.get(at + 1).is_some_and(|c| c.is_lowercase());
        is_upper(*at) && (*at == 0 || !is_upper(at - 1) || ends_capitals)
    };
    (0..letters.len()).filter(begins).count()
}

/// Returns the paths, without `.rs`, of the files of `source` that are modules under a condition.
fn conditional_modules(source: &Source, items: &[Item]) -> Vec<String> {
    let file = source.path.trim_end_matches(".rs");
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let folder = if matches!(name, "mod" | "lib" | "main") { folder } else { file };
    let conditional = items.iter().filter_map(|item| match item {
        Item::Mod(item) if item.content.is_none() && has_condition(&item.attrs) => Some(&item.ident),
        _ => None,
    });
    conditional.map(|name| format!("{folder}/{name}")).collect()
}

fn has_condition(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
}

/// Returns whether an item is compiled only for tests.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test")
    };
    let is_all_test = |attribute: &Attribute| {
        let condition = attribute.parse_args::<syn::MetaList>().ok();
        attribute.path().is_ident("cfg")
            && condition.is_some_and(|list| {
                list.path.is_ident("all")
                    && list.tokens.to_string().split(',').any(|part| part.trim() == "test")
            })
    };
    attributes.iter().any(|attribute| is_test(attribute) || is_all_test(attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)]) -> TypeNames {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new((*path).into(), (*path).into(), (*text).into()))
            .collect();
        TypeNames::of(sources.iter()).expect("it parses")
    }

    #[test]
    fn types_are_counted_where_a_reader_finds_them() {
        let names = names(&[(
            "crates/a/src/lib.rs",
            "struct S; enum E {} trait T { type Inner; } union U { a: u8 } type Alias = u8; mod m { struct InModule; }
             fn f() { struct InFunction; }
             #[cfg(test)] mod tests { struct InTests; } #[cfg(all(test, unix))] mod more { struct InMore; }",
        )]);
        let found: Vec<&str> = names.0.iter().map(|name| &*name.name).collect();
        assert_eq!(found, ["Alias", "E", "InModule", "S", "T", "U"]);
    }

    #[test]
    fn a_name_is_twice_in_a_crate_unless_conditions_choose_one() {
        let names = names(&[
            (
                "crates/a/src/lib.rs",
                "struct Twice; #[cfg(unix)] struct Chosen; #[cfg(not(unix))] struct Chosen;",
            ),
            ("crates/a/src/b.rs", "enum Twice {} #[cfg(unix)] type Once = u8; struct Own;"),
            ("crates/b/src/lib.rs", "struct Own; struct Once;"),
            (
                "crates/c/src/lib.rs",
                "#[cfg(unix)] mod on { struct InMod; } #[cfg(not(unix))] mod off { struct InMod; }",
            ),
            ("crates/c/src/m.rs", "#[cfg(unix)] mod unix; #[cfg(not(unix))] mod other; mod always;"),
            ("crates/c/src/m/unix.rs", "struct InFile;"),
            ("crates/c/src/m/other.rs", "struct InFile; struct InTwo;"),
            ("crates/c/src/m/always.rs", "struct InThree;"),
            ("crates/c/src/n.rs", "struct InTwo; struct InThree;"),
        ]);
        let twice = names.twice_in_a_crate();
        let twice: Vec<_> =
            twice.iter().map(|(name, paths)| (&*name.krate, &*name.name, paths.len())).collect();
        assert_eq!(twice, [("a", "Twice", 2), ("c", "InThree", 2)]);
    }

    #[test]
    fn shared_names_and_one_word_names_are_counted() {
        let names = names(&[
            ("crates/a/src/lib.rs", "struct Shared; struct Error; struct OnlyHere; struct Alone;"),
            ("crates/b/src/lib.rs", "struct Shared; struct Error;"),
        ]);
        assert_eq!((names.len(), names.shared(&[]).len(), names.shared(&["Error"]).len()), (6, 4, 2));
        assert_eq!(names.one_word(), 5);
        assert_eq!(names.only(|krate| krate == "b").len(), 2);
    }

    #[test]
    fn words_of_a_name() {
        for (name, expected) in [
            ("Error", 1),
            ("ApiKey", 2),
            ("IOError", 2),
            ("TLS", 1),
            ("V2024", 1),
            ("JsonRpcError", 3),
            ("OpenId", 2),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }
}
