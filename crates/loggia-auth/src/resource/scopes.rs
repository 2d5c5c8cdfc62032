//! The scopes that operations need.
//!
//! They depend on the method and on the name or URI of the target. They are checked before the operation runs, so
//! that a refusal can name all missing scopes.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{AmbiguousRequest, McpOperation};
use super::target::OperationTarget;
use super::uri_rules::{ComparableUri, UriPattern, UriSpellings};

/// The rules for the scopes that operations need. Without rules, a valid token is enough for all operations.
#[derive(Debug, Clone, Default)]
pub struct ScopePolicy {
    always: BTreeSet<String>,
    rules: Vec<ScopeRule>,
    implies: BTreeMap<String, BTreeSet<String>>,
    spellings: UriSpellings,
}

#[derive(Debug, Clone)]
struct ScopeRule {
    kind: RuleKind,
    pattern: String,
    /// The pattern of a rule for resources, compiled.
    uris: UriPattern,
    scope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleKind {
    Method,
    Tool,
    Prompt,
    Resource,
}

impl ScopePolicy {
    /// Creates a policy without rules.
    pub fn new() -> ScopePolicy {
        ScopePolicy::default()
    }

    /// Requires a scope for every request.
    pub fn always(mut self, scope: impl Into<String>) -> ScopePolicy {
        self.always.insert(scope.into());
        self
    }

    /// Requires a scope for a method. In this and the following rules, a `*` at the end matches any text.
    pub fn method(self, method: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(RuleKind::Method, method.into(), scope.into())
    }

    /// Requires a scope for calls of a tool.
    pub fn tool(self, name: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(RuleKind::Tool, name.into(), scope.into())
    }

    /// Requires a scope for getting a prompt.
    pub fn prompt(self, name: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(RuleKind::Prompt, name.into(), scope.into())
    }

    /// Requires a scope for reading a resource, subscribing to it, and completing its URI.
    ///
    /// URIs are compared in their normal form ([`NormalUri`](loggia::wire::uri::NormalUri)), so a rule applies to
    /// every spelling of a URI. Paths of `file:` URIs are compared without upper and lower case, which some file
    /// systems ignore, but with their Unicode normalization form. If there is a rule for resources, a request whose
    /// URI has no normal form is refused.
    pub fn resource(self, uri: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(RuleKind::Resource, uri.into(), scope.into())
    }

    /// Declares that `NAME+URI` is the same resource as `URI`, as the qualified URIs of a hub.
    pub fn qualifier(mut self, name: impl Into<String>) -> ScopePolicy {
        self.spellings.add_qualifier(&name.into());
        self.with_compiled_rules()
    }

    /// Declares that a URI that begins with `alias` is the same resource as the URI with `prefix` instead: for
    /// example `file:///srv/notes/` and `file:///` for a server that accepts absolute and relative paths.
    ///
    /// If one prefix has several aliases, a rule applies to all URIs that it may mean: a rule for `file:///a` applies
    /// to this path in each folder, and a rule for a folder above the alias (`file:///srv/*`) to everything below
    /// `file:///`.
    pub fn alias(mut self, alias: &str, prefix: &str) -> ScopePolicy {
        self.spellings.add_alias(alias, prefix);
        self.with_compiled_rules()
    }

    /// Declares that the scope `broad` includes the scope `narrow`.
    pub fn implies(mut self, broad: impl Into<String>, narrow: impl Into<String>) -> ScopePolicy {
        self.implies.entry(broad.into()).or_default().insert(narrow.into());
        self
    }

    fn rule(mut self, kind: RuleKind, pattern: String, scope: String) -> ScopePolicy {
        let uris = match kind {
            RuleKind::Resource => self.spellings.pattern(&pattern),
            RuleKind::Method | RuleKind::Tool | RuleKind::Prompt => UriPattern::default(),
        };
        self.rules.push(ScopeRule { kind, pattern, uris, scope });
        self
    }

