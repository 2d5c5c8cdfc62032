//! Which operation needs which scopes. It is decided before the operation runs, from its method and from the
//! name or URI it is about, so that a refusal can name everything that is needed at once.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Operation, Unclear};
use super::subject::Subject;
use super::uri_rules::{ComparableUri, UriPattern, UriSpellings};

/// The scopes that operations need. Without rules a good token is enough for everything.
#[derive(Debug, Clone, Default)]
pub struct ScopePolicy {
    always: BTreeSet<String>,
    rules: Vec<Rule>,
    implies: BTreeMap<String, BTreeSet<String>>,
    spellings: UriSpellings,
}

#[derive(Debug, Clone)]
struct Rule {
    kind: Kind,
    pattern: String,
    /// The pattern of a rule for resources, compiled.
    uris: UriPattern,
    scope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Method,
    Tool,
    Prompt,
    Resource,
}

impl ScopePolicy {
    /// No rules.
    pub fn new() -> ScopePolicy {
        ScopePolicy::default()
    }

    /// Every request needs this scope.
    pub fn always(mut self, scope: impl Into<String>) -> ScopePolicy {
        self.always.insert(scope.into());
        self
    }

    /// A method needs this scope. In this and the following, a `*` at the end stands for any rest.
    pub fn method(self, method: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(Kind::Method, method.into(), scope.into())
    }

    /// Calling a tool needs this scope.
    pub fn tool(self, name: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(Kind::Tool, name.into(), scope.into())
    }

    /// Getting a prompt needs this scope.
    pub fn prompt(self, name: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(Kind::Prompt, name.into(), scope.into())
    }

    /// Reading or following a resource, or completing its URI, needs this scope.
    ///
    /// URIs are compared in their normal form ([`NormalUri`](loggia::wire::uri::NormalUri)), so a rule holds for every
    /// spelling of a URI. Paths of `file:` URIs are compared without regard to case, which some file systems ignore; the
    /// Unicode normalization form counts. With a rule for resources, a request whose URI has no normal form is refused.
    pub fn resource(self, uri: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(Kind::Resource, uri.into(), scope.into())
    }

    /// `NAME+URI` is the same resource as `URI`: the qualified URIs of a hub.
    pub fn qualifier(mut self, name: impl Into<String>) -> ScopePolicy {
        self.spellings.add_qualifier(&name.into());
        self.compiled()
    }

    /// A URI that begins with `alias` is the same resource as the URI with `prefix` in that place, such as
    /// `file:///srv/notes/` and `file:///` for a server that takes absolute and relative paths.
    ///
    /// With several aliases of one prefix, a rule holds for all URIs that it may be about: a rule for `file:///a` holds
    /// for that path in each folder, and a rule for a folder above the alias (`file:///srv/*`) for everything below
    /// `file:///`.
    pub fn alias(mut self, alias: &str, prefix: &str) -> ScopePolicy {
        self.spellings.add_alias(alias, prefix);
        self.compiled()
    }

    /// Whoever has `broad` has `narrow` too.
    pub fn implies(mut self, broad: impl Into<String>, narrow: impl Into<String>) -> ScopePolicy {
        self.implies.entry(broad.into()).or_default().insert(narrow.into());
        self
    }

    fn rule(mut self, kind: Kind, pattern: String, scope: String) -> ScopePolicy {
        let uris = match kind {
            Kind::Resource => self.spellings.pattern(&pattern),
            Kind::Method | Kind::Tool | Kind::Prompt => UriPattern::default(),
        };
        self.rules.push(Rule { kind, pattern, uris, scope });
        self
    }

    /// Compiles all rules anew: the spellings of URIs have changed.
    fn compiled(mut self) -> ScopePolicy {
        let resources = self.rules.iter_mut().filter(|rule| rule.kind == Kind::Resource);
        resources.for_each(|rule| rule.uris = self.spellings.pattern(&rule.pattern));
        self
    }

    /// What every request needs.
    pub fn base(&self) -> &BTreeSet<String> {
        &self.always
    }

