//! Transforms of names: they turn the names of a connector's tools and prompts into exposed names, and back.
//!
//! A chain of transforms renames or hides the components of a connector in lists. The same chain in reverse turns a
//! name from a client into the name that the connector knows. Transforms are pure functions, so lists, routes and the
//! access to components that are not listed yet always agree.
//!
//! Invariant: if `resolve` returns a name, `expose` of this name returns the argument of `resolve`. So a hidden
//! component cannot be reached.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::names::{SEPARATOR, exposed, unprefixed};

/// A kind of component that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentKind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ComponentKind::Tool => "tool",
            ComponentKind::Prompt => "prompt",
        })
    }
}

/// Rewrites the names of the components of one connector.
pub trait Transform: Send + Sync + 'static {
    /// Returns the name under which the component `name` is exposed; `None` hides it.
    fn expose<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>>;

    /// Returns the name of the component that is exposed as `name`; `None` if there can be no such component.
    fn resolve<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>>;
}

/// Hides the tools whose name a predicate refuses. Does not affect prompts.
#[derive(Clone)]
pub(crate) struct ToolFilter(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl ToolFilter {
    /// Creates a filter that shows the tools for whose names `allows` returns true.
    pub(crate) fn new(allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> ToolFilter {
        ToolFilter(Arc::new(allows))
    }

    fn pass<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        (kind != ComponentKind::Tool || (self.0)(&name)).then_some(name)
    }
}

impl Default for ToolFilter {
    fn default() -> ToolFilter {
        ToolFilter::new(|_| true)
    }
}

impl Transform for ToolFilter {
    fn expose<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        self.pass(kind, name)
    }

    fn resolve<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        self.pass(kind, name)
    }
}

/// Renames single components. If a component's own name is given to another one, it is hidden unless it is renamed,
/// too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RenameMap {
    exposed: BTreeMap<(ComponentKind, String), String>,
    original: BTreeMap<(ComponentKind, String), String>,
    conflict: Option<(ComponentKind, String)>,
}

impl RenameMap {
    /// Exposes the component `name` as `exposed_name`. The last rename of a component is used.
    pub(crate) fn add(&mut self, kind: ComponentKind, name: String, exposed_name: String) {
        if let Some(before) = self.exposed.insert((kind, name.clone()), exposed_name.clone()) {
            self.original.remove(&(kind, before));
        }
        if let Some(other) = self.original.insert((kind, exposed_name.clone()), name) {
            self.exposed.remove(&(kind, other));
            self.conflict = Some((kind, exposed_name));
        }
    }

    /// Returns a name that two components would have.
    pub(crate) fn conflict(&self) -> Option<&(ComponentKind, String)> {
        self.conflict.as_ref()
    }

    fn renamed<'n>(
        from: &BTreeMap<(ComponentKind, String), String>,
        back: &BTreeMap<(ComponentKind, String), String>,
        kind: ComponentKind,
        name: Cow<'n, str>,
    ) -> Option<Cow<'n, str>> {
        if from.is_empty() {
            return Some(name);
        }
        let key = (kind, name.into_owned());
        match from.get(&key) {
            Some(other) => Some(other.clone().into()),
            None if back.contains_key(&key) => None,
            None => Some(key.1.into()),
        }
    }
}

impl Transform for RenameMap {
    fn expose<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        RenameMap::renamed(&self.exposed, &self.original, kind, name)
    }

    fn resolve<'n>(&self, kind: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        RenameMap::renamed(&self.original, &self.exposed, kind, name)
    }
}

/// Adds the prefix of the connector to each name, or only to names that need it ([`crate::names`]).
pub(crate) struct PrefixTransform {
    prefix: Arc<str>,
    /// The prefixes of the other connectors; `None` if every name has the prefix.
    others: Option<BTreeSet<Arc<str>>>,
}

impl PrefixTransform {
    /// Adds `prefix` to each name.
    pub(crate) fn always(prefix: Arc<str>) -> PrefixTransform {
        PrefixTransform { prefix, others: None }
    }

    /// Adds `prefix` to the names that begin with one of `others`, and to those that strict clients refuse.
    pub(crate) fn where_taken(prefix: Arc<str>, others: BTreeSet<Arc<str>>) -> PrefixTransform {
        PrefixTransform { prefix, others: Some(others) }
    }

    fn name_of(&self, name: &str) -> String {
        match &self.others {
            None => exposed(&self.prefix, name),
            Some(others) => unprefixed(&self.prefix, name, |first| others.contains(first)),
        }
    }
}

impl Transform for PrefixTransform {
    fn expose<'n>(&self, _: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        Some(self.name_of(&name).into())
    }

    /// Returns no name for a shortened one: it ends in a digest and cannot be resolved. Its component is found when
    /// it is listed.
    fn resolve<'n>(&self, _: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        let rest = name.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_prefix(SEPARATOR));
        let is_own = |own: &str| self.name_of(own) == *name;
        match rest.filter(|rest| is_own(rest)) {
            Some(rest) => Some(rest.to_owned().into()),
            None => (self.others.is_some() && is_own(&name)).then_some(name),
        }
    }
}

/// All transforms of one connector, in the order in which they are applied.
pub(crate) struct TransformChain(Vec<Arc<dyn Transform>>);

impl TransformChain {
    /// Creates a chain of `transforms`.
    pub(crate) fn new(transforms: Vec<Arc<dyn Transform>>) -> TransformChain {
        TransformChain(transforms)
    }

    /// Returns the name under which the component `name` is listed; `None` if it is hidden.
    pub(crate) fn expose(&self, kind: ComponentKind, name: &str) -> Option<String> {
        let first = Some(Cow::Borrowed(name));
        let exposed = self.0.iter().fold(first, |name, transform| transform.expose(kind, name?));
        exposed.map(Cow::into_owned)
    }

