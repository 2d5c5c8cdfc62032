//! Which operation needs which scopes. It is decided before the operation runs, from its method and from the
//! name or URI it is about, so that a refusal can name everything that is needed at once.

use std::collections::{BTreeMap, BTreeSet};

use loggia::wire::jsonrpc::{Frame, Message};
use loggia::wire::{Method, RawJson};
use serde::Deserialize;

/// One thing that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The tool, prompt or URI it is about.
    pub subject: Option<String>,
}

/// What operations demand. Without rules a good token is enough for everything.
#[derive(Debug, Clone, Default)]
pub struct ScopePolicy {
    always: BTreeSet<String>,
    rules: Vec<Rule>,
    implies: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Clone)]
struct Rule {
    kind: Kind,
    pattern: String,
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

    /// Reading or following a resource needs this scope.
    pub fn resource(self, uri: impl Into<String>, scope: impl Into<String>) -> ScopePolicy {
        self.rule(Kind::Resource, uri.into(), scope.into())
    }

    /// Whoever has `broad` has `narrow` too.
    pub fn implies(mut self, broad: impl Into<String>, narrow: impl Into<String>) -> ScopePolicy {
        self.implies.entry(broad.into()).or_default().insert(narrow.into());
        self
    }

    fn rule(mut self, kind: Kind, pattern: String, scope: String) -> ScopePolicy {
        self.rules.push(Rule { kind, pattern, scope });
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

    /// All that these operations need together.
    pub fn needed(&self, operations: &[Operation]) -> BTreeSet<String> {
        let rules =
            self.rules.iter().filter(|rule| operations.iter().any(|operation| rule.applies(operation)));
        rules.map(|rule| rule.scope.clone()).chain(self.always.iter().cloned()).collect()
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

impl Rule {
    fn applies(&self, operation: &Operation) -> bool {
        let subject = || operation.subject.as_deref();
        let tested = match (self.kind, &operation.method) {
            (Kind::Method, method) => Some(method.as_str()),
            (Kind::Tool, Method::CallTool) | (Kind::Prompt, Method::GetPrompt) => subject(),
            (
                Kind::Resource,
                Method::ReadResource | Method::Subscribe | Method::Unsubscribe | Method::Listen,
            ) => subject(),
            _ => None,
        };
        tested.is_some_and(|tested| match self.pattern.strip_suffix('*') {
            Some(start) => tested.starts_with(start),
            None => tested == self.pattern,
        })
    }
}

/// A request is not clear about what it asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// The operations in a body. What cannot be read unambiguously is refused: what is judged here must be what
/// is done behind.
pub(super) fn operations(frame: &Frame) -> Result<Vec<Operation>, Unclear> {
    let mut found = Vec::new();
    let messages: Vec<&Message> = match frame {
        Frame::Single(message) => vec![message],
        Frame::Batch(members) => members.iter().filter_map(|member| member.as_ref().ok()).collect(),
    };
    for message in messages {
        let called = match message {
            Message::Request { method, params, .. } => Some((method, params.as_deref())),
            Message::Notification { method, params } => Some((method, params.as_ref())),
            Message::Response { .. } => None,
        };
        if let Some((method, params)) = called {
            read(method, params, &mut found)?;
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Located {
    uri: String,
}

#[derive(Deserialize)]
struct Listening {
    notifications: Followed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Followed {
    #[serde(default)]
    resource_subscriptions: Option<Vec<String>>,
}

fn read(method: &Method, params: Option<&RawJson>, found: &mut Vec<Operation>) -> Result<(), Unclear> {
    let params = params.ok_or(Unclear);
    let subjects: Vec<Option<String>> = match method {
        Method::CallTool | Method::GetPrompt => {
            vec![Some(params?.decode::<Named>().map_err(|_| Unclear)?.name)]
        }
        Method::ReadResource | Method::Subscribe | Method::Unsubscribe => {
            vec![Some(params?.decode::<Located>().map_err(|_| Unclear)?.uri)]
        }
        Method::Listen => {
            let listening = params?.decode::<Listening>().map_err(|_| Unclear)?;
            let followed = listening.notifications.resource_subscriptions.unwrap_or_default();
            followed.into_iter().map(Some).chain([None]).collect()
        }
        _ => vec![None],
    };
    found.extend(subjects.into_iter().map(|subject| Operation { method: method.clone(), subject }));
    Ok(())
}