    /// Whether requests must be read to know what they need.
    pub(super) fn looks_inside(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Returns the scopes that these operations need together. Where a rule depends on URIs, there may be at most
    /// `most_uris` of them, and each URI of a resource must have a normal form.
    pub(super) fn needed(
        &self,
        operations: &[Operation],
        most_uris: usize,
    ) -> Result<BTreeSet<String>, Unclear> {
        let spellings = self.judges_uris().then_some(&self.spellings);
        let uris = operations.iter().filter(|operation| operation.uri().is_some());
        if spellings.is_some() && uris.count() > most_uris {
            return Err(Unclear::too_many_resources(most_uris));
        }
        let targets = operations.iter().map(|operation| Target::of(operation, spellings));
        let targets: Vec<Target<'_>> = targets.collect::<Result<_, Unclear>>()?;
        let applies = |rule: &&Rule| targets.iter().any(|target| rule.applies(target));
        let scopes = self.rules.iter().filter(applies).map(|rule| rule.scope.clone());
        Ok(scopes.chain(self.always.iter().cloned()).collect())
    }

    /// Returns whether a rule depends on URIs.
    fn judges_uris(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind == Kind::Resource)
    }

    /// Whether what was granted is enough.
    pub fn allows(&self, granted: &[String], needed: &BTreeSet<String>) -> bool {
        let granted = self.with_implied(granted);
        needed.iter().all(|scope| granted.contains(scope.as_str()))
    }

    fn with_implied<'a>(&'a self, granted: &'a [String]) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        let mut waiting: Vec<&str> = granted.iter().map(String::as_str).collect();
        while let Some(scope) = waiting.pop() {
            if all.insert(scope) {
                waiting.extend(self.implies.get(scope).into_iter().flatten().map(String::as_str));
            }
        }
        all
    }
}

/// An operation with what rules are compared with.
struct Target<'o> {
    operation: &'o Operation,
    /// `None` where it has no URI, the beginning of a URI has no normal form, or no rule depends on URIs.
    uri: Option<ComparableUri>,
}

impl<'o> Target<'o> {
    fn of(operation: &'o Operation, spellings: Option<&UriSpellings>) -> Result<Target<'o>, Unclear> {
        let uri = match (&operation.subject, spellings) {
            (Some(Subject::Resource(uri)), Some(spellings)) => Some(spellings.comparable(uri)?),
            (Some(Subject::ResourcesUnder(start)), Some(spellings)) => spellings.comparable(start).ok(),
            _ => None,
        };
        Ok(Target { operation, uri })
    }
}

impl Rule {
    fn applies(&self, target: &Target<'_>) -> bool {
        match (self.kind, &target.operation.subject) {
            (Kind::Method, _) => self.matches(target.operation.method.as_str()),
            (Kind::Tool, Some(Subject::Tool(name))) | (Kind::Prompt, Some(Subject::Prompt(name))) => {
                self.matches(name)
            }
            (Kind::Resource, Some(Subject::Resource(uri))) => {
                // The spelling too: a server need not read the URI as we do.
                self.matches(uri) || self.uris.covers(target.uri.as_ref())
            }
            (Kind::Resource, Some(Subject::ResourcesUnder(_))) => {
                self.uris.may_cover_below(target.uri.as_ref())
            }
            _ => false,
        }
    }

    fn matches(&self, tested: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(start) => tested.starts_with(start),
            None => tested == self.pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use loggia::wire::Method;

    use super::*;

    /// Rules are compiled when they are added, and the spellings of URIs may be added before or after.
    #[test]
    fn rules_know_the_spellings_that_are_added_after_them() {
        let spelled = |policy: ScopePolicy| policy.qualifier("files").alias("file:///srv/", "file:///");
        let ruled = |policy: ScopePolicy| policy.resource("file:///secret/*", "secret").tool("drop", "write");
        let read = |uri: &str| {
            let subject = Some(Subject::Resource(uri.to_owned()));
            [Operation { method: Method::ReadResource, subject }]
        };
        for policy in [ruled(spelled(ScopePolicy::new())), spelled(ruled(ScopePolicy::new()))] {
            for (uri, is_secret) in [
                ("file:///secret/x", true),
                ("file:///srv/secret/x", true),
                ("files+file:///secret/x", true),
                ("file:///public/x", false),
            ] {
                let needed = policy.needed(&read(uri), 1).expect(uri);
                assert_eq!(needed.contains("secret"), is_secret, "{uri}: {policy:?}");
            }
        }
    }
}
