//! Checks a value against the nodes.
//!
//! The same walk answers two questions: whether a value is valid (it stops at the first failure and allocates
//! nothing), and what its violations are (it continues and collects them).

mod forms;
mod object;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde_json::{Number, Value};

use super::error::{Violation, Violations};
use super::evaluated::EvaluatedLocations;
use super::node::{
    ArrayChecks, ContainsCheck, GeneralCheck, NodeId, NumberChecks, SchemaNode, StringChecks, TypeSet,
};
use super::{CompiledSchema, MAX_CHECK_DEPTH, MAX_STEPS, MAX_VIOLATIONS, message, number};

/// Returns whether `value` is valid.
pub(super) fn holds(compiled: &CompiledSchema, value: &Value) -> bool {
    let mut checker = ValueChecker::new(compiled, false);
    (checker.node(compiled.root, value, &InstancePath::Root, None) || checker.unsure)
        && checker.gave_up.is_none()
}

/// Returns whether `value` is valid against one of the nodes.
pub(super) fn holds_at(compiled: &CompiledSchema, node: NodeId, value: &Value) -> bool {
    let mut checker = ValueChecker::new(compiled, false);
    checker.node(node, value, &InstancePath::Root, None) && !checker.unsure && checker.gave_up.is_none()
}

/// Returns the violations of `value`, which is not valid.
pub(super) fn explain(compiled: &CompiledSchema, value: &Value) -> Violations {
    let mut checker = ValueChecker::new(compiled, true);
    checker.node(compiled.root, value, &InstancePath::Root, None);
    if let Some(message) = checker.gave_up {
        let violation = Violation { path: InstancePath::Root.to_string(), message: message.to_owned() };
        return Violations { list: vec![violation], more: false };
    }
    Violations { list: checker.violations, more: checker.more }
}

/// The path from the root of the value to the value that is checked.
enum InstancePath<'p> {
    Root,
    Property(&'p InstancePath<'p>, &'p str),
    Item(&'p InstancePath<'p>, usize),
}

impl fmt::Display for InstancePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstancePath::Root => f.write_str("$"),
            InstancePath::Item(parent, index) => write!(f, "{parent}[{index}]"),
            InstancePath::Property(parent, name) => {
                let plain = !name.starts_with(|c: char| c.is_ascii_digit())
                    && name.chars().all(|c| c.is_alphanumeric() || c == '_');
                if plain && !name.is_empty() {
                    write!(f, "{parent}.{}", message::shortened(name))
                } else {
                    write!(f, "{parent}[{:?}]", message::shortened(name))
                }
            }
        }
    }
}

type LocationSink<'o, 'v> = Option<&'o mut EvaluatedLocations<'v>>;

struct ValueChecker<'c> {
    compiled: &'c CompiledSchema,
    /// True if violations are recorded.
    report: bool,
    /// The number of enclosing probes, in which a match may count against the value.
    probes: usize,
    /// True if the answer may be wrong because a pattern cannot be used.
    unsure: bool,
    violations: Vec<Violation>,
    more: bool,
    depth: usize,
    steps: usize,
    /// The reason why the check was stopped. Then the value is invalid, also inside `not`.
    gave_up: Option<&'static str>,
    /// The schema resources of the walk, outermost first. They are recorded only if a `$dynamicRef` needs them.
    scope: Vec<u32>,
}

impl<'c> ValueChecker<'c> {
    fn new(compiled: &'c CompiledSchema, report: bool) -> ValueChecker<'c> {
        ValueChecker {
            compiled,
            report,
            probes: 0,
            unsure: false,
            violations: Vec::new(),
            more: false,
            depth: 0,
            steps: 0,
            gave_up: None,
            scope: Vec::new(),
        }
    }

    fn node<'v>(
        &mut self,
        id: NodeId,
        value: &'v Value,
        path: &InstancePath<'_>,
        seen: LocationSink<'_, 'v>,
    ) -> bool {
        if !self.spend(1) {
            return false;
        }
        if self.depth >= MAX_CHECK_DEPTH {
            self.gave_up = Some("the value, or the schema's recursion, nests too deeply to be checked");
            return false;
        }
        let node = &self.compiled.nodes[id.0 as usize];
        self.depth += 1;
        let entered = self.compiled.dynamic && self.scope.last() != Some(&node.resource);
        if entered {
            self.scope.push(node.resource);
        }
        let waits = node.unevaluated_items.is_some() || node.unevaluated_properties.is_some();
        let ok =
            if waits { self.waiting(node, value, path, seen) } else { self.checks(node, value, path, seen) };
        if entered {
            self.scope.pop();
        }
        self.depth -= 1;
        ok && self.gave_up.is_none()
    }