    /// Returns the name of the component that would be listed as `name`.
    pub(crate) fn resolve(&self, kind: ComponentKind, name: &str) -> Option<String> {
        let last = Some(Cow::Borrowed(name));
        let resolved = self.0.iter().rev().fold(last, |name, transform| transform.resolve(kind, name?))?;
        (self.expose(kind, &resolved).as_deref() == Some(name)).then(|| resolved.into_owned())
    }
}

/// Random chains for property tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use proptest::prelude::*;

    /// The transforms of a connector `main` that stands beside a connector `other`.
    #[derive(Debug, Clone)]
    pub(crate) struct ChainSpec {
        pub(crate) hidden: BTreeSet<String>,
        pub(crate) renames: Vec<(String, String)>,
        pub(crate) is_unprefixed: bool,
    }

    impl ChainSpec {
        pub(crate) fn chain(&self) -> TransformChain {
            let mut renames = RenameMap::default();
            let pairs = self.renames.iter().cloned();
            pairs.for_each(|(name, exposed)| renames.add(ComponentKind::Tool, name, exposed));
            let prefix = match self.is_unprefixed {
                true => PrefixTransform::where_taken("main".into(), BTreeSet::from(["other".into()])),
                false => PrefixTransform::always("main".into()),
            };
            let hidden = self.hidden.clone();
            let filter = ToolFilter::new(move |name| !hidden.contains(name));
            TransformChain::new(vec![Arc::new(filter), Arc::new(renames), Arc::new(prefix)])
        }
    }

    /// A name of few letters, so that names collide, or one that clients refuse.
    pub(crate) fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]{1,2}", "(main|other)_[ab]", "other", ".{0,3}", "a{60,70}"]
    }

    prop_compose! {
        pub(crate) fn chain_spec()(
            hidden in proptest::collection::btree_set(name(), 0..3),
            renames in proptest::collection::vec((name(), name()), 0..4),
            is_unprefixed in any::<bool>(),
        ) -> ChainSpec {
            ChainSpec { hidden, renames, is_unprefixed }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{chain_spec, name};
    use super::*;
    use proptest::prelude::*;

    use ComponentKind::{Prompt, Tool};

    fn renames(pairs: &[(&str, &str)]) -> RenameMap {
        let mut map = RenameMap::default();
        pairs.iter().for_each(|(name, exposed)| map.add(Tool, (*name).to_owned(), (*exposed).to_owned()));
        map
    }

    #[test]
    fn a_renamed_component_has_its_new_name_alone() {
        // The renames, a name, the name it is exposed as, and the name that it resolves to.
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<&'a str>, Option<&'a str>);
        let cases: [Case<'_>; 7] = [
            (&[], "a", Some("a"), Some("a")),
            (&[("a", "b")], "a", Some("b"), None),
            (&[("a", "b")], "b", None, Some("a")),
            (&[("a", "b")], "c", Some("c"), Some("c")),
            (&[("a", "b"), ("b", "a")], "a", Some("b"), Some("b")),
            (&[("a", "b"), ("b", "c")], "b", Some("c"), Some("a")),
            (&[("a", "b"), ("a", "c")], "b", Some("b"), Some("b")),
        ];
        for (pairs, name, exposed, resolved) in cases {
            let map = renames(pairs);
            assert_eq!(map.expose(Tool, name.into()).as_deref(), exposed, "{pairs:?} {name}");
            assert_eq!(map.resolve(Tool, name.into()).as_deref(), resolved, "{pairs:?} {name}");
            assert_eq!(map.expose(Prompt, name.into()).as_deref(), Some(name), "{pairs:?} {name}: prompts");
        }
    }

    #[test]
    fn two_components_cannot_be_given_one_name() {
        for (pairs, conflict) in [
            (vec![("a", "x"), ("b", "x")], Some("x")),
            (vec![("a", "x"), ("b", "y")], None),
            (vec![("a", "x"), ("a", "y"), ("b", "x")], None),
        ] {
            let found = renames(&pairs).conflict().map(|(_, name)| name.clone());
            assert_eq!(found.as_deref(), conflict, "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_resolves_is_the_one_its_component_is_exposed_as(spec in chain_spec(), name in name()) {
            let chain = spec.chain();
            for name in [name.clone(), format!("main_{name}")] {
                if let Some(own) = chain.resolve(Tool, &name) {
                    let exposed = chain.expose(Tool, &own);
                    prop_assert_eq!(exposed.as_deref(), Some(&*name));
                    prop_assert!(!spec.hidden.contains(&own));
                }
            }
        }

        #[test]
        fn a_readable_name_resolves_to_its_component(spec in chain_spec(), name in "[ab]{1,2}") {
            // Without a prefix an own name may look like a prefixed one, and names that clients refuse get a digest.
            let is_plain = |name: &str| exposed("main", name) == format!("main_{name}");
            let is_readable = |name: &str| (1..40).contains(&name.len()) && is_plain(name);
            let mut spec = testing::ChainSpec { is_unprefixed: false, ..spec };
            spec.renames.retain(|(_, exposed)| is_readable(exposed));
            let chain = spec.chain();
            if let Some(exposed) = chain.expose(Tool, &name) {
                let resolved = chain.resolve(Tool, &exposed);
                prop_assert_eq!(resolved.as_deref(), Some(&*name), "{}", exposed);
            }
        }

        #[test]
        fn a_hidden_tool_is_not_exposed(spec in chain_spec()) {
            for name in &spec.hidden {
                prop_assert_eq!(spec.chain().expose(Tool, name), None);
            }
        }
    }
}
