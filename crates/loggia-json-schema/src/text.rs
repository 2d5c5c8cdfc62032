//! Checks an object as text, without a tree.
//!
//! This is enough for almost every call. If a value cannot be decided in one pass, the answer is unknown, and the
//! tree decides.

use loggia_wire::json::Scanner;

use super::CompiledSchema;
use super::check;
use super::node::{ArrayChecks, GeneralCheck, NodeId, ObjectChecks, SchemaNode, TypeSet};

/// The maximum nesting that is checked here; deeper values are checked as a tree.
const MAX_DEPTH: usize = 32;
/// The maximum number of members of an object that is checked here.
const MAX_MEMBERS: usize = 64;

/// Returns whether `text` is certainly a valid object. Calls `each` with its members. A member that is `null` makes
/// the answer unknown, because its meaning does not depend only on the schema.
pub(super) fn accepts_object<'t>(
    compiled: &CompiledSchema,
    text: &'t [u8],
    mut each: impl FnMut(&'t [u8], &'t [u8]),
) -> bool {
    if compiled.dynamic {
        return false;
    }
    let walk = TextChecker { compiled };
    let Some(node) = walk.plain(compiled.root).filter(|node| node.types.has(TypeSet::OBJECT)) else {
        return false;
    };
    let mut scanner = Scanner::new(text);
    walk.members(node.object.as_deref(), &mut scanner, 0, &mut each).is_some() && scanner.end().is_some()
}

struct TextChecker<'c> {
    compiled: &'c CompiledSchema,
}

impl<'c> TextChecker<'c> {
    fn node(&self, id: NodeId) -> &'c SchemaNode {
        &self.compiled.nodes[id.0 as usize]
    }

    /// Returns a node without checks for values of every type.
    fn plain(&self, id: NodeId) -> Option<&'c SchemaNode> {
        let node = self.node(id);
        let plain = node.general.is_empty()
            && node.unevaluated_items.is_none()
            && node.unevaluated_properties.is_none();
        plain.then_some(node)
    }

    /// Reads a value. Returns `Some` if it is certainly valid.
    fn accept<'t>(&self, id: NodeId, scanner: &mut Scanner<'t>, depth: usize) -> Option<&'t [u8]> {
        if id == NodeId::ANYTHING {
            return scanner.value();
        }
        let node = self.node(id);
        if depth > MAX_DEPTH {
            return None;
        }
        if let [GeneralCheck::Ref(target)] = node.general[..] {
            let alone = node.types == TypeSet::ANY && node.asks_nothing_by_type();
            return if alone { self.accept(target, scanner, depth + 1) } else { None };
        }
        let plain = self.plain(id).is_some();
        match scanner.peek()? {
            b'[' if plain && node.types.has(TypeSet::ARRAY) => {
                scanner.spanning(|scanner| self.items(node.array.as_deref(), scanner, depth))
            }
            b'{' if plain && node.types.has(TypeSet::OBJECT) => scanner
                .spanning(|scanner| self.members(node.object.as_deref(), scanner, depth, &mut |_, _| {})),
            b'[' | b'{' | b'n' => None,
            first => {
                let text = scanner.value()?;
                let fits = plain && node.accepts_by_type(first, text);
                (fits || self.accepts_tree(id, text)).then_some(text)
            }
        }
    }

    /// Checks a string, a number or a boolean as a tree.
    fn accepts_tree(&self, id: NodeId, text: &[u8]) -> bool {
        serde_json::from_slice(text).is_ok_and(|value| check::holds_at(self.compiled, id, &value))
    }

    fn items(&self, checks: Option<&ArrayChecks>, scanner: &mut Scanner<'_>, depth: usize) -> Option<()> {
        let Some(checks) = checks else { return scanner.value().map(drop) };
        if checks.unique || !checks.prefix.is_empty() || checks.contains.is_some() {
            return None;
        }
        let mut count = 0;
        scanner.array(|scanner| {
            count += 1;
            self.accept(checks.rest.unwrap_or(NodeId::ANYTHING), scanner, depth + 1).map(drop)
        })?;
        checks.length.contains(count).then_some(())
    }

    /// Reads the members of an object. A name with escapes, a repeated name and a `null` make the answer unknown.
    fn members<'t>(
        &self,
        checks: Option<&ObjectChecks>,
        scanner: &mut Scanner<'t>,
        depth: usize,
        each: &mut dyn FnMut(&'t [u8], &'t [u8]),
    ) -> Option<()> {
        let mut names = MemberNames::default();
        scanner.object(|scanner, name| {
            if scanner.peek()? == b'n' || !names.add(name) {
                return None;
            }
            let known = checks.and_then(|checks| checks.property(name).or(checks.additional));
            let text = self.accept(known.unwrap_or(NodeId::ANYTHING), scanner, depth + 1)?;
            each(name, text);
            Some(())
        })?;
        checks.is_none_or(|checks| names.satisfy(checks)).then_some(())
    }
}

impl SchemaNode {
    fn asks_nothing_by_type(&self) -> bool {
        self.number.is_none() && self.string.is_none() && self.array.is_none() && self.object.is_none()
    }

    /// Returns whether the type of a string, a number or a boolean is enough to accept it.
    fn accepts_by_type(&self, first: u8, text: &[u8]) -> bool {
        match first {
            b'"' => self.string.is_none() && self.types.has(TypeSet::STRING),
            b't' | b'f' => self.types.has(TypeSet::BOOLEAN),
            _ => {
                let whole = !text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
                self.number.is_none() && whole && self.types.has(TypeSet::INTEGER)
            }
        }
    }
}

/// The names of an object's members.
#[derive(Default)]
struct MemberNames<'t> {
    first: [&'t [u8]; 8],
    more: Vec<&'t [u8]>,
    count: usize,
}

impl<'t> MemberNames<'t> {
    /// Adds a name; `false` if it is there already, or there are too many.
    fn add(&mut self, name: &'t [u8]) -> bool {
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

    fn has(&self, name: &[u8]) -> bool {
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
            && checks.required.iter().all(|required| self.has(required.as_bytes()))
    }
}