    /// Checks a node that depends on the parts that its other keywords have evaluated.
    fn waiting<'v>(
        &mut self,
        node: &SchemaNode,
        value: &'v Value,
        path: &InstancePath<'_>,
        seen: LocationSink<'_, 'v>,
    ) -> bool {
        let mut looked_at = EvaluatedLocations::default();
        let ok = self.checks(node, value, path, Some(&mut looked_at))
            && self.unevaluated(node, value, path, &mut looked_at);
        if let Some(seen) = seen.filter(|_| ok) {
            seen.merge(looked_at);
        }
        ok
    }

    fn checks<'v>(
        &mut self,
        node: &SchemaNode,
        value: &'v Value,
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        if !node.types.contains(value) {
            return self.fail(path, || match node.types {
                TypeSet::NONE => "no value is allowed here".to_owned(),
                types => message::wrong_type(types, value),
            });
        }
        let mut ok = match value {
            Value::Number(number) => {
                node.number.as_ref().is_none_or(|checks| self.number(checks, number, path))
            }
            Value::String(text) => node.string.as_ref().is_none_or(|checks| self.string(checks, text, path)),
            Value::Array(items) => {
                node.array.as_ref().is_none_or(|checks| self.array(checks, items, path, seen.as_deref_mut()))
            }
            Value::Object(members) => node
                .object
                .as_ref()
                .is_none_or(|checks| self.object(checks, members, value, path, seen.as_deref_mut())),
            Value::Null | Value::Bool(_) => true,
        };
        for check in &node.general {
            if !ok && !self.report {
                return false;
            }
            ok &= self.general(check, value, path, seen.as_deref_mut());
        }
        ok
    }

    fn number(&mut self, checks: &NumberChecks, found: &Number, path: &InstancePath<'_>) -> bool {
        let bounds = [
            (&checks.at_least, "at least", Ordering::Less, false),
            (&checks.above, "more than", Ordering::Less, true),
            (&checks.at_most, "at most", Ordering::Greater, false),
            (&checks.below, "less than", Ordering::Greater, true),
        ];
        let mut ok = true;
        for (bound, words, wrong, strict) in bounds {
            let Some(bound) = bound else { continue };
            let order = number::compare(found, bound);
            if order == wrong || (strict && order == Ordering::Equal) {
                ok = self.fail(path, || format!("expected a number that is {words} {bound}, got {found}"));
            }
        }
        if let Some(step) = &checks.multiple_of
            && !number::is_multiple(found, step)
        {
            ok = self.fail(path, || format!("expected a multiple of {step}, got {found}"));
        }
        ok
    }

    fn string(&mut self, checks: &StringChecks, text: &str, path: &InstancePath<'_>) -> bool {
        let mut ok = true;
        if checks.length.is_bounded() {
            self.spend(text.len() / 64);
            let count = text.chars().count();
            if !checks.length.contains(count) {
                ok =
                    self.fail(path, || message::wrong_count(checks.length, count, "character", "characters"));
            }
        }
        self.unsure |= checks.unusable_pattern && self.probes > 0;
        if let Some(pattern) = &checks.pattern {
            if !self.spend(pattern.cost(text.len())) {
                return false;
            }
            if !pattern.is_match(text) {
                ok = self.fail(path, || {
                    format!(
                        "expected a string that matches {}, got {:?}",
                        pattern.source(),
                        message::shortened(text)
                    )
                });
            }
        }
        ok
    }

    fn array<'v>(
        &mut self,
        checks: &ArrayChecks,
        items: &'v [Value],
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        let mut ok = true;
        if !checks.length.contains(items.len()) {
            ok = self.fail(path, || message::wrong_count(checks.length, items.len(), "item", "items"));
        }
        if checks.unique
            && let Some((first, second)) = self.repeated(items)
        {
            ok = self.fail(path, || {
                format!("expected items that all differ, but items {first} and {second} are equal")
            });
        }
        for (index, item) in items.iter().enumerate() {
            if !ok && !self.report {
                return false;
            }
            let Some(node) = checks.prefix.get(index).copied().or(checks.rest) else { break };
            ok &= self.node(node, item, &InstancePath::Item(path, index), None);
        }
        if let Some(seen) = seen.as_deref_mut() {
            seen.prefix(checks.prefix.len());
            if checks.rest.is_some() {
                seen.all_items();
            }
        }
        if let Some(contains) = &checks.contains {
            ok &= self.contains(contains, items, path, seen);
        }
        ok
    }

    fn contains<'v>(
        &mut self,
        contains: &ContainsCheck,
        items: &'v [Value],
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        let mut count = 0;
        for (index, item) in items.iter().enumerate() {
            if self.probe(contains.node, item, path, None) {
                count += 1;
                if let Some(seen) = seen.as_deref_mut() {
                    seen.item(index);
                }
            }
        }
        let range = contains.count;
        range.contains(count)
            || self.fail(path, || {
                message::wrong_count(range, count, "item of the required form", "items of the required form")
            })
    }

    /// Returns the indexes of two equal items.
    fn repeated(&mut self, items: &[Value]) -> Option<(usize, usize)> {
        let mut buckets: HashMap<u64, Vec<usize>> = HashMap::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mut hasher = DefaultHasher::new();
            number::hash(item, &mut hasher);
            let bucket = buckets.entry(hasher.finish()).or_default();
            if !self.spend(1 + bucket.len() * 4) {
                return None;
            }
            if let Some(first) = bucket.iter().find(|first| number::equal(&items[**first], item)) {
                return Some((*first, index));
            }
            bucket.push(index);
        }
        None
    }

    fn general<'v>(
        &mut self,
        check: &GeneralCheck,
        value: &'v Value,
        path: &InstancePath<'_>,
        seen: LocationSink<'_, 'v>,
    ) -> bool {
        match check {
            GeneralCheck::Const(expected) => {
                number::equal(expected, value)
                    || self.fail(path, || message::not_listed(std::slice::from_ref(expected), value))
            }
            GeneralCheck::Enum(listed) => {
                self.spend(listed.cost());
                listed.contains(value) || self.fail(path, || message::not_listed(&listed.values, value))
            }
            GeneralCheck::Ref(node) => self.node(*node, value, path, seen),
            GeneralCheck::DynamicRef { anchors, otherwise } => {
                let anchor =
                    |resource: &u32| anchors.iter().find(|(of, _)| of == resource).map(|(_, node)| *node);
                let node = self.scope.iter().find_map(anchor).unwrap_or(*otherwise);
                self.node(node, value, path, seen)
            }
            GeneralCheck::AllOf(nodes) => self.all_of(nodes, value, path, seen),
            GeneralCheck::AnyOf(nodes) => {
                // If locations are collected, those of every matching alternative are needed.
                let enough = if seen.is_some() { usize::MAX } else { 1 };
                self.matching(nodes, value, path, seen, enough) > 0 || self.none_of(nodes, value, path)
            }
            GeneralCheck::OneOf(nodes) => match self.matching(nodes, value, path, seen, 2) {
                0 => self.none_of(nodes, value, path),
                1 => true,
                _ => self.fail(path, || {
                    format!(
                        "the value matches more than one of {} forms, where exactly one may match",
                        nodes.len()
                    )
                }),
            },
            GeneralCheck::Not(node) => {
                !self.probe(*node, value, path, None)
                    || self.fail(path, || {
                        format!("{} has a form that is not allowed here", message::found(value))
                    })
            }
            GeneralCheck::If { condition, then, otherwise } => {
                self.conditional(*condition, *then, *otherwise, value, path, seen)
            }
        }
    }

    fn all_of<'v>(
        &mut self,
        nodes: &[NodeId],
        value: &'v Value,
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        let mut ok = true;
        for node in nodes {
            ok &= self.node(*node, value, path, seen.as_deref_mut());
            if !ok && !self.report {
                return false;
            }
        }
        ok
    }

    fn conditional<'v>(
        &mut self,
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
        value: &'v Value,
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        let node = if self.probe(condition, value, path, seen.as_deref_mut()) { then } else { otherwise };
        self.node(node, value, path, seen)
    }

    /// Checks a node without recording violations.
    fn probe<'v>(
        &mut self,
        id: NodeId,
        value: &'v Value,
        path: &InstancePath<'_>,
        seen: LocationSink<'_, 'v>,
    ) -> bool {
        let report = std::mem::replace(&mut self.report, false);
        self.probes += 1;
        let ok = match seen {
            None => self.node(id, value, path, None),
            Some(seen) => {
                let mut looked_at = EvaluatedLocations::default();
                let ok = self.node(id, value, path, Some(&mut looked_at));
                if ok && self.spend(looked_at.cost()) {
                    seen.merge(looked_at);
                }
                ok
            }
        };
        self.report = report;
        self.probes -= 1;
        ok
    }

    /// Records a violation, if violations are wanted.
    fn fail(&mut self, path: &InstancePath<'_>, message: impl FnOnce() -> String) -> bool {
        if self.report {
            if self.violations.len() < MAX_VIOLATIONS {
                self.violations.push(Violation { path: path.to_string(), message: message() });
            } else {
                self.more = true;
            }
        }
        false
    }

    /// Counts work; `false` if the budget is used up.
    fn spend(&mut self, cost: usize) -> bool {
        self.steps = self.steps.saturating_add(cost);
        if self.steps > MAX_STEPS {
            self.gave_up = Some("checking the value against its schema takes too long");
        }
        self.gave_up.is_none()
    }
}
