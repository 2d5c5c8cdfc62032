//! Checking an object in the text it came in, without a tree: what nearly every call needs. Only what can be
//! told at once is told; for everything else the answer is "unsure", and the tree decides.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Compiled;
use super::check;
use super::node::{ArrayChecks, Check, Node, NodeId, ObjectChecks, Range, Types};

/// How deeply the walk goes before it leaves the value to the tree.
const MAX_DEPTH: usize = 32;
/// The most members of an object that are told apart here.
const MAX_MEMBERS: usize = 64;

/// Whether `text` is certainly a valid object; `each` is given its members. One that is `null` leaves the
/// answer open: what it means is not the schema's to say alone.
pub(super) fn accepts_object<'t>(
    compiled: &Compiled,
    text: &'t [u8],
    mut each: impl FnMut(&'t str, &'t RawValue),
) -> bool {
    if compiled.dynamic {
        return false;
    }
    let walk = Walk { compiled };
    let Some(node) = walk.plain(compiled.root).filter(|node| node.types.has(Types::OBJECT)) else {
        return false;
    };
    walk.members(node.object.as_deref(), text, 0, &mut each)
}

struct Walk<'c> {
    compiled: &'c Compiled,
}

impl<'c> Walk<'c> {
    fn node(&self, id: NodeId) -> &'c Node {
        &self.compiled.nodes[id.0 as usize]
    }

    /// A node that asks nothing of values of every type.
    fn plain(&self, id: NodeId) -> Option<&'c Node> {
        let node = self.node(id);
        let plain = node.general.is_empty()
            && node.unevaluated_items.is_none()
            && node.unevaluated_properties.is_none();
        plain.then_some(node)
    }

    /// Whether `raw` is certainly valid.
    fn accepts(&self, id: NodeId, raw: &RawValue, depth: usize) -> bool {
        if id == NodeId::ANYTHING {
            return true;
        }
        if depth > MAX_DEPTH {
            return false;
        }
        if let [Check::Ref(target)] = self.node(id).general[..] {
            let node = self.node(id);
            return node.types == Types::ANY
                && node.asks_nothing_by_type()
                && self.accepts(target, raw, depth + 1);
        }
        let Some(node) = self.plain(id) else { return self.tree(id, raw) };
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') if node.string.is_none() => node.types.has(Types::STRING),
            Some(b't' | b'f') => node.types.has(Types::BOOLEAN),
            Some(b'-' | b'0'..=b'9') if node.number.is_none() && !text.contains(['.', 'e', 'E']) => {
                node.types.has(Types::INTEGER)
            }
            Some(b'[') if node.types.has(Types::ARRAY) => self.items(node.array.as_deref(), raw, depth),
            Some(b'{') if node.types.has(Types::OBJECT) => {
                self.members(node.object.as_deref(), text.as_bytes(), depth, &mut |_, _| {})
            }
            Some(b'n' | b'[' | b'{') | None => false,
            Some(_) => self.tree(id, raw),
        }
    }

    /// Asks the tree about one small value.
    fn tree(&self, id: NodeId, raw: &RawValue) -> bool {
        const NESTS: [char; 2] = ['[', '{'];
        if raw.get().starts_with(NESTS) || raw.get() == "null" {
            return false;
        }
        serde_json::from_str(raw.get()).is_ok_and(|value| check::holds_at(self.compiled, id, &value))
    }

    fn items(&self, checks: Option<&ArrayChecks>, raw: &RawValue, depth: usize) -> bool {
        let Some(checks) = checks else { return true };
        if checks.unique || !checks.prefix.is_empty() || checks.contains.is_some() {
            return false;
        }
        let items = Items { walk: self, node: checks.rest, length: checks.length, depth: depth + 1 };
        serde_json::Deserializer::from_str(raw.get()).deserialize_seq(items).is_ok()
    }

    fn members<'t>(
        &self,
        checks: Option<&ObjectChecks>,
        text: &'t [u8],
        depth: usize,
        each: &mut dyn FnMut(&'t str, &'t RawValue),
    ) -> bool {
        let members = Members { walk: self, checks, depth: depth + 1, each };
        serde_json::Deserializer::from_slice(text).deserialize_map(members).is_ok()
    }
}

impl Node {
    fn asks_nothing_by_type(&self) -> bool {
        self.number.is_none() && self.string.is_none() && self.array.is_none() && self.object.is_none()
    }
}

struct Items<'w, 'c> {
    walk: &'w Walk<'c>,
    node: Option<NodeId>,
    length: Range,
    depth: usize,
}

impl<'t> Visitor<'t> for Items<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(raw) = items.next_element::<&RawValue>()? {
            count += 1;
            if self.node.is_some_and(|node| !self.walk.accepts(node, raw, self.depth)) {
                return Err(unsure());
            }
        }
        if self.length.contains(count) { Ok(()) } else { Err(unsure()) }
    }
}

struct Members<'w, 'c, 't> {
    walk: &'w Walk<'c>,
    checks: Option<&'c ObjectChecks>,
    depth: usize,
    each: &'w mut dyn FnMut(&'t str, &'t RawValue),
}

impl<'t> Visitor<'t> for Members<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    /// A name that is written with escapes cannot be borrowed, and one that comes twice is out of the
    /// ordinary: the tree decides.
    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some((name, raw)) = map.next_entry::<&'t str, &'t RawValue>()? {
            if raw.get() == "null" || !names.add(name) || !self.accepts(name, raw) {
                return Err(unsure());
            }
            (self.each)(name, raw);
        }
        match self.checks {
            Some(checks) if !names.satisfy(checks) => Err(unsure()),
            _ => Ok(()),
        }
    }
}

impl Members<'_, '_, '_> {
    fn accepts(&self, name: &str, raw: &RawValue) -> bool {
        let Some(checks) = self.checks else { return true };
        match checks.property(name).or(checks.additional) {
            Some(node) => self.walk.accepts(node, raw, self.depth),
            None => true,
        }
    }
}

/// The names that an object has.
#[derive(Default)]
struct Names<'t> {
    first: [&'t str; 8],
    more: Vec<&'t str>,
    count: usize,
}

impl<'t> Names<'t> {
    /// Takes a name in; `false` where it is there already, or there are too many.
    fn add(&mut self, name: &'t str) -> bool {
        if self.has(name) || self.count == MAX_MEMBERS {
            return false;
        }
        match self.first.get_mut(self.count) {
            Some(place) => *place = name,
            None => self.more.push(name),
        }
        self.count += 1;
        true
    }

    fn has(&self, name: &str) -> bool {
        let first = &self.first[..self.count.min(self.first.len())];
        first.contains(&name) || self.more.contains(&name)
    }

    fn satisfy(&self, checks: &ObjectChecks) -> bool {
        let simple = checks.patterns.is_empty()
            && checks.names.is_none()
            && checks.dependent_required.is_empty()
            && checks.dependent_schemas.is_empty();
        simple
            && checks.length.contains(self.count)
            && checks.required.iter().all(|required| self.has(required))
    }
}

fn unsure<E: serde::de::Error>() -> E {
    E::custom("left to the tree")
}