    /// Compiles all rules again, after the spellings of URIs changed.
    fn with_compiled_rules(mut self) -> ScopePolicy {
        let resources = self.rules.iter_mut().filter(|rule| rule.kind == RuleKind::Resource);
        resources.for_each(|rule| rule.uris = self.spellings.pattern(&rule.pattern));
        self
    }

    /// Returns the scopes that every request needs.
    pub fn base(&self) -> &BTreeSet<String> {
        &self.always
    }

    /// Returns whether the scopes depend on the bodies of requests.
    pub(super) fn depends_on_body(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Returns the scopes that these operations need together. If a rule depends on URIs, there may be at most
    /// `max_uris` of them, and each URI of a resource must have a normal form.
    pub(super) fn needed(
        &self,
        operations: &[McpOperation],
        max_uris: usize,
    ) -> Result<BTreeSet<String>, AmbiguousRequest> {
        let spellings = self.depends_on_uris().then_some(&self.spellings);
        let uris = operations.iter().filter(|operation| operation.uri().is_some());
        if spellings.is_some() && uris.count() > max_uris {
            return Err(AmbiguousRequest::too_many_resources(max_uris));
        }
        let targets = operations.iter().map(|operation| RuleTarget::of(operation, spellings));
        let targets: Vec<RuleTarget<'_>> = targets.collect::<Result<_, AmbiguousRequest>>()?;
        let applies = |rule: &&ScopeRule| targets.iter().any(|target| rule.applies(target));
        let scopes = self.rules.iter().filter(applies).map(|rule| rule.scope.clone());
        Ok(scopes.chain(self.always.iter().cloned()).collect())
    }

    /// Returns whether a rule depends on URIs.
    fn depends_on_uris(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind == RuleKind::Resource)
    }

    /// Returns whether the granted scopes include the needed ones.
    pub fn allows(&self, granted: &[String], needed: &BTreeSet<String>) -> bool {
        let granted = self.with_implied(granted);
        needed.iter().all(|scope| granted.contains(scope.as_str()))
    }

    fn with_implied<'a>(&'a self, granted: &'a [String]) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        let mut unvisited: Vec<&str> = granted.iter().map(String::as_str).collect();
        while let Some(scope) = unvisited.pop() {
            if all.insert(scope) {
                unvisited.extend(self.implies.get(scope).into_iter().flatten().map(String::as_str));
            }
        }
        all
    }
}

/// An operation, with the form of its URI that is compared with rules.
struct RuleTarget<'o> {
    operation: &'o McpOperation,
    /// `None` if the operation has no URI, if a prefix has no normal form, or if no rule depends on URIs.
    uri: Option<ComparableUri>,
}

impl<'o> RuleTarget<'o> {
    fn of(
        operation: &'o McpOperation,
        spellings: Option<&UriSpellings>,
    ) -> Result<RuleTarget<'o>, AmbiguousRequest> {
        let uri = match (&operation.target, spellings) {
            (Some(OperationTarget::Resource(uri)), Some(spellings)) => Some(spellings.comparable(uri)?),
            (Some(OperationTarget::ResourcesUnder(start)), Some(spellings)) => {
                spellings.comparable(start).ok()
            }
            _ => None,
        };
        Ok(RuleTarget { operation, uri })
    }
}

impl ScopeRule {
    fn applies(&self, target: &RuleTarget<'_>) -> bool {
        match (self.kind, &target.operation.target) {
            (RuleKind::Method, _) => self.matches(target.operation.method.as_str()),
            (RuleKind::Tool, Some(OperationTarget::Tool(name)))
            | (RuleKind::Prompt, Some(OperationTarget::Prompt(name))) => self.matches(name),
            (RuleKind::Resource, Some(OperationTarget::Resource(uri))) => {
                // The original spelling is compared, too, because a server may read the URI differently.
                self.matches(uri) || self.uris.covers(target.uri.as_ref())
            }
            (RuleKind::Resource, Some(OperationTarget::ResourcesUnder(_))) => {
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
            let target = Some(OperationTarget::Resource(uri.to_owned()));
            [McpOperation { method: Method::ReadResource, target }]
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
