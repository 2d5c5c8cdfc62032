//! Alternatives: finds those that a value matches. If none matches, finds the one that the author of the value most
//! probably meant, so that the message can describe it.

use serde_json::Value;

use super::super::evaluated::EvaluatedLocations;
use super::super::node::{GeneralCheck, NodeId, SchemaNode, TypeSet};
use super::super::{message, number};
use super::{InstancePath, LocationSink, ValueChecker};

/// The most references that are followed to find the checks of an alternative.
const MAX_HOPS: usize = 8;

impl<'c> ValueChecker<'c> {
    /// Returns the number of `nodes` that match `value`. Stops counting at `enough`.
    pub(super) fn matching<'v>(
        &mut self,
        nodes: &[NodeId],
        value: &'v Value,
        path: &InstancePath<'_>,
        seen: LocationSink<'_, 'v>,
        enough: usize,
    ) -> usize {
        let mut count = 0;
        let mut found = seen.is_some().then(EvaluatedLocations::default);
        for node in nodes {
            count += usize::from(self.probe(*node, value, path, found.as_mut()));
            if count >= enough {
                break;
            }
        }
        if let (Some(seen), Some(found)) = (seen, found) {
            seen.merge(found);
        }
        count
    }

    /// Records why `value` matches none of `nodes`.
    pub(super) fn none_of(&mut self, nodes: &[NodeId], value: &Value, path: &InstancePath<'_>) -> bool {
        if !self.report || self.gave_up.is_some() {
            return false;
        }
        let fitting: Vec<NodeId> =
            nodes.iter().copied().filter(|id| self.form(*id).types.contains(value)).collect();
        if fitting.is_empty() {
            let types = nodes.iter().fold(TypeSet::NONE, |types, id| types.with(self.form(*id).types));
            return self.fail(path, || message::wrong_type(types, value));
        }
        if let Some(values) = self.listed(&fitting) {
            return self.fail(path, || message::not_listed(&values, value));
        }
        match self.meant(&fitting, value) {
            Some(node) => self.node(node, value, path, None),
            None => self.fail(path, || {
                format!("{} matches none of the {} allowed forms", message::found(value), nodes.len())
            }),
        }
    }

    /// Follows the references of the node `id` that have no other keywords, and returns the last node.
    fn form(&self, mut id: NodeId) -> &'c SchemaNode {
        for _ in 0..MAX_HOPS {
            match self.compiled.nodes[id.0 as usize].general.as_slice() {
                [GeneralCheck::Ref(target)] => id = *target,
                _ => break,
            }
        }
        &self.compiled.nodes[id.0 as usize]
    }

    /// Returns the values of all `nodes`, if each of them lists its values.
    fn listed(&self, nodes: &[NodeId]) -> Option<Vec<Value>> {
        let values = nodes.iter().map(|id| values_of(self.form(*id))).collect::<Option<Vec<_>>>()?;
        Some(values.concat())
    }

    /// Returns the alternative that is meant: the only one, or the only one whose constant properties `value` has.
    fn meant(&self, nodes: &[NodeId], value: &Value) -> Option<NodeId> {
        let mut likely = nodes.iter().copied().filter(|id| nodes.len() == 1 || self.is_tagged(*id, value));
        let first = likely.next()?;
        likely.next().is_none().then_some(first)
    }

    fn is_tagged(&self, id: NodeId, value: &Value) -> bool {
        let (Value::Object(members), Some(checks)) = (value, &self.form(id).object) else { return false };
        let tags =
            checks.properties.iter().filter_map(|(name, node)| Some((name, values_of(self.form(*node))?)));
        let mut tagged = false;
        for (name, values) in tags {
            let matches = members
                .get(&**name)
                .is_some_and(|member| values.iter().any(|value| number::equal(value, member)));
            if !matches {
                return false;
            }
            tagged = true;
        }
        tagged
    }
}

/// Returns the values that `node` allows, if it lists them.
fn values_of(node: &SchemaNode) -> Option<&[Value]> {
    node.general.iter().find_map(|check| match check {
        GeneralCheck::Const(value) => Some(std::slice::from_ref(value)),
        GeneralCheck::Enum(listed) => Some(listed.values.as_slice()),
        _ => None,
    })
}
