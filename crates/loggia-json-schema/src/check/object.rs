//! Checks objects, and the parts that no other keyword has evaluated.

use serde_json::{Map, Value};

use super::super::evaluated::EvaluatedLocations;
use super::super::message;
use super::super::node::{NodeId, ObjectChecks, SchemaNode};
use super::{InstancePath, LocationSink, ValueChecker};

impl ValueChecker<'_> {
    pub(super) fn object<'v>(
        &mut self,
        checks: &ObjectChecks,
        members: &'v Map<String, Value>,
        value: &'v Value,
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        let mut ok = self.presence(checks, members, path);
        if !ok && !self.report {
            return false;
        }
        ok &= self.members(checks, members, path, seen.as_deref_mut());
        if let Some(names) = checks.names {
            ok &= members.keys().all(|name| self.name(names, name, path));
        }
        for (name, node) in &checks.dependent_schemas {
            if members.contains_key(&**name) {
                ok &= self.node(*node, value, path, seen.as_deref_mut());
            }
        }
        ok
    }

    fn presence(
        &mut self,
        checks: &ObjectChecks,
        members: &Map<String, Value>,
        path: &InstancePath<'_>,
    ) -> bool {
        let mut ok = true;
        if !checks.length.contains(members.len()) {
            ok = self
                .fail(path, || message::wrong_count(checks.length, members.len(), "property", "properties"));
        }
        if !self.spend(checks.required.len() / 8) {
            return false;
        }
        for name in &checks.required {
            if !members.contains_key(&**name) {
                ok = self.fail(path, || {
                    format!("the required property {:?} is missing", message::shortened(name))
                });
            }
        }
        for (name, required) in &checks.dependent_required {
            if !members.contains_key(&**name) || !self.spend(required.len() / 8) {
                continue;
            }
            for other in required.iter().filter(|other| !members.contains_key(&***other)) {
                ok = self.fail(path, || {
                    let (name, other) = (message::shortened(name), message::shortened(other));
                    format!("the property {other:?} is required where {name:?} is present")
                });
            }
        }
        ok
    }

    fn members<'v>(
        &mut self,
        checks: &ObjectChecks,
        members: &'v Map<String, Value>,
        path: &InstancePath<'_>,
        mut seen: LocationSink<'_, 'v>,
    ) -> bool {
        let mut ok = true;
        for (name, member) in members {
            if !ok && !self.report {
                return false;
            }
            let here = InstancePath::Property(path, name);
            let mut known = false;
            if let Some(node) = checks.property(name.as_bytes()) {
                known = true;
                ok &= self.node(node, member, &here, None);
            }
            for (pattern, node) in &checks.patterns {
                if !self.spend(pattern.cost(name.len())) {
                    return false;
                }
                if pattern.is_match(name) {
                    known = true;
                    ok &= self.node(*node, member, &here, None);
                }
            }
            match checks.additional {
                Some(NodeId::NOTHING) if !known => {
                    let allowed = checks.properties.iter().map(|(name, _)| &**name);
                    ok = self.fail(path, || message::not_allowed(name, allowed));
                }
                Some(node) if !known => ok &= self.node(node, member, &here, None),
                _ => {}
            }
            if let Some(seen) = seen.as_deref_mut().filter(|_| known || checks.additional.is_some()) {
                seen.property(name);
            }
        }
        ok
    }

    fn name(&mut self, node: NodeId, name: &str, path: &InstancePath<'_>) -> bool {
        let outer = std::mem::take(&mut self.violations);
        let ok = self.spend(name.len() / 64) && self.node(node, &Value::String(name.to_owned()), path, None);
        let inner = std::mem::replace(&mut self.violations, outer);
        ok || self.fail(path, || {
            let why = inner.first().map_or("", |violation| &violation.message);
            format!("the property name {:?} is not allowed: {why}", message::shortened(name))
        })
    }

    /// Checks `unevaluatedItems` and `unevaluatedProperties`.
    pub(super) fn unevaluated<'v>(
        &mut self,
        node: &SchemaNode,
        value: &'v Value,
        path: &InstancePath<'_>,
        seen: &mut EvaluatedLocations<'v>,
    ) -> bool {
        let mut ok = true;
        match (value, node.unevaluated_items, node.unevaluated_properties) {
            (Value::Array(items), Some(node), _) => {
                for (index, item) in items.iter().enumerate() {
                    ok &=
                        seen.has_item(index) || self.node(node, item, &InstancePath::Item(path, index), None);
                }
                seen.all_items();
            }
            (Value::Object(members), _, Some(node)) => {
                for (name, member) in members {
                    ok &= seen.has_property(name)
                        || match node {
                            NodeId::NOTHING => {
                                self.fail(path, || message::not_allowed(name, std::iter::empty()))
                            }
                            node => self.node(node, member, &InstancePath::Property(path, name), None),
                        };
                }
                seen.all_properties();
            }
            _ => {}
        }
        ok
    }
}
